"""The reloads that fit some words, as the engine finds them: a range of versions after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from tui.app.client import Request
from tui.app.model.reload_list import index_of
from tui.protocol import messages


class FilteredReloads:
    """Versions that fit `words`, newest first; those that may have changed are asked for again.

    Args:
        job: The job's name.
        words: See `tui.engine.history.search`.
        versions: All that there are, newest first.
    """

    def __init__(self, job: str, words: str, versions: range) -> None:
        self.words = words
        self.versions: list[int] = []
        self._job = job
        self._ahead: deque[tuple[int, int]] = deque()
        self.look_at(versions)

    @property
    def complete(self) -> bool:
        """Whether every version has been looked at."""
        return not self._ahead

    def look_at(self, versions: Collection[int]) -> None:
        """Have these versions looked at, once more where they were before."""
        if versions:
            self._ahead.append((min(versions), max(versions)))

    async def step(self, request: Request) -> None:
        """Ask about some versions.

        Raises:
            ValueError: The words can't be understood, or the history can't be read.
            ConnectionError: The engine is gone.
        """
        first, last = self._ahead[0]
        reply = await request(messages.Find(0, self._job, self.words, first, last))
        if not reply.ok:
            raise ValueError(reply.message)
        begin = reply.data["first"]
        self.versions[index_of(self.versions, last) : index_of(self.versions, begin - 1)] = reply.data["versions"]
        self._ahead.popleft()
        if begin > first:
            self._ahead.appendleft((first, begin - 1))
