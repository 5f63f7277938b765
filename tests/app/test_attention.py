"""What calls for attention: advice in its place, the bell, toasts, and the title of the terminal."""

from __future__ import annotations

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, backlog
from tests.app.insides import replace_driver
from tui.app import app as app_module
from tui.app.app import DeckApp
from tui.app.textual_ext.driver import TitledDriver
from tui.protocol.messages import Change, Metrics, Problem, Reload, State


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    rung: list[float] = []
    monkeypatch.setattr(DeckApp, "bell", lambda app: rung.append(1))
    return rung


async def test_advice_stands_above_the_panes_until_it_is_taken(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        await deck.news(State("digits", "crashed", exit_code=1, reason="boom", time=NOW))
        await deck.until(lambda: "ctrl+r starts the job again" in text_of(deck.app).splitlines()[2])
        await deck.press("f4")
        await deck.until(lambda: "starts the job again" not in text_of(deck.app))
        await deck.press("f3")
        await deck.until(lambda: "starts the job again" in text_of(deck.app))
        await deck.news(State("digits", "running", pid=8, time=NOW))
        await deck.until(lambda: "starts the job again" not in text_of(deck.app))


async def test_advice_comes_by_itself_when_time_passes(open_deck: OpenDeck) -> None:
    silent = [event for event in backlog() if not isinstance(event, Metrics)]
    async with open_deck(silent) as deck:
        deck.app.main.tick(NOW)
        await deck.until(lambda: "no checkpoint for 620 s" in text_of(deck.app))
        await deck.news(Metrics("digits", 1, {}, time=NOW))
        deck.app.main.tick(NOW)
        await deck.until(lambda: "no checkpoint" not in text_of(deck.app))


async def test_deck_without_jobs_says_what_to_do(open_deck: OpenDeck) -> None:
    async with open_deck([]) as deck:
        await deck.until(lambda: "This deck has no job: write one under jobs:" in text_of(deck.app))


async def test_bell_rings_once_for_what_matters_and_not_in_a_flood(
    open_deck: OpenDeck, bells: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "SILENCE", 0.0)
    async with open_deck(backlog(), backlog("anneal")) as deck:
        assert not bells
        quiet = (
            Reload("digits", 8, "applied", "disk", (Change("lr", 1, 2),)),
            Reload("digits", 9, "invalid", "editor", error=Problem("no", 1, 1)),
            State("digits", "paused"),
        )
        await deck.news(*quiet)
        assert not bells
        for count, event in enumerate(
            (
                Reload("digits", 10, "rejected", "disk", error=Problem("no")),
                Reload("anneal", 8, "failed", "disk"),
                State("digits", "crashed", exit_code=1),
                State("anneal", "finished"),
            ),
            1,
        ):
            await deck.news(event)
            assert len(bells) == count
        await deck.news(State("anneal", "finished"), State("digits", "crashed", exit_code=1))
        assert len(bells) == 4
        monkeypatch.setattr(app_module, "SILENCE", 3600.0)
        await deck.news(*(Reload("digits", n, "rejected", "disk", error=Problem("no")) for n in range(11, 60)))
        assert len(bells) == 4


async def test_bell_that_was_turned_off_stays_so(
    open_deck: OpenDeck, bells: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "SILENCE", 0.0)
    for rings in (False, True):
        async with open_deck() as deck:
            command = next(one for one in deck.app.get_system_commands(deck.app.screen) if one.title.startswith("Bell"))
            assert command.title == f"Bell: turn it {'on' if rings else 'off'}"
            command.callback()
            await deck.news(State("digits", "crashed", exit_code=1))
            assert bool(bells) == rings


async def test_toast_of_a_long_reason_is_short(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "crashed", reason="no " * 400, time=NOW))
        await deck.until(lambda: deck.toasts)
        assert max(map(len, deck.toasts[0].split("\n"))) <= 260
        assert "…" in deck.toasts[0]
        assert "ctrl+r starts it again" in deck.toasts[0]


async def test_toast_leaves_the_newest_row_of_the_timeline_alone(open_deck: OpenDeck) -> None:
    for size in ((80, 24), (120, 40), (200, 60)):
        async with open_deck(size=size) as deck:
            await deck.press("f6")
            await deck.news(State("digits", "crashed", exit_code=1, reason="boom"))
            await deck.until(lambda: "digits crashed" in text_of(deck.app))
            newest = next(line for line in text_of(deck.app).splitlines() if " v7  ● applied " in line)
            assert "lr 0.08 → 0.05, + moment" in newest


class Recorder(TitledDriver):
    """A driver that only notes what it would write."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, data: str) -> None:
        self.written.append(data)


async def test_title_says_deck_job_and_state(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        recorder = Recorder()
        with monkeypatch.context() as patch:
            replace_driver(patch, deck.app, recorder)
            deck.app.name_window()
            deck.app.name_window()
            await deck.news(State("digits", "crashed", exit_code=1, reason="\x07boom"))
        titles = [text for text in recorder.written if text.startswith("\x1b]2;")]
        assert titles == ["\x1b]2;● digits running · tunedeck deck\x07", "\x1b]2;✗ digits crashed · tunedeck deck\x07"]
