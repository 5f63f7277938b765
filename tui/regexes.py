"""Patterns that come from outside (a deck, a schema, a user): this is the only way to look for one.

Some would look for years, such as ``(a+)+$`` in a line of ``a``; here each look has an end, and each pattern a size.
"""

from __future__ import annotations

import functools
import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

#: So many characters a pattern may have. Those of published schemas have some hundreds.
LONGEST = 10_000

#: So many characters of a text are shown.
_SHOWN = 60


class PatternError(ValueError):
    """It is no pattern; the message says why."""


class TooLongError(ValueError):
    """A look has taken too long; the message says what for."""


class Pattern:
    """A regular expression, as `re` has them, and how long a look for it may take.

    Args:
        text: How it is spelled.
        seconds: For one look, of the processor.
        ignore_case: Capitals do not count.

    Raises:
        PatternError: It is none, or too long.
    """

    def __init__(self, text: str, seconds: float, *, ignore_case: bool = False) -> None:
        self.text = text
        self._seconds = seconds
        self._compiled = _compiled(text, ignore_case)

    def search(self, text: str) -> bool:
        """Return whether it is somewhere in a text; raises TooLongError."""
        try:
            return self._compiled.search(text, timeout=self._seconds, concurrent=True) is not None
        except TimeoutError:
            raise self._too_long(text) from None

    def matches(self, text: str, most: int | None = None) -> list[regex.Match[str]]:
        """Return where it is in a text, at most so many places; raises TooLongError."""
        try:
            return list(islice(self._compiled.finditer(text, timeout=self._seconds, concurrent=True), most))
        except TimeoutError:
            raise self._too_long(text) from None

    def _too_long(self, text: str) -> TooLongError:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        words = f"its pattern {self.text} takes more than {self._seconds:g} s for {shown!r}: make it simpler"
        return TooLongError(words)


def expand(match: re.Match[str] | regex.Match[str], template: str) -> str:
    """Return what a template with groups makes of a place that was found.

    Raises:
        PatternError: It is no such template.
    """
    import regex

    try:
        return match.expand(template)
    except (re.error, regex.error, IndexError) as error:
        raise PatternError(str(error)) from error


@functools.lru_cache(maxsize=256)
def _compiled(text: str, ignore_case: bool) -> regex.Pattern[str]:
    import regex  # not before there is a pattern

    if len(text) > LONGEST:
        raise PatternError(f"no regular expression: it has {len(text)} characters, at most {LONGEST} are looked for")
    try:
        return regex.compile(text, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, OverflowError, RecursionError) as error:
        place = getattr(error, "pos", None)
        where = f", at character {place + 1}" if place is not None else ""
        raise PatternError(f"no regular expression: {getattr(error, 'msg', error)}{where}") from error
