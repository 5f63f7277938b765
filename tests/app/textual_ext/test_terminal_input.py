"""What is typed or pasted arrives as it is, and nothing else happens, whatever comes, and wherever it is cut."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events

from tests.app.conftest import OpenDeck
from tests.app.fake import TEXT
from tests.app.sequences import ANYTHING, END, TEXT_ONLY, Piece, heard, meaning, meaning_of, text, typed
from tests.conftest import THOROUGHLY
from tui.app.textual_ext.terminal_input import TerminalInput

MANY = 10_000 if THOROUGHLY else 300


@settings(max_examples=MANY)
@given(ANYTHING, st.integers(0, 1 << 30))
def test_each_key_and_text_is_itself_wherever_it_is_cut(pieces: list[Piece], seed: int) -> None:
    assert meaning_of(heard(pieces, seed)) == meaning(pieces)


@settings(max_examples=MANY)
@given(st.binary(max_size=60), st.integers(0, 1 << 30))
def test_no_bytes_at_all_end_the_reading(noise: bytes, seed: int) -> None:
    source = TerminalInput()
    source.feed(noise, 0.0)
    source.expire(10.0)
    assert source.deadline is None  # else who reads would never wait
    source.feed(b"\x1b[201~", 20.0)  # of a paste that may have begun
    source.expire(30.0)
    assert meaning_of(source.feed(b"\x1b[Aa", 40.0)) == "<up>a"


async def test_in_the_editor_it_is_text_and_does_nothing_else(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        loop, editor = asyncio.get_running_loop(), deck.view.config.editor

        async def check(pieces: list[Piece], seed: int) -> None:
            editor.load_text("")
            for message in heard([*pieces, text(END)], seed, pauses=(0.0,)):
                deck.app.post_message(message)
            await deck.until(lambda: editor.text.endswith(END))
            assert editor.text == typed(pieces) + END
            assert deck.app.focused is editor
            assert deck.engine.orders == []

        @settings(max_examples=MANY // 15)
        @given(TEXT_ONLY, st.integers(0, 1 << 30))
        def all_of_them(pieces: list[Piece], seed: int) -> None:
            asyncio.run_coroutine_threadsafe(check(pieces, seed), loop).result()

        await asyncio.to_thread(all_of_them)


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("a: 1\nb: 2", "a: 1\nb: 2"),
        ("a:\r  b: 1\r  c: 2\r", "a:\n  b: 1\n  c: 2\n"),
        ("a:\r\n\tb\r\n", "a:\n\tb\n"),
        ("\x1b[97;;97u\x1b[13;2ub", "a\nb"),
        ("a\x1b[27;2;13~b", "a\nb"),
        ("abc\x1b[127;2u", "ab"),
        ("\x1b[200~a\x1b[106;5ub\x1b\x11\x1b[201~", "a\nb␛␑"),
        ("\u200da\u00a0b", "\u200da\u00a0b"),
    ],
)
async def test_what_other_terminals_send_for_text(open_deck: OpenDeck, sent: str, seen: str) -> None:
    async with open_deck() as deck:
        deck.type(sent)
        await deck.until(lambda: deck.view.config.editor.text == seen + TEXT)


@pytest.mark.parametrize("key", ["enter", "ctrl+j"])
async def test_a_line_break_that_is_typed_keeps_the_indentation(open_deck: OpenDeck, key: str) -> None:
    async with open_deck() as deck:
        await deck.press("space", "space", "a", key, "b")
        await deck.until(lambda: deck.view.config.editor.text == "  a\n  b" + TEXT)


async def test_a_paste_comes_though_the_terminal_has_lost_the_focus(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.type("\x1b[O\x1b[200~pasted\x1b[201~")
        await deck.until(lambda: deck.view.config.editor.text == "pasted" + TEXT)


@pytest.mark.parametrize("button", [0, 35, 64])
async def test_a_mouse_outside_of_the_screen_takes_no_focus(open_deck: OpenDeck, button: int) -> None:
    async with open_deck() as deck:
        deck.type(f"\x1b[<{button};121;41M\x1b[<{button};300;2mtext")
        await deck.until(lambda: deck.view.config.editor.text == "text" + TEXT)
        assert deck.app.focused is deck.view.config.editor


async def test_a_paste_where_no_text_goes_does_nothing(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.view.timeline.focus()
        deck.type("\x1b[200~r\x1b[106;5u\x1bq\x11\x1b[201~" + "\x1b[Z")
        await deck.until(lambda: deck.app.focused is not deck.view.timeline)
        assert (deck.type_of_screen(), deck.engine.orders) == ("MainScreen", [])


def test_a_size_without_pixels_is_one() -> None:
    (resize,) = TerminalInput().feed(b"\x1b[48;40;120;0;0t", 0.0)
    assert isinstance(resize, events.Resize)
    assert resize.size == (120, 40)
    assert not resize.pixel_size


def test_the_begin_of_the_end_of_a_paste_is_waited_for() -> None:
    source = TerminalInput()
    source.feed(b"\x1b[200~abc\x1b[20", 0.0)
    assert meaning_of(source.expire(10.0)) == "«abc»"
    assert source.deadline is None
    assert meaning_of(source.feed(b"1~d", 20.0)) == "d"
