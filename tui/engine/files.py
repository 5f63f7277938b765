"""A config file as the engine knows it, and the one way that every change of it takes.

::

    save -> store -> document -> (diff, reload, worker: see `tui.engine.job`)
    disk -> watch ----^
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tui.config import document, store
from tui.engine.reload import Candidate
from tui.events import Problem

#: Above this many characters a text is parsed in a thread, so that the loop goes on meanwhile.
PARSE_INLINE = 2_048


class ConfigFile:
    """One config file: what it holds as far as the engine knows, and who wants to hear of changes.

    Args:
        path: The file as given, absolute.
        own: Called with the digest of what we are about to write, before it is on disk, so that the watch takes
            it for known.

    Attributes:
        text: The text on disk, None where it can't be read.
        digest: The name of that content, None where there is none.
        problem: Why it can't be read or parsed.
        listeners: Called with every new content that is to become a version.
    """

    def __init__(self, path: Path, own: Callable[[Path, str | None], None]) -> None:
        self.path = path
        self.text: str | None = None
        self.digest: str | None = None
        self.problem: Problem | None = None
        self.listeners: list[Callable[[Candidate], None]] = []
        self.on_document: Callable[[], None] = lambda: None
        self._own = own
        self._document: document.Document | None = None
        self._lock = asyncio.Lock()

    async def current(self, source: str, seen: float) -> Candidate:
        """Return what the file holds as a candidate for a version, once what is being parsed has been."""
        async with self._lock:
            return self._candidate(source, seen)

    def _candidate(self, source: str, seen: float) -> Candidate:
        data = self._document.data if self._document else None
        return Candidate(self.text or "", data, self.problem, source, seen)

    async def load(self) -> None:
        """Read the file for the first time; nobody is told."""
        async with self._lock:
            try:
                content = store.read(self.path)
                self._take(content, await _parse(content))
            except store.StoreError as error:
                self._miss(error)

    async def changed(self, found: store.Content | store.StoreError, settled: bool, seen: float) -> None:
        """Take what the watch found on disk.

        Content that had no time to settle and does not parse is let go: the watch brings it again once it has.
        """
        waits = self._lock.locked()
        async with self._lock:
            if waits and not self._still(found):
                return  # a save came first; the watch brings what is there now
            if isinstance(found, store.StoreError):
                self._miss(found)
            elif found.digest == self.digest:
                return
            else:
                parsed = await _parse(found)
                if parsed.document is None and not settled:
                    return
                self._take(found, parsed)
                self._tell("disk", seen)
            self.on_document()

    async def save(self, text: str, base: str | None, in_place: bool, seen: float) -> None:
        """Write `text` to disk, if the file still holds `base`, and take it as a change by the editor.

        Raises:
            store.StoreError: It could not be written; the file is as it was.
        """
        async with self._lock:
            raw = text.encode("utf-8")
            self._own(self.path, store.digest(raw))
            write = functools.partial(store.write, self.path, raw, base=base, in_place=in_place)
            writing = asyncio.get_running_loop().run_in_executor(None, write)
            parsed = await _parse(store.Content(raw, store.digest(raw)))  # while the disk is busy
            try:
                content = await writing
            except store.StoreError:
                self._own(self.path, self.digest)
                raise
            self._take(content, parsed)
            self._tell("editor", seen)
            self.on_document()

    def _still(self, found: store.Content | store.StoreError) -> bool:
        """Return whether what was found is what is there."""
        try:
            now: store.Content | store.StoreError = store.read(self.path)
        except store.StoreError as error:
            now = error
        if isinstance(found, store.Content) and isinstance(now, store.Content):
            return found.digest == now.digest
        return str(found) == str(now)

    def _take(self, content: store.Content, parsed: _Parsed) -> None:
        # All at once, after the parsing: nobody may see the digest of one content with the text of another.
        self.digest = content.digest
        self.text, self.problem, self._document = parsed

    def _miss(self, error: store.StoreError) -> None:
        self.text = self.digest = self._document = None
        self.problem = Problem(str(error))

    def _tell(self, source: str, seen: float) -> None:
        candidate = self._candidate(source, seen)
        for listener in self.listeners:
            listener(candidate)


class _Parsed(NamedTuple):
    """What a content means: its text if it is one, and its document, or the problem that it has."""

    text: str | None
    problem: Problem | None
    document: document.Document | None


async def _parse(content: store.Content) -> _Parsed:
    text = None
    try:
        text = document.decode(content.raw)
        if len(text) > PARSE_INLINE:
            return _Parsed(text, None, await asyncio.to_thread(document.parse, text))
        return _Parsed(text, None, document.parse(text))
    except document.ConfigError as error:
        return _Parsed(text, error.problem, None)
