"""All there is to know of one reload, and of the next one by a key."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import wording
from tui.app import formatting
from tui.app.client import Request
from tui.app.model.bounds import outside, words
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.timeline.view import TimelineView
from tui.app.widgets.diff import Diff, DiffLine, DiffView, diff_lines
from tui.protocol import codec, messages
from tui.protocol.messages import Change, Ranks, Reload

#: Where the second line of a fact begins.
_INDENT = "\n" + " " * 11


class DetailScreen(ModalScreen[str]):
    """Shows the reload under the timeline's cursor until escape; the result is what the timeline is to do with it.

    Args:
        timeline: Where the cursor is; it moves with the screen.
        job: The job.
        request: Asks the engine.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss('')", "Close"),
        Binding("r", "dismiss('roll_back')", "Rollback", tooltip="Write this version back", id="detail.rollback"),
        Binding("e", "dismiss('note')", "Note", tooltip="Say something about this version", id="detail.note"),
        Binding("t", "dismiss('tag')", "Tag", tooltip="One word, to find this version by", id="detail.tag"),
        Binding("n", "move(-1)", "Newer", tooltip="The next reload of those that are shown", id="detail.newer"),
        Binding("p", "move(1)", "Older", tooltip="The one before", id="detail.older"),
    ]

    def __init__(self, timeline: TimelineView, job: JobModel, request: Request) -> None:
        super().__init__()
        self._timeline = timeline
        self._job = job
        self._request = request
        self._shown: Reload | None = None
        self._data: Mapping[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Yield the facts and the diff."""
        with Vertical(classes="sheet") as box:
            box.border_subtitle = "r rollback · e note · t tag · n newer · p older · s side by side · esc close"
            with VerticalScroll(id="facts"):
                yield Static()
            yield DiffView()

    def on_mount(self) -> None:
        """Ask for the reload."""
        self.query_one(DiffView).focus()
        self._load()
        self.set_interval(1, self._look)

    def action_move(self, by: int) -> None:
        """Go to another reload, as the cursor of the timeline does."""
        self._timeline.action_move(by)
        self._load()

    @work(exclusive=True, group="detail")
    async def _load(self) -> None:
        version = self._timeline.current
        if version is None:
            return
        try:
            reply = await self._request(messages.Detail(0, self._job.name, version))
            trouble = "" if reply.ok else reply.message
        except ConnectionError as error:
            trouble = str(error)
        if trouble:
            self._show_facts(Text(plain(trouble)))
            self.query_one(DiffView).show(Diff([DiffLine("", "dim")], []))
            return
        self._data = reply.data
        told = self._data.get("row")
        row = self._job.timeline.get(version) or (codec.reload_of(told) if told is not None else None)
        if row is not None:
            self._show(row)

    def _show(self, row: Reload) -> None:
        self._shown = row
        base, running = self._data.get("base"), self._data.get("running")
        old_name = f"v{base}" if base is not None else "nothing"
        diff = diff_lines(self._data.get("base_text"), self._data.get("text"), old_name, f"v{row.version}")
        runs = ", which runs" if running == row.version else f", v{running} runs" if running else ""
        self.query_one(".sheet", Vertical).border_title = Text(f"v{row.version}{runs}").markup
        self._show_facts(self._facts(row))
        self.query_one(DiffView).show(diff)

    def _facts(self, row: Reload) -> Text:
        differences = [Change(**change) for change in self._data.get("differences", ())]
        ranks = self._job.ranks if self._job.ranks is not None and self._job.ranks.version == row.version else None
        return facts(row, self._timeline.now, differences, self._proof(row), ranks)

    def _proof(self, row: Reload) -> list[str]:
        """Return whether the version has proved itself, by not crashing and by its guards."""
        left, guards = self._data.get("probation"), self._job.info.guards
        said = [probation_words(*left)] if left is not None else []
        if row.status == "reverted":
            return ["taken back: see the reason"]
        if guards and self._data.get("running") == row.version:
            wrong = outside(guards, self._job.metrics.values if self._job.metrics is not None else {})
            now = f"{', '.join(map(plain, wrong))} is out of bounds" if wrong else "all is within"
            said.append(f"guards: {plain(words(guards))}; {now}")
        return said

    def _show_facts(self, said: Text) -> None:
        self.query_one("#facts Static", Static).update(said)

    def _look(self) -> None:
        """Let a waiting time go on, and take over what has become of the reload."""
        if self._shown is None:
            return
        row = self._job.timeline.get(self._shown.version)
        if row is not None and row != self._shown:
            self._load()
        elif self._shown.status == "sent":
            self._show_facts(self._facts(self._shown))
        elif any(self._data.get("probation") or ()):
            self._load()


def probation_words(seconds: float, steps: int) -> str:
    """Return whether a crash would take the version back, for so many seconds and steps more."""
    if not seconds and not steps:
        return "has proved itself: it did not crash soon after"
    more = [f"{math.ceil(seconds)} s"] * (seconds > 0) + [f"{steps} steps"] * (steps > 0)
    return f"on probation for {' and '.join(more)}: a crash until then takes it back"


def facts(
    row: Reload, now: float, differences: list[Change], proof: Sequence[str] = (), ranks: Ranks | None = None
) -> Text:
    """Return what is known of a reload, each fact under its name.

    Args:
        row: The reload.
        now: Seconds since the epoch.
        differences: Where the task has something else.
        proof: How it does, beside its effect.
        ranks: Where the ranks are, to which it came last.
    """
    said = [(name, text) for name, text in _facts(row, now, differences, proof) if text]
    if ranks is not None:
        said.append(("ranks", _INDENT.join(wording.each_rank(ranks))))
    return Text("\n").join(Text.assemble((f"{name:<11}", "dim"), text) for name, text in said)


def _facts(row: Reload, now: float, differences: list[Change], proof: Sequence[str]) -> Iterator[tuple[str, str]]:
    sign = formatting.STATUSES.get(row.status, formatting.UNKNOWN)
    waits = f", for {wording.duration(now - row.time)}; x in the timeline says where the task is"
    yield (
        "status",
        f"{sign.glyph} {row.status}"
        + (f" by v{row.by}" if row.by is not None else "")
        + (waits if row.status == "sent" else ""),
    )
    yield "tag", plain(row.tag)
    yield "note", plain(row.note)
    yield "times", _times(row)
    origin = [
        f"{row.source} at {formatting.day(row.time)} {formatting.clock(row.time)}",
        plain(row.who) and f"by {plain(row.who)}",
    ]
    origin += [f"run {row.run}" if row.run else "", f"based on v{row.base}" if row.base is not None else ""]
    yield "source", ", ".join(filter(None, origin))
    took = f"after {formatting.latency(row.latency_ms)}" if row.latency_ms else ""
    step = f"at step {row.step:,}" if row.step is not None else ""
    by = f"by {wording.ranks(row.ranks)}" if row.ranks else ""
    yield "taken", " ".join(filter(None, (by, step, took)))
    yield "effect", _INDENT.join([*proof, *(plain(wording.evidence(found)) for found in row.effect)])
    drift = "the file differs from what ran last:" + _INDENT if row.source == "start" and row.changes else ""
    yield "changed", drift + _INDENT.join(formatting.change(item) for item in row.changes)
    yield "code", plain(", ".join(row.files))
    yield "works with", _INDENT.join(f"{formatting.change(item)} (asked → in effect)" for item in differences)
    errors = row.errors or ((row.error,) if row.error is not None else ())
    for name, error in zip(["reason", *[""] * len(errors)], errors, strict=False):
        place = formatting.place(error)
        key = f"{plain(error.key)}: " if error.key and error.key not in error.message else ""
        yield name, f"{place}{key}" + _INDENT.join(plain(line) for line in error.message.splitlines())


def _times(row: Reload) -> str:
    """Return when each status was passed, later ones with what they took."""
    passed, before = [], None
    for status, at in sorted(row.times.items(), key=lambda item: item[1]):
        after = f" (+{formatting.latency((at - before) * 1000)})" if before is not None else ""
        passed.append(f"{status} {formatting.clock(at)}.{int(at % 1 * 1000):03}{after}")
        before = at
    return ", ".join(passed)
