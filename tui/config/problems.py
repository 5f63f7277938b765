"""What is wrong with single values of a config, in one problem with the place of the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tui.config.keys import child
from tui.protocol.messages import Problem

if TYPE_CHECKING:
    from tui.config.document import Mark

#: The steps to a value, and what is wrong with it.
Error = tuple[Sequence[Any], str]


def problem_of(message: str, errors: Iterable[Error], data: Any, marks: Mapping[str, Mark]) -> Problem:
    """Return the problem of a config that is refused: the place of its first error in the file, and the words of all.

    Args:
        message: All there is to say where no error belongs to a value.
        errors: Each error that does.
        data: The config.
        marks: Where its values stand.
    """
    found = [_problem(steps, words, data, marks) for steps, words in errors]
    if not found:
        return Problem(message)
    found.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
    first = Problem("", found[0].line, found[0].column, found[0].key, tuple(found))
    return replace(first, message="\n".join(part.message for part in keyed(first)))


def _problem(steps: Sequence[Any], words: str, data: Any, marks: Mapping[str, Mark]) -> Problem:
    """Return an error with its key; one that is missing has the place of what lacks it.

    Some steps are none into the config, such as the member of a union that was tried: the key ends before them.
    """
    path = key = ""
    for number, step in enumerate(steps):
        key = child(path, step)
        if key not in marks:
            missing = isinstance(data, dict) and number == len(steps) - 1
            key = key if missing else path
            break
        path, data = key, data[step]
    line, column = marks[path].value if path in marks else (None, None)
    return Problem(words, line, column, key or None)


def problem_words(problem: Problem) -> str:
    """Return all that a problem sums up, a line for each with its place, where it has one."""
    return "\n".join(place_words(part) for part in keyed(problem))


def summed(problems: Iterable[Problem]) -> Problem:
    """Return one problem for several, at the place of the first of them."""
    found = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    if len(found) == 1:
        return found[0]
    first = replace(found[0], parts=tuple(found))
    return replace(first, message="\n".join(part.message for part in keyed(first)))


def keyed(problem: Problem) -> tuple[Problem, ...]:
    """Return all that a problem sums up, each with its key in its message."""
    if not problem.parts:
        return (problem,)
    return tuple(
        replace(part, message=f"{part.key}: {part.message}" if part.key else part.message) for part in problem.parts
    )


def place_words(problem: Problem) -> str:
    """Return a problem with its place, where it has one."""
    return problem.message if problem.line is None else f"line {_place(problem)}: {problem.message}"


def in_file(name: str, problem: Problem) -> str:
    """Return a problem as ``FILE:LINE:COL: message``, as far as its place is known."""
    return ":".join(filter(None, (name, _place(problem)))) + f": {problem.message}"


def _place(problem: Problem) -> str:
    return ":".join(str(number) for number in (problem.line, problem.column) if number is not None)
