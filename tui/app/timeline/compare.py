"""Two versions side by side: what is known of each, what the metrics did while it ran, and how their texts differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.table import Table
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
from tui.app.model.job import JobModel
from tui.app.sanitize import plain
from tui.app.timeline.view import TimelineView
from tui.app.widgets.diff import DiffView, diff_lines
from tui.protocol import messages
from tui.protocol.messages import Reload

#: Among so many versions behind one it is looked when that ended; so many metrics are told.
FOLLOWERS = 50
MOST_METRICS = 8


class CompareScreen(ModalScreen[None]):
    """Shows an older and a newer version until escape.

    Args:
        job: The job.
        versions: The older one, and the newer one.
        timeline: Knows the rows.
        request: Asks the engine.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, job: JobModel, versions: tuple[int, int], timeline: TimelineView, request: Request) -> None:
        super().__init__()
        self._job = job
        self._versions = versions
        self._timeline = timeline
        self._request = request

    def compose(self) -> ComposeResult:
        """Yield the facts and the difference."""
        with Vertical(classes="sheet") as box:
            box.border_title = " and ".join(f"v{version}" for version in self._versions)
            box.border_subtitle = "s side by side · esc close"
            with VerticalScroll(id="facts"):
                yield Static("asking for both …")
            yield DiffView()

    def on_mount(self) -> None:
        """Ask for both."""
        self.query_one(DiffView).focus()
        self._load()

    @work(exclusive=True, group="compare")
    async def _load(self) -> None:
        try:
            rows = await self._rows()
            details = [await self._ask(messages.Detail(0, self._job.name, version)) for version in self._versions]
            measured = [await self._measured(row, rows) for row in (rows.get(one) for one in self._versions) if row]
        except (ValueError, ConnectionError) as error:
            self.query_one("#facts Static", Static).update(Text(plain(str(error))))
            return
        both = [rows[version] for version in self._versions if version in rows]
        self.query_one("#facts Static", Static).update(side_by_side(both, measured, details[-1].get("running")))
        old, new = (detail.get("text") for detail in details)
        self.query_one(DiffView).show(diff_lines(old, new, *(f"v{version}" for version in self._versions)))

    async def _rows(self) -> dict[int, Reload]:
        wanted = {one for version in self._versions for one in range(version, version + FOLLOWERS)}
        newest = self._job.timeline.newest_version
        return {row.version: row for row in await self._timeline.rows([one for one in wanted if one <= newest])}

    async def _measured(self, row: Reload, rows: Mapping[int, Reload]) -> dict[str, str]:
        """Return the metrics in the time in which a version ran, in words."""
        begin = row.times.get("applied")
        if begin is None:
            return {}
        told = await self._ask(messages.Measures(0, self._job.name, row.run))
        names = tuple(name for name in told["names"] if not name.startswith("system."))[:MOST_METRICS]
        wanted = messages.Columns(0, self._job.name, names, row.run, "time", begin, end_of(row, rows), 1)
        columns = (await self._ask(wanted))["columns"]
        return {name: said for name in names if (said := _in_words(columns.get(name, {})))}

    async def _ask(self, command: messages.Command) -> Mapping[str, Any]:
        reply = await self._request(command)
        if not reply.ok:
            raise ValueError(reply.message)
        return reply.data


def end_of(row: Reload, rows: Mapping[int, Reload]) -> float | None:
    """Return when another version took over from one, None where none has in its run."""
    later = (rows[version] for version in sorted(rows) if version > row.version)
    taken = (one.times["applied"] for one in later if one.run == row.run and "applied" in one.times)
    return next(taken, None)


def _in_words(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return what stands in the one column of a metric: its mean, and its limits."""
    means = [value for value in columns.get("mean", ()) if isinstance(value, (int, float))]
    if not means:
        return ""
    low, high = columns["min"][0], columns["max"][0]
    return f"{wording.figure(means[0])}, from {wording.figure(low)} to {wording.figure(high)}"


#: What is said of each version, by the name of the fact.
FACTS: Mapping[str, Callable[[Reload], str]] = {
    "status": lambda row: f"{formatting.STATUSES.get(row.status, formatting.UNKNOWN).glyph} {row.status}",
    "at": lambda row: f"{formatting.day(row.time)} {formatting.clock(row.time)}" + (f", run {row.run}" * bool(row.run)),
    "source": lambda row: f"{row.source}{f' by {plain(row.who)}' if row.who else ''}",
    "taken": lambda row: f"at step {row.step:,}" if row.step is not None else "",
    "changed": lambda row: formatting.outcome(row, "nothing"),
    "effect": lambda row: "\n".join(plain(wording.evidence(found)) for found in row.effect),
    "tag": lambda row: plain(row.tag),
    "note": lambda row: plain(row.note),
}


def side_by_side(rows: Sequence[Reload], measured: Sequence[Mapping[str, str]], running: int | None) -> Table:
    """Return a table of what is known of some versions, a column for each."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", no_wrap=True)
    for _ in rows:
        table.add_column(ratio=1)
    table.add_row("", *(Text(f"v{row.version}{', which runs' * (row.version == running)}", "bold") for row in rows))
    facts = {name: [say(row) for row in rows] for name, say in FACTS.items()}
    names = dict.fromkeys(name for told in measured for name in told)
    facts |= {plain(name): [told.get(name, "") for told in measured] for name in names}
    for name, said in facts.items():
        if any(said):
            table.add_row(Text(name), *map(Text, said))
    return table
