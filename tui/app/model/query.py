"""A text that a user looks for, and where it is found.

Text is meant as it stands, or as a regular expression behind ``re:``. Without a capital letter, case does not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tui.app.model.log_line import Line
from tui.app.sanitize import bare
from tui.regexes import Pattern, TooLongError

if TYPE_CHECKING:
    import regex

#: A place that was found, by either library.
Match: TypeAlias = "re.Match[str] | regex.Match[str]"

T = TypeVar("T")

#: What introduces a regular expression.
REGEX = "re:"

#: How long a regular expression may look at one line, in seconds of the processor. Some would for years: ``(a+)+$``.
LONGEST_LOOK = 0.03

#: What is said of one that did.
TOO_LONG = "takes too long on a line"


@dataclass
class Query:
    """A text to look for, and the pattern that finds it.

    A regular expression that looks at one line for too long finds nothing from then on.

    Attributes:
        stuck: It has.
        given_up: Is called once when it has.
    """

    text: str
    pattern: re.Pattern[str] | Pattern
    stuck: bool = field(default=False, compare=False)
    given_up: Callable[[], object] = field(default=lambda: None, compare=False)

    @property
    def regular(self) -> bool:
        """Whether it was given as a regular expression."""
        return self.text.startswith(REGEX)

    def finds(self, line: Line) -> bool:
        """Tell whether a line of output has it; rules and notes of the viewer are no output."""
        return line.is_output and self._look(lambda: bool(self.pattern.search(bare(line.text))), otherwise=False)

    def matches(self, text: str, most: int | None = None) -> list[Match]:
        """Return the places in `text`, at most so many."""
        return self._look(lambda: self._matches(text, most), [])

    def _matches(self, text: str, most: int | None) -> list[Match]:
        if isinstance(self.pattern, Pattern):
            return [*self.pattern.matches(text, most)]
        return list(islice(self.pattern.finditer(text), most))

    def _look(self, look: Callable[[], T], otherwise: T) -> T:
        if self.stuck:
            return otherwise
        try:
            return look()
        except TooLongError:
            self.stuck = True
            self.given_up()
            return otherwise


def query(text: str) -> Query | None:
    """Return what `text` asks for, None for nothing; raises ValueError for a broken regular expression."""
    regular = text.startswith(REGEX)
    sought = text.removeprefix(REGEX)
    if not sought:
        return None
    # In a regular expression, what follows a backslash says nothing about case: \W, \S.
    letters = re.sub(r"\\.", "", sought) if regular else text
    ignore_case = letters == letters.lower()
    if not regular:
        return Query(text, re.compile(re.escape(text), re.IGNORECASE if ignore_case else 0))
    return Query(text, Pattern(sought, LONGEST_LOOK, ignore_case=ignore_case))
