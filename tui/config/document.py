"""From the bytes of a config file to its data, with the place of every key and value.

ruamel.yaml composes the text to nodes, and the data is built from these, in one pass: the nodes know their exact
place in the text. Scalars mean what they mean in YAML 1.2: ``yes`` is a string and ``010`` is ten.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from tui.config.keys import child
from tui.config.scanner import TabScanner
from tui.protocol.messages import Problem

#: A config that is larger than this once its aliases are expanded is refused.
NODES = 100_000

#: So is one with more levels than this: everything that walks a config may recurse.
DEPTH = 100

_TAG = "tag:yaml.org,2002:"
_STRINGS = {_TAG + name for name in ("str", "merge", "value")}
_SCALARS = {_TAG + name for name in ("int", "float", "bool", "null", "timestamp", "binary")}

# What ruamel.yaml says, and what the user is told. The last column: the error is where the construct begins.
_WORDS = (
    (r"found (?:character )?'\\t'", "a tab can't stand here: write spaces", False),
    (r"found character '(.)' that cannot start", "a value can't begin with {0}: put it in quotes", False),
    (r"could not find expected ':'", "a ': ' is missing: write this line as 'key: value'", True),
    (
        r"mapping values are not allowed",
        "this ':' can't stand here: quote the value, or check the indentation and the line before",
        False,
    ),
    (r"sequence entries are not allowed", "a list item can't stand here: start it on a line of its own", False),
    (r"mapping keys are not allowed", "a '?' can't stand here: put the value in quotes", False),
    (r"quoted scalar.*unexpected (?:end|document)", "this quote is never closed", True),
    (
        r"unknown escape character '(.)'",
        "\\{0} means nothing in double quotes: write \\\\{0} or use single ones",
        False,
    ),
    (r"expected escape sequence", "this escape in double quotes is not complete", False),
    (r"expected ',' or '(.)', but got '<stream end>'", "this bracket is never closed: a '{0}' is missing", True),
    (r"expected ',' or '(.)'", "a ',' or the closing '{0}' is missing before this", False),
    (
        r"expected (?:<block end>|'<document start>')",
        "this does not fit what is before it: check indentation and quotes",
        False,
    ),
    (r"more indented follow up line", "the first line of this block is indented less than those after it", False),
    (r"scanning an (?:alias|anchor)", "a value can't begin with a bare * or &: put it in quotes", True),
    (
        r"undefined alias '(.*)'",
        "*{0} has no anchor: write &{0} before the value that is meant, or put it in quotes if it is text",
        False,
    ),
    (r"expected the node content", "a value is missing before this, or needs quotes", False),
    (r"another document", "a second document begins here: a config is one document, remove the rest", False),
    (
        r"expected chomping or indentation",
        "only +, - or a digit can follow | or >: begin the text on the next line",
        False,
    ),
    (r"incompatible YAML document", "this version of YAML is not known: remove the line, or write %YAML 1.2", False),
    (r"duplicate YAML directive", "this directive stands here twice: remove one", False),
    (r"undefined tag handle '(.*)'", "the tag handle {0} is not defined: remove the tag", False),
)


# What is no YAML at all, and makes YAML complain of something near it.
_CONFLICT = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)
_STUCK = re.compile(r"[ \t]*(?:- +)*([\w.-]+:)(?![\s/]|$)")
_JSON = re.compile(r"\ufeff?\s*(?:(?://[^\n]*|/\*.*?\*/)\s*)*\{\s*(?:[\"}]|//|/\*)", re.DOTALL)
_JSON_PARTS = re.compile(r"""\"(?:[^"\\]|\\.)*\"|(?<=\s)\#[^\n]*|(?<!\w:)(?P<comment>//|/\*)""", re.DOTALL)
_SLASHES = re.compile(r"^[ \t]*//", re.MULTILINE)

_UTF_16 = "the file is UTF-16 or UTF-32: save it as UTF-8"


class ConfigError(ValueError):
    """The config can't be used; `problem` says what is wrong, and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Mark(NamedTuple):
    """Where a value stands: line and column from 1, of its key too, and its offsets in the text.

    A value that came through an alias or a merge has the place of what it stands for. A block list or mapping
    ends where the next thing begins.
    """

    value: tuple[int, int]
    key: tuple[int, int] | None
    start: int
    end: int


@dataclass(frozen=True)
class ConfigDocument:
    """A config: its text, its data in plain Python objects, and the place of every key path."""

    text: str
    data: dict[str, Any]
    marks: Mapping[str, Mark]


def decode(raw: bytes) -> str:
    """Return the text of a file, which encodes to the same bytes again: a byte order mark stays in it.

    Raises:
        ConfigError: It is not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
            raise ConfigError(Problem(_UTF_16, 1, 1)) from error
        before = raw[: error.start].decode("utf-8")
        line, column = _place(before, len(before))
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise ConfigError(Problem(message, line, column)) from error


def parse(text: str) -> ConfigDocument:
    """Parse the text of a config.

    Raises:
        ConfigError: It is no YAML, or not one mapping with unique keys.
    """
    yaml, root = compose(text)
    found = build(text, yaml, root)
    _dismantle(root)
    return found


def _dismantle(root: MappingNode) -> None:
    """Give nodes up one by one: all at once would hold the interpreter for long, where there are many."""
    stack: list[Node] = [root]
    while stack:
        if not stack[-1].value:
            stack.pop()
            continue
        item = stack[-1].value.pop()
        stack += [part for part in (item if isinstance(item, tuple) else (item,)) if not isinstance(part, ScalarNode)]


class PureYAML(YAML):
    """ruamel.yaml's own reader of plain data, which looks for no plug-ins in its folder for each text."""

    def __init__(self) -> None:
        super().__init__(typ="safe", pure=True)

    def official_plug_ins(self) -> list[str]:
        """Return that there are none."""
        return []


def compose(
    text: str, composer: type[Composer] = Composer, scanner: type[Scanner] = TabScanner
) -> tuple[YAML, MappingNode]:
    """Return the nodes of a config, which know their places, and what made them.

    Raises:
        ConfigError: It is no YAML, or not one mapping.
    """
    _refuse_json_comments(text)
    yaml = PureYAML()
    yaml.Composer, yaml.Scanner = composer, scanner
    yaml.max_depth = DEPTH
    yaml.composer.warn_double_anchors = False
    try:
        root = yaml.compose(text)
    except MaxDepthExceededError as error:
        raise _too_deep(error.problem_mark) from error
    except ReaderError as error:
        if "\0" in text[:2]:
            raise ConfigError(Problem(_UTF_16, 1, 1)) from error
        line, column = _place(text, error.position)
        what = f"the character U+{ord(text[error.position]):04X} can't stand in YAML: remove it"
        raise ConfigError(Problem(what, line, column)) from error
    except MarkedYAMLError as error:
        raise ConfigError(_explain(error, text)) from error
    except YAMLError as error:
        raise ConfigError(Problem(str(error))) from error
    if root is None or (isinstance(root, ScalarNode) and root.tag == _TAG + "null" and not root.value):
        raise ConfigError(Problem("the config is empty: write at least one 'key: value'", 1, 1))
    if not isinstance(root, MappingNode):
        if (found := re.match(r"\S+?:(?=\S)", text)) and isinstance(root, ScalarNode) and root.style is None:
            raise ConfigError(Problem("a space is missing here: write 'key: value'", *_place(text, found.end())))
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        _refuse(root, f"the config is {kind}: it must be a mapping, lines of 'key: value'")
    _weigh(root, {})
    return yaml, root


def written(text: str, mark: Mark) -> str | None:
    """Return the spelling of a value that is one word in a text; None for what has quotes, a tag or several lines."""
    found = text[mark.start : mark.end]
    return found if found and not found.startswith(("'", '"', "|", ">", "!", "&", "*")) and "\n" not in found else None


def _refuse_json_comments(text: str) -> None:
    """Refuse a text in JSON's form with what its writer takes for a comment: YAML would make keys and values of it."""
    if ("//" in text or "/*" in text) and _JSON.match(text):
        for found in _JSON_PARTS.finditer(text):
            if found["comment"]:
                words = "comments are not JSON: remove this one, or write # and name the file .yaml"
                raise ConfigError(Problem(words, *_place(text, found.start("comment"))))


def build(text: str, yaml: YAML, root: MappingNode) -> ConfigDocument:
    """Return what the nodes of a config mean; raises ConfigError as `parse` does."""
    builder = _Builder(yaml.constructor.construct_non_recursive_object)
    data = builder.value(root, "")
    if not isinstance(data, dict):
        _refuse(root, "the config is a set: it must be a mapping, lines of 'key: value'")
    return ConfigDocument(text, data, builder.marks)


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _spot(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _refuse(node: Node, message: str, path: str = "") -> NoReturn:
    raise ConfigError(Problem(message, *_spot(node.start_mark), path or None))


def _too_deep(mark: Any) -> ConfigError:
    return ConfigError(Problem(f"the config is nested more than {DEPTH} levels deep here", *_spot(mark)))


def _explain(error: MarkedYAMLError, text: str) -> Problem:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    if found := _CONFLICT.search(text):
        return Problem("a merge conflict begins here: keep one of the two texts", *_place(text, found.start()))
    if "mapping values are not allowed" in said and (stuck := _unspaced(text, mark.line)):
        return stuck
    for found in _SLASHES.finditer(text):
        line, column = _place(text, found.end() - 2)
        if 0 <= mark.line + 1 - line <= 1:
            return Problem("a comment begins with #, not with //", line, column)
    for pattern, words, at_start in _WORDS:
        if found := re.search(pattern, said):
            mark = error.context_mark if at_start else mark
            return Problem(words.format(*found.groups()), *_spot(mark))
    return Problem(said, *_spot(mark))


def _unspaced(text: str, row: int) -> Problem | None:
    """Return where the lines just before a row begin with keys whose colon has no space after it: YAML reads text."""
    lines, found = text.split("\n", row + 1), None
    while row > 0 and (stuck := _STUCK.match(lines[row - 1])):
        row -= 1
        found = Problem(f"a space is missing after '{stuck[1]}': write '{stuck[1]} value'", row + 1, stuck.end() + 1)
    return found


def _weigh(node: Node, known: dict[Node, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many nodes and levels `node` has with all aliases expanded; each is visited once."""
    if isinstance(node, ScalarNode):
        return 1, 1
    if node in known:
        weight = known[node]
        if weight is None:
            _refuse(node, "this value contains itself through an alias: remove the alias")
        return weight
    known[node] = None
    count, depth = 1, 0
    for item in node.value:
        for part in item if isinstance(item, tuple) else (item,):
            more, deep = _weigh(part, known)
            count, depth = count + more, max(depth, deep)
    if count > NODES:
        own = sum(len(seen.value) * (2 if isinstance(seen, MappingNode) else 1) for seen in known)
        if own > NODES:
            _refuse(node, f"the config has more than {NODES:,} keys and values: split it")
        _refuse(node, f"aliases make this value larger than {NODES:,} values: use fewer of them")
    if depth >= DEPTH:
        raise _too_deep(node.start_mark)
    known[node] = count, depth + 1
    return count, depth + 1


class _Builder:
    """Makes plain objects of nodes. What an alias stands for is built anew each time, so nothing is shared."""

    def __init__(self, convert: Callable[[Node], Any]) -> None:
        self._convert = convert
        self.marks: dict[str, Mark] = {}

    def value(self, node: Node, path: str, key: Node | None = None) -> Any:
        """Return the data of `node`, and keep its marks under `path`."""
        place = _spot(key.start_mark) if key is not None else None
        self.marks[path] = Mark(_spot(node.start_mark), place, node.start_mark.index, node.end_mark.index)
        kind = str(node.tag)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, SequenceNode):
            if kind == _TAG + "omap":
                return OrderedDict(self._mapping(self._ordered(node, path), path))  # which tells orders apart
            if kind != _TAG + "seq":
                _bad_tag(node, path)
            return [self.value(item, child(path, index)) for index, item in enumerate(node.value)]
        entries = self._entries(node, path)
        if kind == _TAG + "set":
            return set(entries)
        if kind != _TAG + "map":
            _bad_tag(node, path)
        return self._mapping(entries, path)

    def _mapping(self, entries: dict[Any, tuple[Node, Node]], path: str) -> dict[Any, Any]:
        return {key: self.value(node, child(path, key), key_node) for key, (key_node, node) in entries.items()}

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        kind = str(node.tag)
        if kind in _STRINGS:
            return node.value if node.value.isascii() else self._whole(node, path)
        if kind not in _SCALARS:
            _bad_tag(node, path)
        try:
            return self._convert(node)
        except (YAMLError, ValueError, LookupError, OverflowError) as error:
            shown = node.value if len(node.value) <= 40 else node.value[:40] + "…"
            name = "date" if kind == _TAG + "timestamp" else kind[len(_TAG) :]
            words = f"{shown!r} is no valid {name}: correct it, or put it in quotes to make it text"
            if kind == _TAG + "int" and node.value.isdecimal():
                words = f"a number of {len(node.value):,} digits is too large: shorten it, or put it in quotes"
            raise ConfigError(Problem(words, *_spot(node.start_mark), path or None)) from error

    def _whole(self, node: ScalarNode, path: str) -> str:
        """Return a text; JSON writes what is beyond U+FFFF in two halves, which ruamel.yaml leaves apart."""
        try:
            text: str = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            _refuse(
                node, "there is half a character in this text: an escape such as \\ud83d needs its other half", path
            )
        return text

    def _key(self, node: Node, path: str) -> Any:
        if not isinstance(node, ScalarNode):
            kind = "list" if isinstance(node, SequenceNode) else "mapping"
            _refuse(node, f"a {kind} can't be a key: put it in quotes to make it text", path)
        if node.style is None and node.value.startswith("\ufeff"):
            _refuse(node, "an invisible byte order mark, U+FEFF, is part of this key: remove it", path)
        return self._scalar(node, path)

    def _entries(self, node: Node, path: str) -> dict[Any, tuple[Node, Node]]:
        """Return the keys of a mapping, its own first, then those merged by ``<<`` that it does not have."""
        own: dict[Any, tuple[Node, Node]] = {}
        merge: tuple[Node, Node] | None = None
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                if merge is not None:
                    _refuse(key_node, "'<<' stands here twice: write one '<<: [*a, *b]'", path)
                merge = key_node, value_node
            else:
                self._add(own, key_node, value_node, path)
        if merge is None:
            return own
        at, merged = merge
        for source in merged.value if isinstance(merged, SequenceNode) else [merged]:
            if not isinstance(source, MappingNode):
                # What an alias stands for is elsewhere.
                near = source.start_mark.line == at.start_mark.line and source.start_mark.index > at.start_mark.index
                _refuse(source if near else at, "'<<' can merge only mappings: give it an alias of one", path)
            for key, entry in self._entries(source, path).items():
                own.setdefault(key, entry)
        return own

    def _add(self, entries: dict[Any, tuple[Node, Node]], key_node: Node, value_node: Node, path: str) -> None:
        key = self._key(key_node, path)
        if key in entries:
            first = entries[key][0]
            line = first.start_mark.line + 1
            words = f"the key {key_node.value} stands here twice, first on line {line}: remove one"
            if type(key) is not type(self._key(first, path)):
                words = (
                    f"to Python {key_node.value} is the same key as {first.value} on line {line}: "
                    "write one of them in quotes, as text"
                )
            _refuse(key_node, words, child(path, key))
        entries[key] = (key_node, value_node)

    def _ordered(self, node: Node, path: str) -> dict[Any, tuple[Node, Node]]:
        entries: dict[Any, tuple[Node, Node]] = {}
        for item in node.value:
            if not isinstance(item, MappingNode) or len(item.value) != 1:
                _refuse(item, "an item of an !!omap is one 'key: value'", path)
            key_node, value_node = item.value[0]
            self._add(entries, key_node, value_node, path)
        return entries


def _bad_tag(node: Node, path: str) -> NoReturn:
    tag = str(node.tag).replace(_TAG, "!!")
    _refuse(node, f"the tag {tag} can't be used here: remove it, a config holds plain values only", path)
