"""Two changes of one config: brought together by key, with all comments, or shown as a clash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config import document
from tui.config.editing.merge import Clashing, Texts, merge, merge_lines, parts_of
from tui.protocol.messages import Clash

BASE = """\
# How it learns.
lr: 0.1   # step size
momentum: 0.9
opt:
  betas: [0.9, 0.99]
  eps: 1e-8

# Where it stops.
stop: {signal: TERM, grace: 10}
steps: 100
"""


def changed(*pairs: str, text: str = BASE) -> str:
    """Return the text with replacements, each as ``old -> new``."""
    for pair in pairs:
        old, new = pair.split(" -> ")
        assert old in text
        text = text.replace(old, new)
    return text


def clashes(mine: str, theirs: str, base: str = BASE) -> tuple[Clash, ...]:
    with pytest.raises(Clashing) as error:
        merge(Texts(base, mine, theirs))
    return error.value.clashes


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("lr: 0.1 -> lr: 0.2", "steps: 100 -> steps: 500"),
        ("lr: 0.1 -> lr: 0.2", "momentum: 0.9 -> momentum: 0.8"),  # neighbours
        ("grace: 10 -> grace: 11", "TERM -> INT"),  # in one line
        ("[0.9, -> [0.5,", "0.99] -> 0.999]"),
        ("lr: 0.1 -> lr: 0.2", "# step size -> # of a step"),
        ("momentum: 0.9 -> # was here\nmomentum: 0.9", "momentum: 0.9 -> momentum: 0.8"),
        ("steps: 100\n -> steps: 100\nnew: 1\n", "steps: 100\n -> steps: 100\nother: 2  # why\n"),
        ("momentum: 0.9\n -> ", "lr: 0.1 -> lr: 0.2"),
    ],
)
def test_different_keys_merge_and_nothing_else_is_touched(mine: str, theirs: str) -> None:
    both = {merge(Texts(BASE, *sides)) for sides in _both_ways(changed(mine), changed(theirs))}
    for merged in both:
        assert document.parse(merged).data == document.parse(changed(mine, theirs)).data
        assert sorted(merged.split()) == sorted(changed(mine, theirs).split())


def _both_ways(one: str, other: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (one, other), (other, one)


def test_the_same_key_clashes_and_is_named_with_all_that_is_wanted() -> None:
    mine = changed("lr: 0.1 -> lr: 0.2", "eps: 1e-8 -> eps: 1e-6", "steps: 100 -> steps: 7")
    theirs = changed("lr: 0.1 -> lr: 0.3", "eps: 1e-8 -> eps: 1e-5", "TERM -> INT")
    assert clashes(mine, theirs) == (Clash("lr", 0.1, 0.2, 0.3), Clash("opt.eps", 1e-8, 1e-6, 1e-5))


def test_a_choice_ends_a_clash_and_all_else_is_merged() -> None:
    mine = changed("lr: 0.1 -> lr: 0.2", "eps: 1e-8 -> eps: 1e-6", "steps: 100 -> steps: 7")
    theirs = changed("lr: 0.1 -> lr: 0.3", "eps: 1e-8 -> eps: 1e-5", "TERM -> INT")
    texts = Texts(BASE, mine, theirs)
    assert merge(texts, {"": "mine"}) == changed("TERM -> INT", text=mine)
    assert merge(texts, {"": "theirs"}) == changed("steps: 100 -> steps: 7", text=theirs)
    assert merge(texts, {"": "theirs", "lr": "mine"}) == changed(
        "steps: 100 -> steps: 7", "lr: 0.3 -> lr: 0.2", text=theirs
    )


def test_the_same_change_on_both_sides_is_none() -> None:
    assert merge(Texts(BASE, changed("lr: 0.1 -> lr: 0.2"), changed("lr: 0.1 -> lr: 0.2"))) == changed(
        "lr: 0.1 -> lr: 0.2"
    )
    mine = changed("lr: 0.1 -> lr: 0.2", "steps: 100 -> steps: 7")
    assert merge(Texts(BASE, mine, changed("lr: 0.1 -> lr: 0.2"))) == mine


def test_a_key_that_one_removes_and_the_other_changes_is_a_clash() -> None:
    mine, theirs = changed("momentum: 0.9\n -> "), changed("momentum: 0.9 -> momentum: 0.8")
    assert clashes(mine, theirs) == (Clash("momentum", 0.9, None, 0.8),)


def test_lists_of_other_lengths_are_one_value() -> None:
    mine, theirs = changed("[0.9, 0.99] -> [0.9, 0.99, 1]"), changed("[0.9, -> [0.8,")
    assert [clash.key for clash in clashes(mine, theirs)] == ["opt.betas"]


@pytest.mark.parametrize("ours", [True, False])
def test_a_list_that_has_grown_stands_before_a_key_that_came_below_it(ours: bool) -> None:
    base = "a:\n  b:\n  - 1\n"
    sides = "a:\n  b:\n  - 1\n  - 2\n", "a:\n  b:\n  - 1\n  c:\n    d: 3\n"
    merged = merge(Texts(base, *(sides if ours else sides[::-1])))
    assert merged == "a:\n  b:\n  - 1\n  - 2\n  c:\n    d: 3\n"


@pytest.mark.parametrize(("mine", "wanted"), [("[1, 2, 3]", "[1, 2, 3]"), ("[1]", "[1]")])
def test_a_list_that_has_grown_or_shrunk_is_put_into_a_line_that_both_have_changed(mine: str, wanted: str) -> None:
    merged = merge(Texts("{a: [1, 2], b: 0}\n", f"{{a: {mine}, b: 0}}\n", "{a: [1, 2], b: 5}  # five\n"))
    assert merged == f"{{a: {wanted}, b: 5}}  # five\n"


def test_items_that_have_moved_keep_their_form_in_a_line_that_both_have_changed() -> None:
    merged = merge(Texts("{a: ['1', 0.1], b: 0}\n", "{a: [0.1, '1'], b: 0}\n", "{a: ['1', 0.1], b: 5}\n"))
    assert merged == "{a: [0.1, '1'], b: 5}\n"


def test_a_type_is_a_value_too() -> None:
    mine, theirs = changed("steps: 100 -> steps: 100.0"), changed("steps: 100 -> steps: true")
    assert [clash.key for clash in clashes(mine, theirs)] == ["steps"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("lr: 0.1   # step size -> lr: 0.2  # mine", "# step size -> # theirs"),  # both comments can't stay
        ("lr: 0.1 -> lr: [0.1", "steps: 100 -> steps: 7"),  # no YAML
    ],
)
def test_what_can_not_be_merged_for_sure_is_a_clash_of_the_whole(mine: str, theirs: str) -> None:
    assert clashes(changed(mine), changed(theirs)) == (Clash("", None, None, None),)


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    base = "\ufeff" + BASE.replace("\n", "\r\n")
    merged = merge(Texts(base, base.replace("lr: 0.1", "lr: 0.2"), base.replace("steps: 100", "steps: 7")))
    assert merged == base.replace("lr: 0.1", "lr: 0.2").replace("steps: 100", "steps: 7")


def test_text_that_is_not_parsed_merges_where_the_changes_do_not_touch() -> None:
    base = "listen 80;\nroot /a;\nindex i;\n"
    mine = base.replace("80", "81")
    assert merge_lines(Texts(base, mine, base.replace("i;", "j;"))) == mine.replace("i;", "j;")
    with pytest.raises(Clashing):
        merge_lines(Texts(base, mine, base.replace("/a", "/b")))
    with pytest.raises(Clashing):
        merge_lines(Texts(base, base + "x;\n", base + "y;\n"))


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"]), max_size=8).map("".join)


@given(LINES, LINES, LINES, st.booleans())
def test_the_parts_of_texts_are_the_texts(base: str, mine: str, theirs: str, apart: bool) -> None:
    parts = list(parts_of(Texts(base, mine, theirs), apart=apart))
    assert Texts(*("".join(side) for side in zip(*parts, strict=True))) == Texts(base, mine, theirs)


@given(LINES, LINES)
def test_lines_that_one_side_has_left_alone_are_those_of_the_other(base: str, other: str) -> None:
    assert merge_lines(Texts(base, other, base)) == merge_lines(Texts(base, base, other)) == other


KEYS = [f"key{number}" for number in range(6)]
VALUES = st.one_of(st.integers(0, 3), st.sampled_from(["text", "true", "[1, 2]", "{x: 1}", "null"])).map(str)
EDITS = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), VALUES), max_size=4)
STYLES = st.sampled_from(["{}: {}\n", "{}: {}  # about it\n", "# before {0}\n{0}: {1}\n", "{}:   {}\n\n"])


def written(lines: dict[str, str]) -> str:
    return "# head\n" + "".join(lines.values()) + "last: 1\n"


def edited(base: dict[str, str], edits: dict[str, str | None], note: str) -> dict[str, str]:
    """Return lines with the edits of one side: another value, a key that goes, and a note beside what is new."""
    lines = dict(base)
    for key, value in edits.items():
        if value is None:
            lines.pop(key, None)
        else:
            lines[key] = f"{key}: {value}  # {note} {key}\n"
    return lines


@given(st.dictionaries(st.sampled_from(KEYS), st.tuples(VALUES, STYLES)), EDITS, EDITS)
def test_a_merge_is_that_of_the_keys_and_keeps_every_note(
    begun: dict[str, tuple[str, str]], mine: dict[str, str | None], theirs: dict[str, str | None]
) -> None:
    base = {key: style.format(key, value) for key, (value, style) in begun.items()}
    texts = Texts(written(base), written(edited(base, mine, "mine")), written(edited(base, theirs, "theirs")))
    old, my, their = (document.parse(text).data for text in texts)
    try:
        merged = merge(texts)
    except Clashing as clash:
        for one in clash.clashes:
            if one.key:
                assert _moved(old, my, one.key)
                assert _moved(old, their, one.key)
        return
    data = document.parse(merged).data
    for key in {*old, *my, *their}:
        assert data.get(key) == (my if _moved(old, my, key) else their).get(key)
    for key, side, others in ((key, "mine", theirs) for key, value in mine.items() if value is not None):
        assert f"# {side} {key}" in merged or key in others


def _moved(old: dict[str, Any], new: dict[str, Any], key: str) -> bool:
    return repr(old.get(key)) != repr(new.get(key)) or (key in old) != (key in new)


@given(st.permutations(KEYS), st.lists(VALUES, min_size=12, max_size=12))
def test_disjoint_changes_of_values_always_merge(keys: list[str], values: list[str]) -> None:
    base = {key: f"{key}: base  # {key}\n" for key in KEYS}
    mine = dict(zip(keys[:3], values, strict=False))
    theirs = dict(zip(keys[3:], values[6:], strict=False))

    def side(new: dict[str, str]) -> str:
        return written({key: line.replace("base", new.get(key, "base")) for key, line in base.items()})

    assert merge(Texts(written(base), side(mine), side(theirs))) == side({**mine, **theirs})
