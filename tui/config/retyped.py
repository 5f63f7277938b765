"""A config in which only some words are others, each of them the whole of a value.

What such a text means follows from what it meant before: its words begin and end in the same places of the same
structure, so only they are read anew, by ruamel.yaml as ever. Whatever else has changed is parsed as a whole. That is
why a number that is turned in a file of thousands of lines is there at once.
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from tui.config import document, keys
from tui.config.document import ConfigDocument, ConfigError, Mark

#: Such a word is a scalar wherever a scalar can stand, and what is around it does not end it earlier or later.
_WORD = re.compile(r"""[-+]?\.?[A-Za-z0-9_][-+.A-Za-z0-9_]*|"[-+.,:;A-Za-z0-9_ ]*"|'[-+.,:;A-Za-z0-9_ ]*'""")

#: A directive changes what words mean; what ends a line but a newline, on which line they are.
_UNUSUAL = re.compile("^%|\r(?!\n)|[\x85\u2028\u2029]", re.MULTILINE)

#: With more words than this, all of the text is parsed.
_MOST = 16


class Word(NamedTuple):
    """A word that takes the place of another one.

    Attributes:
        start: Where the other one begins in its text.
        end: And where it ends.
        place: Its line and column.
        text: The new one.
    """

    start: int
    end: int
    place: tuple[int, int]
    text: str

    @property
    def longer(self) -> int:
        """By so many letters than the other one."""
        return len(self.text) - (self.end - self.start)


def reread(text: str, before: ConfigDocument) -> ConfigDocument | None:
    """Return the document of a text that differs from another one in a few words; None where it must be parsed."""
    if text == before.text:
        return before
    words = None if _UNUSUAL.search(text) else _words(text, before)
    return _with(before, text, words) if words else None


def is_word(text: str) -> bool:
    """Return whether a text is one that can take the place of such a word."""
    return _WORD.fullmatch(text) is not None


def _words(text: str, before: ConfigDocument) -> list[Word] | None:
    """Return the words that are others; None where something else may be too."""
    old, new = before.text.split("\n"), text.split("\n")
    if len(old) != len(new):
        return None
    lines = {number for number, (one, other) in enumerate(zip(old, new, strict=True), 1) if one != other}
    if len(lines) > _MOST:
        return None
    starts = list(accumulate((len(line) + 1 for line in old), initial=0))
    words = {}
    for mark in before.marks.values():
        line = mark.value[0]
        if line in lines and line not in words:
            begin = starts[line - 1]
            found = _word(old[line - 1], new[line - 1], mark.start - begin, mark.end - begin)
            if found is not None:
                words[line] = Word(mark.start, mark.end, mark.value, found)
    return [words[line] for line in sorted(words)] if len(words) == len(lines) else None


def _word(old: str, new: str, start: int, end: int) -> str | None:
    """Return the word that has taken the place of another one on a line; None if that is not all that has changed."""
    rest = len(old) - end
    if not 0 <= start < end <= len(old) or len(new) < start + rest:
        return None
    word = new[start : len(new) - rest]
    alike = old[:start] == new[:start] and old[end:] == new[len(new) - rest :]
    return word if alike and _WORD.fullmatch(old, start, end) and _WORD.fullmatch(word) else None


def _with(before: ConfigDocument, text: str, words: Sequence[Word]) -> ConfigDocument | None:
    """Return a document with other words; None where one is no value, or is in a mapping with unusual keys."""
    try:
        values = {(word.start, word.end): document.parse(f"v: {word.text}\n").data["v"] for word in words}
    except ConfigError:
        return None
    data: Any = before.data
    for path, mark in before.marks.items():
        if (mark.start, mark.end) in values:  # at several paths, where it is in what an alias stands for
            try:
                data = _replaced(data, keys.steps(path), values[mark.start, mark.end])
            except LookupError:
                return None
    return ConfigDocument(text, data, _moved(before.marks, words))


def _replaced(data: Any, steps: Sequence[Any], value: Any) -> Any:
    """Return data with another value in it; only what leads there is copied.

    Raises:
        LookupError: A key is one of which a path may not tell which it is.
    """
    if not steps:
        return value
    if isinstance(data, dict) and not all(type(key) in (str, int) for key in data):  # 1, 1.0 and true are one key
        raise LookupError
    made = copy.copy(data)
    made[steps[0]] = _replaced(data[steps[0]], steps[1:], value)
    return made


def _moved(marks: Mapping[str, Mark], words: Sequence[Word]) -> Mapping[str, Mark]:
    """Return where the values stand once these words, in their order in the text, are others."""
    if not any(word.longer for word in words):
        return marks
    ends = [word.end for word in words]
    moves = list(accumulate((word.longer for word in words), initial=0))
    lines = {word.place[0]: word for word in words}

    def place(before: tuple[int, int]) -> tuple[int, int]:
        word = lines.get(before[0])
        return before if word is None or before[1] <= word.place[1] else (before[0], before[1] + word.longer)

    return {
        path: Mark(
            place(mark.value),
            mark.key and place(mark.key),
            mark.start + moves[bisect_right(ends, mark.start)],
            mark.end + moves[bisect_right(ends, mark.end)],
        )
        for path, mark in marks.items()
    }
