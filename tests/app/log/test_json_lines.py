"""Lines of JSON in the log: coloured where they stand, unfolded by enter."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.app.conftest import OpenDeck, style_of, text_of
from tests.app.fake import NOW
from tui.app.log.json_text import colours, is_json, unfolded
from tui.protocol.messages import Lines

LINE = '{"step": 12, "loss": 1.50e-3, "ok": true, "tags": ["a, {b", "c"], "none": {}}'

UNFOLDED = """\
{
  "step": 12,
  "loss": 1.50e-3,
  "ok": true,
  "tags": [
    "a, {b",
    "c"
  ],
  "none": {}
}"""

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def test_line_is_unfolded_in_its_own_spelling() -> None:
    assert unfolded(LINE) == UNFOLDED
    assert unfolded(LINE[:39]) == "\n".join([*UNFOLDED.split("\n")[:3], '  "ok": tru'])


@given(
    st.dictionaries(st.text(min_size=1), VALUES, min_size=1), st.booleans(), st.sampled_from([(", ", ": "), (",", ":")])
)
def test_what_is_unfolded_says_the_same(value: dict[str, Any], ascii_only: bool, parts: tuple[str, str]) -> None:
    line = json.dumps(value, ensure_ascii=ascii_only, separators=parts)
    if is_json(line):
        assert json.loads(unfolded(line)) == value
        for start, end, tone in colours(line):
            if tone in ("key", "good"):
                assert isinstance(json.loads(line[start:end]), str)
    for end in range(len(line)):
        assert unfolded(line[:end]).replace("\n", "").replace(" ", "") == line[:end].replace(" ", "")


def test_other_lines_are_none_of_json() -> None:
    assert not any(
        map(is_json, ["", "{", "{}", "[1, 2]", "epoch 1 {x}", '["x"] done', "[ERROR] x", f'{{"a": {"9" * 30_000}}}'])
    )


async def test_json_is_coloured_and_opened_by_enter(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Lines("digits", 60, f'plain "text"\n{LINE[:40]}}}', 7, time=NOW))
        assert (
            style_of(deck.app, '"step"').color
            != style_of(deck.app, "plain").color
            == style_of(deck.app, '"text"').color
        )
        deck.app.main.set_focus(deck.view.log_view)
        await deck.press("up", "enter")
        await deck.until(lambda: deck.type_of_screen() == "LineScreen" and '  "loss": 1.50e-3,' in text_of(deck.app))
        await deck.press("y", "q")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert deck.app.clipboard == f"{LINE[:40]}}}"


async def test_line_in_use_is_copied_and_stays_what_comes_in(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        log = deck.view.log_view
        await deck.news(Lines("digits", 60, "first\nsecond\nthird", 7, time=NOW))
        deck.app.main.set_focus(log)
        await deck.press("up", "up")
        await deck.until(lambda: style_of(deck.app, "second").bgcolor != style_of(deck.app, "third").bgcolor)
        await deck.news(Lines("digits", 63, "\n".join(f"row {n}" for n in range(200)), 7, time=NOW))
        await deck.press("y")
        assert deck.app.clipboard == "second"
        assert "Log: 1 line copied" in deck.toasts
        assert not log.follow
        await deck.press("w", *["down"] * 3)
        assert log.lines(log.cursor or 0, log.cursor) == ["row 1"]
        await deck.press("f")
        assert log.line_in_use is None
        assert log.follow
