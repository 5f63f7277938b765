"""The lines of a job's output, made harmless.

Of all escape sequences only colours survive `sanitize`; they are turned into styles when a line is drawn.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import cell_len

from tui.app.text import picture

#: What is shown of a line without end.
MAX_LENGTH = 20_000

TAB = 8

_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_HARMFUL_BLOCK = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_COLOR = re.compile("\x1b\\[[0-9;:]*m")
_ESCAPE = re.compile(
    "(?P<color>\x1b\\[[0-9;:]*m)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # any other control sequence
    "|(?:\x1b[\\]P_^X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\\\)?"  # a string up to its end
    "|\x1b[ -/]*[0-~]"
    "|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\x1b]"
)


def sanitize(line: str) -> str:
    """Return `line` without anything that a terminal would obey but colours; tabs become blanks."""
    if len(line) > MAX_LENGTH:
        line = f"{line[:MAX_LENGTH]} … {len(line) - MAX_LENGTH:,} more characters"
    if not _HARMFUL.search(line):
        return line
    if "\r" in line:
        # A progress bar rewrites its line: what stands last is what a terminal would show.
        line = next((part for part in reversed(line.split("\r")) if part), "")
    line = _ESCAPE.sub(_harmless, line)
    return _expand_tabs(line) if "\t" in line else line


def _harmless(match: re.Match[str]) -> str:
    if match["color"]:
        return match[0]
    found = match[0]
    if len(found) > 1 or found in "\x07\x1b" or found > "\x7f":
        return ""
    return picture(found)


def _expand_tabs(line: str) -> str:
    pieces = []
    column = 0
    for piece in re.split("(\x1b\\[[0-9;:]*m|\t)", line):
        if piece == "\t":
            blanks = TAB - column % TAB
            pieces.append(" " * blanks)
            column += blanks
        else:
            pieces.append(piece)
            column += 0 if piece.startswith("\x1b") else cell_len(piece)
    return "".join(pieces)


def plain(text: str) -> str:
    """Return `text` as one harmless line without colours: for messages, keys and values."""
    return _COLOR.sub("", sanitize(" ".join(text.splitlines())))


def bare(line: str) -> str:
    """Return a sanitized line without its colours."""
    return _COLOR.sub("", line) if "\x1b" in line else line


def is_clean(text: str) -> bool:
    """Tell whether `sanitize` would leave all lines of `text` as they are; newlines stand between them."""
    return _HARMFUL_BLOCK.search(text) is None


class Line(NamedTuple):
    """A line of output, or a mark between two: version `mark` took effect, or `dropped` lines were lost.

    `version` was running when it came, at `time`.
    """

    text: str
    version: int | None = None
    time: float = 0.0
    mark: int | None = None
    dropped: int = 0

    @property
    def is_output(self) -> bool:
        """Whether the job wrote it."""
        return self.mark is None and not self.dropped
