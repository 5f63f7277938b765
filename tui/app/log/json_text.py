"""Lines of JSON: their colours, and one of them on as many rows as it has parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Longer lines stay as they are: nobody reads them for their colours.
LONGEST = 20_000

#: What stands between the parts of JSON and means nothing.
_BLANKS = " \t\r\n"

#: A string and, behind a key, its colon; a word; a number; what opens, closes or parts.
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<word>\b(?:true|false|null)\b)"""
    r"|(?P<number>-?\b\d[\d.eE+-]*)|(?P<mark>[{}\[\],])"
)


def is_json(line: str) -> bool:
    """Whether a line is an object or a list of JSON, as far as can be seen at its ends."""
    text = line.strip(_BLANKS)
    return 2 < len(text) <= LONGEST and (text[0], text[-1], '"' in text) in (("{", "}", True), ("[", "]", True))


def colours(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where the parts of a line stand, each with its tone."""
    for token in _TOKEN.finditer(text):
        if token["colon"] is not None:
            yield *token.span("string"), "key"
        elif token["string"] is not None:
            yield *token.span(), "good"
        elif token["word"] is not None or token["number"] is not None:
            yield *token.span(), "wait"


def unfolded(line: str) -> str:
    """Return a line with each part on a row of its own; what it says keeps its spelling, also where it is cut off."""
    rows: list[str] = []
    row, depth, done, text = "", 0, 0, line.strip(_BLANKS)
    for token in _TOKEN.finditer(text):
        mark, row = token["mark"], row + text[done : token.start()].strip(_BLANKS)
        done = token.end()
        if mark is None:
            row += token[0] if token["colon"] is None else f"{token['string']}: "
        elif mark == ",":
            rows.append(f"{'  ' * depth}{row},")
            row = ""
        elif mark in "{[":
            rows.append(f"{'  ' * depth}{row}{mark}")
            row, depth = "", depth + 1
        else:
            depth = max(depth - 1, 0)
            if not row and rows and rows[-1][-1] in "{[":
                row = rows.pop().lstrip()
            elif row:
                rows.append(f"{'  ' * (depth + 1)}{row}")
                row = ""
            row += mark
    rest = row + text[done:].strip(_BLANKS)
    return "\n".join([*rows, f"{'  ' * depth}{rest}"] if rest else rows)
