"""The colours that a job has switched on and not off again: a terminal keeps them from one line to the next."""

from __future__ import annotations

import re

_COLOR = re.compile("\x1b\\[([0-9;:]*)m")

#: What switches an attribute off, by the attributes that it switches off.
_OFF = {
    "22": ("bold", "dim"),
    "23": ("italic",),
    "24": ("underline",),
    "25": ("blink",),
    "27": ("reverse",),
    "28": ("conceal",),
    "29": ("strike",),
    "39": ("color",),
    "49": ("background",),
    "55": ("overline",),
    "59": ("underline color",),
}

_ON = {
    "1": "bold",
    "2": "dim",
    "3": "italic",
    "4": "underline",
    "5": "blink",
    "6": "blink",
    "7": "reverse",
    "8": "conceal",
    "9": "strike",
    "21": "underline",
    "53": "overline",
    **{str(number): "color" for number in (*range(30, 38), *range(90, 98))},
    **{str(number): "background" for number in (*range(40, 48), *range(100, 108))},
}

#: Colours that take arguments.
_WIDE = {"38": "color", "48": "background", "58": "underline color"}


class SgrState:
    """What is on at the end of the lines that it has followed."""

    def __init__(self) -> None:
        self._on: dict[str, str] = {}

    @property
    def code(self) -> str:
        """The sequence that switches all of it on, empty where nothing is."""
        return f"\x1b[{';'.join(self._on.values())}m" if self._on else ""

    def follow(self, line: str) -> None:
        """Go through the colours of a line."""
        for match in _COLOR.finditer(line):
            self._take(match[1].split(";"))

    def lift(self) -> None:
        """Forget all: what follows was written by somebody else, or lines before it are missing."""
        self._on.clear()

    def _take(self, codes: list[str]) -> None:
        place = 0
        while place < len(codes):
            code = codes[place].lstrip("0")
            name = code.partition(":")[0]
            place += 1
            if name in _WIDE and code == name:
                # 38;5;N or 38;2;R;G;B: the arguments are codes of their own.
                count = {"5": 2, "2": 4}.get(codes[place] if place < len(codes) else "", 0)
                self._on[_WIDE[name]] = ";".join((code, *codes[place : place + count]))
                place += count
            elif name in _WIDE:
                self._on[_WIDE[name]] = code
            elif not code:
                self._on.clear()
            elif code in _OFF or code == "4:0":
                for attribute in _OFF.get(code, ("underline",)):
                    self._on.pop(attribute, None)
            elif name in _ON:
                self._on[_ON[name]] = code
