from __future__ import annotations

import errno
import resource

import pytest

from tui.runners import fd_limits


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of a process that is not this one."""
    now = [1_024, 4_096]

    def set_(_: int, wanted: tuple[int, int]) -> None:
        if now[1] == -1 and not 0 < wanted[0] <= 3_000:  # as on macOS
            raise ValueError("current limit exceeds maximum limit")
        now[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", set_)
    monkeypatch.setattr(fd_limits, "soft_limit", 1_024)
    return now


def test_the_engine_takes_what_it_may_and_its_children_get_what_the_user_had(limit: list[int]) -> None:
    assert fd_limits.of_children() == 0
    fd_limits.raise_own()
    assert limit == [4_096, 4_096]
    assert fd_limits.of_children() == 1_024


def test_a_limit_that_is_none_is_taken_as_far_as_it_goes(limit: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    limit[1] = -1
    monkeypatch.setattr(fd_limits, "MANY", 3_000)
    fd_limits.raise_own()
    assert limit == [3_000, -1]
    monkeypatch.setattr(fd_limits, "MANY", 5_000)
    fd_limits.raise_own()
    assert limit == [3_000, -1]


def test_a_deck_that_cannot_have_enough_files_is_told_before_it_starts(limit: list[int]) -> None:
    assert fd_limits.shortage(240, 0, 1) is None
    words = fd_limits.shortage(300, 50, 50)
    assert words is not None
    assert words.startswith("350 worker processes need about 1,474 open files, and the system allows 1,024: raise the")
    limit[0] = -1
    assert fd_limits.shortage(3_000, 0, 1) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "the engine has the 1,024 files that it may have open: raise the hard limit"),
        (errno.ENFILE, "the engine has all files that the system has open: raise the hard limit"),
        (errno.ENOENT, "[Errno 2] no"),
    ],
)
def test_what_keeps_a_worker_from_starting_is_said_with_what_to_do(limit: list[int], number: int, words: str) -> None:
    assert fd_limits.explained(OSError(number, "no")).startswith(words)
