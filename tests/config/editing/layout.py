"""Where the entries of a config stand, and beside which its comments: told by the events of ruamel.yaml alone."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from tui.config.scanner import TabScanner

Path = tuple[Any, ...]

_COMMENT = re.compile(r"# (c\d+)[^\r\n]*")


class Entry(NamedTuple):
    """A key with its value, or an item: from its dash, question mark or key on.

    Attributes:
        path: Its steps.
        start: Where it begins.
        value: Where the value begins, with its anchor and tag.
        content: Where it begins after these.
        end: Where it ends.
        head: The end of the colon, or of the dash; in brackets, where an item begins.
        flow: Its value stands in brackets.
        kind: ``scalar``, ``alias``, ``list`` or ``dict``.
    """

    path: Path
    start: int
    value: int
    content: int
    end: int
    head: int
    flow: bool
    kind: str


class _Scanner(TabScanner):
    """Keeps the tokens that have letters of their own."""

    def __init__(self, loader: Any = None) -> None:
        self.kept: list[tuple[int, int, str]] = []
        super().__init__(loader)

    def get_token(self) -> Any:
        """Return the next token, as the base class does."""
        token = super().get_token()
        if token.start_mark.index < token.end_mark.index:
            self.kept.append((token.start_mark.index, token.end_mark.index, token.id))
        return token


class Layout:
    """The entries of a text.

    Args:
        text: The text.
        data: What it means.
    """

    def __init__(self, text: str, data: Any) -> None:
        self.text = text
        yaml = YAML(typ="safe", pure=True)
        yaml.Scanner = _Scanner
        self._events = list(yaml.parse(text))[2:]
        self._tokens = yaml.scanner.kept
        self._starts = [token[0] for token in self._tokens]
        self._at = 0
        self.entries: list[Entry] = []
        start, end, flow, kind = self._read((), data)
        if flow:
            self.entries.append(Entry((), start, start, start, end, start, flow, kind))
        self.entries.sort(key=lambda entry: (entry.start, len(entry.path)))
        self.at = {entry.path: entry for entry in self.entries}

    def source(self, path: Path) -> str:
        """Return the text of a value."""
        entry = self.at[path]
        return self.text[entry.value : entry.end]

    def owners(self) -> dict[str, set[Path]]:
        """Return beside which entries each comment stands: mostly one, two where nobody knows."""
        return {found[1]: self._owners(found.start()) for found in _COMMENT.finditer(self.text)}

    def _owners(self, place: int) -> set[Path]:
        starts = [entry.start for entry in self.entries]
        number = bisect_right(starts, place)
        before = [entry for entry in self.entries[:number] if not self._closed(entry, place)]
        after = self.entries[number] if number < len(self.entries) else None
        last = before[-1] if before else None
        line = max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1
        before_it = self.text[line:place].strip(" \t\ufeff")
        # What stands in a comment, or behind the document's end, is not beside an entry.
        if last is not None and before_it and not before_it.startswith(("#", "...")):
            return {last.path}
        if last is not None and place < last.content and (last.flow or last.kind in ("scalar", "alias")):
            return {last.path}
        around = [entry for entry in before if entry.flow and entry.value <= place < entry.end]
        if around and (after is None or after.start > around[-1].end):
            return {(*around[-1].path, "]")}
        if after is None:
            return {("$",)}
        if last is not None and after.path[:-1] == last.path:
            return {last.path, after.path}
        return {after.path}

    def _closed(self, entry: Entry, place: int) -> bool:
        return any(
            (above := self.at.get(entry.path[:length])) is not None and above.flow and above.end <= place
            for length in range(len(entry.path))
        )

    def _read(self, path: Path, data: Any) -> tuple[int, int, bool, str]:
        """Read the value at `path`, and return where it begins and ends."""
        event = self._events[self._at]
        self._at += 1
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, AliasEvent):
            return start, end, False, "alias"
        if isinstance(event, ScalarEvent):
            if event.style in ("|", ">"):
                end = start + len(self._body(self.text[start:end]))
            return start, end, False, "scalar"
        assert isinstance(event, (MappingStartEvent, SequenceStartEvent))
        steps: Iterator[Any] = iter(data) if isinstance(data, dict) else iter(range(len(data)))
        for step in steps:
            end = self._entry((*path, step), data[step], isinstance(data, dict))
        last = self._events[self._at]
        self._at += 1
        if event.flow_style:
            end = last.end_mark.index
        return start, end, bool(event.flow_style), "dict" if isinstance(data, dict) else "list"

    def _body(self, scalar: str) -> str:
        """Return a block scalar without the empty lines behind it, which are its own only where it keeps them."""
        header = re.search(r"(?:^|[\s])[|>]([-+0-9]*)[ \t\r]*(?:#.*)?$", scalar, re.MULTILINE)
        keeps = header is not None and "+" in header[1]
        return re.sub(r"\r?\n\Z", "", scalar) if keeps else scalar.rstrip()

    def _entry(self, path: Path, data: Any, keyed: bool) -> int:
        event = self._events[self._at]
        first = bisect_left(self._starts, event.start_mark.index)
        while first and self._tokens[first - 1][2] in ("<anchor>", "<tag>"):
            first -= 1
        if keyed:
            start, head = self._key(event, first)
            self._at += 1
        elif first and self._tokens[first - 1][2] == "-":
            start, head = self._tokens[first - 1][:2]
        else:
            start = head = self._starts[first]
        value, end, flow, kind = self._read(path, data)
        if value == end:
            value = end = head  # nothing is there
        number = bisect_left(self._starts, value)
        while number < len(self._tokens) and self._tokens[number][2] in ("<anchor>", "<tag>"):
            number += 1
        content = min(end, self._starts[number]) if number < len(self._tokens) else end
        self.entries.append(Entry(path, start, value, content, end, head, flow, kind))
        return end

    def _key(self, event: Any, first: int) -> tuple[int, int]:
        if first and self._tokens[first - 1][2] == "?":
            start = self._tokens[first - 1][0]
        else:
            line = max(
                self.text.rfind("\n", 0, event.start_mark.index), self.text.rfind("\r", 0, event.start_mark.index)
            )
            while self._starts[first] <= line:
                first += 1
            start = self._starts[first]
        colon = bisect_left(self._starts, event.end_mark.index)
        if colon < len(self._tokens) and self._tokens[colon][2] == ":":
            return start, self._tokens[colon][1]
        return start, event.end_mark.index
