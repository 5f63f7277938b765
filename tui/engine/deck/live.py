"""The deck file while its jobs run: each save is compared with what there is, and what differs is done.

A deck that is broken or gone changes nothing: the jobs go on, and the user is told what is wrong with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Protocol

from tui.config.disk.store import Content, StoreError
from tui.config.document import ConfigError
from tui.config.problems import in_file, keyed
from tui.engine import in_thread
from tui.engine.deck import load
from tui.engine.deck.plan import Plan, plan
from tui.engine.deck.spec import Deck, JobSpec
from tui.protocol.messages import DeckChange, Event, Notice


class Jobs(Protocol):
    """The jobs that there are, and how they are changed; each of these tells by itself what it could not do."""

    def specs(self) -> Collection[JobSpec]:
        """Return how the jobs are described that there are."""

    async def add(self, spec: JobSpec) -> None:
        """Start a job that is new."""

    async def remove(self, name: str) -> bool:
        """Stop a job, and forget it; return whether it has ended."""

    async def adopt(self, spec: JobSpec, *, restart: bool) -> None:
        """Treat a job as it is described now, by another worker if it must be."""


class LiveDeck:
    """Keeps the jobs as the deck file says.

    Args:
        path: The deck file.
        jobs: The jobs.
        emit: Takes what is told.
        at_stake: Returns of some jobs those about which somebody is to be asked before their workers end.

    Attributes:
        problem: What is wrong with the file, as it is told; empty if nothing is.
        waiting: What somebody was asked about and has not confirmed.
    """

    def __init__(
        self,
        path: Path,
        jobs: Jobs,
        emit: Callable[[Event], None],
        at_stake: Callable[[Collection[str]], Collection[str]],
    ) -> None:
        self.path = path
        self.problem = ""
        self.waiting: DeckChange | None = None
        self._jobs = jobs
        self._emit = emit
        self._at_stake = at_stake
        self._newest = 0
        self._deck: Deck | None = None
        self._turn = asyncio.Lock()

    async def changed(self, found: Content | StoreError, settled: bool) -> None:
        """Take what is in the file now; of what comes while another one is being done only the newest counts."""
        self._newest = number = self._newest + 1
        async with self._turn:
            if number != self._newest:
                return
            try:
                if isinstance(found, StoreError):
                    raise found
                deck = await in_thread.run(partial(load.read, self.path), found.raw)
            except ConfigError as error:
                if settled:
                    self._refuse(error)
                return
            self.problem, self._deck = "", deck
            await self._follow(deck, confirmed=False)

    async def confirm(self, digest: str) -> str:
        """Do what somebody was asked about; return why that can't be done, nothing where it was."""
        async with self._turn:
            if self.waiting is None or self.waiting.digest != digest or self._deck is None:
                return "the deck file says something else by now"
            await self._follow(self._deck, confirmed=True)
            return ""

    def _refuse(self, error: ConfigError) -> None:
        problems = keyed(error.problem)
        said = problems[0].message
        if problems[0].line is not None:
            said = "\n".join(in_file(self.path.name, problem) for problem in problems)
        self.problem = f"{said}\nThe jobs go on as they are."
        self._emit(Notice("", self.problem, "warning"))

    async def _follow(self, deck: Deck, *, confirmed: bool) -> None:
        whole = plan(self._jobs.specs(), deck.jobs)
        asked = () if confirmed else self._at_stake(whole.disturbed)
        now = whole.without(asked)
        before, self.waiting = self.waiting, None
        if asked:
            self.waiting = DeckChange("", deck.digest, waits=True, **_only(whole, asked).names)
        if now or (before is not None and not asked):
            self._emit(DeckChange("", deck.digest, **now.names))
        if self.waiting is not None:
            self._emit(self.waiting)
        await self._carry_out(now)

    async def _carry_out(self, now: Plan) -> None:
        await asyncio.gather(
            *(self._jobs.remove(name) for name in now.removed),
            *(self._replace(spec) for spec in now.replaced),
            *(self._jobs.adopt(spec, restart=True) for spec in now.restarted),
            *(self._jobs.adopt(spec, restart=False) for spec in now.adopted),
            *(self._jobs.add(spec) for spec in now.added),
        )

    async def _replace(self, spec: JobSpec) -> None:
        if await self._jobs.remove(spec.name):
            await self._jobs.add(spec)


def _only(whole: Plan, names: Collection[str]) -> Plan:
    return whole.without({*(name for found in whole.names.values() for name in found)} - set(names))
