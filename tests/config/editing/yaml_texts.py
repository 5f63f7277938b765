"""Texts of configs in every shape that YAML allows and people write, with a comment wherever one can stand.

Each comment is another one, ``# c1``, ``# c2``, and no value holds such a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tui.config import document
from tui.config.diff import same
from tui.config.document import ConfigError

T = TypeVar("T")
Draw = Callable[[int, int], int]

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.yaml"))

#: Those that are parsed in no time, and whose keys have places of their own.
SMALL = [
    text
    for text in (path.read_text(encoding="utf-8") for path in CORPUS)
    if len(text) < 900 and not re.search("<<:|!!omap|!!set", text)
]

PLAIN = [
    "1",
    "0.1",
    "1e-3",
    "0x1F",
    "true",
    "null",
    "~",
    "abc",
    "a b",
    "x-y",
    "2024-01-31",
    ".inf",
    "-7",
    "a#b",
    "http://x/y",
]
QUOTED = ["'q'", '"q"', "'it''s'", '"a\\n b"', "'x # y'", '"[1]"', "'1'", "''", '"\u00e9"', "'a: b'"]
LINES = ["text", "more text", "# no comment", "key: value", "", "  deeper", "- item", "'quoted"]
KEYS = ["a", "lr", "opt", "name", "k1", "layers", "x y", "on", "'q'", '"d"', "17", "a.b", "\u00fc"]


class Writer:
    """Writes one text.

    Args:
        draw: Returns a number from one to another.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._density = self.of([0, 2, 4, 10])
        self._comments = 0
        self._anchors = 0
        self._known: list[str] = []

    def of(self, choices: Sequence[T]) -> T:
        """Return one of some choices."""
        return choices[self._draw(0, len(choices) - 1)]

    def one_in(self, count: int) -> bool:
        """Return True once in a while."""
        return bool(self._draw(0, count - 1) == count - 1)

    def comment(self, *, odds: int = 1) -> str:
        """Return a comment that ends a line, or nothing."""
        if not self._density or not self.one_in(max(2, 12 * odds // self._density)):
            return ""
        self._comments += 1
        before, after = [" ", "  ", "   ", "\t", " \t"], ["", "", " tail", ": x", " - y", "\tz"]
        return f"{self.of(before)}# c{self._comments}{self.of(after)}"

    def between(self, indent: int) -> str:
        """Return the lines that may stand before an entry: empty ones, and comments."""
        lines = "\n" if self.one_in(8) else ""
        if comment := self.comment(odds=2):
            lines += f"{' ' * indent}{comment.lstrip()}\n"
        return lines

    def config(self) -> str:
        """Return the text of a config."""
        if self.one_in(14):
            return self._framed(self.flow_mapping(0, 2, root=True) + self.comment() + "\n")
        return self._framed(self.mapping(0, 3) + self.between(0))

    def _framed(self, text: str) -> str:
        if self.one_in(8):
            text = self.of(["---\n", "--- # start\n", "%YAML 1.2\n---\n", "# head\n---\n"]) + text
        if self.one_in(10):
            text += self.of(["...\n", "# bye\n", "\n\n", "...\n# after\n"])
        if self.one_in(10):
            text = text.rstrip("\n")
        if self.one_in(6):
            text = text.replace("\n", "\r\n")
        return "\ufeff" + text if self.one_in(20) else text

    def mapping(self, indent: int, depth: int) -> str:
        """Return a mapping in lines of their own."""
        names, text = list(KEYS), ""
        for number in range(self.of([1, 2, 2, 3, 3, 4])):
            key = names.pop(self._draw(0, len(names) - 1))
            text += self.between(indent) if indent or number or not self.one_in(2) else ""
            text += " " * indent + self.entry(key, indent, depth)
        return text

    def entry(self, key: str, indent: int, depth: int) -> str:
        """Return a key with its value, and the line's end."""
        odd = self._draw(0, 39)
        if odd == 39:
            return f"? {key}{self.comment()}\n" + (
                f"{' ' * indent}:{self.value(indent, depth)}" if self.one_in(2) else ""
            )
        if odd == 38 and key == KEYS[0]:
            return f"? |\n{' ' * indent}  block key\n{' ' * indent}:{self.value(indent, depth)}"
        if odd == 37:
            key = f"{self._anchor()} {key}"
        elif odd == 36:
            key = f"!!str {key}"
        elif odd == 35:
            key = f"{key} "
        return f"{key}:{self.value(indent, depth)}"

    def sequence(self, indent: int, depth: int) -> str:
        """Return a list in lines of their own."""
        text = ""
        for number in range(self.of([1, 2, 2, 3, 4])):
            text += self.between(indent) if number or not self.one_in(2) else ""
            text += " " * indent + self.item(indent, depth)
        return text

    def item(self, indent: int, depth: int) -> str:
        """Return an item with its dash, and the line's end."""
        if depth and self.one_in(4):
            gap, known = self.of([1, 1, 1, 3]), list(self._known)
            inner = indent + 1 + gap
            text = self.mapping(inner, depth - 1) if self.one_in(2) or depth < 2 else self.sequence(inner, depth - 1)
            head = re.match(rf" {{{inner}}}(?=[^ #\n])", text)
            if head:
                return f"-{' ' * gap}{text[head.end() :]}"
            self._known = known
        return "-" + self.value(indent, depth, item=True)

    def value(self, indent: int, depth: int, *, item: bool = False) -> str:
        """Return what follows a colon or a dash, and the line's end."""
        kind = self._draw(0, 19)
        if kind == 0:
            return self._nothing()
        if kind == 1 and self._known and self.one_in(3):
            return f" *{self.of(self._known)}{self.comment()}\n"
        if kind in (2, 3):
            return self._block_scalar(indent)
        if kind in (4, 5):
            text = self.flow_mapping(indent + 1, depth) if kind == 4 else self.flow_list(indent + 1, depth)
            return f"{self._head(indent, '!!map' if kind == 4 else '!!seq')}{text}{self.comment()}\n"
        if kind in (6, 7, 8, 9) and depth:
            sequence = kind > 7
            inner = indent + (0 if sequence and not item and self.one_in(2) else self.of([2, 2, 1, 4]))
            properties = self._properties("!!seq" if sequence else "!!map")
            head = "".join(f" {word}{self._break(inner or 1)}" for word in properties[:-1])
            head += f" {properties[-1]}" if properties else ""
            text = self.sequence(inner, depth - 1) if sequence else self.mapping(inner, depth - 1)
            self._known += [word[1:] for word in properties if word[0] == "&"]
            return f"{head}{_without_tab(self.comment())}\n{text}"
        return self._scalar(indent)

    def _nothing(self) -> str:
        properties = self._properties("!!null")
        return "".join(f" {word}" for word in properties) + _without_tab(self.comment()) + "\n"

    def _scalar(self, indent: int) -> str:
        if self.one_in(3):
            word = self.of(QUOTED)
            if self.one_in(8):
                word = f"{self.of([chr(39), chr(34)])}two\n{' ' * (indent + 1)}lines"
                word += word[0]
            return f"{self._head(indent, '!!str')}{word}{self.comment()}\n"
        word = self.of(PLAIN)
        if self.one_in(20):
            word = f"two\n{' ' * (indent + 1)}lines"
        tag = "!!int" if re.fullmatch(r"-?\d+", word) else "!!str"
        return f"{self._head(indent, tag)}{word}{self.comment()}\n"

    def _block_scalar(self, indent: int) -> str:
        inner = indent + self.of([1, 2, 2, 4])
        head = self._head(indent, "!!str") + self.of("|>") + self.of(["", "", "-", "+"])
        lines = [self.of(LINES[:4])] + [self.of(LINES) for _ in range(self.of([0, 1, 1, 2]))]
        if self.one_in(10):
            head, lines = f"{head}{inner - indent}", ["  deep", *lines]
        body = "".join(f"{' ' * inner}{line}\n" if line else "\n" for line in lines)
        comment = _without_tab(self.comment())
        return f"{head}{comment}\n{body}"

    def _head(self, indent: int, tag: str) -> str:
        """Return the anchor and the tag of a value that does not begin a line, and what is between."""
        properties = self._properties(tag)
        text = "".join(f" {word}{self._break(indent + 1)}" for word in properties)
        if tag not in ("!!map", "!!seq"):
            self._known += [word[1:] for word in properties if word[0] == "&"]
        if not text and self.one_in(12):
            text = self._break(indent + 1, odds=1)
        return text if text.endswith(" ") else f"{text} "

    def _break(self, indent: int, odds: int = 3) -> str:
        """Return a line's end with a comment, and the next line's indentation, or nothing."""
        if not self.one_in(odds):
            return ""
        lines = f"{_without_tab(self.comment())}\n"  # a tag may stand before it
        if self.one_in(4):
            lines += f"{' ' * indent}{self.comment().lstrip()}".rstrip() + "\n"
        return f"{lines}{' ' * indent}"

    def _properties(self, tag: str) -> list[str]:
        if not self.one_in(7):
            return []
        name = tag.removeprefix("!!")
        tags = [tag, f"!<tag:yaml.org,2002:{name}>", *(["!"] if tag == "!!str" else [])]
        words = self.of([[self.of(tags)], [self._anchor()], [self._anchor(), self.of(tags)]])
        return words[::-1] if self.one_in(2) else words

    def _anchor(self) -> str:
        self._anchors += 1
        return f"&n{self._anchors}"

    def flow_list(self, indent: int, depth: int) -> str:
        """Return a list in brackets."""
        return self._flow("[]", [self._flow_value(indent, depth) for _ in range(self.of([0, 1, 2, 2, 3]))], indent)

    def flow_mapping(self, indent: int, depth: int, *, root: bool = False) -> str:
        """Return a mapping in brackets."""
        names, entries = list(KEYS), []
        for _ in range(self.of([2, 3]) if root else self.of([0, 1, 2, 2])):
            key = names.pop(self._draw(0, len(names) - 1))
            entries.append(f"{key}: {self._flow_value(indent, depth)}" if not self.one_in(15) else f"{key}:")
        return self._flow("{}", entries, indent)

    def _flow_value(self, indent: int, depth: int) -> str:
        kind = self._draw(0, 9)
        if kind == 0 and depth:
            return self.flow_list(indent, depth - 1)
        if kind == 1 and depth:
            return self.flow_mapping(indent, depth - 1)
        word = self.of(QUOTED if kind < 5 else PLAIN[:13])
        if self.one_in(15):
            word = f"{self._anchor() if self.one_in(2) else '!!str'} {word}"
        return word

    def _flow(self, brackets: str, entries: list[str], indent: int) -> str:
        if not self.one_in(3):
            comma = self.of([", ", ", ", ",", " , ", ",\t"])
            blank = self.of(["", "", " "])
            end = "," if entries and self.one_in(10) else ""
            return brackets[0] + blank + comma.join(entries) + end + blank + brackets[1]
        text, inner = brackets[0], " " * (indent + self.of([0, 1, 3]))
        for number, entry in enumerate(entries):
            text += f"{self.comment()}\n{inner}"
            if comment := self.comment(odds=2):
                text += f"{comment.lstrip()}\n{inner}"
            comma = "," if number < len(entries) - 1 or self.one_in(3) else ""
            text += f"{entry}{comma}"
        if self.one_in(2):
            text += f"{self.comment()}\n{' ' * indent}"
        return text + brackets[1]


def _without_tab(comment: str) -> str:
    """Return a comment for where ruamel.yaml takes no tab before it: after a tag, and the head of a block."""
    return comment.replace("\t#", " #")


def config(draw: Draw) -> str:
    """Return the text of a config, or a real one with more comments."""
    writer = Writer(draw)
    return _commented(writer, writer.of(SMALL)) if writer.one_in(20) else writer.config()


def _commented(writer: Writer, text: str) -> str:
    """Return a real text with comments where they change nothing."""
    data = document.parse(text).data
    for _ in range(3):
        lines = text.split("\n")
        at = writer.of(range(len(lines)))
        if comment := writer.comment():
            if writer.one_in(2):
                lines[at] += comment
            else:
                lines.insert(at, re.match(" *", lines[at])[0] + comment.lstrip())  # type: ignore[index]
        new = "\n".join(lines)
        try:
            text = new if same(document.parse(new).data, data) else text
        except ConfigError:
            continue
    return text
