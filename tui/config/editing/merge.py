"""Brings two changes of one config together, key by key, and loses the text of neither.

The texts are merged line by line. Then what came out is parsed and must mean what a merge of the data means: a key
that one side has changed has that side's value, and one that both have changed, each to another value, is a clash.
Where both have changed the same lines but other keys in them, their values are put in one by one, as
`tui.config.editing.edit` does. A comment that would be lost in that makes it no merge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from tui.config import document
from tui.config.diff import same
from tui.config.document import ConfigError
from tui.config.editing import edit
from tui.config.keys import child
from tui.protocol.messages import Clash

MINE, THEIRS = "mine", "theirs"

#: The key of a clash that belongs to no single key.
WHOLE = ""

_MISSING: Any = object()
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$", re.MULTILINE)


class Clashing(Exception):  # noqa: N818 - it is no error of ours
    """Two changes can't be brought together; `clashes` says what somebody has to choose."""

    def __init__(self, clashes: tuple[Clash, ...]) -> None:
        keys = ", ".join(clash.key for clash in clashes if clash.key)
        super().__init__(f"both have changed {keys}" if keys else "both have changed the same lines")
        self.clashes = clashes


class Texts(NamedTuple):
    """A text and two that were made of it."""

    base: str
    mine: str
    theirs: str


def merge(texts: Texts, choices: Mapping[str, str] | None = None) -> str:
    """Return the text of a config with the changes of both sides.

    Args:
        texts: What both began with, and what each has made of it.
        choices: ``mine`` or ``theirs`` for keys that both have changed; by `WHOLE` for all of them.

    Raises:
        Clashing: A key has two new values and none was chosen, or no text can be found that keeps all of both sides.
    """
    easy = _easy(texts)
    if easy is not None:
        return easy
    try:
        sides = [document.parse(text).data for text in texts]
    except ConfigError as error:
        raise Clashing((Clash(WHOLE, None, None, None),)) from error
    data = _Data(choices or {})
    wanted = data.merge("", *sides)
    if data.clashes:
        raise Clashing(tuple(data.clashes))
    for text in _candidates(texts, MINE if data.choices.get(WHOLE) == MINE else THEIRS):
        found = _made(text, wanted)
        if found is not None and _keeps_comments(texts, found):
            return found
    raise Clashing((Clash(WHOLE, None, None, None),))


def merge_lines(texts: Texts) -> str:
    """Return a text that is not parsed with the changes of both sides, which must not touch each other.

    Raises:
        Clashing: They do.
    """
    easy = _easy(texts)
    if easy is not None:
        return easy
    parts = list(parts_of(texts, apart=True))
    if any(part.clashes for part in parts):
        raise Clashing((Clash(WHOLE, None, None, None),))
    return "".join(part.mine if part.mine != part.base else part.theirs for part in parts)


def _easy(texts: Texts) -> str | None:
    """Return the merged text where only one side has changed anything, or both the same."""
    if texts.mine in (texts.theirs, texts.base):
        return texts.theirs
    return texts.mine if texts.theirs == texts.base else None


class _Data:
    """Merges data by key; what clashes is noted."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        self.clashes: list[Clash] = []
        self.choices = choices

    def merge(self, path: str, base: Any, mine: Any, theirs: Any) -> Any:
        """Return what the value at `path` is to be, `_MISSING` for a key that is to go."""
        if _equal(mine, theirs) or _equal(base, theirs):
            return mine
        if _equal(base, mine):
            return theirs
        sides = (base, mine, theirs)
        if all(isinstance(side, dict) for side in sides):
            keys = dict.fromkeys(key for side in (theirs, mine, base) for key in side)
            merged = {key: self.merge(child(path, key), *(side.get(key, _MISSING) for side in sides)) for key in keys}
            return {key: value for key, value in merged.items() if value is not _MISSING}
        # Of a list that has grown or shrunk nobody knows which item is which.
        if all(isinstance(side, list) for side in sides) and len(base) == len(mine) == len(theirs):
            return [self.merge(child(path, index), *items) for index, items in enumerate(zip(*sides, strict=True))]
        choice = self.choices.get(path, self.choices.get(WHOLE))
        if choice is None:
            self.clashes.append(Clash(path, *(None if side is _MISSING else side for side in sides)))
        return mine if choice == MINE else theirs


def _equal(one: Any, other: Any) -> bool:
    if one is _MISSING or other is _MISSING:
        return one is other
    return same(one, other)


class _ChangedLines(NamedTuple):
    """A range of lines, as it was and as each side has it."""

    base: str
    mine: str
    theirs: str

    @property
    def clashes(self) -> bool:
        """Both have changed it, and not in the same way."""
        return self.mine != self.theirs and self.base not in (self.mine, self.theirs)


def _candidates(texts: Texts, first: str) -> Iterator[str]:
    """Yield texts that may be the merged one, or come close to it, the best first; of clashing lines one side's."""
    parts = list(parts_of(texts, apart=False))

    def joined(*clashing: str) -> str:
        return "".join(
            "".join(getattr(part, side) for side in clashing)
            if part.clashes
            else (part.mine if part.mine != part.base else part.theirs)
            for part in parts
        )

    if all(not part.base for part in parts if part.clashes):
        yield from (joined(THEIRS, MINE), joined(MINE, THEIRS))  # both have added something in the same place
    sides = (MINE, THEIRS) if first == MINE else (THEIRS, MINE)
    yield from map(joined, sides)
    yield from (getattr(texts, side) for side in sides)


def _made(text: str, wanted: dict[str, Any]) -> str | None:
    """Return a text with the values that are wanted; None where they can't be put into it."""
    try:
        found = document.parse(text).data
        rest = dict(_rest("", found, wanted))
        made = edit.set_values(text, rest) if rest else text
        return made if same(document.parse(made).data, wanted) else None
    except ConfigError:
        return None


def _rest(path: str, found: Any, wanted: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values to be set: a list as a whole, since its items may have moved, and a mapping that loses keys."""
    if isinstance(found, dict) and isinstance(wanted, dict) and (not path or found.keys() <= wanted.keys()):
        for key, value in wanted.items():
            yield from _rest(child(path, key), found.get(key, _MISSING), value)
    elif not _equal(found, wanted):
        yield path, wanted


def _keeps_comments(texts: Texts, merged: str) -> bool:
    """Return whether every comment is there that either side has written, and no more than both have taken away."""
    base, mine, theirs, found = (Counter(map(str.strip, _COMMENT.findall(text))) for text in (*texts, merged))
    # What looks like a comment and is a part of a text is counted as well: then there is a clash too many, no loss.
    return all(
        found[comment] >= max(min(mine[comment], theirs[comment]), *_gains(comment, base, mine, theirs))
        for comment in mine | theirs
    )


def _gains(comment: str, base: Counter[str], mine: Counter[str], theirs: Counter[str]) -> Iterator[int]:
    for side in (mine, theirs):
        yield side[comment] if side[comment] > base[comment] else 0


def parts_of(texts: Texts, *, apart: bool) -> Iterator[_ChangedLines]:
    """Yield the texts in parts, line by line: what nobody has changed, and what one of them has, or both.

    Args:
        texts: The texts.
        apart: Changes of neighbouring lines are one part.
    """
    base, mine, theirs = (_LINE.findall(text) for text in texts)
    spans = _spans(base, mine), _spans(base, theirs)
    place = [0, 0, 0]  # in each of the texts
    while True:
        starts = [side[0][0] for side in spans if side]
        if not starts:
            break
        begin = end = min(starts)
        yield _part(base, mine, theirs, place, [begin, place[1] + begin - place[0], place[2] + begin - place[0]])
        shift = [0, 0]
        while taken := [index for index, side in enumerate(spans) if side and _meets(side[0], begin, end, apart=apart)]:
            for index in taken:
                first, last, grown = spans[index].pop(0)
                end = max(end, last)
                shift[index] += grown - (last - first)
        ends = [end, *(place[index + 1] + end - place[0] + shift[index] for index in (0, 1))]
        yield _part(base, mine, theirs, place, ends)
    yield _part(base, mine, theirs, place, [len(base), len(mine), len(theirs)])


def _meets(span: tuple[int, int, int], begin: int, end: int, *, apart: bool) -> bool:
    """Return whether a change belongs to the part that begins and ends so far with these lines."""
    first, last, _ = span
    if first == last or begin == end:  # something is added: it belongs to what is changed around it
        return first <= end if first == begin or apart else first < end
    return first <= end if apart else first < end


def _part(base: list[str], mine: list[str], theirs: list[str], place: list[int], ends: list[int]) -> _ChangedLines:
    sides = zip((base, mine, theirs), place, ends, strict=True)
    found = _ChangedLines(*("".join(side[begin:end]) for side, begin, end in sides))
    place[:] = ends
    return found


def _spans(base: list[str], side: list[str]) -> list[tuple[int, int, int]]:
    """Return which lines of the base one side has changed: from, to, and how many lines are there now."""
    limit = min(len(base), len(side))
    head = next((index for index in range(limit) if base[index] != side[index]), limit)
    tail = next((index for index in range(limit - head) if base[-1 - index] != side[-1 - index]), limit - head)
    middle = SequenceMatcher(None, base[head : len(base) - tail], side[head : len(side) - tail], autojunk=False)
    return [(a + head, a_end + head, b_end - b) for kind, a, a_end, b, b_end in middle.get_opcodes() if kind != "equal"]
