"""What a knob or a nudge has written differs from what was there in its own scalar, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.config.editing.test_edit_corpus import FILES, some
from tests.config.editing.yaml_texts import config
from tests.conftest import THOROUGHLY
from tui.app.editor.nudge import nudged
from tui.app.editor.values import key_of, values
from tui.app.knobs.rack import Knob, Rack
from tui.config import document
from tui.config.diff import changes, same
from tui.config.document import ConfigError
from tui.config.editing.edit import set_typed

#: In these, a value may belong to several keys, and is refused for that.
SHARED = {path.stem for path in FILES if "&" in path.read_text(encoding="utf-8")}


def turned(text: str, path: Path) -> list[tuple[Knob, str, str | None]]:
    """Turn some knobs of a config; return each with its new text, and what came of it, None where it was refused."""
    rack = Rack()
    rack.load(text, {}, (), all_restart=False)
    found: list[tuple[Knob, str, str | None]] = []
    for _, key in some(list(rack.knobs), path):
        rack.wanted.clear()
        rack.chosen = key
        if rack.turn(1):
            knob = rack.knobs[rack.chosen]
            wanted = rack.text(knob)
            try:
                found.append((knob, wanted, set_typed(text, {knob.key: wanted}, add=False)))
            except ConfigError:
                found.append((knob, wanted, None))
    return found


def test_a_turned_knob_changes_its_own_scalar_and_at_most_two_of_a_hundred_are_refused() -> None:
    count, refused = 0, []
    for number, path in enumerate(FILES):
        text = path.read_text(encoding="utf-8").replace("\n", "\r\n" if number % 2 else "\n")
        for knob, wanted, after in turned(text, path):
            count += path.stem not in SHARED
            if after is None:
                refused += [(path.stem, knob.key)] * (path.stem not in SHARED)
                continue
            head = len(_common(text, after))
            tail = len(_common(text[head:][::-1], after[head:][::-1]))
            old, new = text[head : len(text) - tail], after[head : len(after) - tail]
            assert "\n" not in old + new, (path, knob.key)
            assert len(after) - len(text) == len(wanted) - len(knob.text), (path, knob.key, old, new)
            assert old in knob.text, (path, knob.key)
            assert new in wanted, (path, knob.key)
    assert count > 60
    assert len(refused) * 50 <= count, refused


def test_knobs_and_nudges_keep_every_other_byte_of_any_text() -> None:
    count, refused = 0, []

    @settings(max_examples=3_000 if THOROUGHLY else 30)
    @given(st.randoms(use_true_random=True))  # so many choices, each drawn by itself, would take most of the time
    def law(random: Random) -> None:
        nonlocal count, refused
        text = config(random.randint)
        note(repr(text))
        lines = text.split("\n")
        before = document.parse(text).data
        found = [(value, step) for value in values(lines) if (step := nudged(value.text, {}, 1)) is not None]
        for value, step in random.sample(found, min(len(found), 3)):
            note(repr((value, step)))
            at = sum(len(line) + 1 for line in lines[: value.start[0]]) + value.start[1]
            head, tail = text[:at], text[at + len(value.text) :]
            key, shared = key_of(value.path), "*" in text or "<<" in text
            nudge = document.parse(head + step.text + tail).data
            assert shared or {one.key for one in changes(before, nudge)} == {key}
            count += not shared
            try:
                knob = set_typed(text, {key: step.text}, add=False)
            except ConfigError as error:
                refused += [(text, key, str(error))] * (not shared)
                continue
            assert (knob[:at], knob[len(knob) - len(tail) :]) == (head, tail)
            assert same(document.parse(knob).data, nudge)

    law()
    assert count
    # Of a few, one may be one too many.
    assert not THOROUGHLY or len(refused) * 50 <= count, refused


def _common(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]
