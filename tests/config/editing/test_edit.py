from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from tui.config import document, keys
from tui.config.diff import same
from tui.config.document import ConfigError
from tui.config.editing import spelling, tree
from tui.config.editing.edit import set_values
from tui.config.editing.tree import Tree

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("lr: 0.1  # keep\nb: 'x'\n", {"lr": spelling.read("1e-3"), "b": "y"}, "lr: 1e-3  # keep\nb: 'y'\n"),
    ("a:  # c\n  - 64\n  - 32\nb: 1\n", {"a": [1, 2, 3]}, "a:  # c\n  - 1\n  - 2\n  - 3\nb: 1\n"),
    ("a:  # c\n  # d\n- 64\n# tail\nb: 1\n", {"a": 5}, "a:  # c\n  # d\n  5\n# tail\nb: 1\n"),
    ("a:\r\n  b: 1 # x\r\n\r\nc: 2\r\n", {"a.d.e": 2}, "a:\r\n  b: 1 # x\r\n  d:\r\n    e: 2\r\n\r\nc: 2\r\n"),
    ("a: |  # c\n  x\n\nb: 1\n", {"a": "one\ntwo\n"}, "a: |  # c\n  one\n  two\n\nb: 1\n"),
    ("a: >-  # c\n  x\n  y\n\nb: 1\n", {"a": "one"}, "a: one  # c\n\nb: 1\n"),
    ("a: {x: 1, y: [1, 2]}", {"a.y[1]": "p, q", "a.z": True}, 'a: {x: 1, y: [1, "p, q"], z: true}'),
    ("a: {\n  x: 1  # x\n}\n", {"a.y": 2}, "a: {\n  x: 1,  # x\n  y: 2\n}\n"),
    ("a: {\n  x: 1,  # x\n}\n", {"a.y": 2}, "a: {\n  x: 1,  # x\n  y: 2,\n}\n"),
    ("a: {  # x\n  # z\n}\n", {"a.y": 2}, "a: {  # x\n  y: 2\n  # z\n}\n"),
    ('{"a": {"b": []}}', {"a.b": ["q"], "a.c": "d"}, '{"a": {"b": ["q"], "c": "d"}}'),
    ("a: &x 1\nb: *x\n", {"b": 2}, "a: &x 1\nb: 2\n"),
    ("a: &x {p: 1}\nb:\n  <<: *x\n", {"b.p": 2}, "a: &x {p: 1}\nb:\n  <<: *x\n  p: 2\n"),
    ("a: &x 1\n", {"a": 2}, "a: &x 2\n"),
    ("a: !!int '3'\n", {"a": "4"}, "a: '4'\n"),
    ("a:\nb: # c\n- \n- x", {"a": 1, "b[0]": 2}, "a: 1\nb: # c\n- 2 \n- x"),
    ("\ufeffa: 1", {"b": None}, "\ufeffa: 1\nb: null"),
    ("1: x\n'a.b': {}\n", {"[1]": "y", '["a.b"].c': 1}, "1: y\n'a.b': {c: 1}\n"),
    ("a: 1\n", {"a": 1}, "a: 1\n"),
    ("a: 0x10\n", {"a": 16}, "a: 0x10\n"),
    ("a: 1\n", {"a": {"b": ":c"}}, 'a: {b: ":c"}\n'),
    ("a: [b: 1, c: 2]\n", {"a[0].x": 1}, "a: [{b: 1, x: 1}, c: 2]\n"),
    ("a: {b: , c: }\n", {"a.d": 1}, "a: {b: , c: , d: 1 }\n"),
    ("a: |4  # c\n      x\n    y\nb: 1\n", {"a": "p\nq\n"}, "a: |  # c\n    p\n    q\nb: 1\n"),
    ("a: |\nb: 1\n", {"a": 3}, "a: 3\nb: 1\n"),
    ("a: !!str |\n  12\n", {"a": 3}, "a: 3\n"),
    ("{}\n", {"lr": 0.1}, '{"lr": 0.1}\n'),
    ("? a  # c\n? b\n", {"a": 3}, "? a  # c\n: 3\n? b\n"),
    ("x:\n- ? b\n", {"x[0].b": [1]}, "x:\n- ? b\n  : [1]\n"),
    ("s: !!omap\n- a: 1\n- b: 2\n", {"s.b": 3}, "s: !!omap\n- a: 1\n- b: 3\n"),
    ("a:\n  - 1  # one\n  - 2  # two\n", {"a": [1, 3]}, "a:\n  - 1  # one\n  - 3  # two\n"),
    ("a:\n  b: 1  # one\n  c: [2]\n", {"a": {"b": 1, "c": 3, "d": 4}}, "a:\n  b: 1  # one\n  c: 3\n  d: 4\n"),
    ("a:\n- 'x # no'\n- |\n  # no\n", {"a": []}, "a: []\n"),
    ('{"a": 1, "b": 2}', {"a": spelling.read("0x10"), "b": spelling.read("'x'")}, '{"a": 16, "b": "x"}'),
    ('{"a": 1, "b": 2}', {"a": spelling.read("1.6e-7"), "b": spelling.read("1e3")}, '{"a": 1.6e-7, "b": 1e3}'),
]

CASES += [  # comments, anchors and tags before the value
    ("lr: &lr # tuned\n  0.1\nb: 1\n", {"lr": 0.2}, "lr: &lr # tuned\n  0.2\nb: 1\n"),
    ("k: !!str # c1\r\n  'q'\r\nb: 1\r\n", {"k": "new"}, "k: # c1\r\n  'new'\r\nb: 1\r\n"),
    ("k: !!str # c1\r\n  'q'\r\nb: 1\r\n", {"k": {"z": 1}}, "k: # c1\r\n  {z: 1}\r\nb: 1\r\n"),
    ("a: &q # c1\n  |\n  text\nb: 1\n", {"b": 2}, "a: &q # c1\n  |\n  text\nb: 2\n"),
    ("a: &q # c1\n  |  # c2\n  text\nb: 1\n", {"a": 2}, "a: &q # c1\n  2  # c2\nb: 1\n"),
    ("a: !<tag:yaml.org,2002:str> |\n  text\nb: 1\n", {"a": 2}, "a: 2\nb: 1\n"),
    ("a: !!str &x b\n", {"a": 1}, "a: &x 1\n"),
    ("a: &x\nb: 1\n", {"a": 3}, "a: &x 3\nb: 1\n"),
    ("a: !!null # c\nb: 1\n", {"a": 3}, "a: 3 # c\nb: 1\n"),
    ("a: &x # c\n  - 1\nb: 1\n", {"a": 3}, "a: &x 3 # c\nb: 1\n"),
    ("b: 1\n? |\n  block key\n: v\n", {"c": 3}, "b: 1\n? |\n  block key\n: v\nc: 3\n"),
    ("l:\n-\n  # c\n  a: 1\n- 2\n", {"l[0]": "x"}, "l:\n-\n  # c\n  x\n- 2\n"),
    ("name: &x\n  !\n\n  '1'\n", {"name": 2}, "name: &x\n\n  2\n"),
    ("names:\n  0: person\n  1: cat\n", {"names.1": "dog"}, "names:\n  0: person\n  1: dog\n"),
]

CASES += [  # entries that come, go, move and stay
    ("h:\n  - a\n  - b   # prod\n", {"h": ["b", "a"]}, "h:\n  - b   # prod\n  - a\n"),
    ("h:\n  - a\n  - b   # prod\n", {"h": ["b"]}, "h:\n  - b   # prod\n"),
    ("h:\n- - b: ''\n    c: 'd'\n  - e\n", {"h[0]": ["e", {"b": "", "c": "d"}]}, "h:\n- - e\n  - b: ''\n    c: 'd'\n"),
    ("h:\n  - a  # one\n\n  # two\n  - b\n", {"h": ["a", "c", "b"]}, "h:\n  - a  # one\n  - c\n\n  # two\n  - b\n"),
    ("h: [a, # one\n  b]\n", {"h": ["a", "c", "b"]}, "h: [a, # one\n  c,\n  b]\n"),
    ("h: [a, # one\n  b]\n", {"h": ["a"]}, "h: [a, # one\n  ]\n"),
    ("l:\n  - 64\n\n  - 32\n", {"l": [64, 16]}, "l:\n  - 64\n\n  - 16\n"),
    ("m:\n  x: 0x10\n  y: 1e-3\n", {"m": spelling.read("{x: 16, y: 1e-4}")}, "m:\n  x: 0x10\n  y: 1e-4\n"),
    ("l: [a,\n    b,\n    c]\n", {"l": ["a", "b", "d"]}, "l: [a,\n    b,\n    d]\n"),
    ("l: [1e-3]\n", {"l": spelling.read("[1e-3, 0x1F]")}, "l: [1e-3, 0x1F]\n"),
    ("m:\n  a: 1\n  b: 2\n", {"m": {"b": 2}}, "m:\n  b: 2\n"),
    ("l:\n  - a: 1\n    b: 2\n", {"l": [{"b": 2}]}, "l:\n  - b: 2\n"),
    ("k:\n- - a\n  # one\n  - 1\n", {"k[0]": [1, "a"]}, "k:\n-\n  # one\n  - 1\n  - a\n"),
    ("m:\n  a: 'q'\n  b: |\n    x", {"m": {"a": "q", "b": "x", "c": 1}}, "m:\n  a: 'q'\n  c: 1\n  b: |\n    x"),
    ("l:\n- 'q'\n- a: |\n    x", {"l": ["q", {"a": "x"}, 1]}, "l:\n- 'q'\n- a: \"x\"\n- 1"),
    ("m: {a:, b: 1}\n", {"m": {"a:": None}}, "m: {a:,}\n"),
    ("# about a\na: |\n  x", {"b": 1}, "b: 1\n# about a\na: |\n  x"),
]

REFUSED = [
    ("a:\n  - 1\n", {"a[1]": 9}, "a is a list of 1", 2),
    ("a: !!set\n  ? x\n", {"a.y": None}, "is in a set", 1),
    ("a: !!set\n  ? x\n", {"a.x": 1}, "is in a set", 1),
    ("a: 1\n", {"a.b": 9}, "single value", 1),
    ("b: 1\na: &x 1\nc: *x\n", {"a": 2}, "used elsewhere as \\*x", 2),
    ("a: &x {p: 1}\nb: *x\n", {"a.p": 2}, "used elsewhere", 1),
    ("a: &x {p: 1}\nb: *x\n", {"b.p": 2}, "alias \\*x", 1),
    ("a: &x {p: {q: 1}}\nb:\n  <<: *x\n", {"b.p.q": 2}, "merged", 3),
    ("a: 1\n", {"b[0]": 1}, "a list must be set as a whole", 1),
    ("a: {p: &x 1}\nb: *x\n", {"a": 1}, "a holds &x, which is used elsewhere", 1),
    ("a: 1\n", {"a": 1, "a.b": 2}, "set together", None),
    ("a: 1\n", {"a..b": 2}, "no key path", None),
    ("a: 'x\n", {"a": 2}, "never closed", 1),
    ("h:\n  - a\n  - b   # prod\n", {"h": ["a"]}, "'# prod' in it would be lost", 2),
    ("l:\n  - a: 1\n    b: 2 # two\n", {"l": [{"a": 1}]}, "'# two' in it would be lost", 2),
    ("a:\n  - 1  # one\n  - 2\n", {"a": [2]}, "'# one' in it would be lost", 2),
    ("a:\n  b: 1  # one\n  c: 2\n", {"a": {"c": 1}}, "'# one' in it would be lost", 2),
    ("l:\n-\n  # one\n  a: 1\n  b: 'q'\n", {"l[0]": {"b": "q"}}, "'# one' in it would be lost", 4),
    ("s: !!omap\n- a: 1\n", {"s.b": 3}, "is an ordered map, a list of pairs: add key b to it by hand", 1),
    ('a:\n  - "x # y"  # keep\n  - 2\n', {"a": [1]}, "'# keep' in it would be lost", 2),
    ('{"a": {"x": 1}}', {"a[1]": 5}, "JSON has no such", 1),
    ('{"a": 1}', {"a": {1: 2}}, "JSON has no such", 1),
    ('{"a": 1}', {"a": spelling.read(".inf")}, "set to .inf: JSON has no such value", 1),
    ('{"a": 1}', {"a": spelling.read("2024-01-31")}, "set to 2024-01-31: JSON", 1),
]


@pytest.mark.parametrize(("text", "values", "wanted"), CASES)
def test_set_values(text: str, values: dict[str, Any], wanted: str) -> None:
    assert set_values(text, values) == wanted


@pytest.mark.parametrize(("text", "values", "words", "line"), REFUSED)
def test_what_cant_be_done_surgically_is_refused(text: str, values: Any, words: str, line: int | None) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        set_values(text, values)
    assert caught.value.problem.line == line


def test_all_values_or_none() -> None:
    with pytest.raises(ConfigError):
        set_values("a: 1\nb: 2\n", {"a": 3, "b.c": 4})


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("0.05", 0.05),
        ("[64,32]", [64, 32]),
        ("abc", "abc"),
        ("null", None),
        ('"1"', "1"),
        ("", None),
        ("{a: 1}", {"a": 1}),
    ],
)
def test_values_are_read_as_yaml(text: str, data: Any) -> None:
    assert spelling.read(text).data == data


@pytest.mark.parametrize("text", ["[1", "'a", '"a" b', "[] #x", "[&x ]", "{{a}}", "\udcff"])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"value|UTF-8"):
        spelling.read(text)


@pytest.mark.parametrize(
    ("words", "parts"),
    [("lr=0.05", ("lr", "0.05")), ('env["a=b"]=c=d', ('env["a=b"]', "c=d")), ("a.b[1]=", ("a.b[1]", ""))],
)
def test_assignments_are_parted_at_their_sign(words: str, parts: tuple[str, str]) -> None:
    assert keys.assignment(words) == parts


@pytest.mark.parametrize("words", ["lr", "=1", "a b=1", "a[=1", ""])
def test_what_is_no_assignment_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="sets nothing"):
        keys.assignment(words)


names = st.text(max_size=4) | st.from_regex(r"\A[a-z_-]{1,4}\Z")
steps = names | st.integers(0, 99) | st.booleans() | st.none() | st.floats(allow_nan=False)


@given(st.lists(steps, min_size=1, max_size=4))
def test_steps_are_the_inverse_of_child(wanted: list[Any]) -> None:
    path = ""
    for step in wanted:
        path = keys.child(path, step)
    found = keys.steps(path)
    assert [(type(step), step) for step in found] == [(type(step), step) for step in wanted]
    assert keys.assignment(path + "==") == (path, "=")


letters = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=8)
scalars = (
    st.none() | st.booleans() | st.integers(-999, 999) | st.floats() | letters | st.sampled_from(["yes", "1", "- a"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3), max_leaves=6
)


class Writer:
    """Writes data as YAML in random style, a comment wherever one can stand."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.newline = draw(st.sampled_from(["\n", "\r\n"]))
        self.comments = 0
        self.commented = draw(st.booleans())

    def comment(self) -> str:
        if not self.commented or self.draw(st.booleans()):
            return ""
        self.comments += 1
        return f"  # c{self.comments}"

    def lines(self, data: Any, indent: int) -> list[str]:
        found = []
        step = self.draw(st.integers(1, 4))
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for key, item in items:
            head = " " * indent + (f"{spelling.key(key)}:" if isinstance(data, dict) else "-")
            if isinstance(item, (dict, list)) and item and self.draw(st.booleans()):
                found.append(head + self.comment())
                found += self.lines(item, indent + step)
            else:
                found.append(f"{head} {self.scalar(item)}{self.comment()}")
            if self.draw(st.integers(0, 5)) == 0:
                found.append("")
        return found

    def scalar(self, item: Any) -> str:
        return spelling.inline(item, quote=self.draw(st.sampled_from(["", "'", '"'])))


@st.composite
def documents(draw: Any) -> str:
    data = draw(st.dictionaries(letters, values, min_size=1, max_size=4))
    writer = Writer(draw)
    text = writer.newline.join(writer.lines(data, 0)) + draw(st.sampled_from(["", writer.newline]))
    assert same(document.parse(text).data, data)
    return str(draw(st.sampled_from(["", "\ufeff"])) + text)


def data_at(config: document.ConfigDocument, path: str) -> Any:
    found: Any = config.data
    for step in keys.steps(path):
        found = found[step]
    return found


@given(documents(), values, st.data())
def test_a_random_value_in_a_random_document(text: str, value: Any, data: Any) -> None:
    before = document.parse(text)
    path = data.draw(st.sampled_from([path for path in before.marks if path]))
    try:
        after = set_values(text, {path: value})
    except ConfigError as error:
        if not re.search(r"the comment '# c\d+' in it would be lost", str(error)):
            raise
        event("refused for a comment")
        if not isinstance(data_at(before, path), (dict, list)):
            raise
        return
    now = document.parse(after)
    assert same(spelling.read(spelling.inline(value)).data, value)
    mark = before.marks[path]
    for other, place in before.marks.items():
        inside = other.startswith(path) or path.startswith(other)
        if not inside and place.end <= mark.start:
            assert now.marks[other] == place
            assert after[: place.end] == text[: place.end]
    assert not Tree(text).comment_texts() - Tree(after).comment_texts()
    again = set_values(after, {path: value})
    assert again == after


@given(documents(), names, values)
def test_a_random_key_is_added_to_a_random_document(text: str, name: str, value: Any) -> None:
    before = document.parse(text)
    path = keys.child("", name)
    assume(not isinstance(before.data.get(name), (dict, list)))
    after = set_values(text, {path: value})
    assert same(document.parse(after).data, {**before.data, name: value})
    if name not in before.data:
        assert after.startswith(text.rstrip(" \r\n"))


@pytest.mark.parametrize(
    ("values", "parsed"),
    [
        ([4, 5, 6], ["v: 4\n", "v: 5\n", "v: 6\n"]),
        ([[4], [5], [6]], ["a: [4]\nb: 2\n", "a: [5]\nb: 2\n", "a: [6]\nb: 2\n"]),
    ],
    ids=["a word", "more"],
)
def test_what_is_edited_again_and_again_is_parsed_once_each_time(
    values: list[Any], parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[str] = []
    compose = document.compose

    def noted(text: str, *kinds: Any) -> Any:
        composed.append(text)
        return compose(text, *kinds)

    monkeypatch.setattr(document, "compose", noted)
    text = set_values("a: [1]\nb: 2\n", {"a": [3] if isinstance(values[0], list) else 3})
    composed.clear()
    last = text
    for value in values:
        last, text = text, set_values(text, {"a": value})
    assert composed == parsed
    known = tree.document_of(text)
    assert known == document.parse(text)
    assert tree.document_of(last) is None, "of the last one alone"
