"""What a knob has written differs from what was there in its own scalar, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from tests.config.editing.test_edit_corpus import FILES, some
from tui.app.knobs.rack import Knob, Rack
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


def _common(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]
