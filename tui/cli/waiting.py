"""Waits for what becomes of the newest change of a running job."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from tui.cli import client
from tui.cli.change import engine_of, job_of
from tui.engine import paths
from tui.engine.service.headless import reload_words
from tui.protocol import codec, messages
from tui.protocol.messages import Effect, Reload
from tui.wording import evidence

CAME, NEVER, TIME_UP = 0, 1, 3

#: After so many points a verdict is one, also where nothing is clear.
_ENOUGH = 40


class _Watch:
    """What is known of a job and its newest change."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.state: messages.State | None = None
        self.row: Reload | None = None

    def take_message(self, message: messages.Message | None) -> None:
        """Take in what the engine says."""
        if not isinstance(message, messages.Event) or message.job != self.job:
            return
        if isinstance(message, messages.State):
            self.state = message
        elif isinstance(message, Reload) and (self.row is None or message.version >= self.row.version):
            self.row = message
        elif isinstance(message, messages.Judged) and self.row is not None and message.version == self.row.version:
            found = Effect(**{item.name: getattr(message, item.name) for item in fields(Effect)})
            others = tuple(effect for effect in self.row.effect if effect.metric != found.metric)
            first = not self.row.effect or self.row.effect[0].metric == found.metric
            self.row = replace(self.row, effect=(found, *others) if first else (*others, found))

    @property
    def ended(self) -> bool:
        """The job has ended, and nothing comes any more."""
        return self.state is not None and self.state.state in messages.ENDED

    def applied(self) -> int | None:
        """Return whether the newest change is applied, None while that is open."""
        if self.row is None or self.row.status == "sent":
            return NEVER if self.ended else None
        return CAME if self.row.status == "applied" else NEVER

    def verdict(self) -> int | None:
        """Return whether there is a verdict on it, None while that is open."""
        if self.row is None or self.row.status == "sent":
            return NEVER if self.ended else None
        effect = self.row.effect[0] if self.row.effect else None
        if effect is not None and effect.verdict is not None:
            if effect.verdict != "none" or effect.points >= _ENOUGH or effect.next is None:
                return CAME
        elif self.row.status != "applied" or not self.row.changes or (effect is not None and effect.next is None):
            return NEVER
        return NEVER if self.ended else None

    def finished(self) -> int | None:
        """Return whether the job has finished, None while it goes on."""
        if self.state is None or not self.ended:
            return None
        return CAME if self.state.state == "finished" else NEVER


def wait(arguments: Namespace) -> int:
    """Carry out ``tunedeck wait``, and return its exit code."""
    path = paths.absolute(str(arguments.config))
    found = engine_of(path)
    if found is None:
        print(f"tunedeck: no job is running with {arguments.config}", file=sys.stderr)
        return NEVER
    watch = _Watch(job_of(found, str(arguments.config), arguments.job))
    open_: Callable[[], int | None] = getattr(watch, arguments.what)
    code = _follow(found.socket, watch, open_, arguments.timeout)
    _tell(watch, as_json=arguments.json)
    return code


def _follow(socket: Path, watch: _Watch, answer: Callable[[], int | None], timeout: float | None) -> int:
    deadline = None if timeout is None else time.monotonic() + timeout
    ready = False
    try:
        with client.connect_to_deck(socket, brief=False) as (connection, stream):
            said = codec.read(stream)
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return TIME_UP
                connection.settimeout(left)
                try:
                    message = next(said)
                except StopIteration:
                    return NEVER
                watch.take_message(message)
                ready = ready or isinstance(message, messages.Ready)
                if ready and (code := answer()) is not None:
                    return code
    except TimeoutError:
        return TIME_UP
    except (ConnectionError, FileNotFoundError):
        return NEVER


def _tell(watch: _Watch, *, as_json: bool) -> None:
    if watch.row is None:
        return
    if as_json:
        print(codec.encode(watch.row).decode().rstrip("\n"))
        return
    print(reload_words(watch.row).removeprefix("* "))
    for effect in watch.row.effect:
        print(f"  {evidence(effect)}")
