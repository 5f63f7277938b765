"""What a day's work rubs on: the words of what waits, small screens, and keys that come after a dialog has gone."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, backlog
from tui.app.advice import advice
from tui.app.model.job import JobModel
from tui.app.widgets.status import pieces
from tui.protocol.messages import Change, Document, JobInfo, Notice, Reload, Running, State, Stop


def job() -> JobModel:
    model = JobModel(JobInfo("a", "a.py:run", "/a.yaml"))
    model.apply(State("a", "running", pid=1, time=NOW - 60))
    model.apply(Document("a", "lr: 1\n", "d"))
    return model


SENT = Reload("a", 2, "sent", "editor", (Change("lr", 1, 2),), time=NOW - 13)


def test_a_save_that_waits_says_so_and_nothing_is_to_be_written_back() -> None:
    model = job()
    model.apply(Running("a", 1, NOW - 60, differs=True))
    assert (pieces(model, NOW)[-1].text, model.strays) == ("disk differs, ^g writes v1 back", True)
    model.apply(SENT)
    assert (pieces(model, NOW)[-1].text, model.strays) == ("v2 waits for its checkpoint, 13 s", False)
    model.apply(replace(SENT, status="applied"))
    model.apply(Running("a", 2, NOW, differs=False))
    assert (pieces(model, NOW)[-1].text, model.strays) == ("disk = v2", False)


def test_nothing_waits_for_a_checkpoint_before_a_save() -> None:
    model = job()
    assert advice(model, NOW).startswith("no checkpoint for 60 s, and a save would wait for one: ")
    model.apply(SENT)
    assert advice(model, NOW).startswith("no checkpoint for 60 s, and v2 waits for one: ")


async def test_what_is_said_at_once_is_one_line_where_there_are_few(open_deck: OpenDeck) -> None:
    names = ["one", "two", "three", "four"]
    async with open_deck(backlog(), *(backlog(name, 0) for name in names), size=(80, 24)) as deck:
        await deck.news(State("one", "crashed", exit_code=1, reason="ended with exit code 1"))
        assert deck.toasts == ["one crashed: ended with exit code 1 · ctrl+r starts it again."]
        await deck.news(*(State(name, "crashed", exit_code=1) for name in names[1:]))
        assert deck.toasts == ["one crashed · two crashed · three crashed · four crashed"]
        rows = [row for row in text_of(deck.app).splitlines() if "one crashed" in row]
        assert len(rows) == 1


async def test_what_does_not_fit_on_one_line_is_told_whole(open_deck: OpenDeck) -> None:
    words = " ".join(f"word-{n}" for n in range(20))
    async with open_deck(size=(80, 24)) as deck:
        await deck.news(Notice("digits", words, "error"))
        await deck.until(lambda: deck.toasts)
        rows = [row for row in text_of(deck.app).splitlines() if "word-" in row]
        told = " ".join(row.strip("▌│╯─ ") for row in rows)
        assert told == f"digits: {words}"
        await deck.news(Notice("", "x" * 500, "error"), Notice("", "y", "error"))
        (toast,) = deck.toasts
        assert toast.startswith("digits · xxx")
        assert toast.endswith("…")


async def test_jobs_without_room_are_counted_with_the_worst_of_their_states(open_deck: OpenDeck) -> None:
    async with open_deck(*(backlog(f"job-{n}", 0) for n in range(1, 9)), size=(80, 24)) as deck:
        top = text_of(deck.app).splitlines()[0]
        assert "+2 ›" in top
        await deck.news(State("job-8", "crashed", exit_code=1))
        await deck.until(lambda: "+2 ✗ ›" in text_of(deck.app).splitlines()[0])
        assert cell_len(text_of(deck.app).splitlines()[0]) <= 80
        await deck.press("f3")
        await deck.news(State("job-1", "crashed", exit_code=1), State("job-8", "running"))
        await deck.until(lambda: "‹+3 ✗ " in text_of(deck.app).splitlines()[0])
        assert "job-8" in text_of(deck.app).splitlines()[0]


async def test_what_is_typed_behind_an_enter_that_cancels_does_not_land_in_the_config(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        before = deck.view.config.editor.text
        await deck.press("ctrl+t")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        assert "enter does it too" in text_of(deck.app)
        deck.type("\rabc")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen" and deck.view.config.editor.has_focus)
        assert deck.view.config.editor.text == before

        def typed() -> bool:
            deck.type("x")
            return deck.view.config.editor.text.startswith("x")

        await deck.until(typed)


async def test_dialog_that_was_asked_for_right_after_another_hears_its_letters(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+t")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        deck.type("\rabc\x14s")
        await deck.until(lambda: any(isinstance(command, Stop) for command in deck.engine.commands))
        assert deck.view.config.editor.text == TEXT


async def test_who_leaves_jobs_running_is_told_the_way_back(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("other")) as deck:
        await deck.press("ctrl+q")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("l")
        await deck.until(lambda: deck.app.result.why == "quit-leave")
        assert deck.app.result.message == "2 jobs go on: tunedeck attach deck"
