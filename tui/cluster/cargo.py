"""What travels to the cluster: the program of a worker, which is standard library only, and the folder of the task.

Nothing of ours need be installed there, and nothing is ever stale: every start packs what is on disk now.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tui

#: A file of the task's folder that has more bytes stays behind, and it is said.
LARGE = 1 << 20

#: So many bytes travel at most.
MOST = 16 << 20

_SKIPPED = ("__pycache__", "node_modules")


class CargoError(Exception):
    """The folder can't travel; the message says what to do."""


@dataclass(frozen=True)
class Cargo:
    """What travels.

    Attributes:
        data: A zip of all files.
        base: The folder that is ``job`` in it.
        cwd: The folder in it in which the task runs, relative to ``job``.
        targets: The task and the validator as they are called there.
        behind: Files that are too large, relative to the job's folder.
    """

    data: bytes
    base: Path
    cwd: str
    targets: tuple[str | None, ...]
    behind: tuple[str, ...]


def pack(cwd: Path, targets: Sequence[str | None]) -> Cargo:
    """Return the program of a worker and the folders of some targets, `FILE.py:FUNC` or `pkg.mod:FUNC`.

    The folder of a file travels, and of a module the current folder, as Python would find it. What is
    hidden, caches and virtual environments stay behind.

    Args:
        cwd: The job's folder.
        targets: The task, and the validator where there is one.

    Raises:
        CargoError: It is too much, or a file can't be read.
    """
    cwd = Path(os.path.normpath(cwd))
    files = [target.rpartition(":")[0] if target is not None else "" for target in targets]
    folders = {_folder(cwd, file) for file in files if file and not file.startswith("tui.")}
    base = Path(os.path.commonpath([cwd, *folders]))
    behind: list[str] = []
    taken: dict[str, Path] = {}
    for folder in sorted(folders):
        for path in _below(folder):
            if path.stat().st_size > LARGE:
                behind.append(os.path.relpath(path, cwd))
            else:
                taken[f"job/{path.relative_to(base)}"] = path
    total = sum(path.stat().st_size for path in taken.values())
    if total > MOST:
        where = ", ".join(map(str, sorted(folders)))
        raise CargoError(
            f"the folder of the task is to travel to the cluster, and has {total / (1 << 20):.0f} MB in files of up to "
            f"{LARGE >> 20} MB, of which {MOST >> 20} MB may: move the task into a folder of its own ({where})"
        )
    there = os.path.relpath(cwd, base)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        archive.writestr(os.path.normpath(f"job/{there}") + "/", b"")
        for name, path in (*_program(), *taken.items()):
            try:
                archive.write(path, name)
            except OSError as error:
                raise CargoError(f"{path} is to travel to the cluster, and can't be read: {error.strerror}") from None
    return Cargo(buffer.getvalue(), base, there, tuple(_as_there(cwd, target) for target in targets), tuple(behind))


def _folder(cwd: Path, file: str) -> Path:
    return Path(os.path.normpath(cwd / file)).parent if file.endswith(".py") else cwd


def _as_there(cwd: Path, target: str | None) -> str | None:
    if target is None or not target.rpartition(":")[0].endswith(".py"):
        return target
    file, _, name = target.rpartition(":")
    return f"{os.path.relpath(cwd / file, cwd)}:{name}"


def _below(folder: Path) -> Iterator[Path]:
    for where, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not _stays(Path(where, name)))
        shown = (Path(where, name) for name in sorted(files) if not name.startswith("."))
        yield from (path for path in shown if path.is_file())


def _stays(folder: Path) -> bool:
    """Return whether a folder holds nothing that a task has been written to use."""
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def _program() -> Iterator[tuple[str, Path]]:
    """Yield what runs beside a task, and the sample tasks."""
    root = Path(tui.__file__).parent
    for path in (root / "__init__.py", *(root / "worker").glob("*.py"), *(root / "samples").glob("*.py")):
        yield f"tunedeck/tui/{path.relative_to(root)}", path
