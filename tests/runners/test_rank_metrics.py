from __future__ import annotations

import math
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui.runners.rank_metrics import MOST_WAITING, RankMetrics


def block(first: int, size: int, value: Any, at: float = 0.0) -> dict[str, Any]:
    return {"kind": "block", "first": first, "size": size, "at": at, "values": {"loss": value}}


def test_block_of_all_has_their_mean_and_how_far_they_lie_apart() -> None:
    metrics = RankMetrics()
    assert metrics.take(0, block(4, 1, 1.0, at=7.0), speaks=True) == [block(4, 1, [1, 1.0, 1.0, 1.0, 1.0, 0], at=7.0)]
    assert metrics.take(1, block(5, 1, 3.0, at=9.0), speaks=False) == []
    (told,) = metrics.take(0, block(5, 1, 1.0, at=8.0), speaks=True)
    assert told == block(5, 1, [2, 2.0, 1.0, 3.0, 2.0, 0], at=9.0)


def test_blocks_of_two_sizes_come_down_to_the_larger() -> None:
    metrics = RankMetrics()
    metrics.take(0, block(7, 1, 0.0), speaks=True)
    assert metrics.take(1, block(8, 4, [4, 2.0, 1.0, 5.0, 2.0, 0]), speaks=False) == []
    assert [metrics.take(0, block(step, 1, 4.0), speaks=True) for step in (8, 9, 10)] == [[], [], []]
    (told,) = metrics.take(0, block(11, 1, 4.0), speaks=True)
    assert told == block(8, 4, [8, 3.0, 1.0, 5.0, 3.6, 0])


def test_what_is_not_finite_is_counted() -> None:
    metrics = RankMetrics()
    metrics.take(1, block(0, 1, 1.0), speaks=False)
    nothing = [0, None, None, None, None, 1]
    metrics.take(0, block(1, 1, nothing), speaks=True)
    (told,) = metrics.take(1, block(1, 1, nothing), speaks=False)
    assert told["values"]["loss"] == [0, None, None, None, None, 2]


def test_nothing_waits_for_a_rank_that_has_ended_or_reports_nothing_any_more() -> None:
    metrics = RankMetrics()
    metrics.take(0, block(0, 1, 1.0), speaks=True)
    metrics.take(1, block(1, 1, 1.0), speaks=False)
    metrics.take(0, block(1, 1, 1.0), speaks=True)
    assert metrics.take(0, block(2, 1, 1.0), speaks=True) == []
    assert len(metrics.leave(1)) == 1
    metrics.take(2, block(1, 1, 1.0), speaks=False)
    told = [metrics.take(0, block(step, 1, 1.0), speaks=True) for step in range(3, MOST_WAITING + 6)]
    assert sum(map(len, told)) == MOST_WAITING + 3, "all of them, once the other was given up"
    metrics.take(2, block(1, 1, 1.0), speaks=False)
    assert len(metrics.take(0, block(MOST_WAITING + 6, 1, 1.0), speaks=True)) == 1, "it was started anew, far behind"


def test_latest_values_are_the_mean_at_the_step_of_the_lowest() -> None:
    metrics = RankMetrics()
    assert metrics.take(1, {"kind": "metrics", "step": 6, "values": {"loss": 3, "own": 1}}, speaks=False) == []
    (told,) = metrics.take(0, {"kind": "metrics", "step": 5, "values": {"loss": 1}}, speaks=True)
    assert told == {"kind": "metrics", "step": 5, "values": {"loss": 2.0, "own": 1.0}}
    metrics.leave(1)
    (told,) = metrics.take(0, {"kind": "metrics", "step": 6, "values": {"loss": math.inf}}, speaks=True)
    assert told["values"] == {"loss": math.inf}


@given(st.lists(st.lists(st.sampled_from([1, 2, 4, 8]), min_size=6, max_size=6), min_size=1, max_size=4), st.data())
def test_every_step_of_every_rank_is_in_one_block(sizes: list[list[int]], data: st.DataObject) -> None:
    """Ranks whose blocks grow at any time, heard in any order."""
    end = 32
    queues = []
    for rank, grown in enumerate(sizes):
        blocks, first, size = deque([block(0, 1, float(rank))]), 1, 1
        while first < end:
            wanted = max(grown[min(first // 6, 5)], size)
            if first % wanted == 0 and first + wanted <= end:
                size = wanted
            blocks.append(block(first, size, [size, float(rank), 0.0, 9.0, float(rank), 0]))
            first += size
        queues.append(blocks)
    metrics, told = RankMetrics(), []
    for rank, queue in enumerate(queues):  # all have begun
        told += metrics.take(rank, queue.popleft(), speaks=not rank)
    told.clear()
    while any(queues):
        rank = data.draw(st.sampled_from([rank for rank, queue in enumerate(queues) if queue]))
        told += metrics.take(rank, queues[rank].popleft(), speaks=not rank)
    steps = [step for one in told for step in range(one["first"], one["first"] + one["size"])]
    assert steps == list(range(1, end))
    assert sum(one["values"]["loss"][0] for one in told) == (end - 1) * len(sizes)
