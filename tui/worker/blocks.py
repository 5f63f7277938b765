"""A task's metrics over blocks of steps: every step counts, and 20 times a second at most the engine hears of it.

A block is 2^k steps and begins at a multiple of 2^k, so that those of two runs can be paired; k only grows. Numbers are
summed up from every step. Of anything else, such as a tensor, only the newest of a block is kept, without the graph
that it hangs on, and it is converted in the receiving thread once the block has ended: no step waits for a device.
"""

from __future__ import annotations

import math
import sys
import time
from _collections import deque  # type: ignore[import-not-found]  # `collections` takes its time
from _collections_abc import Mapping

from tui.worker import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from typing import Any, Callable, Sequence

    from tui.worker.loop import Outlet

    Add = Callable[[int, Any], Any]
    Take = Callable[[Any], bool]

#: Blocks a second at most.
RATE = 20

#: Steps whose values wait at most until they are summed up, all at once: one by one costs five times as much.
_ROWS = 1024

#: Blocks that wait at most for an engine that does not read; the oldest are given up.
_WAITING = 400

#: So many kinds of steps, by the names and types of their metrics, are taken by the quick way.
_KINDS = 16

_PLAIN = frozenset((int, float, bool))


class _Sum:
    """What the steps of a block say of one metric; NaN and infinity are counted, and are in no other figure."""

    __slots__ = ("bad", "count", "high", "last", "low", "mean")

    def __init__(self) -> None:
        self.count = self.bad = 0
        self.mean = 0.0
        self.low, self.high = math.inf, -math.inf
        self.last = math.nan

    def take(self, values: Sequence[Any]) -> None:
        """Take in the numbers of some steps."""
        count = len(values)
        try:
            total = float(sum(values))
        except OverflowError:  # an int that no float holds
            total = math.inf
        if math.isfinite(total):
            mean = total / count
        else:
            values = [number for number in map(as_float, values) if math.isfinite(number)]
            self.bad += count - len(values)
            count = len(values)
            mean = sum(number / count for number in values)
        if not count:
            return
        ordered = sorted(values)  # faster than to look for both ends, the more so the less they jump
        self.low, self.high = min(self.low, float(ordered[0])), max(self.high, float(ordered[-1]))
        self.count += count
        mean = self.mean * ((self.count - count) / self.count) + mean * (count / self.count)
        self.mean = min(max(mean, self.low), self.high)  # of a constant it is that, whatever the rounding
        self.last = float(values[-1])

    def told(self) -> Any:
        """Return what is told of the block: the number itself, where it is one."""
        if self.count == 1 and not self.bad:
            return self.last
        if not self.count:
            return [0, None, None, None, None, self.bad]
        return [self.count, self.mean, self.low, self.high, self.last, self.bad]


class _Newest:
    """A value that is no plain number, and how many of its kind there were in the block."""

    __slots__ = ("count", "value")

    def __init__(self) -> None:
        self.count = 0
        self.value: Any = None


class _Kind:
    """Steps whose metrics have the same names and types: their values wait here until they are summed up."""

    def __init__(self, names: tuple[Any, ...], types: tuple[type, ...]) -> None:
        self.names = names
        self.types = types
        self.values: list[Any] = []  # of one step after the other: that many small tuples would be looked at as garbage

    def columns(self) -> list[tuple[str, Sequence[Any]]]:
        """Take away what waits: the values of each metric, with its name."""
        values, width = self.values[:], len(self.names)
        del self.values[: len(values)]
        columns = ((values[place::width], kind) for place, kind in enumerate(self.types))
        found = [column if kind in _PLAIN else list(map(float, column)) for column, kind in columns]
        return list(zip(self.names, found))  # noqa: B905 - not before Python 3.10


def as_float(value: Any) -> float:
    """Return a number as a float; infinity where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Blocks:
    """Sums up the metrics of one task.

    Args:
        channel: Where the blocks go.
        complain: Told what the task should know of its metrics.
        clock: Tells monotonic seconds.

    Attributes:
        add: Takes in a step and its metrics, and returns them as they may be kept: without the graphs of tensors. By
            the quick way where they are as those of the step before, so look it up at each step.
    """

    def __init__(
        self, channel: Outlet, complain: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._channel = channel
        self._complain = complain
        self._clock = clock
        self._lock = native.new_rlock()  # a signal handler may come to a checkpoint within a checkpoint
        self._telling = native.new_rlock()
        self._size = 1
        self._end = 0  # the last step of this block, or of the first one
        self._edge = 0  # from this step on there is more to do than to keep the values
        self._ended: deque[float] = deque(maxlen=RATE + 1)
        self._kinds: dict[tuple[Any, ...], tuple[_Kind, Add, Take]] = {}
        self.add: Add = self._add
        self._take: Take = _take_none
        self._sums: dict[str, _Sum] = {}
        self._newest: dict[str, _Newest] = {}
        self._done: deque[tuple[int, int, float, dict[str, Any], dict[str, _Newest]]] = deque(maxlen=_WAITING)

    def finish(self) -> None:
        """The task has ended: tell of the block that it has begun, too."""
        with self._lock:
            if self._has_begun():
                self._close()
        self.send_ended()

    def send_ended(self) -> None:
        """Send the blocks that have ended, in the receiving thread; at the end of the task in that of the task too."""
        with self._telling:
            while self._done:
                first, size, at, values, newest = self._done[0]
                values.update(self._converted(newest))
                if not self._channel.offer({"kind": "block", "first": first, "size": size, "at": at, "values": values}):
                    return
                self._done.popleft()

    def _add(self, step: int, metrics: Any) -> Any:
        with self._lock:
            begins = step > self._end
            if begins:
                self._begin(step)
            if not self._take(metrics) and isinstance(metrics, Mapping):
                metrics = self._sort(metrics)
            if step >= self._end:
                self._close()
            else:
                if not begins:
                    self._fold()
                self._edge = min(self._end, step + _ROWS)
        return metrics

    def _begin(self, step: int) -> None:
        """A step of another block than the last one has come; mostly that one was told at its last step."""
        if self._has_begun():
            self._close()
        times = self._ended
        too_many = len(times) > RATE and times[-1] - times[0] < 1.0
        if too_many and step % (2 * self._size) == 0:
            self._size *= 2
            times.clear()
        self._end = step | (self._size - 1)

    def _has_begun(self) -> bool:
        return bool(self._sums or self._newest or any(kind.values for kind, *_ in self._kinds.values()))

    def _sort(self, metrics: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Take in the metrics of a step whose names and types may be any, and learn them for the next one."""
        names, row = [], []
        kept = {}
        try:
            for name, value in list(metrics.items()):
                text = name_of(name, self._complain)
                if text is None:
                    continue
                if type(value) in _PLAIN or _is_numpy_number(value):
                    names.append(name)
                    row.append(value)
                    kept[name] = value
                else:
                    newest = self._newest.setdefault(text, _Newest())
                    kept[name] = newest.value = detached(value)
                    newest.count += 1
        except Exception as error:  # whatever a mapping of the task's own raises must not end the job
            self._complain(f"the metrics can't be read: {words_of(error)}")
            return metrics
        self._fold()
        for name, value in zip(names, row):  # noqa: B905 - not before Python 3.10
            self._sum(name).take((as_float(value),))
        if len(names) == len(metrics):
            self._learn(tuple(names), tuple(map(type, row)))
        else:
            self.add, self._take = self._add, _take_none
        return kept

    def _learn(self, names: tuple[Any, ...], types: tuple[type, ...]) -> None:
        """Take in the next step by the quick way if its metrics are the same; a few kinds of steps are known."""
        known = self._kinds.get((names, types))
        if known is None and len(self._kinds) < _KINDS and all(type(name) is str for name in names):
            kind = _Kind(names, types)
            known = self._kinds[names, types] = kind, *_quick_ways(self, kind)
        self.add, self._take = known[1:] if known is not None else (self._add, _take_none)

    def _fold(self) -> None:
        """Sum up the rows that wait, column by column."""
        for kind, *_ in tuple(self._kinds.values()):  # a signal handler may come to a checkpoint meanwhile
            for name, column in kind.columns() if kind.values else ():
                self._sum(name).take(column)

    def _sum(self, name: Any) -> _Sum:
        name = str(name)
        found = self._sums.get(name)
        if found is None:
            found = self._sums[name] = _Sum()
        return found

    def _close(self) -> None:
        self._fold()
        now = self._clock()
        self._ended.append(now)
        first = self._end - self._size + 1
        values = {name: total.told() for name, total in self._sums.items()}
        self._done.append((first, self._size, now, values, self._newest))
        self._sums, self._newest, self._edge = {}, {}, 0

    def _converted(self, newest: dict[str, _Newest]) -> dict[str, Any]:
        found = {}
        for name, kept in newest.items():
            try:
                number = as_float(kept.value)
            except Exception as error:  # whatever a user's type raises must not end the job
                self._complain(f"metric {name} is left out, it is no number: {words_of(error)}")
                continue
            finite = math.isfinite(number)
            found[name] = number if finite else [0, None, None, None, None, kept.count]
        newest.clear()
        return found


def name_of(name: Any, complain: Callable[[str], None]) -> str | None:
    """Return a metric's name as text; None where it has none, which is told."""
    if type(name) is str:
        return name
    try:
        return str(name)
    except Exception as error:  # whatever a user's type raises must not end the job
        complain(f"a metric is left out, its name, a {type(name).__name__}, is no text: {words_of(error)}")
        return None


def words_of(error: Exception) -> str:
    """Return the message of an exception of a user's type, which may raise another one when it is asked."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def _take_none(metrics: Any) -> bool:  # noqa: ARG001
    return False


def _quick_ways(blocks: Blocks, kind: _Kind) -> tuple[Add, Take]:
    """Return two functions that keep the values of a step of one kind.

    The first has any other step, and the first and the last one of a block, go the long way; the second tells whether
    it has kept them. They are written out, since the first runs at every step: a call of `itemgetter` and a comparison
    of all types take twice as long.
    """
    places = range(len(kind.names))
    checks = " and ".join(f"type(v{place}) is t{place}" for place in places) or "True"
    keep = [
        "  try:",
        f"   if len(metrics) == {len(places)}:",
        *(f"    v{place} = metrics[{kind.names[place]!r}]" for place in places),
        f"    if {checks}:",
        f"     keep(({''.join(f'v{place}, ' for place in places)}))",
    ]
    otherwise = ["  except Exception:  # other names, or no mapping", "   pass"]
    made: dict[str, Any] = {f"t{place}": known for place, known in enumerate(kind.types)}
    made.update(blocks=blocks, keep=kind.values.extend)
    near = ", ".join(f"{name}={name}" for name in made)  # a local name is found sooner than a global one
    add = [f"def add(step, metrics, {near}):", " if step < blocks._edge:", *keep, "     return metrics", *otherwise]
    take = ["def take(metrics):", " if True:", *keep, "     return True", *otherwise]
    exec("\n".join([*add, " return blocks._add(step, metrics)", *take, " return False"]), made)
    return made["add"], made["take"]


def _is_numpy_number(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.floating, numpy.integer, numpy.bool_))


def detached(value: Any) -> Any:
    """Return a tensor without the graph that it was computed by."""
    detach = getattr(value, "detach", None)
    return detach() if callable(detach) else value
