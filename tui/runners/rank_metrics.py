"""The metrics of several ranks as those of one job: the mean of all, and how far they lie apart.

Each rank sums up blocks of 2^k steps, and may have another k than the others. A block begins at a multiple of its size,
so that of two which overlap one contains the other: the largest is what all are brought to.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]

#: So many blocks of a rank wait for another one, which then reports nothing any more: it is five seconds behind.
MOST_WAITING = 100


class RankMetrics:
    """Takes what the ranks of a job report."""

    def __init__(self) -> None:
        self._latest: dict[int, Message] = {}
        self._blocks: dict[int, deque[Message]] = {}
        self._end = 0  # the first step that has not been told

    def take(self, rank: int, message: Message, *, speaks: bool) -> list[Message]:
        """Take a message of a rank, and return what is to be said of all.

        Args:
            rank: Which.
            message: A block, or the latest values.
            speaks: It is the rank by whose steps the job is counted.
        """
        if message["kind"] == "metrics":
            self._latest[rank] = message["values"]
            return [{**message, "values": _means(list(self._latest.values()))}] if speaks else []
        if message["first"] + MOST_WAITING * message["size"] >= self._end:  # else it was started anew, far behind
            waiting = self._blocks.setdefault(rank, deque())
            if message["first"] >= self._end:  # else it comes too late, but its next ones are waited for
                waiting.append(message)
        return list(self._complete())

    def leave(self, rank: int) -> list[Message]:
        """A rank has ended: nothing waits for it any more."""
        self._latest.pop(rank, None)
        self._blocks.pop(rank, None)
        return list(self._complete())

    def _complete(self) -> Iterator[Message]:
        while blocks := [waiting[0] for waiting in self._blocks.values() if waiting]:
            span = min(blocks, key=lambda block: (block["first"], -block["size"]))
            for block in blocks:
                if block["first"] <= span["first"] and _end(block) > _end(span):
                    span = block
            behind = [rank for rank, waiting in self._blocks.items() if not waiting or _end(waiting[-1]) < _end(span)]
            if behind and max(map(len, self._blocks.values())) <= MOST_WAITING:
                return
            yield self._merged(span)
            for rank in behind:
                del self._blocks[rank]  # until it reports again

    def _merged(self, span: Message) -> Message:
        self._end = _end(span)
        parts = []
        for waiting in self._blocks.values():
            while waiting and waiting[0]["first"] < self._end:
                parts.append(waiting.popleft())
        names = dict.fromkeys(name for part in parts for name in part["values"])
        values = {name: _sum([part["values"][name] for part in parts if name in part["values"]]) for name in names}
        return {**span, "at": max(part["at"] for part in parts), "values": values}


def _end(block: Message) -> int:
    return int(block["first"] + block["size"])


def _sum(told: Sequence[Any]) -> list[Any]:
    """Return the figures of a metric over several blocks; see `block` in `tui.worker.channel`."""
    all_of_them = [one if isinstance(one, list) else [1, one, one, one, one, 0] for one in told]
    bad = sum(one[5] for one in all_of_them)
    finite = [one for one in all_of_them if one[0]]
    if not finite:
        return [0, None, None, None, None, bad]
    count = sum(one[0] for one in finite)
    mean = math.fsum(one[1] * (one[0] / count) for one in finite)
    least, most = min(one[2] for one in finite), max(one[3] for one in finite)
    return [count, min(max(mean, least), most), least, most, math.fsum(one[4] / len(finite) for one in finite), bad]


def _means(latest: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of each metric over the ranks that report it."""
    names = dict.fromkeys(name for values in latest for name in values)
    found = {}
    for name in names:
        values = [float(values[name]) for values in latest if name in values]
        found[name] = sum(value / len(values) for value in values)
    return found
