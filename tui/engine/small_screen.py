"""What a terminal would show of the newest lines of an output that goes back over them.

Progress bars below each other, spinners and tables move the cursor and draw again. Rows are held back here as long as
the program may come back to them; then they are lines like all others.
"""

from __future__ import annotations

import re
from itertools import groupby
from unicodedata import east_asian_width

#: So many rows at most can be drawn again, as on a terminal of that height.
MOST_ROWS = 60

#: No program draws to the right of this column; what is moved there ends here.
_WIDEST = 4096

#: A row is cut here, in cells, so that no job can fill the memory with one.
_LONGEST = 1 << 16

#: After so many lines without a move, beyond those that can still be reached, the output counts as plain again.
_CALM = 20

#: So many changes of colour are kept for the characters that follow them.
_COLOURS = 8

_TOKEN = re.compile(
    r"\x1b\[(?P<given>[0-9;:?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b."
    r"|(?P<control>[\r\n\b\t\x07])"
    r"|(?P<text>[^\x1b\r\n\b\t\x07]+)",
    re.DOTALL,
)

_MOVES = re.compile(rb"\x1b\[(?:[0-9;]*[A-HJf]|[12]K)")
_UP = re.compile(rb"\x1b\[([0-9]{0,4})[AF]")


def moves(data: bytes) -> bool:
    """Return whether an output does more than to add to its end and to begin its line anew."""
    return b"\b" in data or (b"\x1b[" in data and _MOVES.search(data) is not None)


def reach(data: bytes) -> int:
    """Return how many rows up an output goes in one step at most."""
    return max((int(count or b"1") for count in _UP.findall(data)), default=0)


class _Row:
    """The characters of a row, each with the colours that were on; a wide one has an empty cell after it."""

    def __init__(self) -> None:
        self.signs: list[str] = []
        self.colours: list[str] = []

    def put(self, column: int, signs: list[str], colours: str) -> None:
        self.fill(column)
        end = column + len(signs)
        self.signs[column:end] = signs
        self.colours[column:end] = [colours] * len(signs)

    def fill(self, column: int) -> None:
        missing = column - len(self.signs)
        if missing > 0:
            self.signs += " " * missing
            self.colours += [""] * missing

    def cut(self, column: int) -> None:
        del self.signs[column:], self.colours[column:]

    @property
    def line(self) -> str:
        place, found = 0, ""
        for colours, cells in groupby(self.colours):
            begin, place = place, place + len(list(cells))
            text = "".join(self.signs[begin:place])
            found += f"{colours}{text}\x1b[m" if colours else text
        return found


class SmallScreen:
    """Draws an output as a terminal would.

    Args:
        begun: The line that was begun before it.
        reach: So many rows up it will go, as far as that is known.
    """

    def __init__(self, begun: str = "", reach: int = 0) -> None:
        self._rows = [_Row()]
        self._row = self._column = 0
        self._colours: list[str] = []
        self._reach = min(reach, MOST_ROWS - 1)  # the program goes so many rows up
        self._calm = 0
        self.write(begun)

    @property
    def text(self) -> str:
        """The rows that may still change, newlines between them."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The same, each by itself."""
        return [row.line for row in self._rows]

    @property
    def is_calm(self) -> bool:
        """Whether nothing was drawn again for a while, so that the output is as any other."""
        return self._calm > self._reach + _CALM and self._row == len(self._rows) - 1

    def write(self, text: str) -> list[str]:
        """Take output, and return the lines that will not change any more."""
        lines: list[str] = []
        for token in _TOKEN.finditer(text):
            if token["text"]:
                lines += self._put(token["text"])
            elif token["control"] == "\n":
                lines += self._feed()
            elif token["control"]:
                self._control(token["control"])
            elif token["final"] == "m":
                self._colour(token[0], token["given"])
            elif token["final"]:
                self._move(token["final"], token["given"])
        return lines

    def _put(self, text: str) -> list[str]:
        signs = list(text)
        if not text.isascii():
            signs = [part for sign in text for part in ((sign, "") if east_asian_width(sign) in "WF" else (sign,))]
        lines = []
        while signs:
            piece, signs = signs[: _LONGEST - self._column], signs[_LONGEST - self._column :]
            self._rows[self._row].put(self._column, piece, "".join(self._colours))
            self._column += len(piece)
            lines += self._feed() if signs else []
        return lines

    def _feed(self) -> list[str]:
        """Go to the next line; return those that are too far up now to be drawn again."""
        self._calm += 1
        self._column = 0
        self._go_down(1)
        count = max(len(self._rows) - 1 - self._reach, 0)
        gone, self._rows = self._rows[:count], self._rows[count:]
        self._row = max(self._row - count, 0)
        return [row.line for row in gone]

    def _go_down(self, count: int) -> None:
        self._row += count
        while len(self._rows) <= self._row:
            self._rows.append(_Row())

    def _control(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\b":
            self._calm = 0
            self._column = max(self._column - 1, 0)
        elif control == "\t":
            self._column += 8 - self._column % 8
            self._rows[self._row].fill(self._column)

    def _colour(self, sequence: str, given: str) -> None:
        if given in ("", "0"):
            self._colours = []
        else:
            self._colours = [*self._colours[1 - _COLOURS :], sequence]

    def _move(self, final: str, given: str) -> None:
        first, *rest = [int(number) if number.isdecimal() else 0 for number in given.split(";")]
        count = min(max(first, 1), _WIDEST)
        row = self._rows[self._row]
        if final == "K":
            if first == 1:
                row.put(0, [" "] * (self._column + 1), "")
            else:
                row.cut(self._column if first == 0 else 0)
            self._calm = 0 if first else self._calm  # at the end of a line it is said of every coloured word
            return
        self._calm = 0
        if final in "AF":
            self._reach = min(max(self._reach, count), MOST_ROWS - 1)
            self._row = max(self._row - count, 0)
        elif final in "BE":
            self._go_down(max(min(count, MOST_ROWS - 1 - self._row), 0))
        elif final in "Hf":
            self._reach = MOST_ROWS - 1
            self._row = 0
            self._go_down(min(count, MOST_ROWS) - 1)
        elif final == "J":
            if first:
                self._rows = [_Row() for _ in self._rows[: self._row + 1]]
            else:
                row.cut(self._column)
                del self._rows[self._row + 1 :]
        if final in "EFHf":
            self._column = min(max(rest[0] if rest else 1, 1), _WIDEST) - 1 if final in "Hf" else 0
        elif final == "G":
            self._column = count - 1
        elif final == "C":
            self._column = min(self._column + count, _WIDEST)
        elif final == "D":
            self._column = max(self._column - count, 0)
