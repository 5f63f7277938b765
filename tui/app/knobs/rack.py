"""The knobs of a config and what the user has turned, without a screen."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tui.app.editor.nudge import meaning, nudged
from tui.app.editor.schema_hints import fragment
from tui.app.editor.values import Path, key_of, values
from tui.app.model.file_text import FileText

#: From this ratio of its ends on a range that begins above 0 has a log scale.
WIDE = 1000

#: Of a range that begins at 0, so much is on its log scale.
DECADES = 6


class Knob(NamedTuple):
    """One value of a config.

    Attributes:
        key: Its key, as the engine spells it.
        path: The way to it.
        text: As it stands in the file.
        schema: What is known of it, in words of JSON Schema.
        restarts: A change of it needs a new worker.
    """

    key: str
    path: Path
    text: str
    schema: Mapping[str, Any]
    restarts: bool

    @property
    def default(self) -> Any:
        """The schema's default; None where there is none that is a scalar."""
        found = self.schema.get("default")
        return found if isinstance(found, str | int | float) else None

    def part(self, text: str) -> float | None:
        """Return where on its range a text lies, from 0 to 1; None where there is no range."""
        low, high = self._limit("minimum", "exclusiveMinimum"), self._limit("maximum", "exclusiveMaximum")
        value = meaning(text)
        if low is None or high is None or low >= high or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return None
        value = min(max(value, low), high)
        if self._is_log(low, high):
            low = low or high / 10**DECADES
            return math.log(max(value, low) / low) / math.log(high / low)
        return float((value - low) / (high - low))

    def _is_log(self, low: float, high: float) -> bool:
        """Tell whether the schema says so, or the value that the file has would be at the end of a plain scale."""
        if low < 0:
            return False
        now = meaning(self.text)
        small = isinstance(now, float) and 0 < now < high / 50
        return self.schema.get("x-scale") == "log" or (low > 0 and high / low >= WIDE) or (low == 0 and small)

    def _limit(self, *words: str) -> float | None:
        found = (self.schema.get(word) for word in words)
        return next((one for one in found if isinstance(one, int | float) and math.isfinite(one)), None)


class Rack:
    """All knobs, which of them are shown, and what is turned and not yet in the file.

    Attributes:
        knobs: By their keys, in the order of the file.
        sought: Parts of the names of those that are shown.
        chosen: The key of the one in use.
        live: What is turned is sent when the knob rests; else by enter.
        wanted: What the user has turned, by keys.
        sent: What of it is on its way.
        news: Keys that somebody else has changed since they were turned.
        refused: Why a value was not taken, by keys.
        held: Keys whose value costs the worker its state, which the user did not want when asked.
        start: What the run began with, by keys.
    """

    def __init__(self) -> None:
        self.knobs: dict[str, Knob] = {}
        self.sought = ""
        self.chosen = ""
        self.live = True
        self.wanted: dict[str, str] = {}
        self.sent: dict[str, str] = {}
        self.news: set[str] = set()
        self.refused: dict[str, str] = {}
        self.held: set[str] = set()
        self.start: dict[str, str] = {}
        self._former: dict[str, str] = {}
        self._undoing = ""
        self._done: list[tuple[str, str]] = []

    def load(self, text: str, schema: Mapping[str, Any], restarting: Collection[int], *, all_restart: bool) -> None:
        """Take over a file.

        Args:
            text: Of the file.
            schema: Of the whole config.
            restarting: Lines, from 1, with keys that can't change live.
            all_restart: None can.
        """
        before, self.knobs = self.knobs, {}
        for value in values(FileText(text).shown.split("\n")):
            restarts = all_restart or value.start[0] + 1 in restarting
            key = key_of(value.path)
            self.knobs[key] = Knob(key, value.path, value.text, fragment(schema, value.path), restarts)
        for key, wanted in list(self.wanted.items()):
            knob = self.knobs.get(key)
            if knob is None or knob.text == wanted:
                self.forget(key)
            elif key in before and knob.text not in (before[key].text, self.sent.get(key)):
                self.news.add(key)
        if self.chosen not in self.knobs:
            self.chosen = next(iter(self.knobs), "")

    @property
    def shown(self) -> list[Knob]:
        """The knobs whose names have all that is sought."""
        parts = self.sought.casefold().split()
        return [knob for knob in self.knobs.values() if all(part in knob.key.casefold() for part in parts)]

    @property
    def knob(self) -> Knob | None:
        """The knob in use, if it is shown."""
        knob = self.knobs.get(self.chosen)
        return knob if knob is not None and (not self.sought or knob in self.shown) else None

    def look_for(self, words: str) -> None:
        """Show only knobs whose names fit."""
        self.sought = words
        shown = self.shown
        if shown and self.knob is None:
            self.chosen = shown[0].key

    def choose(self, by: int) -> None:
        """Use another knob, so many further."""
        keys = [knob.key for knob in self.shown]
        if keys:
            now = keys.index(self.chosen) if self.chosen in keys else 0
            self.chosen = keys[min(max(now + by, 0), len(keys) - 1)]

    def text(self, knob: Knob) -> str:
        """Return what a knob shows: what it was turned to, or what is in the file."""
        return self.wanted.get(knob.key, knob.text)

    def turn(self, direction: int, times: int = 1) -> bool:
        """Turn the knob in use; return whether it has moved."""
        knob = self.knob
        before = self.text(knob) if knob is not None else ""
        for _ in range(times if knob is not None else 0):
            assert knob is not None
            found = nudged(self.text(knob), knob.schema, direction)
            if found is None:
                break
            self.want(knob.key, found.text)
        return knob is not None and self.text(knob) != before

    def want(self, key: str, text: str) -> None:
        """Take what the user wants a value to be."""
        self.refused.pop(key, None)
        if key in self.knobs and self.knobs[key].text == text and key not in self.sent:
            self.forget(key)
        else:
            self.wanted[key] = text

    def forget(self, key: str) -> None:
        """Show what is in the file."""
        self.wanted.pop(key, None)
        self.news.discard(key)
        self.held.discard(key)
        self._undoing = "" if key == self._undoing else self._undoing

    def due(self) -> dict[str, str]:
        """Return what goes to the engine without being asked for."""
        if not self.live:
            return {}
        return {key: text for key, text in self.wanted.items() if not self.waits(key)}

    def waits(self, key: str) -> bool:
        """Tell whether a turned knob waits for enter: it costs the worker, or somebody else has turned it too."""
        return not self.live or key in self.news or key in self.held or self.knobs[key].restarts

    def send(self, values: Mapping[str, str]) -> None:
        """Some values are on their way."""
        self.sent = dict(values)
        self._former = {key: self.knobs[key].text for key in values if key in self.knobs and key != self._undoing}

    def take_values(self, values: Mapping[str, str]) -> None:
        """Some values are in the file now."""
        self._done += self._former.items()
        for key, text in values.items():
            self.refused.pop(key, None)
            if self.wanted.get(key) == text:
                self.forget(key)
        self.sent = {}

    def hold(self) -> None:
        """What is on its way was not sent after all: it stays as the user has turned it, and waits for enter."""
        self.held |= set(self.sent)
        self.sent = {}

    def refuse(self, reason: str, keys: Collection[str], *, conflict: bool) -> None:
        """What is on its way was not taken: where it is a conflict the user's value stays, and waits for enter."""
        for key in keys:
            self.refused[key] = reason
            if conflict:
                self.news.add(key)
            elif self.wanted.get(key) == self.sent.get(key):
                self.forget(key)
        self.sent = {}

    def undo(self) -> str | None:
        """Take back the last change; return the key that wants to be sent for that, None where none has to."""
        if self.wanted:
            self.forget(next(reversed(self.wanted)))
            return None
        while self._done:
            key, text = self._done.pop()
            if key in self.knobs and self.knobs[key].text != text:
                self.want(key, text)
                self._undoing = key
                return key
        return None

    def changed(self, knob: Knob) -> bool:
        """Tell whether a value is another than the run began with."""
        return knob.key in self.start and self.start[knob.key] != knob.text
