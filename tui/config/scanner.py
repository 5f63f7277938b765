"""The scanner of YAML, with the tabs that YAML 1.2 allows between the parts of a line and ruamel.yaml does not."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.scanner import Scanner

_LINE_ENDS = "\r\n\x85\u2028\u2029\0"


class TabScanner(Scanner):
    """Takes tabs wherever they can't be meant as indentation."""

    def scan_to_next_token(self) -> Any:
        """Pass over what stands between two tokens; a tab before what may be a key would indent it: an error."""
        super().scan_to_next_token()
        while self.reader.peek() == "\t":
            length = self._white()
            if self.allow_simple_key and self.reader.peek(length) not in _LINE_ENDS + "#":
                return
            self.reader.forward(length)
            super().scan_to_next_token()

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:
        """Return what stands between two words of a text without quotes, as it counts for its value."""
        reader, length = self.reader, self._white()
        white = reader.prefix(length)
        if "\t" not in white:
            return super().scan_plain_spaces(indent, start_mark)
        reader.forward(length)
        return super().scan_plain_spaces(indent, start_mark) if reader.peek() in _LINE_ENDS else [white]

    def _white(self) -> int:
        length = 0
        while self.reader.peek(length) in " \t":
            length += 1
        return length
