"""Values of many real-looking files are set, one at a time, to values of several kinds, in files of several styles.

The suite takes some of each file, in one style each; ``HYPOTHESIS_PROFILE=thorough pytest`` with this file all of all.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import THOROUGHLY
from tui.config import keys
from tui.config.diff import same
from tui.config.document import ConfigDocument, ConfigError
from tui.config.editing import merge
from tui.config.editing.edit import edited
from tui.config.editing.tree import Tree

FILES = sorted((Path(__file__).parent / "corpus").glob("*.yaml"))

VALUES: list[Any] = [7, "new text", "a: b # c", None, [1, "x, y"], {"k": {"m": 1.5}}, "two\nlines\n", "1", 1e-05, {}]


def padded(text: str) -> str:
    return re.sub(r"(?m)^(\s*[\w-]+):$", r"\1:  ", text)


#: In these, some values belong to several keys.
SHARING = {path.stem for path in FILES if path.stem.startswith("anchors")} | {"compose"}
REFUSAL = re.compile("alias|used elsewhere|'<<'")

#: Nothing is lost, and the words say what to do.
HONEST = re.compile("would be lost|is an ordered map")

STYLES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no last newline": lambda text: text.rstrip("\n"),
    "trailing blanks": padded,
    "many last newlines": lambda text: text if text.endswith("...\n") else text + "\n\n# bye\n",
}


#: So many places of each file are enough for a suite that is to stay quick.
SOME = 2


def changed(tree: Tree, place: str, value: Any, path: Path) -> Tree | None:
    """Return a text with another value, parsed; None where it was refused for a good reason."""
    try:
        return edited(tree, {place: value})
    except ConfigError as error:
        if not HONEST.search(str(error)) and (path.stem not in SHARING or not REFUSAL.search(str(error))):
            raise
        return None


#: Each file in each style, or the files in turn.
CASES = [
    pytest.param(path, style, id=f"{path.stem}-{style}")
    for number, path in enumerate(FILES)
    for place, style in enumerate(STYLES)
    if THOROUGHLY or place == number % len(STYLES)
]


def some(places: list[str], path: Path) -> Iterator[tuple[int, str]]:
    """Yield the places that are tried, with their numbers: of each file other ones."""
    step = 1 if THOROUGHLY else max(1, len(places) // SOME)
    for number in range(len(path.stem) % step, len(places), step):
        yield number, places[number]


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize(("path", "style"), CASES)
def test_edits_of_a_real_file(path: Path, style: str) -> None:
    tree = Tree(STYLES[style](path.read_text(encoding="utf-8")))  # once for all that is done with it
    every_value_can_be_set_alone(tree, path)
    a_key_can_be_added_to_every_mapping(tree, path)
    if path.stem not in SHARING:
        one_key_is_rolled_back_beside_what_has_changed_since(tree)


def every_value_can_be_set_alone(tree: Tree, path: Path) -> None:
    text, before, comments = tree.text, tree.document, tree.comment_texts()
    refused = 0
    for number, place in some([place for place in before.marks if place], path):
        values = [VALUES[number % len(VALUES)], VALUES[(number * 3 + 1) % len(VALUES)]]
        for value in values if THOROUGHLY else values[:1]:
            after = changed(tree, place, value, path)
            if after is None:
                refused += 1
                continue
            assert not comments - after.comment_texts(), (place, value, after.text)
            assert same(after.document.data, intended(before, place, value)), (place, value, after.text)
            mark = before.marks[place]
            if path.stem in SHARING:
                continue  # the place of a value that was merged is elsewhere
            if mark.key is not None:
                assert after.text.startswith(text[: offset(text, mark.key[0])]), (place, value, after.text)
            rest = untouched(text, before, place)
            assert after.text.endswith(rest), (place, value, after.text, rest)
    assert refused < len(before.marks)


def a_key_can_be_added_to_every_mapping(tree: Tree, path: Path) -> None:
    added: list[tuple[list[str], Any]] = [(["new"], 1), (["new", "a b", "c"], [1, "x"])]
    for number, place in some(list(mappings(tree.document.data)), path):
        for names, value in added if THOROUGHLY else [added[number % 2]]:
            where = functools.reduce(keys.child, names, place)
            after = changed(tree, where, value, path)
            if after is not None:
                assert same(after.document.data, intended(tree.document, where, value)), (where, after.text)
                assert keeps(tree.text, after.text), (where, after.text)


def one_key_is_rolled_back_beside_what_has_changed_since(tree: Tree) -> None:
    """The version had another value of one key; meanwhile somebody has changed another one."""
    config = tree.document
    places = [
        place for place, mark in config.marks.items() if place and not isinstance(at(config, place), (dict, list))
    ]
    if len(places) < 4:
        return
    tried = 0
    for number in range(0, len(places) - 2, max(1, len(places) // 6) if THOROUGHLY else len(places)):
        one, other = places[number], places[(number + len(places) // 2) % len(places)]
        try:
            version = edited(tree, {one: f"was {number}"})
            now = edited(tree, {other: number})
        except ConfigError:
            continue
        tried += 1
        back = merge.merge(merge.Texts(tree.text, version.text, now.text))
        wanted = edited(now, {one: f"was {number}"})
        assert same(wanted.document.data, intended(now.document, one, f"was {number}")), (one, other, back)
        assert back == wanted.text
    assert tried or not THOROUGHLY


def at(config: ConfigDocument, path: str) -> Any:
    found: Any = config.data
    for step in keys.steps(path):
        found = found[step] if not isinstance(found, set) else None
    return found


def keeps(old: str, new: str) -> bool:
    """Return whether nothing was removed: what is not the same in the middle holds all that was there, in one piece."""
    shorter = min(len(old), len(new))
    start = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    left = shorter - start
    end = next((index for index in range(left) if old[-1 - index] != new[-1 - index]), left)
    return old[start : len(old) - end] in new[start : len(new) - end]


def mappings(data: Any, path: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        yield path
    for key, item in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from mappings(item, keys.child(path, key))


def intended(before: ConfigDocument, path: str, value: Any) -> Any:
    data: Any = copy.deepcopy(before.data)
    inner = data
    *steps, last = keys.steps(path)
    for step in steps:
        inner = inner[step] if isinstance(inner, list) else inner.setdefault(step, {})
    inner[last] = value
    return data


def offset(text: str, line: int) -> int:
    place = 0
    for _ in range(line - 1):
        place = text.index("\n", place) + 1
    return place


def untouched(text: str, before: ConfigDocument, place: str) -> str:
    """The text from the line of the first key after the value on."""
    mark = before.marks[place]
    lines = [
        other.key[0]
        for path, other in before.marks.items()
        if other.key is not None and other.start >= mark.end and other.key > mark.value and not path.startswith(place)
    ]
    ends = text.count("\n", 0, mark.end) + 1
    later = [line for line in lines if line > ends]
    return text[offset(text, min(later)) :] if later else ""
