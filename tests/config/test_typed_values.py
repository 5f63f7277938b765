"""What becomes of a value that was typed on a command line: all of it, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.config import document
from tui.config.diff import same
from tui.config.document import ConfigError
from tui.config.editing import spelling
from tui.config.editing.edit import set_typed

#: Where values stand in configs: after a comment, in quotes, in brackets, at the end, in JSON.
PLACES = (
    ("v: 1  # one\nb: 2\n", "v"),
    ("o:\n  v: 'x' # one\n", "o.v"),
    ("l: [1, {v: |, b: 2}]\n".replace("|", "x"), "l[1].v"),
    ("b: 2\nv: |\n  some\n  text\n", "v"),
    ("b: 2\r\nv: &a !!str x\r\nc: *a\r\n", "b"),
    ('{"v": 1, "b": [2]}\n', "v"),
)

#: Everything that means something to YAML, and letters that make no word of it together.
SIGNS = "#&*!|>%@`'\"[]{},:?-=~<. \n\ttabx"

#: Text of one character each that YAML takes away where it reads it as its own.
KEPT = re.compile(r"[#&*!|>%@`tabx]")


def leaves(value: Any) -> Iterator[str]:
    """Yield all text in a value, keys too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(key)
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value


def outcome(typed: str, place: tuple[str, str] = PLACES[0]) -> Any:
    """Return what is in a config after `typed` was set there; raises ConfigError if it is refused."""
    text, path = place
    data: Any = document.parse(set_typed(text, {path: typed}, add=False)).data
    for step in re.findall(r"\w+", path):
        data = data[int(step) if step.isdigit() else step]
    return data


@given(st.text(SIGNS, max_size=12), st.sampled_from(PLACES))
@example("#random", PLACES[0])
@example("a #b", PLACES[1])
@example("[] #x", PLACES[2])
@example("[&a x, *a]", PLACES[3])
@example("[a,#b\n]", PLACES[0])
@example("{a: !x , b: 1}", PLACES[0])
@example(" x ", PLACES[5])
def test_no_sign_that_was_typed_is_lost(typed: str, place: tuple[str, str]) -> None:
    try:
        found = outcome(typed, place)
    except ConfigError:
        assert typed.strip(" ")[0] in "[{'\""
        return
    if isinstance(found, str) and typed.strip(" ")[:1] not in ("'", '"'):
        assert found == typed
    kept = Counter(KEPT.findall("".join(leaves(found))))
    assert kept == Counter(KEPT.findall(typed))


@given(st.text(st.characters(exclude_categories=()), max_size=20), st.sampled_from(PLACES))
def test_any_text_is_a_value_of_yaml_or_itself_or_refused(typed: str, place: tuple[str, str]) -> None:
    try:
        found = outcome(typed, place)
    except ConfigError:
        begins = typed.strip(" ")[:1] in ("[", "{", "'", '"')
        assert begins or any(0xD800 <= ord(letter) < 0xE000 for letter in typed)
        return
    if not same(found, typed):
        assert same(found, document.parse(f"v: {typed}").data["v"])


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(SIGNS, max_size=6))


@given(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abx1 ", max_size=3), inner, max_size=2),
        max_leaves=3,
    )
)
def test_what_is_written_as_yaml_is_read_as_that(value: Any) -> None:
    typed = spelling.inline(value)
    assert same(spelling.read(typed).data, value)
    assert same(
        spelling.read(f" {typed} ").data, value if not isinstance(value, str) or typed[0] in "'\"" else f" {typed} "
    )


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("#random", 'v: "#random"  # one'),
        ("&x", 'v: "&x"  # one'),
        ("!", 'v: "!"  # one'),
        ("!!str 5", 'v: "!!str 5"  # one'),
        (">3", 'v: ">3"  # one'),
        ("|", 'v: "|"  # one'),
        ("*.log", 'v: "*.log"  # one'),
        ("7 #up", 'v: "7 #up"  # one'),
        ("a: b", 'v: "a: b"  # one'),
        ("1\nb: 2", 'v: "1\\nb: 2"  # one'),
        (" ", 'v: " "  # one'),
        ("", "v: null  # one"),
        ("0,05", "v: 0,05  # one"),
        ("1e-3", "v: 1e-3  # one"),
        ('["#", a#b]', 'v: ["#", a#b]  # one'),
    ],
)
def test_what_stands_in_the_file(typed: str, line: str) -> None:
    assert set_typed("v: 1  # one\n", {"v": typed}, add=False) == f"{line}\n"


def test_a_refusal_says_how_it_is_written_as_text() -> None:
    with pytest.raises(ConfigError, match="begins as a list, but is no such value: only a part of it") as caught:
        spelling.read("[] #x")
    assert caught.value.problem.message.endswith('; as text it is "[] #x"')
    assert spelling.read('"[] #x"').data == "[] #x"


CONFIG = "lr: 0.1\nopt:\n  betas: [1, 2]\n  lr: 3\nnames:\n  0: a\n  1: b\n? exp\n: 5\nm: &m {q: 1}\nn:\n  <<: *m\n"


@pytest.mark.parametrize(
    ("path", "words", "line"),
    [
        ("lrate", "there is no lrate: did you mean lr? (--add makes a new key)", None),
        ("LR", "did you mean lr?", None),
        ("opt.bets", "did you mean opt.betas?", 3),
        ("op.lr", "did you mean opt.lr?", None),
        ("op.x", "did you mean opt?", None),
        ("expp", "did you mean exp?", None),
        ("names.7", "there is no names.7: names has 0, 1 (--add", 6),
        ("names[7]", "there is no names[7]", 6),
        ("n.z", "n has q", 12),
        ("zz", "there are lr, opt, names, exp, m, n (--add", None),
        ("a.b.c", "there is no a.b.c", None),
        ("opt.betas[2]", "opt.betas is a list of 2", 3),
        ("lr.x", "lr is a single value", 1),
    ],
)
def test_a_key_that_is_not_there_is_refused_with_the_nearest(path: str, words: str, line: int | None) -> None:
    with pytest.raises(ConfigError) as caught:
        set_typed(CONFIG, {"exp": "7", path: "1"}, add=False)
    assert words in caught.value.problem.message
    assert caught.value.problem.line == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("names.1", "  1: x"),
        ("names[1]", "  1: x"),
        ("exp", ": x"),
        ("n.q", "  q: x"),
        ("opt.betas[1]", "  betas: [1, x]"),
    ],
)
def test_a_key_that_is_there_is_found_however_it_is_written(path: str, line: str) -> None:
    assert line in set_typed(CONFIG, {path: "x"}, add=False).splitlines()


def test_a_new_key_is_made_where_that_is_wanted() -> None:
    assert set_typed("lr: 1\n", {"opt.eps": "1e-8"}, add=True) == "lr: 1\nopt:\n  eps: 1e-8\n"
    assert set_typed("n: {1: a}\n", {'n["1"]': "b"}, add=False) == "n: {1: b}\n"
