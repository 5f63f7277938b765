"""Where the parts of a config stand in its text: what an edit must know beyond its data."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tui.config import document, keys
from tui.config.document import ConfigDocument

_TAG = "tag:yaml.org,2002:"
_STRINGS = {_TAG + name for name in ("str", "merge", "value")}

_GAP = r"(?:\s|#[^\n]*)*"
_COLON, _DASH = re.compile(_GAP + ":"), re.compile(_GAP + "-")
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:\s+|$|(?=[,\]}])))+")
_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*", re.MULTILINE)
_HEADER = re.compile(r"[|>]([-+0-9]*)[^\r\n]*(?:\r\n?|\n|$)")

Span = tuple[int, int]


class _Composer(Composer):
    """Keeps where aliases stand, of which the nodes know nothing."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.aliases: dict[tuple[int, int], Span] = {}
        self.shared: set[int] = set()

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose the next node, as the base class does."""
        event = self.parser.peek_event() if self.parser.check_event(AliasEvent) else None
        node = super().compose_node(parent, index)
        if event is not None:
            place = index if isinstance(index, int) else id(index)
            self.aliases[id(parent), place] = (event.start_mark.index, event.end_mark.index)
            self.shared.add(id(node))
        return node


class Slot(NamedTuple):
    """Where the value of a key, or an item of a list, stands.

    Attributes:
        parent: What it is in.
        key: Its key, None in a list.
        node: The value.
        alias: The span of the alias that stands in the value's place, if one does.
        after: The end of the colon or dash before it, None where there is none.
    """

    parent: Node
    key: Node | None
    node: Node
    alias: Span | None
    after: int | None


def flow(node: Node) -> bool:
    """Return whether a value is a list or a mapping in brackets."""
    return bool(getattr(node, "flow_style", False))


def ordered(node: Node) -> bool:
    """Return whether a value is an ``!!omap``: a list of single pairs that means a mapping."""
    return isinstance(node, SequenceNode) and str(node.tag) == _TAG + "omap"


def empty(node: Node) -> bool:
    """Return whether a value is null because nothing is there."""
    return isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index


class Tree:
    """The nodes of a config.

    Args:
        text: The text of the config.

    Raises:
        ConfigError: It is no config.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._yaml: YAML
        self._yaml, self.root = document.compose(text, _Composer)
        self.document: ConfigDocument = document.build(text, self._yaml, self.root)
        self.newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text and "\n" not in text else "\n"

    def shared(self, node: Node) -> bool:
        """Return whether an alias stands for `node` somewhere."""
        return id(node) in self._yaml.composer.shared

    def find(self, node: Node, step: Any) -> Slot | None:
        """Return the slot of a key or an index in `node`, None where it has none of its own."""
        if isinstance(node, SequenceNode) and not ordered(node):
            if type(step) is not int or not 0 <= step < len(node.value):
                return None
            return self._item(node, step)
        if ordered(node) and isinstance(step, str):
            found = (self.find(item, step) for item in node.value)
            return next((slot for slot in found if slot is not None), None)
        if isinstance(node, MappingNode):
            entries = [(self._key(key), key, value) for key, value in node.value if isinstance(key, ScalarNode)]
            chosen = keys.choose((known for known, _, _ in entries), step)
            return next((self._entry(node, *entry) for known, *entry in entries if known is chosen), None)
        return None

    def end(self, node: Node) -> int:
        """Return where `node` ends: before the comments and empty lines that follow it."""
        if isinstance(node, ScalarNode):
            return self.body(node)[1] if node.style in ("|", ">") else node.end_mark.index
        if flow(node) or not node.value:
            return int(node.end_mark.index)
        return self.last_end(node)

    def last_end(self, node: Node) -> int:
        """Return where the last entry of a mapping or list ends."""
        if isinstance(node, SequenceNode):
            slot = self._item(node, len(node.value) - 1)
        else:
            slot = self._entry(node, *node.value[-1])
        if slot.alias is not None:
            return slot.alias[1]
        if empty(slot.node):  # its own place is somewhere before what comes next
            return slot.after or (slot.key or slot.node).end_mark.index
        return self.end(slot.node)

    def start(self, node: Node) -> int:
        """Return where the content of `node` begins, after its anchor and tag."""
        begin: int = node.start_mark.index
        found = _PROPERTIES.match(self.text, begin)
        return min(found.end(), node.end_mark.index) if found else begin

    def body(self, node: ScalarNode) -> tuple[int, int, int]:
        """Return of a block scalar where its lines begin and end, and how far they are indented (0: it has none)."""
        header = _HEADER.match(self.text, self.start(node))
        assert header is not None
        place = header.end()
        end = header.start() + len(header[0].rstrip("\r\n"))
        indent = 0
        first = next((line for line in node.value.split("\n") if line.strip()), "")
        deeper = len(first) - len(first.lstrip(" "))  # than the scalar, whose header then says how far that is
        for line in self.text[place : node.end_mark.index].splitlines(keepends=True):
            bare = line.rstrip("\r\n")
            width = len(bare) - len(bare.lstrip(" "))
            place += len(line)
            if bare.strip() and indent and width < indent:
                break
            if bare.strip():
                indent = indent or width - deeper
            if bare.strip() or "+" in header[1]:
                end = place - (len(line) - len(bare))
        return header.end(), end, indent

    def comments(self) -> Counter[str]:
        """Return how often each comment stands in the text."""
        texts = sorted(self._texts_with_hash())
        found: Counter[str] = Counter()
        place = 0
        while comment := _COMMENT.search(self.text, place):
            inside = bisect.bisect(texts, (comment.start(), len(self.text))) - 1
            if inside >= 0 and texts[inside][1] > comment.start():
                place = texts[inside][1]
            else:
                place = comment.end()
                found[comment[0].rstrip()] += 1
        return found

    def _texts_with_hash(self) -> Iterator[Span]:
        """Yield where the scalars stand in which there is a ``#``, which begins no comment there."""
        stack: list[Node] = [self.root]
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if isinstance(node, ScalarNode):
                head, end = self.start(node), node.end_mark.index
                if "#" in self.text[head:end]:
                    yield self.body(node)[:2] if node.style in ("|", ">") else (head, end)
            elif id(node) not in seen:
                seen.add(id(node))
                for item in node.value:
                    stack.extend(item if isinstance(item, tuple) else (item,))

    def column(self, place: int) -> int:
        """Return how far a place in the text is from the beginning of its line."""
        line = max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1
        return place - line - self.text.startswith("\ufeff", line)

    def line_end(self, place: int) -> int:
        """Return where the line ends that a place in the text is on."""
        found = re.compile(r"[^\r\n]*").match(self.text, place)
        return found.end() if found else place

    def _item(self, node: SequenceNode, index: int) -> Slot:
        alias = self._alias(node, index)
        after = None
        if not flow(node):
            before = self._alias(node, index - 1)
            begin = self.start(node) if not index else before[1] if before else self.end(node.value[index - 1])
            dash = _DASH.match(self.text, begin)
            after = dash.end() if dash else None
        return Slot(node, None, node.value[index], alias, after)

    def _alias(self, node: Node, place: int) -> Span | None:
        found: Span | None = self._yaml.composer.aliases.get((id(node), place))
        return found

    def _entry(self, node: Node, key: Node, value: Node) -> Slot:
        colon = _COLON.match(self.text, key.end_mark.index)
        return Slot(node, key, value, self._alias(node, id(key)), colon.end() if colon else None)

    def _key(self, node: ScalarNode) -> Any:
        if str(node.tag) in _STRINGS:
            return node.value
        return self._yaml.constructor.construct_non_recursive_object(node)
