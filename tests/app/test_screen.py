from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from textual.actions import parse
from textual.app import App
from textual.binding import Binding

from tests.app.charts.test_view import answer_metrics
from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, TEXT, Deck, backlog
from tui.app.commands import own_bindings
from tui.app.editor.editor import ConfigEditor
from tui.app.editor.find_bar import FindBar
from tui.app.log.pane import LogPane
from tui.app.log.view import LogView
from tui.protocol import messages
from tui.protocol.messages import Change, Document, Lines, Metrics, Notice, Problem, Reload, Running, State


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_main_screen(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck(backlog(), backlog("anneal", 5), size=(width, height)) as deck:
        await deck.until(lambda: "following" in text_of(deck.app))
        snapshot(deck.app)


async def test_tiny_terminal_says_that_it_is_too_small(open_deck: OpenDeck) -> None:
    async with open_deck(size=(20, 5)) as deck:
        assert "too small" in text_of(deck.app).replace("\n", " ")
        await deck.pilot.resize_terminal(120, 40)
        await deck.until(lambda: "lr: 0.05" in text_of(deck.app))


def _fits(app: App[Any], width: int) -> bool:
    return all(len(line) <= width for line in text_of(app).splitlines())


@pytest.mark.parametrize(
    "sizes", [[(1, 1), (40, 10), (99, 19)], [(300, 8), (39, 9), (70, 12)]], ids=["from-1x1", "from-300x8"]
)
async def test_no_size_is_a_problem(open_deck: OpenDeck, sizes: list[tuple[int, int]]) -> None:
    async with open_deck(size=sizes[0]) as deck:
        await deck.news(State("digits", "crashed", exit_code=1, reason="x" * 300))
        for size in sizes:
            await deck.pilot.resize_terminal(*size)
            assert deck.app.size == size
            await deck.until(partial(_fits, deck.app, size[0]))


async def test_status_follows_the_job(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(
            Running("digits", 8, NOW, differs=True),
            Metrics("digits", 12_300, {"loss": 0.11}, time=NOW + 1),
        )
        top = text_of(deck.app).splitlines()[0]
        assert "v8" in top
        assert "disk differs, ^g writes v8 back" in top
        await deck.news(
            State("digits", "crashed", exit_code=1, reason="ZeroDivisionError: division by zero", time=NOW),
            Running("digits", None),
        )
        top = text_of(deck.app).splitlines()[0]
        assert "✗ crashed  ZeroDivisionError: division by zero  loss 0.11  step" in top
        assert "ran 10m 20s" in top


async def test_timeline_row_moves_through_its_statuses_in_place(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        row = Reload("digits", 8, "sent", "disk", (Change("batch", 64, 128),), time=NOW - 3.2)
        await deck.news(row)
        assert "v8  ◌ sent 3.2 s" in text_of(deck.app)
        await deck.news(Reload("digits", 8, "applied", "disk", row.changes, 12_400, 5.13, time=row.time))
        shown = text_of(deck.app)
        assert "v8  ● applied      14:13:16  disk        5.1 ms     12,400  batch 64 → 128" in shown
        assert "──── v8  batch 64 → 128  step 12,400 ────" in shown


async def test_timeline_cursor_stays_on_its_row(open_deck: OpenDeck) -> None:
    many = [Reload("digits", n, "applied", "disk", time=NOW) for n in range(8, 3000)]
    async with open_deck([*backlog(), *many]) as deck:
        timeline = deck.view.timeline
        timeline.focus()
        await deck.press("down", "down")
        assert timeline.cursor == 2997
        await deck.news(Reload("digits", 3000, "applied", "disk", time=NOW))
        assert (timeline.cursor, timeline.row) == (2997, 3)
        await deck.press("end")
        assert timeline.cursor == 1
        top = timeline.scroll_offset.y
        await deck.news(Reload("digits", 3001, "applied", "disk", time=NOW))
        assert (timeline.cursor, timeline.scroll_offset.y) == (1, top + 1)
        assert "v1  ● applied" in text_of(deck.app)
        await deck.press("home")
        assert timeline.cursor == 3001


async def test_details_of_a_reload(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        old = TEXT.replace("lr: 0.05", "lr: 0.08")
        deck.engine.answer(messages.Detail, text=TEXT, base_text=old, base=4, running=7)
        deck.app.main.set_focus(deck.view.timeline)
        await deck.press("down", "enter")
        await deck.until(lambda: "v6, v7 runs" in text_of(deck.app))
        shown = text_of(deck.app)
        for part in ("v6, v7 runs", "⊘ rejected", "lr must be > 0", "-lr: 0.08", "+lr: 0.05", " batch: 64"):
            assert part in shown
        assert ("digits", 6) in [(c.job, c.version) for c in deck.engine.commands if isinstance(c, messages.Detail)]
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")


async def test_double_click_opens_details(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Detail, text=TEXT, base_text=None, base=None, running=7)
        await deck.pilot.click("#timeline", offset=(10, 4), times=2)
        await deck.until(lambda: deck.type_of_screen() == "DetailScreen")
        assert deck.view.timeline.cursor == 5


async def test_crash_finish_and_trouble_are_told_once(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        assert not deck.toasts
        await deck.news(
            State("digits", "crashed", exit_code=1, reason="boom"),
            State("digits", "crashed", exit_code=1, reason="boom"),
            Reload("anneal", 8, "rejected", "disk", error=Problem("cooling must be < 1")),
            Notice("digits", "the folder is [read] only", "warning"),
        )
        assert deck.toasts == [
            "digits crashed: boom\nctrl+r starts it again.",
            "anneal: v8 rejected: cooling must be < 1",
            "digits: the folder is [read] only",
        ]


async def test_problem_that_stands_below_the_editor_covers_nothing(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Reload("digits", 8, "rejected", "disk", error=Problem("lr must be > 0")))
        assert "✗ lr must be > 0" in text_of(deck.app)
        assert not deck.toasts
        await deck.news(Reload("digits", 8, "failed", "disk", (Change("lr", 1, 2),)))
        assert deck.toasts == ["digits: v8 failed: lr 1 → 2"]


async def test_job_that_ended_is_started_at_once_and_a_live_one_after_a_question(open_deck: OpenDeck) -> None:
    def starts() -> int:
        return sum(isinstance(command, messages.Start) for command in deck.engine.commands)

    async with open_deck() as deck:
        await deck.press("ctrl+r")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("escape")
        await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        assert starts() == 0
        await deck.press("ctrl+r", "r")
        await deck.until(lambda: starts() == 1)
        await deck.news(State("digits", "finished"))
        await deck.press("ctrl+r")
        await deck.until(lambda: starts() == 2)


async def test_stop(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+t", "s")
        await deck.until(lambda: [type(command) for command in deck.engine.orders] == [messages.Stop])


async def test_refused_command_is_told(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Stop, ok=False, message="it will not stop")
        await deck.press("ctrl+t", "s")
        await deck.until(lambda: deck.toasts == ["Not stopped: it will not stop"])


async def test_jobs_are_switched_by_key_and_mouse_and_keep_their_editors(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        await deck.press("x")
        await deck.press("f4")
        await deck.until(lambda: deck.app.main.current == "anneal" and deck.view.ready)
        unsaved = [deck.view.config.dirty]
        await deck.news(Document("digits", "other: 1\n", "d9"))
        await deck.press("alt+1")
        await deck.until(lambda: deck.app.main.current == "digits")
        unsaved.append(deck.view.config.dirty)
        assert unsaved == [False, True]
        assert "changed on disk" in text_of(deck.app)
        await deck.pilot.click("JobTabs", offset=(15, 0))
        await deck.until(lambda: deck.app.main.current == "anneal")


async def test_focus_job_is_shown_first(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal"), focus_job="anneal") as deck:
        assert deck.app.main.current == "anneal"


async def test_panes_are_reached_in_turn(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        seen = []
        for key in ("f6", "f6", "f6", "shift+tab"):
            await deck.press(key)
            assert deck.app.focused is not None
            seen.append(deck.app.focused.id)
        assert seen == ["timeline", "log", "editor", "log"]


async def jump(deck: Deck, key: str) -> None:
    await deck.press("ctrl+o")
    await deck.until(lambda: deck.type_of_screen() == "JumpScreen")
    await deck.press(key)
    await deck.until(lambda: deck.type_of_screen() == "MainScreen")


async def test_jump_leads_to_panes_and_jobs(open_deck: OpenDeck) -> None:
    def place() -> tuple[str, str | None]:
        return deck.app.main.current, deck.app.focused.id if deck.app.focused is not None else None

    async with open_deck(backlog(), backlog("anneal")) as deck:
        for key, expected in (
            ("l", "log"),
            ("escape", "log"),
            ("t", "timeline"),
            ("c", "editor"),
            ("ctrl+o", "editor"),
        ):
            await jump(deck, key)
            assert place() == ("digits", expected)
        await jump(deck, "2")
        await deck.until(lambda: place() == ("anneal", "editor"))
        assert not deck.view.config.dirty


async def test_jump_numbers_the_jobs_as_their_tabs_do(open_deck: OpenDeck) -> None:
    names = [f"a-long-name-{number}" for number in range(2, 10)]
    async with open_deck(backlog(), *map(backlog, names), size=(80, 24)) as deck:
        await deck.press("alt+6")
        await deck.until(lambda: deck.app.main.current == names[4])
        await deck.press("ctrl+o")
        await deck.until(lambda: "Press a key" in text_of(deck.app) or deck.type_of_screen() == "JumpScreen")
        await deck.press("5")
        await deck.until(lambda: deck.app.main.current == names[3])


async def test_jump_shows_the_keys_where_they_lead_in_every_size(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal"), size=(80, 24)) as deck:
        await deck.press("ctrl+o")
        await deck.until(lambda: "Press a key" in text_of(deck.app))
        await deck.press("x")
        await deck.until(lambda: "\n l log ─" in text_of(deck.app))
        await deck.pilot.resize_terminal(120, 40)
        await deck.until(lambda: " c digits.yaml ─" in text_of(deck.app).splitlines()[2][60:])
        assert text_of(deck.app).splitlines()[0].startswith("  1 digits ●   2 anneal")
        await deck.press("1")
        await deck.pilot.resize_terminal(20, 5)
        await deck.until(lambda: [target.key for target in deck.app.main.targets()] == ["1"])


@pytest.mark.parametrize(("key", "rows"), [("l", (9, 4, 5)), ("c", (4, 9, 5)), ("t", (5, 5, 8))])
async def test_pane_in_use_gets_the_room_where_there_is_little(
    open_deck: OpenDeck, key: str, rows: tuple[int, int, int]
) -> None:
    async with open_deck(backlog(), backlog("anneal"), size=(80, 24)) as deck:
        view = deck.view
        view.config.editor.move_cursor((8, 0))
        await jump(deck, key)
        await deck.until(
            lambda: (view.log_view.size.height, view.config.size.height, view.timeline.size.height) == rows
        )
        await deck.until(lambda: "name:" in text_of(deck.app))
        await deck.until(lambda: "loss 0.1143" in text_of(deck.app))
        assert "v7" in text_of(deck.app)


async def test_help_lists_the_keys(open_deck: OpenDeck) -> None:
    async with open_deck(size=(120, 260)) as deck:
        await deck.press("f1")
        await deck.until(lambda: deck.type_of_screen() == "HelpScreen")
        shown = text_of(deck.app)
        for part in ("^s", "Write the config", "alt+1 … alt+9", "Freeze", "Filter", "Find in the config"):
            assert part in shown
        assert "Delete to line end" in shown
        for kind in (LogPane, LogView, ConfigEditor, FindBar):
            described = {binding.description for binding in Binding.make_bindings(kind.BINDINGS)}
            assert described <= set(re.split(r"\s{2,}", shown.replace("\n", "  ").replace("│", "  ")))


async def test_keys_of_every_pane_fit_in_eighty_columns(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        for key in ("l", "t", "c"):
            await jump(deck, key)
            await deck.until(lambda: "^q Quit" in text_of(deck.app).splitlines()[-1])


async def test_mouse_comes_to_every_command_in_eighty_columns(open_deck: OpenDeck) -> None:
    async with open_deck(size=(80, 24)) as deck:
        for word, screen in (("f1 Help", "HelpScreen"), ("as commands", "CommandPalette")):
            await deck.until(lambda word=word: word in text_of(deck.app))  # type: ignore[misc]
            above, _, here = text_of(deck.app).partition(word)[0].rpartition("\n")
            await deck.pilot.click(offset=(len(here) + 1, above.count("\n") + 1))
            await deck.until(lambda screen=screen: deck.type_of_screen() == screen)  # type: ignore[misc]


async def test_palette_has_all_that_keys_do(open_deck: OpenDeck) -> None:
    async with open_deck(backlog(), backlog("anneal")) as deck:
        commands = {command.title: command for command in deck.app.get_system_commands(deck.app.screen)}
        assert {"Save", "Restart", "Stop", "Pause", "Quit", "Suspend", "Show anneal", "Theme"} <= set(commands)
        for place, node in deck.app.main.places():
            for binding in own_bindings(type(node)):
                title = f"{place}: {binding.description}" if place else binding.description
                offered = binding.id is not None and node.check_action(*parse(binding.action)[1:])
                assert (title in commands) == bool(offered)
        assert "Charts: Smooth" not in commands
        answer_metrics(deck)
        await deck.press("f8")
        await deck.until(lambda: deck.view.charts_pane.display)
        assert "Charts: Smooth" in {command.title for command in deck.app.get_system_commands(deck.app.screen)}
        await commands["Log: Filter"].callback()
        await deck.until(lambda: deck.view.log_pane.prompt.display)
        await deck.press("ctrl+p", *"Showanneal")
        await deck.press("enter")
        await deck.until(lambda: deck.app.main.current == "anneal")


async def test_everything_can_be_drawn_without_colours(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_deck(backlog(), backlog("anneal", 0)) as deck:
        deck.engine.answer(messages.Detail, text=TEXT, base_text="\n" + TEXT, base=4, running=7)
        await deck.news(Lines("digits", 60, "", 7, time=NOW), Lines("digits", 61, "\x1b[31mred\x1b[0m", 8, time=NOW))
        assert "red" in text_of(deck.app)
        for keys, screen in (
            (["f6", "enter"], "DetailScreen"),
            (["f1"], "HelpScreen"),
            (["ctrl+o"], "JumpScreen"),
        ):
            await deck.press(*keys)
            await deck.until(lambda screen=screen: deck.type_of_screen() == screen)  # type: ignore[misc]
            await deck.press("escape")
            await deck.until(lambda: deck.type_of_screen() == "MainScreen")
        await deck.press("f4")
        await deck.until(lambda: "no output yet" in text_of(deck.app) or deck.app.main.current == "anneal")
        await deck.press("ctrl+q")
        await deck.until(lambda: "leave them running" in text_of(deck.app))


async def test_log_lines_cannot_command_the_terminal(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(Lines("digits", 60, "\x1b]0;pwn\x07[b]x[/b] \x1b[31mred\x1b[0m\x1b[2J", 7, time=NOW))
        assert "[b]x[/b] red" in text_of(deck.app)
        assert "\x1b" not in text_of(deck.app)
