"""What a shell completes: commands and options by argcomplete, and keys, values, versions, jobs and decks by us.

argcomplete runs the command itself at each TAB, so nothing here is imported but then, and no more than one needs: a
history and a config are read as they are, an engine is asked for its jobs.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.arguments import UsageError

if TYPE_CHECKING:
    from tui.cli.client import RunningEngine

#: What can be completed, each with what is said of it.
Found = Mapping[str, str]


def script(arguments: argparse.Namespace) -> int:
    """Carry out ``tunedeck completion``: print what the shell has to read."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["tunedeck"], shell=arguments.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that has called us for that, and end."""
    import argcomplete

    (commands,) = (item for item in parser._actions if isinstance(item, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        for action in command._actions:
            found = _OF_COMMAND.get((name, action.dest)) or _COMPLETERS.get(action.dest)
            if found is not None:
                action.completer = _Completer(found)
    argcomplete.autocomplete(parser, always_complete_options=False)


class _Completer:
    """Completes by one of the functions below; where that has nothing to go by, there is nothing to complete."""

    def __init__(self, find: Callable[[argparse.Namespace, str], Found]) -> None:
        self._find = find

    def __call__(self, prefix: str, parsed_args: argparse.Namespace, **_: object) -> Found:
        try:
            return self._find(parsed_args, prefix)
        except (UsageError, OSError, ValueError):
            return {}


def _keys_and_values(arguments: argparse.Namespace, prefix: str) -> Found:
    """Return ``key=`` for each key of a config, or after that ``key=value`` for what it could be."""
    from tui.config import document
    from tui.config.disk import store
    from tui.engine import paths

    path = paths.absolute(str(arguments.config))
    found = document.parse(document.decode(store.read(path).raw))
    values = dict(_leaves(found.data, ""))
    key, equals, _ = prefix.partition("=")
    if not equals:
        return {f"{name}=": _spelled(value) for name, value in values.items()}
    if key not in values:
        return {}
    return {f"{key}={value}": said for value, said in _values(arguments, found, key, values[key]).items()}


def _values(arguments: argparse.Namespace, found: Any, key: str, now: Any) -> Found:
    """Return the values that a key could have: those that its schema names, those that it has had, and now."""
    offered: dict[str, str] = {}
    for value, said in (*_allowed(arguments, found, key), *_former(arguments, key)):
        offered.setdefault(_spelled(value), said)
    if isinstance(now, bool):
        offered.setdefault(_spelled(not now), "")
    return {_spelled(now): "as it is", **offered}


def _allowed(arguments: argparse.Namespace, found: Any, key: str) -> Iterable[tuple[Any, str]]:
    """Yield what the schema that the config names says of a key."""
    from tui import reading
    from tui.config import document, keys, schema
    from tui.engine import paths

    with contextlib.suppress(schema.SchemaError, OSError, UnicodeDecodeError, document.ConfigError):
        named = schema.named_by(found.text, paths.absolute(str(arguments.config)).parent)
        text = reading.read(named)[0].decode() if named else "{}"
        yield from _named_values(document.parse(text).data, keys.steps(key))


def _named_values(schema: Any, steps: Iterable[str | int]) -> Iterable[tuple[Any, str]]:
    place = schema
    for step in steps:
        place = place.get("items", {}) if isinstance(step, int) else place.get("properties", {}).get(str(step), {})
    for value in place.get("enum", ()):
        yield value, "allowed"
    for word in ("minimum", "maximum", "default"):
        if word in place:
            yield place[word], word


def _former(arguments: argparse.Namespace, key: str) -> Iterable[tuple[Any, str]]:
    from tui.cli.history import rows_of

    with contextlib.suppress(UsageError), rows_of(arguments) as rows:
        for row in reversed([row for row in rows.rows(rows.newest() - 50) if row.status == "applied"]):
            for change in row.changes:
                if change.key == key and not change.removed:
                    yield change.new, f"v{row.version}"


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    from tui.config.keys import child

    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        yield path, value
    for step, part in parts:
        yield from _leaves(part, child(path, step))


def _spelled(value: Any) -> str:
    from tui.config.editing import spelling

    return spelling.inline(value)


def _versions(arguments: argparse.Namespace, _: str) -> Found:
    """Return the newest versions of a config, and its tags."""
    from tui.cli.history import rows_of
    from tui.engine.service.headless import reload_words
    from tui.export import harmless, one_line

    with rows_of(arguments) as history:
        rows = list(history.rows())
    said = {row.version: harmless(one_line(reload_words(row).removeprefix("* "))) for row in [*rows[-30:], *rows]}
    tags = {row.tag: said[row.version] for row in rows if row.tag}
    return {**tags, **{str(row.version): said[row.version] for row in rows[-30:]}}


def _decks(*_: object) -> Found:
    from tui.cli import client

    return {deck.path or deck.name: deck.name for deck in client.running()}


def _jobs(arguments: argparse.Namespace, _: str) -> Found:
    """Return the jobs of a running deck."""
    from tui.cli import found

    return _said_of(found.choose(getattr(arguments, "deck", None)))


def _jobs_of_config(arguments: argparse.Namespace, _: str) -> Found:
    from tui.cli.change import engine_of, same
    from tui.engine import paths

    config = paths.absolute(str(arguments.config))
    found = engine_of(config)
    if found is None:
        return {}
    return {name: said for name, said in _said_of(found).items() if same(Path(found.jobs[name].config), config)}


def _said_of(found: RunningEngine) -> Found:
    return {name: f"{found.states[name].state} {Path(found.jobs[name].config).name}" for name in found.own_jobs}


def _metrics(arguments: argparse.Namespace, _: str) -> Found:
    from tui.cli.history import rows_of
    from tui.cli.measured import Kept

    with rows_of(arguments) as history:
        kept = Kept(arguments, history)
    return dict.fromkeys((name for run in kept.runs.values() for series in run for name in series.names), "")


#: By the names of the arguments, whatever command they belong to.
_COMPLETERS: dict[str, Callable[[argparse.Namespace, str], Found]] = {
    "values": _keys_and_values,
    "version": _versions,
    "a": _versions,
    "b": _versions,
    "deck": _decks,
    "jobs": _jobs,
    "job": _jobs_of_config,
    "metric": _metrics,
}

#: And where the same name means something else.
_OF_COMMAND = {("logs", "job"): _jobs}
