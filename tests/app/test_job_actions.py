from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, Deck, backlog
from tui.app.textual_ext import key_queue
from tui.protocol import messages
from tui.protocol.messages import State

STUCK = "asked to stop, but it reaches no checkpoint, and a thread can't be killed: restart the host to end it"


def commands(deck: Deck) -> list[messages.Command]:
    return [command for command in deck.engine.commands if not isinstance(command, messages.Detail)]


def top(deck: Deck) -> str:
    return text_of(deck.app).splitlines()[0]


async def test_pause_holds_the_job_and_the_same_key_resumes_it(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("f5")
        await deck.until(lambda: len(commands(deck)) == 1)
        await deck.news(State("digits", "paused", pid=4242, reason="held at step 12,250"))
        assert "‖ paused" in top(deck)
        assert "held at step 12,250, f5 resumes" in top(deck)
        await deck.press("f5")
        await deck.until(lambda: len(commands(deck)) == 2)
        assert [(command.job, command.paused) for command in commands(deck) if isinstance(command, messages.Pause)] == [
            ("digits", True),
            ("digits", False),
        ]


async def test_who_pauses_a_job_that_waits_for_its_next_try_is_told_why_not(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "backoff"))
        deck.engine.answer(messages.Pause, False, "it waits for its next try", "idle")
        await deck.press("f5")
        await deck.until(lambda: "Not paused: it waits for its next try" in deck.toasts)


@pytest.mark.parametrize("state", ["finished", "crashed", "stopped"])
async def test_a_job_without_a_worker_is_not_paused_and_starts_without_a_question(
    open_deck: OpenDeck, state: str
) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", state))
        await deck.press("f5", "ctrl+r")
        await deck.until(lambda: len(commands(deck)) == 1)
        assert isinstance(commands(deck)[0], messages.Start)


async def test_a_backoff_says_when_the_next_try_comes(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "backoff", exit_code=3, reason="ended with exit code 3", retry_at=NOW + 3.2))
        assert "↻ backoff  v7  next try in 4 s: ended with exit code 3" in top(deck)


@pytest.mark.parametrize(("key", "answer", "kind"), [("ctrl+t", "s", messages.Stop), ("ctrl+r", "r", messages.Start)])
async def test_a_thread_that_does_not_end_is_ended_with_its_host(
    open_deck: OpenDeck, key: str, answer: str, kind: type[messages.Stop | messages.Start]
) -> None:
    async with open_deck() as deck:
        deck.engine.answers[kind] = lambda command: (
            messages.Reply(command.id, True)
            if getattr(command, "host", False)
            else messages.Reply(command.id, False, STUCK, "stuck", {"with": ["a", "b"]})
        )
        await deck.press(key)
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press(answer)
        await deck.until(lambda: "digits does not end" in text_of(deck.app))
        shown = text_of(deck.app)
        assert "restart the host" in shown
        assert "The host also holds a, b" in shown
        await deck.press("h")
        await deck.until(lambda: len(commands(deck)) == 2)
        assert [getattr(command, "host", None) for command in commands(deck)] == [False, True]
        assert deck.toasts == []


@pytest.mark.parametrize("answer", ["escape", "enter"])
async def test_a_stuck_job_may_be_left_alone(open_deck: OpenDeck, answer: str) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Stop, ok=False, message=STUCK, code="stuck")
        await deck.press("ctrl+t")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("s")
        await deck.until(lambda: "does not end" in text_of(deck.app))
        await deck.press(answer)
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert len(commands(deck)) == 1


@pytest.mark.parametrize("key", ["ctrl+t", "ctrl+r", "ctrl+q"])
async def test_enter_alone_does_nothing_to_a_job(open_deck: OpenDeck, key: str) -> None:
    async with open_deck() as deck:
        await deck.press(key)
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert commands(deck) == []
        assert deck.app.is_running


@pytest.mark.parametrize("key", ["ctrl+t", "f5"])
async def test_a_key_for_a_job_that_runs_says_when_it_does_not(open_deck: OpenDeck, key: str) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "stopped", time=NOW))
        await deck.press(key)
        await deck.until(lambda: "It does not run: ctrl+r starts it." in text_of(deck.app))
        assert commands(deck) == []


async def test_a_host_shows_its_log_and_no_config(open_deck: OpenDeck) -> None:
    host = [messages.JobInfo("host", "the host", "", "host", time=NOW), State("host", "running", pid=7, time=NOW)]
    async with open_deck(backlog(), host) as deck:
        await deck.press("f4")
        await deck.until(lambda: deck.app.main.current == "host" and deck.view.log_view.has_focus)
        shown = text_of(deck.app)
        assert "child processes of thread and asyncio jobs write comes here" in shown
        assert "timeline" not in shown
        assert "Save" not in shown
        await deck.press("ctrl+s", "ctrl+t", "ctrl+r", "f5")
        await deck.news(messages.Lines("host", 0, "from C", time=NOW))
        await deck.until(lambda: "from C" in text_of(deck.app))
        assert commands(deck) == []
        await deck.press("f3")
        await deck.until(lambda: deck.view.config.editor.has_focus)


async def test_the_end_of_a_host_is_told_once(open_deck: OpenDeck) -> None:
    hosted = [messages.JobInfo(name, "t.py:f", "c.yaml", "thread", time=NOW) for name in ("a", "b")]
    running = [State(name, "running", pid=7, time=NOW) for name in ("a", "b", "host")]
    async with open_deck([*hosted, messages.JobInfo("host", "", "", "host", time=NOW), *running]) as deck:
        await deck.news(
            *(State(name, "crashed", exit_code=-9, reason="killed by SIGKILL") for name in ("host", "a", "b"))
        )
        assert deck.toasts == ["host crashed: killed by SIGKILL\nIts jobs ended with it."]
        await deck.news(State("a", "starting"), State("a", "crashed", exit_code=1, reason="ValueError"))
        assert deck.toasts[1:] == ["a crashed: ValueError\nctrl+r starts it again."]


async def test_the_tab_of_the_job_on_the_screen_can_always_be_seen(open_deck: OpenDeck) -> None:
    jobs = [backlog(f"job-{number}", 0) for number in range(1, 41)]
    async with open_deck(*jobs, size=(80, 24)) as deck:
        for _ in range(12):
            await deck.press("f4")
        await deck.until(lambda: deck.app.main.current == "job-13")
        await deck.until(lambda: "13 job-13 ●" in top(deck))
        assert top(deck).startswith(" ‹")
        column = top(deck).index("job-12")
        await deck.pilot.click(offset=(column, 0))
        await deck.until(lambda: deck.app.main.current == "job-12")


LOSSES = [{"job": "digits", "step": 12_300, "seconds": 7_380, "keys": ["model.layers"]}]


def costs(command: messages.Command) -> messages.Reply:
    """Answer as an engine whose job would lose its state."""
    if getattr(command, "restart", False):
        return messages.Reply(command.id, True, data={"versions": {"digits": 8}, "changed": True})
    return messages.Reply(command.id, False, "it costs", "costs", {"losses": LOSSES})


async def save(deck: Deck) -> None:
    await deck.press("x", "ctrl+s")


async def roll_back(deck: Deck) -> None:
    deck.view.timeline.focus()
    await deck.press("down", "r")


async def turn(deck: Deck) -> None:
    deck.engine.answer(messages.Detail, text="")
    await deck.press("f7")
    await deck.until(lambda: deck.view.knobs.has_focus and deck.view.knobs.rack.knobs)
    await deck.press("right")


@pytest.mark.parametrize(
    ("change", "kind"), [(save, messages.Save), (roll_back, messages.Rollback), (turn, messages.Set)]
)
async def test_what_costs_the_state_asks_and_says_what_would_be_lost(
    open_deck: OpenDeck,
    change: Callable[[Deck], Awaitable[None]],
    kind: type[messages.Command],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_queue, "DEAF", 0.0)  # a hand is not as quick as this test

    def sent() -> list[bool]:
        return [getattr(command, "restart") for command in deck.engine.commands if isinstance(command, kind)]  # noqa: B009

    async with open_deck() as deck:
        deck.engine.answers[kind] = costs
        await change(deck)
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        shown = text_of(deck.app)
        assert "This starts digits anew" in shown
        assert "model.layers can't change live." in shown
        assert "digits would lose 12,300 steps, 2h 03m." in shown
        await deck.press("enter")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert sent() == [False]
        await deck.press({"save": "ctrl+s", "roll_back": "r", "turn": "enter"}[change.__name__])
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("r")
        await deck.until(lambda: sent() == [False, False, True])


@pytest.mark.parametrize(("key", "lost"), [("ctrl+r", True), ("ctrl+t", True), ("ctrl+q", True), ("f5", False)])
async def test_an_end_of_the_worker_says_what_goes_with_it(open_deck: OpenDeck, key: str, lost: bool) -> None:
    async with open_deck() as deck:
        await deck.press(key)
        await deck.until(lambda: deck.type_of_screen() == "Dialog" or not lost)
        assert ("digits would lose 12,250 steps, 10m 20s." in text_of(deck.app)) is lost


async def test_of_many_jobs_those_are_named_that_have_run_for_longest(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(name) for name in "abcde")) as deck:
        await deck.news(State("e", "stopped"), State("e", "running", pid=7, time=NOW - 7_380))
        await deck.press("ctrl+q")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        lines = [line for line in text_of(deck.app).splitlines() if "would" in line]
        assert "e would lose 12,250 steps, 2h 03m." in lines[0]
        assert "So would 2 more, which have run for less long." in lines[3]
