"""The user's own keys: what of them can be had, and what is wrong with the others."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import Keys
from textual.widgets import TextArea

from tui.app.commands import own_bindings

_MODIFIERS = frozenset({"ctrl", "alt", "shift"})


class Wish(NamedTuple):
    """A line of the file: the id of a binding, the keys that it is to have, and where that stands."""

    binding: str
    keys: str
    line: int
    column: int


class KeysFile(NamedTuple):
    """What is in the user's file of keys: its wishes, or why it can't be read."""

    path: str = ""
    wishes: Sequence[Wish] = ()
    trouble: str = ""


class WrongKeyError(ValueError):
    """A wish can't be fulfilled; the message says where it stands, and why."""

    def __init__(self, wish: Wish, why: str) -> None:
        super().__init__(f"{wish.line}:{wish.column}: {why}")


def keymap(wishes: Iterable[Wish], panes: Mapping[str, Sequence[type]]) -> dict[str, str]:
    """Return the keys of bindings by their ids, as Textual wants them.

    Args:
        wishes: Of the user.
        panes: For each place of the screen, the classes whose keys hold there, the innermost first.

    Raises:
        WrongKeyError: There is no such binding or key, or the key has another meaning at the same place.
    """
    known = {one.id: one.description for kinds in panes.values() for kind in kinds for one in own_bindings(kind)}
    found: dict[str, str] = {}
    for wish in wishes:
        if wish.binding not in known:
            raise WrongKeyError(wish, f"there is no {wish.binding}{_nearest(wish.binding, filter(None, known))}")
        found[wish.binding] = ",".join(_key(wish, key) for key in wish.keys.split(","))
    for wish in wishes:
        for place, kinds in panes.items():
            _refuse_clash(wish, place, kinds, found)
    return found


def _key(wish: Wish, text: str) -> str:
    """Return a key as its binding names it."""
    *modifiers, last = [part.lower() if len(part) > 1 else part for part in text.strip().split("+")]
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise WrongKeyError(wish, f"{text.strip()}: there is no {modifier}+, only ctrl+, alt+ and shift+")
    if not last:
        raise WrongKeyError(wish, "a key is missing")
    name = _named(last)
    names = {key.value.rpartition("+")[2] for key in Keys if key.value.isidentifier() or "+" in key.value}
    names |= set(map(_named, string.printable.strip()))
    if name not in names:
        raise WrongKeyError(wish, f"there is no key {text.strip()}{_nearest(name, names)}")
    return "+".join([*modifiers, name])


def _named(key: str) -> str:
    if key in ", ":  # in a binding they part two keys
        return "comma" if key == "," else "space"
    (binding,) = Binding.make_bindings([Binding(key, "", "")])
    return binding.key


def _nearest(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), 3, 0.6)
    return f": did you mean {' or '.join(near)}?" if near else ""


def _refuse_clash(wish: Wish, place: str, kinds: Sequence[type], chosen: Mapping[str, str]) -> None:
    bindings = list(_bindings(kinds, chosen))
    ours = {one.key for one in _bindings(kinds, {}) if one.id == wish.binding}  # what these hide, they are meant to
    keys = [one.key for one in bindings if one.id == wish.binding and one.key not in ours]
    if TextArea in kinds:
        typed = next((key for key in keys if len(key) == 1 or key in map(_named, string.punctuation + " ")), None)
        if typed is not None:
            raise WrongKeyError(wish, f"{typed} is text in the {place}: take a key with ctrl or alt, or f1 to f12")
    for one in bindings:
        if one.key in keys and one.id != wish.binding:
            raise WrongKeyError(wish, f"in the {place} {one.key} is {one.description or one.action} already")


def _bindings(kinds: Sequence[type], chosen: Mapping[str, str]) -> Iterator[Binding]:
    for kind in kinds:
        for one in own_bindings(kind):
            for key in chosen.get(one.id or "", one.key).split(","):
                yield one.with_key(key)
