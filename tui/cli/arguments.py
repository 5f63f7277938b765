"""What several commands share: the deck file of a folder, types of arguments, and the error of bad usage."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

#: How the deck file of a folder is called.
DECK_FILES = ("deck.yaml", "tunedeck.yaml")


class UsageError(Exception):
    """The command can't be carried out as given; the message says why. Exit code 2."""


def deck_file(folder: Path) -> Path:
    """Return the deck file of a folder.

    Raises:
        UsageError: There is none.
    """
    found = next((folder / name for name in DECK_FILES if (folder / name).exists()), None)
    if found is None:
        place = "this folder" if folder == Path() else str(folder)
        raise UsageError(
            f"{place} has no {' and no '.join(DECK_FILES)}: name what to run, a deck, a task, or -- and a command"
        )
    return found


def version(word: str) -> int | str:
    """Return the number in a version such as ``12`` or ``v12``, or the tag that stands for one.

    Raises:
        argparse.ArgumentTypeError: It can be neither.
    """
    if re.fullmatch(r"v?[0-9]{1,18}", word):
        return int(word.removeprefix("v"))
    if not word or len(word.split()) != 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no version: write a number such as 12, or a tag")
    return word


def count(word: str) -> int:
    """Return a number of things.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}", word):
        raise argparse.ArgumentTypeError(f"{word!r} is no number of lines")
    return int(word)


def seconds(word: str) -> float:
    """Return a number of seconds that somebody may wait."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is no number of seconds")
    return found
