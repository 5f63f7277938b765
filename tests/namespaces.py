"""Real mounts that nobody else sees: they are made in a namespace of their own and end with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


class Mounts:
    """A folder with something mounted in it.

    Args:
        folder: The folder.
        script: What to mount, for a shell in the folder.

    Attributes:
        path: The folder with its mounts, as seen from outside.
        inside: Put before a command line, it has the command run in the folder with the mounts.
    """

    def __init__(self, folder: Path, script: str) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", f"{script}; echo up; exec sleep 600"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        if said != b"up\n":
            self.close()
            pytest.skip(f"nothing can be mounted here: {said.decode()}")
        own = Path(f"/proc/{self._holder.pid}")
        self.path = own / "root" / folder.relative_to("/")
        self.inside = ("nsenter", f"--mount={own / 'ns/mnt'}", f"--wd={self.path}")

    def close(self) -> None:
        """Unmount everything, once nothing runs in it any more."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
