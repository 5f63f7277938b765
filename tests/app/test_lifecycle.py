from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import Deck, FakeEngine, backlog
from tui.app.app import DeckApp
from tui.protocol import messages
from tui.protocol.messages import Shutdown, State


def shutdowns(deck: Deck) -> int:
    return sum(isinstance(command, Shutdown) for command in deck.engine.commands)


async def test_quit_counts_many_jobs_and_leaves_out_their_host(open_deck: OpenDeck) -> None:
    host = [messages.JobInfo("host", "", "", "host"), State("host", "running", pid=8)]
    async with open_deck(*(backlog(f"job-{n}", 5) for n in range(4)), host) as deck:
        await deck.press("ctrl+q")
        await deck.until(lambda: "4 jobs are still running" in text_of(deck.app))


async def test_quit_with_a_live_job_can_be_taken_back(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+q")
        await deck.until(lambda: "still running" in text_of(deck.app))
        await deck.press("ctrl+q", "escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert deck.engine.orders == []


async def test_quit_leaves_the_jobs_running(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+q", "l")
        await deck.until(lambda: deck.app.result.why == "quit-leave")
        assert (deck.app.result.exit_code, deck.app.result.states) == (0, {"digits": "running"})
        assert deck.engine.orders == []


async def test_quit_stops_the_jobs_and_waits_for_the_engine(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+q", "s")
        await deck.until(lambda: deck.type_of_screen() == "StoppingScreen" and shutdowns(deck) == 1)
        assert deck.app.result.why == "error"
        deck.engine.send(State("digits", "stopped"))
        await deck.until(lambda: "digits  stopped" in text_of(deck.app))
        deck.engine.close()
        await deck.until(lambda: deck.app.result.why == "quit-stop")
        assert (deck.app.result.exit_code, deck.app.result.states) == (0, {"digits": "stopped"})


async def test_quit_without_waiting(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+q", "s")
        await deck.until(lambda: deck.type_of_screen() == "StoppingScreen" and shutdowns(deck) == 1)
        await deck.press("ctrl+q")
        await deck.until(lambda: deck.app.result.why == "quit-stop")


async def test_quit_with_no_live_job_ends_the_engine_at_once(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "crashed", exit_code=3))
        await deck.press("ctrl+q")
        await deck.until(lambda: deck.app.result.why == "quit-stop")
        assert shutdowns(deck) == 1
        assert deck.app.result.exit_code == 1


async def test_quit_asks_before_unsaved_text_is_lost(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "finished"))
        await deck.press("x", "ctrl+q")
        await deck.until(lambda: "Not saved: /home/ada/deck/digits.yaml" in text_of(deck.app))
        await deck.press("q")
        await deck.until(lambda: deck.app.result.why == "quit-stop")


async def test_engine_that_goes_away_leaves_a_readable_screen(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("x")
        deck.engine.close()
        await deck.until(lambda: "The engine is gone" in text_of(deck.app))
        shown = text_of(deck.app)
        assert "? engine gone" in shown
        assert "xlr" in shown or "x# How" in shown
        await deck.press("ctrl+s")
        await deck.until(lambda: deck.toasts)
        assert "Your text is still in the editor" in deck.toasts[0]
        await deck.press("ctrl+q", "q")
        await deck.until(lambda: deck.app.result.why == "engine-gone")
        assert deck.app.result.exit_code == 1


async def test_deck_that_was_stopped_elsewhere_is_no_accident(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(State("digits", "stopped"))
        deck.engine.close()
        await deck.until(lambda: "The deck was stopped" in text_of(deck.app))
        await deck.press("ctrl+q")
        await deck.until(lambda: deck.app.result.why == "engine-gone")
        assert deck.app.result.exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_signal_ends_the_viewer_alone(open_deck: OpenDeck, number: signal.Signals) -> None:
    async with open_deck() as deck:
        os.kill(os.getpid(), number)
        await deck.until(lambda: deck.app.result.why == "signal")
        assert deck.app.result.exit_code == 128 + number
        assert deck.engine.orders == []


async def test_no_engine_is_an_outcome_with_a_reason(tmp_path: Path) -> None:
    app = DeckApp(tmp_path / "s")
    async with app.run_test() as pilot:
        while not app.result.message:
            await pilot.pause(0.005)
    assert app.result.why == "engine-gone"
    assert "no engine answers" in app.result.message


async def test_other_protocol_is_refused_with_advice(tmp_path: Path) -> None:
    async with FakeEngine(tmp_path / "s", backlog()) as engine:
        engine.protocol = messages.PROTOCOL + 1
        app = DeckApp(engine.path)
        async with app.run_test() as pilot:
            while not app.result.message:
                await pilot.pause(0.005)
        assert "attach with the tunedeck that started the deck" in app.result.message


async def test_slow_import_is_counted(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        since = deck.app.clock() - 34
        await deck.news(
            messages.Running("digits", None, since), State("digits", "starting", pid=9, reason="imports train.py")
        )
        await deck.until(lambda: re.search(r"imports train.py, 3[4-9] s", text_of(deck.app)) is not None)
