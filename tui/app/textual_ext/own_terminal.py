"""Keeps the terminal for the viewer alone while it runs.

Textual draws through ``sys.__stderr__``. A warning of a C library on descriptor 1 or 2 would land in the middle of
the screen, and a redirected stderr would leave no screen at all (`LinuxDriver.__init__` in `drivers/linux_driver.py`,
1.0 to 8.2.8).
"""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


class _Screen(io.TextIOWrapper):
    """The terminal as a file; one that has hung up takes no more: who reads from it sees to the rest."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            return self._hung_up(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._hung_up(error)

    def _hung_up(self, error: OSError) -> int:
        if error.errno != errno.EIO:
            raise error
        return 0


@contextmanager
def own_terminal() -> Iterator[None]:
    """Draw on the terminal itself; what strays to descriptors 1 and 2 meanwhile comes out afterwards."""
    terminal = next((number for number in (2, 1, 0) if os.isatty(number)), None)
    if terminal is None:
        yield
        return
    screen = _Screen(io.FileIO(os.dup(terminal), "w", closefd=True), encoding="utf-8", errors="replace")
    saved = {number: os.dup(number) for number in (1, 2)}
    streams = {name: vars(sys)[name] for name in ("__stdout__", "__stderr__")}
    with tempfile.TemporaryFile() as stray:
        sys.stdout.flush()
        sys.stderr.flush()
        for number in saved:
            os.dup2(stray.fileno(), number)
        vars(sys).update(__stdout__=screen, __stderr__=screen)
        try:
            yield
        finally:
            vars(sys).update(streams)
            screen.close()
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
            stray.seek(0)
            if text := stray.read():
                os.write(2, text)
