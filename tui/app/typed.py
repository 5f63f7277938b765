"""Keys do their work in the order in which they were typed.

Textual hands a key to what has the focus and takes the next one at once. But a binding is only looked for when its key
has come back up to the app, and the focus that it moves, or the dialog that it opens, takes a moment more: of `/error`,
typed in one go, all letters would go to the log, which has bindings for some of them. And what is typed before the
first frame would go nowhere.
"""

from __future__ import annotations

import asyncio
from collections import deque

from textual import events, on
from textual.app import App
from textual.driver import Driver
from textual.message import Message

#: Seconds that a key waits for the one before it, or for what it is to go to; then it goes its way in any case.
PATIENCE = 3.0


class Done(Message):
    """Follows a key on its way up to the app; once it is there, so was the key."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypingApp(App[None]):
    """Lets a key in when the one before it has done its work, and when there is what it can go to."""

    def __init__(self, driver_class: type[Driver]) -> None:
        super().__init__(driver_class=driver_class)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._keys = 0
        self._under_way = False
        self._limit: asyncio.TimerHandle | None = None

    def awaits_focus(self) -> bool:
        """Return whether what keys go to is still to come; it has the focus then."""
        return False

    async def on_event(self, event: events.Event) -> None:
        """Take a key or pasted text when its turn has come, and all else at once."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            await self._go_on()
        else:
            await super().on_event(event)

    async def _go_on(self) -> None:
        if self._under_way or not self._typed:
            return
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(PATIENCE, self.call_later, self._give_way)
        if not self.screen_stack or self.awaits_focus():
            return
        if not self.screen.is_mounted:
            self.screen.call_later(self.call_later, self._go_on)  # called as soon as it is
            return
        self._keys += 1
        self._under_way = True
        goal = self.focused or self.screen
        await super().on_event(self._typed.popleft())
        if not goal.post_message(Done(self._keys)):
            self._finish()  # it is about to go

    @on(Done)
    def _arrived(self, message: Done) -> None:
        if message.number == self._keys:
            self._finish()

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
        self._under_way = False
        self._limit = None
        while self._typed and self.screen_stack:
            await super().on_event(self._typed.popleft())
