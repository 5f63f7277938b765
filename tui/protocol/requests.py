"""What a viewer or a command asks of an engine, and its answer; all are in `tui.protocol.messages`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.protocol.events import Message


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
class JobCommand(Command):
    """One that is about a job."""

    job: str


@dataclass(frozen=True)
class VersionCommand(JobCommand):
    """One that is about a version of a job."""

    version: int


@dataclass(frozen=True)
class Save(JobCommand):
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
    text: str
    base: str | None
    in_place: bool = False
    force: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False


@dataclass(frozen=True)
class Merge(JobCommand):
    """Ask for `text`, which is based on the digest `base`, with what is on disk now merged into it; nothing is written.

    The reply has the `text` and the `digest` of what is on disk, or it is that of a `Save` in conflict.
    """

    KIND = "merge"
    text: str
    base: str | None
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Set(JobCommand):
    """Change values in the job's config file as it is on disk, all or none; `values` are YAML, by key paths.

    A key that is not there is refused, with the one that may be meant, or made with `add`.

    With `knob` it was turned in a viewer, at rest now: the source is ``knob``.

    With a `base`, the digest of what the user has seen, a value that somebody else has changed since is a conflict; all
    else that changed is none. The reply has the `versions` that came of it, by the names of the jobs with that config;
    none where the file says so already, and none of a job that checks its config before it makes a version of it.

    Without `restart`, one that costs a worker its state is refused as such a `Save`. With `dry`, it is only looked at
    whether all would take it: nothing is written, and a refusal makes no version.
    """

    KIND = "set"
    values: Mapping[str, str]
    base: str | None = None
    add: bool = False
    knob: bool = False
    restart: bool = False
    dry: bool = False


@dataclass(frozen=True)
class Preview(JobCommand):
    """Ask what a save of `text` would do, without doing it.

    The reply has `jobs`, an object for each job with that config, this one first: its name as `job`, the `running`
    version, the `effect` (none, live, restart, a signal, start or idle), the `changes` and which of them are
    `restarting`, where the `effective` config would differ, all `errors` with the `status` that they would lead to, and
    a `remark` where not all could be checked. `disk` is same, changed, missing or unreadable: how the file differs
    from `text`. With `brief`, only that job is looked at, and its `check:`, a program of the user's, is left out.
    """

    KIND = "preview"
    text: str
    brief: bool = False


@dataclass(frozen=True)
class Rollback(VersionCommand):
    """Write the text of a version to the job's config file, in the place of what the user has seen, the digest `base`.

    What somebody else has changed since is merged into it, or in conflict with it, as with a `Save`; nothing is with no
    `base`. The reply is that to a `Set`, as is what happens without `restart`.
    """

    KIND = "rollback"
    base: str | None = None
    restart: bool = False


@dataclass(frozen=True)
class Start(JobCommand):
    """Start a job that has ended, with the file as it stands; a running one is ended first.

    `host`: where it does not end, end the host that it shares with others, and start those again.
    """

    KIND = "start"
    host: bool = False


@dataclass(frozen=True)
class Stop(JobCommand):
    """End a job's worker in order; `host` as in `Start`."""

    KIND = "stop"
    host: bool = False


@dataclass(frozen=True)
class Pause(JobCommand):
    """Hold a job, or let it go on."""

    KIND = "pause"
    paused: bool = True


@dataclass(frozen=True)
class Resize(JobCommand):
    """The log of a job is shown so large: its terminal, if it has one, becomes so too. The last viewer counts."""

    KIND = "resize"
    rows: int
    columns: int


@dataclass(frozen=True)
class Detail(VersionCommand):
    """Ask for the whole of one version: the reply has `text`, `base_text`, `base`, `running` and the `row`.

    Of one that has changed the code both texts are those of the changed files, as long as they are known.

    `probation` is how many seconds and steps the version that changed last has still to prove itself, 0 and 0 if it
    has; null of others. `differences` are the changes from what the text says to what the task works with, if any.
    """

    KIND = "detail"


@dataclass(frozen=True)
class Page(JobCommand):
    """Ask for the reloads from version `first` to `last`: the reply has the `rows` that there are, oldest first.

    Of a longer page only the newest rows come, and `first` says where they begin. `oldest` is that of the history.
    """

    KIND = "page"
    first: int
    last: int


@dataclass(frozen=True)
class Find(JobCommand):
    """Ask which versions from `first` to `last` fit `words`: the reply has the `versions`, newest first.

    Of a longer range only the newest part is searched, and `first` says where it begins.
    """

    KIND = "find"
    words: str
    first: int
    last: int


@dataclass(frozen=True)
class Note(VersionCommand):
    """Put a note on a version; an empty one takes it away."""

    KIND = "note"
    note: str


@dataclass(frozen=True)
class Tag(VersionCommand):
    """Put a tag on a version; an empty one takes it away."""

    KIND = "tag"
    tag: str


@dataclass(frozen=True)
class Stack(JobCommand):
    """Ask where the task of a job is: the reply has its Python `stack`, in many lines."""

    KIND = "stack"


@dataclass(frozen=True)
class Measures(JobCommand):
    """Ask which metrics there are of a `run`, None for the newest.

    The reply has the `run`, all `runs` of which some are kept, oldest first, the `names` (those of the task in the
    order in which they came, the main one first; then those of its processes, which begin with ``system.``), which way
    each is `better` (``min`` or ``max`` by name) and which of those are `guessed` from the name, the limits of the
    `step` and of the `time` as [first, last] or null, and why they are not `kept` on disk, empty where they are.
    """

    KIND = "measures"
    run: int | None = None


@dataclass(frozen=True)
class Columns(JobCommand):
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
    names: tuple[str, ...]
    run: int | None = None
    by: str = "step"
    first: float | None = None
    last: float | None = None
    width: int = 200


@dataclass(frozen=True)
class Best(JobCommand):
    """Ask under which version the main metric was best.

    The reply has the `version`, the `metric`, its `mean` over the last `points` there, and its `slope` per 100 steps.
    """

    KIND = "best"


@dataclass(frozen=True)
class Order(JobCommand):
    """Ask for the `versions` on whose effect there is a verdict, the best first."""

    KIND = "order"


@dataclass(frozen=True)
class Apply(Command):
    """Do what the deck file with this content says, though workers end for it; see `DeckChange`."""

    KIND = "apply"
    digest: str


@dataclass(frozen=True)
class Summary(Command):
    """Ask how some `jobs` are, all at once, for a table of them.

    The reply has an object for each that there is, by its name: `cpu` (percent of a core) and `memory` (MB) of its
    processes as they were measured last, null where they are not; `restarts`, how often its worker was started again by
    itself since the user has started it; the main `metric` of its worker, null for none, and its `course`: means of at
    most `width` columns, from the worker's first step on, null where no value was finite.
    """

    KIND = "summary"
    jobs: tuple[str, ...]
    width: int = 16


@dataclass(frozen=True)
class Shutdown(Command):
    """End all jobs in order, then the engine."""

    KIND = "shutdown"
