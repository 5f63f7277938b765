"""Standard input, output and error as every command may rely on them, whatever the caller has left of them.

A command is carried out to its end, and its exit code tells of that, also where nobody listens.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# What a name of somebody else's could do to a terminal. Line ends and our own colours stay.
_HARMFUL = re.compile("(\x1b\\[[0-9;]*m)|(?!\r?\n|\t)[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class _Stream(io.FileIO):
    """A descriptor to write to. Once it takes no more, what comes is dropped."""

    lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or drop."""
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


class _Text(io.TextIOWrapper):
    """Words for people. What must arrive as it is, such as the text of a config, goes to `buffer`."""

    def write(self, text: str, /) -> int:
        """Write, with control characters by their numbers; a file's name may have any."""
        return super().write(_HARMFUL.sub(lambda found: found[1] or f"\\u{ord(found[0]):04x}", text))


def secure() -> None:
    """Open what the caller has closed, so that no file of ours takes its place, and have lost output dropped."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False))
    # Where somebody else has put a stream of his own there, as tests do, that is meant.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, sys.stderr)


def _text(number: int, python: Any) -> _Text:
    """Return the stream of a descriptor in the place of Python's own, None where that was closed."""
    stream = io.BufferedWriter(_Stream(number, "w", closefd=False))
    if python is None:
        return _Text(stream, "utf-8", "replace")
    flags = {"line_buffering": python.line_buffering, "write_through": python.write_through}
    # Half a character stands for a byte that is no UTF-8, in the name of a file.
    errors = "surrogateescape" if python.errors == "strict" else python.errors
    return _Text(stream, python.encoding, errors, **flags)


def wanted(items: Iterable[T]) -> Iterator[T]:
    """Yield items to be printed for as long as standard output takes them."""
    for item in items:
        if _lost() is not None:
            return
        yield item


def unwritten() -> OSError | None:
    """Return why output is lost that somebody wanted; a reader who has gone has seen enough."""
    sys.stdout.flush()
    lost = _lost()
    return None if lost is None or lost.errno == errno.EPIPE else lost


def _lost() -> OSError | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Stream) else None
