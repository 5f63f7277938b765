"""Bounds for metrics, step by step, without a process."""

from __future__ import annotations

from typing import Any

import pytest

from tui.worker.guards import ALL, Guards

NAN, INF = float("nan"), float("inf")


class Told:
    """Guards, and what they have told."""

    def __init__(self, **rules: dict[str, Any]) -> None:
        self.said: list[str] = []
        self.since: list[int] = []
        self.version = 1
        self.guards = Guards(rules, self.version, self._tell)

    def _tell(self, words: str, since: int) -> None:
        self.said.append(words)
        self.since.append(since)

    def steps(self, *values: Any, metric: str = "loss") -> list[str]:
        """Report a step for each value; return what was told since the last call."""
        for value in values:
            self.guards.check_metrics({metric: value, "other": 1})
        said, self.said[:] = list(self.said), []
        return said

    def reload(self) -> None:
        self.version += 1
        self.guards.arm(self.version)


def test_a_breach_is_told_once_and_again_after_the_next_reload() -> None:
    told = Told(loss={"max": 10})
    assert told.steps(1, 10, 10.5, 11, 2, 99) == ["loss is 10.5, more than 10"]
    told.steps(3)
    told.reload()
    assert told.steps(3, 12) == ["loss is 12, more than 10"]


def test_only_so_many_steps_in_a_row_are_a_breach() -> None:
    told = Told(loss={"max": 10, "for": 3})
    assert told.steps(11, 12, 9, 11, 12) == []
    assert told.steps(13) == ["loss is 13, more than 10, for 3 steps"]


def test_a_reload_begins_the_count_anew() -> None:
    told = Told(loss={"max": 10, "for": 3})
    assert told.steps(11, 12) == []
    told.reload()
    assert told.steps(13, 14) == []
    assert told.steps(15) == ["loss is 15, more than 10, for 3 steps"]


def test_what_is_named_is_the_version_under_which_the_metric_has_left_its_bounds() -> None:
    told = Told(loss={"max": 10, "for": 2})
    assert len(told.steps(11, 12)) == 1
    told.reload()
    assert len(told.steps(13, 14, 15)) == 1
    told.reload()
    assert told.steps(16) == []
    told.reload()
    assert len(told.steps(16, 17, 18)) == 1
    assert told.since == [1, 1, 1]
    told.reload()
    assert told.steps(9, 11) == []
    told.reload()
    assert told.steps(12) == []
    assert told.steps(12) == ["loss is 12, more than 10, for 2 steps"]
    assert told.since[3:] == [5]


def test_one_guard_does_not_silence_another() -> None:
    told = Told(loss={"max": 10}, other={"max": 0})
    assert told.steps(1) == ["other is 1, more than 0"]
    assert told.steps(11) == ["loss is 11, more than 10"]


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ({"min": 0.5}, 0.25, "loss is 0.25, less than 0.5"),
        ({"max": 10}, NAN, "loss is nan"),
        ({"min": 10}, NAN, "loss is nan"),
        ({"max": 10}, INF, "loss is inf, more than 10"),
        ({"finite": True}, INF, "loss is inf"),
        ({"finite": True}, -INF, "loss is -inf"),
        ({"min": 1}, INF, None),
        ({"finite": False, "max": 3}, 2, None),
        ({"max": 1}, "many", None),
        ({"max": 1}, None, None),
    ],
)
def test_bounds(rule: dict[str, Any], value: Any, said: str | None) -> None:
    assert Told(loss=rule).steps(value) == ([said] if said is not None else [])


def test_a_step_that_does_not_report_the_metric_does_not_count() -> None:
    told = Told(loss={"max": 10, "for": 2})
    told.steps(11)
    for report in ({}, None, 7, {"other": 3}):
        told.guards.check_metrics(report)
    assert told.steps(12) == ["loss is 12, more than 10, for 2 steps"]


def test_every_metric_can_be_looked_at() -> None:
    told = Told(**{ALL: {"finite": True}})
    assert told.steps(1, NAN, metric="anything") == ["anything is nan"]


def test_a_value_is_converted_only_where_a_guard_names_it() -> None:
    class Heavy:
        def __float__(self) -> float:
            raise AssertionError("nobody has asked for it")

    told = Told(loss={"max": 10})
    told.guards.check_metrics({"loss": 1, "heavy": Heavy()})
    assert told.steps() == []
