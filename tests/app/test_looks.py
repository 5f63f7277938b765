"""What colours and marks say: a test of texts alone would not miss them."""

from __future__ import annotations

from rich.color import Color
from textual.geometry import Offset
from textual.selection import Selection

from tests.app.conftest import OpenDeck, style_of, text_of
from tests.app.dialogs.test_preview import WRONG
from tests.app.fake import NOW, TEXT, Deck
from tui.app.styles import tone
from tui.protocol import messages
from tui.protocol.messages import Lines, Running


def output(*lines: str) -> Lines:
    return Lines("digits", 60, "\n".join(lines), 7, time=NOW)


def frame(deck: Deck, name: str) -> Color | None:
    """Return the colour of the frame of a pane, at its title."""
    return style_of(deck.app, f"─ {name}").color


async def test_what_was_searched_for_is_marked_and_the_place_more(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output("first needle", "hay", "last needle"))
        deck.app.main.set_focus(deck.view.log_view)
        await deck.press("slash", *"nee", "enter")
        await deck.until(lambda: style_of(deck.app, "needle").underline)
        ordinary = style_of(deck.app, "hay")
        assert not ordinary.underline
        assert style_of(deck.app, "first").bgcolor == ordinary.bgcolor != style_of(deck.app, "needle").bgcolor
        await deck.press("n")
        await deck.until(lambda: style_of(deck.app, "needle").bold)


async def test_colours_of_a_job_are_drawn_until_it_ends_them(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output("\x1b[31mred", "still\x1b[0m plain", "\x1b[1;4mheavy\x1b[0m"))
        assert style_of(deck.app, "red").color == style_of(deck.app, "still").color
        assert style_of(deck.app, "red").color != style_of(deck.app, "plain").color
        assert (style_of(deck.app, "heavy").bold, style_of(deck.app, "heavy").underline) == (True, True)


async def test_selected_text_is_seen_to_be(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output("before chosen behind"))
        log, line = deck.view.log_view, deck.app.jobs["digits"].lines.end - 1
        deck.app.screen.selections = {log: Selection(Offset(7, line), Offset(13, line))}
        await deck.until(lambda: style_of(deck.app, "chosen").bgcolor != style_of(deck.app, "before").bgcolor)
        assert style_of(deck.app, " behind").bgcolor == style_of(deck.app, "before").bgcolor


async def test_two_clicks_select_a_word_and_three_a_line_without_rules(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output("see train.py:12 there", "more"))
        log, lines = deck.view.log_view, text_of(deck.app).splitlines()
        row = next(row for row, line in enumerate(lines) if "train.py" in line)
        at = (lines[row].index("train") + 2, row)
        await deck.pilot.double_click(offset=at)
        await deck.until(lambda: deck.app.screen.get_selected_text() == "train.py:12")
        await deck.pilot.triple_click(offset=at)
        await deck.until(lambda: deck.app.screen.get_selected_text() == "see train.py:12 there")
        lines_before = len(deck.app.jobs["digits"].lines)
        await deck.news(Running("digits", 9, NOW), Lines("digits", 62, "after", 9, time=NOW))
        deck.app.screen.selections = {log: Selection(Offset(0, lines_before - 1), None)}
        await deck.until(lambda: "v9" in text_of(deck.app))
        assert deck.app.screen.get_selected_text() == "more\nafter"


async def test_line_that_goes_on_out_of_sight_has_a_sign_there(open_deck: OpenDeck) -> None:
    def row() -> str:
        return next(line for line in text_of(deck.app).splitlines() if "long" in line).partition("││")[0]

    async with open_deck() as deck:
        await deck.news(output("long " * 20 + "end", "日本" * 40))
        assert row().rstrip().endswith("›")
        assert sum("›" in line for line in text_of(deck.app).splitlines()) == 2
        deck.app.main.set_focus(deck.view.log_view)
        await deck.press(*["right"] * 80)
        await deck.until(lambda: "end" in row())
        assert "›" not in row()
        assert row().startswith("│ ‹")
        await deck.press("w")
        await deck.until(lambda: "›" not in text_of(deck.app))
        assert "‹" not in text_of(deck.app)


async def test_line_of_the_config_that_goes_on_out_of_sight_has_a_sign_there(open_deck: OpenDeck) -> None:
    def row() -> str:
        return next(line for line in text_of(deck.app).splitlines() if "seed" in line).rstrip("│▁▂▃▄▅▆▇█ ")

    async with open_deck() as deck:
        editor = deck.view.config.editor
        editor.load("# " + "日本 " * 40 + "seed\nlr: 1  # " + "seed " * 40 + "\n", yaml=True)
        await deck.until(lambda: row().endswith("›"))
        editor.move_cursor(editor.document.end)
        editor.move_cursor((1, 100))
        await deck.until(lambda: "‹" in row() and row().endswith("›"))
        editor.move_cursor((1, len(editor.document.get_line(1))))
        await deck.until(lambda: "‹" in row() and not row().endswith("›"))


async def test_line_of_an_error_that_was_gone_to_is_marked(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        await deck.news(output("hay", "ValueError: no", "hay"))
        deck.app.main.set_focus(deck.view.log_view)
        await deck.press("e")
        await deck.until(lambda: style_of(deck.app, "ValueError").underline)


async def test_changed_lines_and_mistakes_have_their_signs_and_words(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Detail, text=TEXT, base_text=TEXT, base=4, running=7)
        deck.engine.answer(messages.Preview, jobs=[WRONG], disk="changed")
        editor = deck.view.config.editor
        await deck.press("down", "end", "left", "7")
        await deck.until(lambda: editor.marks.changed == {1: "changed"} and editor.marks.count == 1)
        await deck.pilot.pause()
        line = next(line for line in text_of(deck.app).splitlines() if "lr: 0.05" in line)
        assert "✗▎lr: 0.05" in line
        assert "✗ too large" in line.partition("step siz")[2]
        assert style_of(deck.app, "✗▎").color == tone(editor, "bad").color
        assert style_of(deck.app, "▎lr").color == tone(editor, "wait").color
        assert style_of(deck.app, "✗ too large").color == tone(editor, "bad").color
        assert style_of(deck.app, "0.05 ").underline


async def test_diff_has_colours(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        old = TEXT.replace("lr: 0.05", "lr: 0.08")
        deck.engine.answer(messages.Detail, text=TEXT, base_text=old, base=4, running=7)
        deck.app.main.set_focus(deck.view.timeline)
        await deck.press("enter")
        await deck.until(lambda: "+lr: 0.05" in text_of(deck.app))
        colors = {style_of(deck.app, text).color for text in ("-lr: 0.08", "+lr: 0.05", " batch: 64")}
        assert len(colors) == 3


async def test_every_theme_can_be_drawn_and_the_pane_in_use_has_another_frame(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        for theme in deck.app.available_themes:
            deck.app.theme = theme
            await deck.pilot.pause()
            assert "lr: 0.05" in text_of(deck.app)
            for pane, used, other in (
                (deck.view.log_view, "log", "timeline"),
                (deck.view.timeline, "timeline", "log"),
            ):
                deck.app.main.set_focus(pane)
                await deck.pilot.pause()
                assert frame(deck, used) != frame(deck, other), theme
