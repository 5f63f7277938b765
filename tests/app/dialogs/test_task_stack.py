"""A reload that waits, and where the task is meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App

from tests.app.conftest import OpenDeck, text_of
from tests.app.fake import NOW, backlog
from tui.protocol import messages
from tui.protocol.messages import Change, Reload

SENT = Reload("digits", 8, "sent", "disk", (Change("batch", 64, 128),), time=NOW - 75)

STACK = """\
The task is in (innermost last):
  File "/home/ada/deck/train.py", line 88, in train
    loss = epoch(model, \x1b[31mdata)
  File "/home/ada/deck/train.py", line 41, in epoch
    time.sleep(600)
"""


@pytest.mark.parametrize("size", ["80x24", "120x40", "200x60"])
async def test_stack_screen(open_deck: OpenDeck, snapshot: Callable[[App[Any]], None], size: str) -> None:
    width, height = map(int, size.split("x"))
    async with open_deck([*backlog(), SENT], size=(width, height)) as deck:
        deck.engine.answer(messages.Stack, stack=STACK)
        deck.view.timeline.focus()
        await deck.press("x")
        await deck.until(lambda: "digits: v8 waits for its checkpoint" in text_of(deck.app))
        await deck.until(lambda: "time.sleep(600)" in text_of(deck.app))
        snapshot(deck.app)


async def test_stack_is_looked_at_again_and_the_job_restarted(open_deck: OpenDeck) -> None:
    async with open_deck([*backlog(), SENT]) as deck:
        deck.engine.answer(messages.Stack, stack=STACK)
        deck.view.timeline.focus()
        await deck.press("x")
        await deck.until(lambda: "time.sleep(600)" in text_of(deck.app))
        deck.engine.answer(messages.Stack, stack=STACK.replace("600", "601"))
        await deck.press("x")
        await deck.until(lambda: "time.sleep(601)" in text_of(deck.app))
        await deck.press("r")
        await deck.until(lambda: deck.type_of_screen() == "Dialog")
        await deck.press("r")
        await deck.until(lambda: isinstance(deck.engine.commands[-1], messages.Start))


async def test_nobody_can_say(open_deck: OpenDeck) -> None:
    async with open_deck() as deck:
        deck.engine.answer(messages.Stack, False, "it has no worker: ctrl+r starts it", "unanswered")
        deck.view.timeline.focus()
        await deck.press("x")
        said = "Nobody can say where the task is: it has no worker: ctrl+r starts it"
        await deck.until(lambda: said in deck.toasts)
        assert deck.type_of_screen() == "MainScreen"
