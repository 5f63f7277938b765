"""What crosses a process boundary: events to viewers and readers, commands to the engine.

Every message is a frozen dataclass and travels as one JSON object a line: see `tui.protocol.codec`.
"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

#: Viewer and engine greet each other with this number; they part when it differs.
PROTOCOL = 3

#: The environment variable with which a user or a program names itself in the history.
WHO = "TUNEDECK_WHO"

#: States in which a worker exists.
LIVE = frozenset({"starting", "running", "paused"})

#: What can become of a reload.
STATUSES = ("sent", "applied", "rejected", "invalid", "superseded", "failed", "reverted")

#: The states of a job that has ended and stays so until somebody starts it again.
ENDED = frozenset({"finished", "crashed", "stopped"})


@dataclass(frozen=True)
class Change:
    """One changed key of a config: `key` as ``opt.betas[1]``; a missing side is None.

    Null is a value: `added` and `removed` alone tell that the key came or went.
    """

    key: str
    old: Any
    new: Any
    added: bool = field(default=False, metadata={"sparse": True})
    removed: bool = field(default=False, metadata={"sparse": True})


@dataclass(frozen=True)
class Clash:
    """A key that two have changed, each to another value: what it was, and what each wants; a missing side is None.

    Where no single key can be named, because a text can't be parsed or merged, `key` is empty.
    """

    key: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True)
class Problem:
    """What is wrong and where: line and column count from 1; None where there is no place.

    `parts` are the problems that this one sums up, each at its own place, this one at that of the first. They do not
    cross a boundary in it, but beside it, as `errors`.
    """

    message: str
    line: int | None = None
    column: int | None = None
    key: str | None = None
    parts: tuple[Problem, ...] = field(default=(), compare=False, repr=False, metadata={"local": True})

    @property
    def all(self) -> tuple[Problem, ...]:
        """Every problem on its own."""
        return self.parts or (self,)


@dataclass(frozen=True)
class Effect:
    """What a change did to a metric, as far as `points` blocks of steps after it tell.

    It is higher by `change`, or by something between `low` and `high`; `smallest` would have been clear. `verdict` is
    better, worse, higher, lower or none, and None while it is too early. A `guessed` one is so by the metric's name.
    The `next` verdict comes at so many points, None where no other comes: the job has too little history, or all are
    passed, or version `until` has ended the judging.
    """

    metric: str
    points: int
    change: float | None = None
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    verdict: str | None = None
    before: float | None = None
    after: float | None = None
    guessed: bool = False
    next: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Message:
    """The base of everything that crosses a boundary; `KIND` names it on the wire."""

    KIND: ClassVar[str] = ""


@dataclass(frozen=True)
class Event(Message):
    """Something that happened to a job, at `time` seconds since the epoch."""

    job: str
    time: float = field(default_factory=clock.time, kw_only=True)


@dataclass(frozen=True)
class State(Event):
    """The job came into `state`: starting, running, paused, backoff, finished, crashed or stopped.

    In `backoff` it is started again at `retry_at`, seconds since the epoch. What the reason says comes to pass `until`
    then.
    """

    KIND = "state"
    state: str
    pid: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    retry_at: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Log(Event):
    """One line of the job's output, with the version that was running when it was received."""

    KIND = "log"
    line: str
    version: int | None = None


@dataclass(frozen=True)
class Dropped(Event):
    """A slow reader lost `count` log lines here."""

    KIND = "dropped"
    count: int


@dataclass(frozen=True)
class Metrics(Event):
    """The latest metrics of the task, at most 20 a second; `step` counts completed checkpoints."""

    KIND = "metrics"
    step: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Reload(Event):
    """A reload, each time that its status changes: one row of the timeline.

    `time` is when the reload began and stays; `changes` is relative to what ran before it, version `base`; `latency_ms`
    runs from the engine's first sight of the new content to the task taking it. `error` is the first of all `errors`.

    `who` is the user and the host, `run` counts the starts of the job by the user, `times` has the seconds since the
    epoch of each status that was passed. `note` and `tag` are the user's own words. `effective` is the config that the
    task works with, where that is not the one that was asked for. `effect` is what it did, the main metric first.
    `ranks` says, where several processes have joined, of how many (`total`) how many have it (`applied`), and at which
    `step` the lowest of them took it.

    Each field is a column of the history, `since` the format of the database that had it first: all that there is of a
    row is derived from here.
    """

    KIND = "reload"
    version: int
    status: str
    source: str
    changes: tuple[Change, ...] = ()
    step: int | None = None
    latency_ms: float | None = None
    error: Problem | None = None
    by: int | None = field(default=None, metadata={"column": "by_version"})
    who: str = field(default="", metadata={"since": 2})
    base: int | None = field(default=None, metadata={"since": 2})
    run: int = field(default=0, metadata={"since": 2})
    times: Mapping[str, float] = field(default_factory=dict, metadata={"since": 2})
    note: str = field(default="", metadata={"since": 2})
    tag: str = field(default="", metadata={"since": 2})
    effective: Mapping[str, Any] | None = field(default=None, metadata={"since": 2})
    errors: tuple[Problem, ...] = field(default=(), metadata={"since": 2})
    effect: tuple[Effect, ...] = field(default=(), metadata={"since": 3})
    ranks: Mapping[str, int] | None = field(default=None, metadata={"since": 4})


@dataclass(frozen=True)
class Judged(Event):
    """What is known of the effect of a version, each time that a look at a metric has found something; see `Effect`."""

    KIND = "effect"
    version: int
    metric: str
    points: int
    change: float | None = None
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    verdict: str | None = None
    before: float | None = None
    after: float | None = None
    guessed: bool = False
    next: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Hello(Message):
    """The first message of either side of a connection; the engine adds its deck's name and path and its pid.

    `who` is how its user wants to be named in the history, empty for the usual name. Who is `brief` wants no output
    and, of what is known, only the jobs, their states and what they run.
    """

    KIND = "hello"
    protocol: int
    deck: str = ""
    path: str = ""
    pid: int = 0
    brief: bool = False
    who: str = ""


@dataclass(frozen=True)
class JobInfo(Event):
    """A job of the deck, once for each after the greeting, followed by all that is known of it.

    `metrics` has ``min`` or ``max`` for those of which the deck says which way is better, the main one first; `guards`
    has the bounds of those that are guarded, as the deck has them. With `tty` it has a terminal; see `Resize`.
    """

    KIND = "job"
    task: str
    config: str
    runner: str = "process"
    on_change: str = "reload"
    metrics: Mapping[str, str] = field(default_factory=dict)
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tty: bool = False


@dataclass(frozen=True)
class Document(Event):
    """The text of the config file as it stands on disk; None with an `error` where it can't be read.

    `digest` names the content. A save says which digest it was based on. `missing`: there is no file. `errors` are all
    that `error` sums up. A change in one of the `restart_lines` can't be taken live: it needs a new worker.
    """

    KIND = "document"
    text: str | None
    digest: str | None
    error: Problem | None = None
    missing: bool = False
    errors: tuple[Problem, ...] = ()
    restart_lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Hints(Event):
    """What an editor may hint at: the JSON Schema that the task's annotation implies, None where there is none.

    `restart` are patterns of the keys that can't change live, such as ``model.*``.
    """

    KIND = "hints"
    schema: Mapping[str, Any] | None = None
    restart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Running(Event):
    """Which version runs (None without a worker) since when, and whether the file says something else."""

    KIND = "running"
    version: int | None
    since: float | None = None
    differs: bool = False


@dataclass(frozen=True)
class Lines(Event):
    """A block of log lines that came together; `first` is the number of the first one since the job was added.

    `text` has newlines between the lines; `version` was running when they came, at `time`. Numbers that were never
    sent were dropped: the viewer was slow.
    """

    KIND = "lines"
    first: int
    text: str
    version: int | None = None

    @property
    def lines(self) -> list[str]:
        """The lines one by one."""
        return self.text.split("\n")


@dataclass(frozen=True)
class Begun(Event):
    """The line that the job has begun and not ended, as it stands: a question, or a progress bar; empty for none.

    It comes after the lines before it. Viewers get only the latest.
    """

    KIND = "begun"
    text: str


@dataclass(frozen=True)
class Notice(Event):
    """A sentence for the user's eyes; `severity` is information, warning or error."""

    KIND = "notice"
    message: str
    severity: str = "information"


@dataclass(frozen=True)
class Noted(Event):
    """Somebody has put a note or a tag on a version: both as they are now."""

    KIND = "noted"
    version: int
    note: str
    tag: str


@dataclass(frozen=True)
class Measured(Event):
    """There is more of the metrics of `run`, up to `step`: who draws them asks for `Columns` again.

    At most five a second, the latest; `kept` says why they are not kept on disk, where that is so.
    """

    KIND = "measured"
    run: int
    step: int
    kept: str = ""


@dataclass(frozen=True)
class Ready(Message):
    """Everything that was known at the time of the greeting has been sent; what follows is news."""

    KIND = "ready"


@dataclass(frozen=True)
class Reply(Message):
    """The engine's answer to the command with the same `id`.

    `code` says in one word what was wrong, such as ``conflict`` or ``irreplaceable``; `data` is what was asked for.
    """

    KIND = "reply"
    id: int
    ok: bool
    message: str = ""
    code: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command(Message):
    """A wish of a viewer; the engine answers with a `Reply` of the same `id`."""

    id: int


@dataclass(frozen=True)
class Save(Command):
    """Write `text` to the job's config file, which had the digest `base` when it was begun (None: it was missing).

    What somebody else has changed since is merged into it: the reply then has the `text` that was written. Where both
    have changed the same key the code is ``conflict``, and the reply has the `text` on disk, its `digest` and the
    `clashes`; `choices` says ``mine`` or ``theirs`` for such keys, by an empty key for all of them.

    `in_place` allows to overwrite a file that can't be replaced by a rename, `force` to write one that is read-only.

    Where a worker that has run for a minute would have to be started anew for it, nothing is written without `restart`:
    the code is ``costs``, and `losses` has an object for each such job: `job`, `step`, `seconds` up and the `keys` that
    can't change live.
    """

    KIND = "save"
    job: str
    text: str
    base: str | None
    in_place: bool = False
    force: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False


@dataclass(frozen=True)
class Merge(Command):
    """Ask for `text`, which is based on the digest `base`, with what is on disk now merged into it; nothing is written.

    The reply has the `text` and the `digest` of what is on disk, or it is that of a `Save` in conflict.
    """

    KIND = "merge"
    job: str
    text: str
    base: str | None
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Set(Command):
    """Change values in the job's config file as it is on disk, all or none; `values` are YAML, by key paths.

    A key that is not there is refused, with the one that may be meant, or made with `add`.

    With `knob` it was turned in a viewer, at rest now: the source is ``knob``.

    With a `base`, the digest of what the user has seen, a value that somebody else has changed since is a conflict; all
    else that changed is none. The reply has the `versions` that came of it, by the names of the jobs with that config;
    none where the file says so already, and none of a job that checks its config before it makes a version of it.

    Without `restart`, one that costs a worker its state is refused as such a `Save`.
    """

    KIND = "set"
    job: str
    values: Mapping[str, str]
    base: str | None = None
    add: bool = False
    knob: bool = False
    restart: bool = False


@dataclass(frozen=True)
class Preview(Command):
    """Ask what a save of `text` would do, without doing it.

    The reply has `jobs`, an object for each job with that config, this one first: its name as `job`, the `running`
    version, the `effect` (none, live, restart, a signal, start or idle), the `changes` and which of them are
    `restarting`, where the `effective` config would differ, all `errors` with the `status` that they would lead to, and
    a `remark` where not all could be checked. `disk` is same, changed, missing or unreadable: how the file differs
    from `text`. With `brief`, only that job is looked at, and its `check:`, a program of the user's, is left out.
    """

    KIND = "preview"
    job: str
    text: str
    brief: bool = False


@dataclass(frozen=True)
class Rollback(Command):
    """Write the text of a version to the job's config file, in the place of what the user has seen, the digest `base`.

    What somebody else has changed since is merged into it, or in conflict with it, as with a `Save`; nothing is with no
    `base`. The reply is that to a `Set`, as is what happens without `restart`.
    """

    KIND = "rollback"
    job: str
    version: int
    base: str | None = None
    restart: bool = False


@dataclass(frozen=True)
class Start(Command):
    """Start a job that has ended, with the file as it stands; a running one is ended first.

    `host`: where it does not end, end the host that it shares with others, and start those again.
    """

    KIND = "start"
    job: str
    host: bool = False


@dataclass(frozen=True)
class Stop(Command):
    """End a job's worker in order; `host` as in `Start`."""

    KIND = "stop"
    job: str
    host: bool = False


@dataclass(frozen=True)
class Pause(Command):
    """Hold a job, or let it go on."""

    KIND = "pause"
    job: str
    paused: bool = True


@dataclass(frozen=True)
class Resize(Command):
    """The log of a job is shown so large: its terminal, if it has one, becomes so too. The last viewer counts."""

    KIND = "resize"
    job: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Detail(Command):
    """Ask for the whole of one version: the reply has `text`, `base_text`, `base`, `running` and the `row`.

    `probation` is how many seconds and steps the version that changed last has still to prove itself, 0 and 0 if it
    has; null of others. `differences` are the changes from what the text says to what the task works with, if any.
    """

    KIND = "detail"
    job: str
    version: int


@dataclass(frozen=True)
class Page(Command):
    """Ask for the reloads from version `first` to `last`: the reply has the `rows` that there are, oldest first.

    Of a longer page only the newest rows come, and `first` says where they begin. `oldest` is that of the history.
    """

    KIND = "page"
    job: str
    first: int
    last: int


@dataclass(frozen=True)
class Find(Command):
    """Ask which versions from `first` to `last` fit `words`: the reply has the `versions`, newest first.

    Of a longer range only the newest part is searched, and `first` says where it begins.
    """

    KIND = "find"
    job: str
    words: str
    first: int
    last: int


@dataclass(frozen=True)
class Note(Command):
    """Put a note on a version; an empty one takes it away."""

    KIND = "note"
    job: str
    version: int
    note: str


@dataclass(frozen=True)
class Tag(Command):
    """Put a tag on a version; an empty one takes it away."""

    KIND = "tag"
    job: str
    version: int
    tag: str


@dataclass(frozen=True)
class Stack(Command):
    """Ask where the task of a job is: the reply has its Python `stack`, in many lines."""

    KIND = "stack"
    job: str


@dataclass(frozen=True)
class Measures(Command):
    """Ask which metrics there are of a `run`, None for the newest.

    The reply has the `run`, all `runs` of which some are kept, oldest first, the `names` (those of the task in the
    order in which they came, the main one first; then those of its processes, which begin with ``system.``), which way
    each is `better` (``min`` or ``max`` by name) and which of those are `guessed` from the name, the limits of the
    `step` and of the `time` as [first, last] or null, and why they are not `kept` on disk, empty where they are.
    """

    KIND = "measures"
    job: str
    run: int | None = None


@dataclass(frozen=True)
class Columns(Command):
    """Ask for the metrics with some `names`, from `first` to `last`, in at most `width` columns.

    `by` is ``step`` or ``time`` (seconds since the epoch), the unit of `first` and `last`, None for the ends of what is
    known. By step it is the last worker of the `run` (None for the newest), since steps begin anew with each; by time
    it is every one.

    The reply has the `run`, `first` and `last` as they are then, and `columns` by name: lists of one length, `x` (the
    first step or time of each column, rising), `count`, `min`, `max`, `mean` (null where no value was finite) and `bad`
    (how many values were NaN or infinite). A column in which nothing was reported is left out. No peak is lost: every
    value is within the `min` and `max` of its column.
    """

    KIND = "columns"
    job: str
    names: tuple[str, ...]
    run: int | None = None
    by: str = "step"
    first: float | None = None
    last: float | None = None
    width: int = 200


@dataclass(frozen=True)
class Best(Command):
    """Ask under which version the main metric was best.

    The reply has the `version`, the `metric`, its `mean` over the last `points` there, and its `slope` per 100 steps.
    """

    KIND = "best"
    job: str


@dataclass(frozen=True)
class Order(Command):
    """Ask for the `versions` on whose effect there is a verdict, the best first."""

    KIND = "order"
    job: str


@dataclass(frozen=True)
class Shutdown(Command):
    """End all jobs in order, then the engine."""

    KIND = "shutdown"
