"""What `tui.app.textual_ext` works around is so in plain Textual: where one of these fails, a module there may go."""

from __future__ import annotations

import os
import sys
from typing import ClassVar

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.document._document import Document
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer, Input, Static, TextArea
from textual.widgets._footer import FooterKey


class Counted(Static):
    """Counts how often it is asked for its rows."""

    asked = 0

    def render_lines(self, crop: Region) -> list[Strip]:
        self.asked += 1
        return super().render_lines(crop)


class Layers(App[None]):
    CSS = "Screen { layers: below above; } Counted { width: 9; height: 3; layer: below; } #front { layer: above; }"

    def compose(self) -> ComposeResult:
        yield Counted("back", id="back")
        yield Counted("front", id="front")


async def test_compositor_draws_what_lies_behind() -> None:
    app = Layers()
    async with app.run_test(size=(20, 3)) as pilot:
        await pilot.pause()
        back, front = app.query(Counted)
        back.asked = front.asked = 0
        front.refresh()
        await pilot.pause()
        assert front.asked
        assert back.asked, "FrugalCompositor need not look for what is hidden"


class Gone(LinuxDriver):
    """A driver whose terminal has gone, and which looks at it a few times."""

    def __init__(self, descriptor: int) -> None:
        self.fileno = descriptor
        self._debug = False
        self.looks = 0
        self.exit_event = self  # type: ignore[assignment]

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks > 5


def test_driver_goes_on_reading_a_terminal_that_is_gone() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    driver = Gone(reading)
    driver.run_input_thread()
    os.close(reading)
    assert driver.looks > 5, "TitledDriver need not read by itself"


async def test_driver_draws_through_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert LinuxDriver(App())._file is sys.__stderr__, "own_terminal need not put another one there"


class Stopped(LinuxDriver):
    """A driver that was stopped by a signal nobody can see."""

    def __init__(self) -> None:
        self._auto_restart = True
        self._must_signal_resume = False
        self.calls: list[str] = []

    def suspend_application_mode(self) -> None:
        self.calls.append("suspend")

    def resume_application_mode(self) -> None:
        self.calls.append("resume")


def test_driver_starts_a_second_time_after_sigstop() -> None:
    driver = Stopped()
    driver._sigcont_application()
    assert driver.calls == ["resume"], "resume() need not suspend first"


class Keys(App[None]):
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "look", "Look"), Binding("x", "lost", "Lost")]
    lost = 0

    def compose(self) -> ComposeResult:
        yield Input()
        yield Static("log")
        yield Footer()

    def action_look(self) -> None:
        self.query_one(Input).focus()

    def action_lost(self) -> None:
        self.lost += 1


async def test_keys_overtake_the_focus_that_one_of_them_moves() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        app.post_message(events.Key("slash", "/"))
        app.post_message(events.Key("x", "x"))
        await pilot.pause()
        await pilot.pause()
        assert app.focused is app.query_one(Input)
        assert (app.query_one(Input).value, app.lost) == ("", 1), "KeyQueueApp need not hold keys back"


async def test_footer_makes_its_keys_anew_when_the_focus_moves() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        while not (before := set(app.query(FooterKey))):
            await pilot.pause()
        app.query_one(Input).focus()
        for _ in range(20):
            await pilot.pause()
        assert not before & set(app.query(FooterKey)), "KeyBar need not be one widget"


class Text(App[None]):
    def compose(self) -> ComposeResult:
        yield TextArea("\n".join(map(str, range(100))))


async def test_text_area_joins_the_text_for_each_line_and_measures_all(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[str] = []
    measured: list[Size] = []

    class Watched(Document):
        @property
        def text(self) -> str:
            joined.append(super().text)
            return joined[-1]

        def get_size(self, indent_width: int) -> Size:
            measured.append(super().get_size(indent_width))
            return measured[-1]

    monkeypatch.setattr("textual.widgets._text_area.Document", Watched)
    app = Text()
    async with app.run_test(size=(20, 10)) as pilot:
        area = app.query_one(TextArea)
        area.soft_wrap = False
        await pilot.pause()
        joined.clear()
        measured.clear()
        area.insert("x")
        await pilot.pause()
        assert len(joined) >= 8, "LongTextArea need not keep its text"
        assert measured, "LongTextArea need not measure by itself"


class Rows(ScrollView):
    made = 0

    def on_mount(self) -> None:
        self.virtual_size = Size(10, 100)

    def render_line(self, y: int) -> Strip:
        self.made += 1
        return Strip.blank(10)


class Scrolled(App[None]):
    def compose(self) -> ComposeResult:
        yield Rows()


async def test_scroll_view_draws_all_rows_again_for_one_new_one() -> None:
    app = Scrolled()
    async with app.run_test(size=(20, 10)) as pilot:
        view = app.query_one(Rows)
        await pilot.pause()
        view.made = 0
        view.scroll_to(y=1, animate=False)
        await pilot.pause()
        assert view.made >= 10, "RowView need not keep what was drawn"


def parsed(*texts: str) -> list[Message]:
    parser = XTermParser()
    return [message for text in texts for message in parser.feed(text)]


def keys(*texts: str) -> list[str]:
    return [message.key for message in parsed(*texts) if isinstance(message, events.Key)]


def test_parser_types_out_what_it_does_not_know() -> None:
    assert "circumflex_accent" in keys("\x1b[27;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9Z"), "TerminalInput: unknown sequences"


def test_parser_ends_a_paste_at_an_escape() -> None:
    texts = [message.text for message in parsed("\x1b[200~a\x1bb\x1b[201~") if isinstance(message, events.Paste)]
    assert texts != ["a\x1bb"], "TerminalInput: pastes"


def test_parser_raises_at_a_key_that_is_let_go() -> None:
    with pytest.raises(ValueError, match="3"):
        keys("\x1b[97;1:3u")


def test_driver_raises_at_text_that_is_no_utf8() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\xff")
    with pytest.raises(UnicodeDecodeError):
        Gone(reading).run_input_thread()
    os.close(writing)
    os.close(reading)


async def test_paste_does_not_bring_the_focus_back() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        app.app_focus = False
        app.post_message(events.Paste("x"))
        await pilot.pause()
        assert not app.app_focus, "KeyQueueApp need not bring it back"
        app.app_focus = True


class Guarded(App[None]):
    AUTO_FOCUS = None

    def compose(self) -> ComposeResult:
        yield Input()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.prevent_default().stop()


async def test_widget_has_the_mouse_before_its_screen() -> None:
    app = Guarded()
    async with app.run_test() as pilot:
        await pilot.mouse_down(Input)
        assert app.focused is app.query_one(Input), "FrugalScreen need not forward events by itself"
