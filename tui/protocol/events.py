"""What an engine tells of its jobs, and the values that messages are made of; all are in `tui.protocol.messages`."""

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
class VersionEvent(Event):
    """Something that happened to a version of a job."""

    version: int


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
class Reload(VersionEvent):
    """A reload, each time that its status changes: one row of the timeline.

    `time` is when the reload began and stays; `changes` is relative to what ran before it, version `base`; `latency_ms`
    runs from the engine's first sight of the new content to the task taking it. `error` is the first of all `errors`.

    `who` is the user and the host, `run` counts the starts of the job by the user, `times` has the seconds since the
    epoch of each status that was passed. `note` and `tag` are the user's own words. `effective` is the config that the
    task works with, where that is not the one that was asked for. `effect` is what it did, the main metric first.
    `ranks` says, where several processes have joined, of how many (`total`) how many have it (`applied`), and at which
    `step` the lowest of them took it.

    `files` are those of the task's code that have changed, relative to the job's folder: of the source ``code``, which
    changes no value, or of a start.

    Each field is a column of the history, `since` the format of the database that had it first: all that there is of a
    row is derived from here.
    """

    KIND = "reload"
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
    files: tuple[str, ...] = field(default=(), metadata={"since": 5})


@dataclass(frozen=True)
class Ranks(VersionEvent):
    """How far a version has come on its way to processes that change together.

    `step` is that at which all take it, None as long as none is agreed. Of `total` so many have `joined`, and so many
    have `applied` it; it waits for those `missing`, and `why` says what for, where it is not that step. `steps` are the
    checkpoints that each had completed when it said so last, by rank.
    """

    KIND = "ranks"
    step: int | None
    joined: int
    total: int
    applied: int
    missing: tuple[int, ...] = ()
    why: str = ""
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged(Effect, VersionEvent):
    """What is known of the effect of a version, each time that a look at a metric has found something; see `Effect`."""

    KIND = "effect"


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

    It comes after the lines before it. Viewers get only the latest. Where the job may still draw lines above it again,
    such as bars below each other, it is these and that one, newlines between them.
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
class DeckChange(Event):
    """The deck file was saved, with the content `digest`: which jobs are new, which go, and which others are changed.

    `replaced` has another config, and is a new job under the old name; `restarted` needs another worker; of what is
    `adopted` the worker stays. With `waits` nothing of it is done before somebody has said so; see `Apply`. Its `job`
    is empty: it is about the deck.
    """

    KIND = "deck"
    digest: str
    waits: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gone(Event):
    """The job is no longer one of the deck: nothing more will be told of it."""

    KIND = "gone"


@dataclass(frozen=True)
class Noted(VersionEvent):
    """Somebody has put a note or a tag on a version: both as they are now."""

    KIND = "noted"
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
