from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import wording
from tui.engine.jobs import lifecycle
from tui.engine.jobs.lifecycle import FIRST_DELAY, JITTER, LONGEST_DELAY, MOST_TRIES, NEXT, UP, RestartPolicy
from tui.protocol import messages

ENDS = st.lists(st.tuples(st.booleans(), st.floats(0, 2 * UP)), max_size=4 * MOST_TRIES)


def delays(restarts: RestartPolicy, count: int, up: float = 0.0) -> list[float | None]:
    return [restarts.delay(failed=True, up=up) for _ in range(count)]


def test_the_machine_knows_every_state_and_all_can_be_left() -> None:
    assert set(NEXT) == messages.LIVE | messages.ENDED | {"backoff"}
    assert all(after <= set(NEXT) for after in NEXT.values())
    assert all(after - {state} for state, after in NEXT.items())


def test_no_job_runs_without_a_start() -> None:
    for state in messages.ENDED | {"backoff"}:
        assert not NEXT[state] & {"running", "paused"}
        with pytest.raises(ValueError, match=f"job a is {state} and can't become running"):
            lifecycle.move("a", state, "running")


@pytest.mark.parametrize("seed", range(20))
def test_the_delays_double_up_to_the_longest_and_then_it_is_a_crash_loop(seed: int) -> None:
    random.seed(seed)
    restarts = RestartPolicy("on-failure")
    *waits, last = delays(restarts, MOST_TRIES)
    whole = [min(FIRST_DELAY * 2**number, LONGEST_DELAY) for number in range(MOST_TRIES - 1)]
    assert UP == 10
    assert whole == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    for wait, most in zip(waits, whole, strict=True):
        assert wait is not None
        assert most * (1 - JITTER) <= wait <= most
    assert last is None
    assert restarts.looping


def test_jobs_that_fell_together_do_not_rise_together() -> None:
    assert len({RestartPolicy("always").delay(failed=True, up=0) for _ in range(20)}) > 10


def test_a_worker_that_was_up_for_long_enough_starts_the_count_anew() -> None:
    restarts = RestartPolicy("always")
    delays(restarts, 5)
    again = restarts.delay(failed=False, up=UP)
    assert again is not None
    assert again <= FIRST_DELAY
    assert all(wait is not None for wait in delays(restarts, 10 * MOST_TRIES, up=UP))


def test_a_change_by_the_user_starts_the_count_anew() -> None:
    restarts = RestartPolicy("on-failure")
    delays(restarts, MOST_TRIES)
    restarts.reset()
    assert not restarts.looping
    assert delays(restarts, MOST_TRIES)[:-1].count(None) == 0


@given(policy=st.sampled_from(["never", "on-failure", "always"]), ends=ENDS)
def test_what_a_policy_promises_for_any_ends(policy: str, ends: list[tuple[bool, float]]) -> None:
    restarts = RestartPolicy(policy)
    row = 0
    for failed, up in ends:
        wait = restarts.delay(failed=failed, up=up)
        if policy == "never" or (policy == "on-failure" and not failed):
            assert wait is None
            continue
        row = 1 if up >= UP else row + 1
        assert (wait is None) == restarts.looping == (row >= MOST_TRIES)
        assert wait is None or FIRST_DELAY * (1 - JITTER) <= wait <= LONGEST_DELAY


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "ended with exit code 3"),
        (-9, "killed by SIGKILL"),
        (-40, "killed by signal 40"),
        (None, "the worker was killed together with its shim"),
    ],
)
def test_an_end_in_words(code: int | None, words: str) -> None:
    assert wording.exit_words(code) == words
