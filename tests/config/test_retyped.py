"""A text in which a few words are others means what it would mean if all of it were parsed."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.config.editing.yaml_texts import CORPUS, config
from tests.conftest import THOROUGHLY
from tui.config import document, retyped
from tui.config.document import ConfigDocument, ConfigError

#: So many numbers of each file are tried: each is parsed for comparison.
MOST = 1_000 if THOROUGHLY else 3

#: Directives may change what a word means.
PLAIN = [path for path in CORPUS if not path.read_text(encoding="utf-8").startswith("%")]

#: What people type, and what looks like it.
PIECES = ["1", "0", "-", "+", ".", "e", "_", "x", "true", "null", "inf", " ", "#", ":", ": ", "'", '"', "%", "\t"]
PIECES += ["0.125", "-1e-4", "2024-01-31", "~", "<<", "&a", "*a", "!!str ", "[", "]", "{", ",", "\n", "\r", "---", ""]


def parsed(text: str) -> ConfigDocument | None:
    try:
        return document.parse(text)
    except ConfigError:
        return None


def check(text: str, before: ConfigDocument) -> bool:
    """Check what is read of a text that was another one; return whether it is read without a parse of the whole."""
    found = retyped.reread(text, before)
    if found is None:
        return False
    whole = parsed(text)
    assert whole is not None, text
    assert repr(found.data) == repr(whole.data), text  # 1, 1.0 and true are equal, and NaN is not
    assert found == ConfigDocument(text, found.data, whole.marks), text
    return True


@settings(max_examples=20_000 if THOROUGHLY else 40)
@given(st.randoms(use_true_random=True))
def test_what_is_read_is_what_is_parsed(random: Random) -> None:
    """Of texts of every shape, with a few letters, or a whole word, replaced by others anywhere."""
    text = config(random.randint)
    before = document.parse(text)
    spans = [(mark.start, mark.end) for path, mark in before.marks.items() if path]
    for _ in range(20):
        changed = text
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            start = random.randrange(len(changed) + 1)
            end = min(len(changed), start + random.choice((0, 0, 1, 1, 2, 5)))
            if spans and random.random() < 0.7:
                start, end = random.choice(spans)
            piece = "".join(random.choices(PIECES, k=random.choice((1, 1, 2, 3))))
            changed = changed[:start] + piece + changed[end:]
        note(repr((text, changed)))
        check(changed, before)


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_a_number_that_is_turned_is_read_by_itself(path: Path) -> None:
    """In files of real communities."""
    text = path.read_text(encoding="utf-8")
    before = document.parse(text)
    numbers = [mark for mark in before.marks.values() if re.fullmatch(r"-?\d+(\.\d+)?", text[mark.start : mark.end])]
    assert all(check(text[: mark.start] + "12.5" + text[mark.end :], before) for mark in numbers[:MOST])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: 1\n", "a: 2\n"),
        ("a: 1\n", "a: 10\nb: 2\n"),
        ("{a: 1, b: 2}", "{a: 100, b: 2}"),
        ("a: {b: 1, c: [1, x]} # 1\nd: 3\n", "a: {b: 1, c: [7.25, x]} # 1\nd: 3\n"),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 1}\n", "a: &x {b: 2}\nc: *x\nd: {<<: *x, e: 1}\n"),
        ("a: 1\nb: 'x'\n", "a: true\nb: 'y z'\n"),
        ("a: 1\r\nb: 2\r\n", "a: 11\r\nb: 22\r\n"),
        ("\ufeffa: 1\nb: 2\n", "\ufeffa: 3\nb: 44\n"),
        ("1: 1\n'1': 1\n", "1: 2\n'1': 1\n"),
    ],
)
def test_some_shapes(old: str, new: str) -> None:
    check(new, document.parse(old))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: &x 1\nb: *x\n", "a: &x 2\nb: *x\n"),
        ("a: |\n  x\n", "a: |\n  y\n"),
        ("a: x\n  y\n", "a: x\n  z\n"),
        ("a: !!str 1\n", "a: !!str 2\n"),
        ("%YAML 1.1\n---\na: yes\n", "%YAML 1.1\n---\na: no\n"),
        ("a: 1 # 1\n", "a: 1 # 2\n"),
        ("a: 1\n", "b: 1\n"),
        ("1.5: 1\n'1': 1\n", "1.5: 2\n'1': 1\n"),
        ("a: 1\rb: 1\n", "a: 1\rb: 2\n"),
        ("a: 1\n", "a: 2024-13-45\n"),
    ],
)
def test_what_must_be_parsed(old: str, new: str) -> None:
    assert retyped.reread(new, document.parse(old)) is None


def test_what_was_read_before_stays_as_it_was() -> None:
    before = document.parse("a: {b: [1, 2]}\nc: {d: 1}\n")
    after = retyped.reread("a: {b: [1, 3]}\nc: {d: 1}\n", before)
    assert after is not None
    assert before.data == {"a": {"b": [1, 2]}, "c": {"d": 1}}
    assert after.data == {"a": {"b": [1, 3]}, "c": {"d": 1}}


def test_what_an_alias_stands_for_is_not_shared() -> None:
    before = document.parse("a: &x {b: [1]}\nc: *x\n")
    after = retyped.reread("a: &x {b: [2]}\nc: *x\n", before)
    assert after is not None
    assert after.data == {"a": {"b": [2]}, "c": {"b": [2]}}
    assert after.data["a"]["b"] is not after.data["c"]["b"]
