"""Where the parts of a config stand in its text: what an edit must know beyond its data.

The scanner that reads the text keeps where each token and each comment is, so that nothing here is guessed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tui.config import document, keys
from tui.config.document import ConfigDocument
from tui.config.scanner import TabScanner

_TAG = "tag:yaml.org,2002:"
_STRINGS = {_TAG + name for name in ("str", "merge", "value")}

_COMMENT = re.compile(r"#[^\r\n\x85\u2028\u2029]*")
_HEADER = re.compile(r"[|>]([-+0-9]*)[^\r\n]*(?:\r\n?|\n|$)")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_PROPERTIES = ("<anchor>", "<tag>")

Span = tuple[int, int]


class Token(NamedTuple):
    """A token of YAML that has letters of its own."""

    start: int
    end: int
    kind: str


class _Scanner(TabScanner):
    """Keeps where the tokens stand, and the comments."""

    def __init__(self, loader: Any = None) -> None:
        self.kept: list[Token] = []
        self.comments: set[Span] = set()
        super().__init__(loader)

    def get_token(self) -> Any:
        """Return the next token, as the base class does."""
        token = super().get_token()
        start, end = token.start_mark.index, token.end_mark.index
        if start < end:
            self.kept.append(Token(start, end, token.id))
        return token

    def scan_to_next_token(self) -> Any:
        """Pass over what stands between two tokens."""
        begin = self.reader.pointer
        super().scan_to_next_token()
        self._keep_comments(begin)

    def scan_block_scalar_ignored_line(self, start_mark: Any) -> Any:
        """Pass over the rest of the line in which a block scalar begins."""
        begin = self.reader.pointer
        found = super().scan_block_scalar_ignored_line(start_mark)
        self._keep_comments(begin)
        return found

    def scan_directive_ignored_line(self, start_mark: Any) -> None:
        """Pass over the rest of the line of a directive."""
        begin = self.reader.pointer
        super().scan_directive_ignored_line(start_mark)
        self._keep_comments(begin)

    def _keep_comments(self, begin: int) -> None:
        end = self.reader.pointer
        if end - begin > 1:
            self.comments.update(found.span() for found in _COMMENT.finditer(self.reader.buffer, begin, end))


class _Composer(Composer):
    """Keeps where aliases, and the entries of lists and mappings, begin, of which the nodes know nothing."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.aliases: dict[tuple[int, int], Span] = {}
        self.entries: defaultdict[int, list[Span]] = defaultdict(list)
        self.shared: set[int] = set()

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose the next node, as the base class does."""
        event = self.parser.peek_event()
        span = event.start_mark.index, event.end_mark.index
        if parent is not None and (index is None or isinstance(index, int)):
            self.entries[id(parent)].append(span)
        node = super().compose_node(parent, index)
        if isinstance(event, AliasEvent):
            self.aliases[id(parent), index if isinstance(index, int) else id(index)] = span
            self.shared.add(id(node))
        return node


class Slot(NamedTuple):
    """Where an entry stands: a key of a mapping with its value, or an item of a list.

    Attributes:
        parent: What it is in.
        key: Its key, None in a list.
        node: The value.
        alias: The span of the alias that stands in the value's place, if one does.
        start: Where the entry begins: with its dash, its question mark, or its key or item and their properties.
        after: The end of the colon or dash before the value, None where there is none.
        properties: The anchor and the tag of the value.
        content: Where the value begins, after these; where it would, if nothing is there.
    """

    parent: Node
    key: Node | None
    node: Node
    alias: Span | None
    start: int
    after: int | None
    properties: list[Token]
    content: int


def flow(node: Node) -> bool:
    """Return whether a value is a list or a mapping in brackets."""
    return bool(getattr(node, "flow_style", False))


def ordered(node: Node) -> bool:
    """Return whether a value is an ``!!omap``: a list of single pairs that means a mapping."""
    return isinstance(node, SequenceNode) and str(node.tag) == _TAG + "omap"


#: Trees of so many texts are known, if they are no longer than that: a value that is turned is set again and again.
_KNOWN, _LONGEST = 2, 1 << 17

_known: dict[str, Tree] = {}
_last: ConfigDocument | None = None


def tree_of(text: str) -> Tree:
    """Return the tree of a config, without parsing it again if it is one of the last ones.

    Raises:
        ConfigError: It is no config.
    """
    return _known.get(text) or Tree(text)


def document_of(text: str) -> ConfigDocument | None:
    """Return the document of the text that was edited last, None for any other."""
    return _last if _last is not None and _last.text == text else None


def know(found: ConfigDocument) -> ConfigDocument:
    """Have a document known until the next edit; nobody may change what is in it."""
    global _last
    _last = found
    return found


def keep(tree: Tree) -> Tree:
    """Have a tree known for a while, and its document; nobody may change it, or what is in that."""
    know(tree.document)
    if len(tree.text) <= _LONGEST:
        _known.pop(tree.text, None)
        _known[tree.text] = tree
        for oldest in list(_known)[:-_KNOWN]:
            _known.pop(oldest, None)
    return tree


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
        self._yaml, self.root = document.compose(text, _Composer, _Scanner)
        self.document: ConfigDocument = document.build(text, self._yaml, self.root)
        self.newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text and "\n" not in text else "\n"
        self._tokens: list[Token] = self._yaml.scanner.kept
        self._starts: list[int] = [token.start for token in self._tokens]
        self._comments: list[Span] = sorted(self._yaml.scanner.comments)

    def shared(self, node: Node) -> bool:
        """Return whether an alias stands for `node` somewhere."""
        return id(node) in self._yaml.composer.shared

    def shared_in(self, node: Node) -> Node | None:
        """Return a value in `node`, or itself, for which an alias stands somewhere; None if there is none."""
        if self.shared(node):
            return node
        if isinstance(node, ScalarNode):
            return None
        parts = (part for item in node.value for part in (item if isinstance(item, tuple) else (item,)))
        return next((found for part in parts if (found := self.shared_in(part)) is not None), None)

    def find(self, node: Node, step: Any) -> Slot | None:
        """Return the slot of a key or an index in `node`, None where it has none of its own."""
        if isinstance(node, SequenceNode) and not ordered(node):
            if type(step) is not int or not 0 <= step < len(node.value):
                return None
            return self.entry(node, step)
        if ordered(node):
            found = (self.find(item, step) for item in node.value)
            return next((slot for slot in found if slot is not None), None)
        if isinstance(node, MappingNode):
            names = [self.key(key) if isinstance(key, ScalarNode) else None for key, _ in node.value]
            name = keys.choose(names, step)
            return self.entry(node, names.index(name)) if name is not keys.MISSING else None
        return None

    def key(self, node: ScalarNode) -> Any:
        """Return the key that a node means."""
        if str(node.tag) in _STRINGS:
            return node.value
        return self._yaml.constructor.construct_non_recursive_object(node)

    def entry(self, node: Node, index: int) -> Slot:
        """Return the slot of an entry, by its number."""
        begin, end = self._yaml.composer.entries[id(node)][index]
        number = bisect_left(self._starts, begin)
        first = self._first_property(number)
        if isinstance(node, MappingNode):
            key, value = node.value[index]
            alias, colon = self._alias(node, id(key)), bisect_left(self._starts, end)
            start = self._key_start(first, number)
            after = self._tokens[colon].end if self._kind(colon) == ":" else None
            return self._slot(node, key, value, alias, start, after, colon + 1, end)
        value, alias = node.value[index], self._alias(node, index)
        if flow(node):
            start = self._starts[first]
            return self._slot(node, None, value, alias, start, None, first, start)
        dash = self._tokens[first - 1]
        return self._slot(node, None, value, alias, dash.start, dash.end, first, dash.end)

    def entries(self, node: Node) -> list[Slot]:
        """Return the slots of all entries of a list or mapping."""
        return [self.entry(node, index) for index in range(len(node.value))]

    def _slot(
        self,
        parent: Node,
        key: Node | None,
        node: Node,
        alias: Span | None,
        start: int,
        after: int | None,
        number: int,
        empty: int,
    ) -> Slot:
        """Return a slot whose value begins with the token of a number, unless it is empty: then at a place."""
        if alias is not None:
            return Slot(parent, key, node, alias, start, after, [], alias[0])
        properties = self._properties(node, number)
        if isinstance(node, ScalarNode) and properties and properties[-1].end == node.end_mark.index:
            content = properties[-1].end  # and nothing after them
        elif isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index:
            content = empty if after is None else after
        else:
            content = self._starts[number + len(properties)]
        return Slot(parent, key, node, alias, start, after, properties, content)

    def _properties(self, node: Node, number: int) -> list[Token]:
        """Return those of a value that begins with the token of a number, not those of its first key."""
        found = number
        while self._kind(found) in _PROPERTIES and self._tokens[found].end <= node.end_mark.index:
            found += 1
        if isinstance(node, MappingNode) and not flow(node):
            while found > number and self._one_line(found - 1, found):
                found -= 1
        return self._tokens[number:found]

    def _first_property(self, number: int) -> int:
        """Return the number of the first of the properties that stand before a token."""
        while self._kind(number - 1) in _PROPERTIES:
            number -= 1
        return number

    def _key_start(self, first: int, number: int) -> int:
        """Return where the entry of a key begins, which has its first property or that of the mapping before it."""
        if self._kind(first - 1) == "?":
            return self._starts[first - 1]
        while first < number and not self._one_line(first, number):
            first += 1
        return self._starts[first]

    def _kind(self, number: int) -> str:
        return self._tokens[number].kind if 0 <= number < len(self._tokens) else ""

    def _one_line(self, number: int, other: int) -> bool:
        gap = self.text[self._tokens[number].end : self._starts[other]]
        return "\n" not in gap and "\r" not in gap

    def _alias(self, node: Node, place: int) -> Span | None:
        found: Span | None = self._yaml.composer.aliases.get((id(node), place))
        return found

    def content(self, node: Node) -> int:
        """Return where a scalar, or what is in brackets, begins after its properties."""
        number = bisect_left(self._starts, node.start_mark.index)
        while self._kind(number) in _PROPERTIES:
            number += 1
        return self._starts[number]

    def end(self, slot: Slot) -> int:
        """Return where an entry ends: before the comments and empty lines that follow it."""
        if slot.alias is not None:
            return slot.alias[1]
        if isinstance(slot.node, ScalarNode):
            if slot.node.style in ("|", ">"):
                return self.body(slot.node)[1]
            return max(slot.content, slot.node.end_mark.index if slot.node.value or slot.node.style else 0)
        return self.last_end(slot.node)

    def last_end(self, node: Node) -> int:
        """Return where a list or mapping ends: with its bracket, or with its last entry."""
        if flow(node) or not node.value:
            return int(node.end_mark.index)
        return self.end(self.entry(node, len(node.value) - 1))

    def body(self, node: ScalarNode) -> tuple[int, int, int]:
        """Return of a block scalar where its lines begin and end, and how far they are indented (0: it has none)."""
        header = _HEADER.match(self.text, self.content(node))
        assert header is not None
        end = header.start() + len(header[0].rstrip("\r\n"))
        lines = self.text[header.end() : node.end_mark.index].splitlines(keepends=True)
        first = next((line for line in node.value.split("\n") if line.strip()), "")
        deeper = len(first) - len(first.lstrip(" "))  # than the scalar, whose header then says how far that is
        indent, place = 0, header.end()
        for line in lines:
            bare = line.rstrip("\r\n")
            if bare.strip() and not indent:
                indent = len(bare) - len(bare.lstrip(" ")) - deeper
            if bare.strip() or "+" in header[1]:
                end = place + len(bare)
            place += len(line)
        return header.end(), end, indent

    def open_ended(self) -> bool:
        """Return whether the text ends with a block scalar, without a newline, which it would get by what follows."""
        header = _HEADER.match(self.text, self._starts[-1])
        return header is not None and "-" not in header[1] and not self.text.endswith(("\n", "\r"))

    def comments(self, start: int = 0, end: int | None = None) -> list[Span]:
        """Return where the comments stand that begin in a range of the text."""
        first = bisect_left(self._comments, (start, 0))
        last = len(self._comments) if end is None else bisect_left(self._comments, (end, 0))
        return self._comments[first:last]

    def comment_texts(self) -> Counter[str]:
        """Return how often each comment stands in the text."""
        return Counter(self.text[start:end].rstrip() for start, end in self._comments)

    def column(self, place: int) -> int:
        """Return how far a place in the text is from the beginning of its line."""
        return place - self.line_start(place)

    def line_start(self, place: int) -> int:
        """Return where the line begins that a place in the text is on, after a byte order mark."""
        line = max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1
        return line + self.text.startswith("\ufeff", line)

    def line_end(self, place: int) -> int:
        """Return where the line ends that a place in the text is on."""
        found = _REST_OF_LINE.match(self.text, place)
        return found.end() if found else place

    def begins_line(self, place: int) -> bool:
        """Return whether only blanks stand before a place on its line."""
        return not self.text[self.line_start(place) : place].strip(" \t")

    def end_before(self, place: int) -> int:
        """Return the end of the last token that begins before a place, that of nothing where none does."""
        number = bisect_left(self._starts, place)
        return self._tokens[number - 1].end if number else 0

    def token_after(self, place: int) -> Token:
        """Return the first token that begins at a place or after it."""
        return self._tokens[bisect_left(self._starts, place)]
