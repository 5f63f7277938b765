"""Dots of braille: two in the width of a cell, four in its height."""

from __future__ import annotations

#: The bits of a cell, by the column of a dot and its row from the top: Unicode, "Braille Patterns", U+2800.
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))

#: The bits of rows `first` to `last` of one column of a cell.
_SPANS = tuple(tuple(tuple(sum(bits[first : last + 1]) for last in range(4)) for first in range(4)) for bits in _BITS)

#: The sign of each pattern of dots.
_SIGNS = {bits: chr(0x2800 + bits) if bits else " " for bits in range(256)}


class Canvas:
    """A field of dots, each cell in the tone in which it was drawn last.

    Args:
        width: In cells.
        height: In cells.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._bits = bytearray(width * height)
        self._tones = [""] * (width * height)

    @property
    def columns(self) -> int:
        """How many dots stand side by side."""
        return 2 * self.width

    @property
    def rows(self) -> int:
        """How many dots stand on top of each other."""
        return 4 * self.height

    def bar(self, column: int, first: int, last: int, tone: str) -> None:
        """Set the dots of a column from one row to another, both counted from the top; what is outside is left out."""
        first, last = max(min(first, last), 0), min(max(first, last), self.rows - 1)
        if not 0 <= column < self.columns or first > last:
            return
        spans = _SPANS[column % 2]
        cell = column // 2
        for row in range(first // 4, last // 4 + 1):
            top = row * 4
            place = row * self.width + cell
            self._bits[place] |= spans[max(first - top, 0)][min(last - top, 3)]
            self._tones[place] = tone

    def row(self, row: int) -> tuple[list[str], list[str]]:
        """Return the signs of a row's cells, blanks where there is no dot, and their tones."""
        place = row * self.width
        signs = self._bits[place : place + self.width].decode("latin-1").translate(_SIGNS)
        return list(signs), self._tones[place : place + self.width]
