"""The lines of a job's output, made harmless.

Of all escape sequences only colours survive `sanitize`; they are turned into styles when a line is drawn.
"""

from __future__ import annotations

import re

from rich.cells import cell_len

#: What is shown of a line without end.
MAX_LENGTH = 20_000

TAB = 8

#: What is not seen, but turns what follows around, breaks the line, or joins its neighbours to a picture of as many
#: cells as the terminal likes: format characters, fillers, variation selectors, tags and skin tones.
_UNSEEN = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U0001f3fb-\U0001f3ff"
    "\U000e0000-\U000e0fff"
)

#: The letters of flags. Two of them are one flag, or two signs, of two cells or four.
_FLAG = "\U0001f1e6-\U0001f1ff"

_HARMFUL = re.compile(f"[\x00-\x1f\x7f-\x9f{_UNSEEN}{_FLAG}]")
_HARMFUL_BLOCK = re.compile(f"[\x00-\x09\x0b-\x1f\x7f-\x9f{_UNSEEN}{_FLAG}]")

#: The same for text that is ASCII, as most is: they look through it six times as fast.
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CONTROL_BLOCK = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
_COLOR = re.compile("\x1b\\[[0-9;:]*m")
_ESCAPE = re.compile(
    "(?P<color>\x1b\\[[0-9;:]*m)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # any other control sequence
    "|(?:\x1b[\\]P_^X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\\\)?"  # a string up to its end
    "|\x1b[ -/]*[0-~]"
    f"|(?P<flag>[{_FLAG}])"
    f"|[\x00-\x08\x0a-\x1f\x7f-\x9f{_UNSEEN}]"
)


def sanitize(line: str) -> str:
    """Return `line` without anything that a terminal would obey but colours; tabs become blanks.

    Nor is anything left that has another width beside its neighbours than alone: a family of joined emoji becomes its
    members, a flag its two letters.
    """
    if len(line) > MAX_LENGTH:
        line = f"{line[:MAX_LENGTH]} … {len(line) - MAX_LENGTH:,} more characters"
    if not (_CONTROL if line.isascii() else _HARMFUL).search(line):
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
    if match["flag"]:
        return chr(ord(found) - 0x1F1E6 + ord("A"))
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
    return (_CONTROL_BLOCK if text.isascii() else _HARMFUL_BLOCK).search(text) is None


def picture(control: str) -> str:
    """Return the visible character that stands for a control character."""
    code = ord(control)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
