"""Keys do their work in the order in which they were typed.

Textual hands a key to what has the focus and takes the next one at once. But a binding is only looked for when its key
has come back up to the app, and the focus that it moves, or the dialog that it opens, takes a moment more: of `/error`,
typed in one go, all letters would go to the log, which has bindings for some of them. And what is typed before the
first frame would go nowhere. So in `App.on_event` and `Widget.focus`, 1.0 to 8.2.8; nor does a paste bring the focus
back to an app whose terminal had lost it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from textual import events, on
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.driver import Driver
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import TextArea

from tui.app.textual_ext.terminal_input import Typed, key_of

#: Seconds that a key waits for the one before it, or for what it is to go to; then it goes its way in any case.
KEY_PATIENCE = 3.0

#: Seconds after a dialog in which text does not go to what was below it.
DEAF = 0.3


class KeyDone(Message):
    """Follows a key on its way up to the app; once it is there, so was the key.

    It goes the way twice: what the key had its goal tell others, such as a text that was changed, is behind the first.

    Args:
        number: Of the key.
        goal: What the key went to.
        last: This is the second time.
    """

    def __init__(self, number: int, goal: MessagePump, *, last: bool = False) -> None:
        super().__init__()
        self.number = number
        self.goal = goal
        self.last = last


def _is_text(event: events.Key | events.Paste | Typed) -> bool:
    return event.is_printable if isinstance(event, events.Key) else True


def _is_command(event: events.Key | events.Paste | Typed) -> bool:
    return isinstance(event, events.Key) and (event.key.startswith("ctrl+") or event.character is None)


class KeyQueueApp(App[None]):
    """Lets a key in when the one before it has done its work, and when there is what it can go to."""

    def __init__(self, driver_class: type[Driver]) -> None:
        super().__init__(driver_class=driver_class)
        self._typed: deque[events.Key | events.Paste | Typed] = deque()
        self._keys = 0
        self._under_way = False
        self._screen_of_key: Screen[object] | None = None  # of the one that is under way
        self._limit: asyncio.TimerHandle | None = None
        self._deaf_until = 0.0

    def drop_text(self) -> None:
        """Drop the text that waits or comes within the next moment: it was meant for a dialog that has gone.

        Whoever presses a key of a command has seen that; what comes behind it is meant.
        """
        waiting = list(self._typed)
        seen = next((place for place, event in enumerate(waiting) if _is_command(event)), len(waiting))
        self._typed = deque([*(event for event in waiting[:seen] if not _is_text(event)), *waiting[seen:]])
        self._deaf_until = time.monotonic() + DEAF if seen == len(waiting) else 0.0

    def awaits_focus(self) -> bool:
        """Return whether what keys go to is still to come; it has the focus then."""
        return False

    async def on_event(self, event: events.Event) -> None:
        """Take a key or text when its turn has come, and all else at once."""
        if isinstance(event, events.Key | events.Paste | Typed) and not event.is_forwarded:
            if _is_command(event):
                self._deaf_until = 0.0
            if time.monotonic() < self._deaf_until and _is_text(event):
                return
            self._typed.append(event)
            await self._go_on()
        else:
            await super().on_event(event)

    async def _go_on(self) -> None:
        if self._under_way or not self._typed:
            return
        self._limit_the_wait()
        if not self.screen_stack or self.awaits_focus():
            return
        if not self.screen.is_mounted:
            self.screen.call_later(self.call_later, self._go_on)  # called as soon as it is
            return
        await self._let_in()

    def _limit_the_wait(self) -> None:
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(KEY_PATIENCE, self.call_later, self._give_way)

    async def _let_in(self) -> None:
        self._keys += 1
        self._under_way = True
        self._screen_of_key = self.screen
        self.app_focus = True  # Textual has a key bring the focus back, but not a paste
        goal = self.focused or self.screen
        await super().on_event(self._next(goal))
        self._follow(KeyDone(self._keys, goal))

    def _next(self, goal: MessagePump) -> events.Key | events.Paste:
        """Return what is next: of text that came at once, all of it for an editor, else the first key."""
        event = self._typed.popleft()
        if not isinstance(event, Typed):
            return event
        if not isinstance(goal, TextArea) or goal.read_only:
            if rest := event.text[1:]:
                self._typed.appendleft(Typed(rest))
            return key_of(event.text[0])
        text = event.text
        while self._typed and isinstance(more := self._typed[0], Typed):
            text += more.text
            self._typed.popleft()
        return events.Paste(text)

    def pop_screen(self) -> AwaitComplete:
        """Close the screen on top; the key that had it closed has no way back from there."""
        popped = super().pop_screen()
        if self._under_way and self._screen_of_key not in self.screen_stack:
            self._finish()
        return popped

    @on(KeyDone)
    def _arrived(self, message: KeyDone) -> None:
        if message.number != self._keys:
            return
        if message.last:
            self._finish()
        else:
            self._follow(KeyDone(message.number, message.goal, last=True))

    def _follow(self, message: KeyDone) -> None:
        if not message.goal.post_message(message):
            self._finish()  # the goal is about to go

    def _finish(self) -> None:
        self._under_way = False
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        # Not at once: `focus()` has asked to be called later too.
        self.call_later(self._go_on)

    @on(events.DescendantFocus)
    async def _focused(self) -> None:
        await self._go_on()

    async def _give_way(self) -> None:
        self._limit = None
        if self._typed and self.screen_stack:
            self._limit_the_wait()
            await self._let_in()
        else:
            self._under_way = False
