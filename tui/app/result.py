"""What came of a viewer; free of any screen, so that the command line can read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """How a viewer ended.

    Attributes:
        exit_code: What the process should exit with.
        why: ``quit-stop`` (the engine was told to end), ``quit-leave`` (the jobs go on), ``engine-gone``,
            ``signal`` or ``error``.
        states: The last known state of each job by name.
        message: What to say once the terminal is the shell's again.
        signal: The signal that ended the viewer, or 0.
    """

    exit_code: int
    why: str
    states: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    signal: int = 0
