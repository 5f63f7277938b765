"""New content on its way to become a version."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.config.document import Mark
from tui.protocol.messages import Problem

Data = Mapping[str, Any] | str

#: Who gives the command that is being carried out, empty for the user of the engine: each command is a task of its own.
AUTHOR: ContextVar[str] = ContextVar("author", default="")


@dataclass(frozen=True)
class Candidate:
    """New content on its way to become a version: its text and, where that parses, its data.

    The data of a config that is not parsed is its text.

    Attributes:
        text: The text of the whole file; where that is not UTF-8, with U+FFFD for what can't be read.
        data: The parsed config, or None with a `problem`.
        problem: Why it is invalid.
        source: Where it came from: ``start``, ``disk``, ``editor`` and so on.
        seen: Monotonic seconds of the engine's first sight of it.
        marks: Where its values stand.
        faults: What each schema, None for the one that the config names, objects to.
        readable: It is text, whatever that means.
        who: Who made it, empty for the user of the engine.
        files: Of the task's code, which have changed.
        keyed: It parses, or what was in the file before did: else it may be in a language of a command's own.
    """

    text: str
    data: Data | None
    problem: Problem | None
    source: str
    seen: float
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False, repr=False)
    faults: Mapping[Path | None, Problem] = field(default_factory=dict, compare=False, repr=False)
    readable: bool = field(default=True, compare=False, repr=False)
    keyed: bool = field(default=True, compare=False, repr=False)
    who: str = field(default="", compare=False, repr=False)
    files: tuple[str, ...] = field(default=(), compare=False, repr=False)


class Unanswered(Exception):  # noqa: N818 - it is no error of ours
    """Nobody can say what would become of it; the message says why: no worker or check could be asked, or answered."""
