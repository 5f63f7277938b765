"""Changes a config from the command line: through the engine where a job runs with it, else the file itself.

What only the latter needs is imported there: YAML takes longer to import than all else that a receipt takes.
"""

from __future__ import annotations

import glob
import json
import re
import socket
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedRWPair
from pathlib import Path
from typing import Any, TextIO

from tui import wording
from tui.cli import client
from tui.cli.arguments import UsageError
from tui.config import keys
from tui.config.problems import place_words, problem_words
from tui.engine import paths
from tui.engine.service.headless import change_words, value_words
from tui.export import harmless
from tui.protocol import codec, messages

#: Seconds that the engine has to answer: a job's check may take ten, its worker five.
_VERDICT = 20.0

#: A value that is a word or a number for sure.
_PLAIN = re.compile(r"[A-Za-z_]\w*|[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

_FINAL = frozenset({"applied", "rejected", "failed", "invalid", "superseded", "reverted"})


def set_values(arguments: Namespace) -> int:
    """Carry out ``tunedeck set``, and return its exit code."""
    values = _values(arguments.values)
    configs = matching(arguments.config)
    if configs is None:
        return _set(arguments, values)
    several = {harmless(config): Namespace(**{**vars(arguments), "config": config}) for config in configs}
    if arguments.together and max([_set(one, values, f"{name}: ", dry=True) for name, one in several.items()]):
        return _refused("nothing was written: --together means all files or none")
    codes = [_set(one, values, f"{name}: ") for name, one in several.items()]
    print(f"{codes.count(0)}/{len(codes)} files", file=sys.stderr if arguments.json else sys.stdout)
    return max(codes)


def matching(pattern: str) -> list[str] | None:
    """Return the files that a glob pattern stands for, by name; None for the name of a single file.

    Raises:
        UsageError: There is no such file.
    """
    if not glob.has_magic(pattern) or Path(pattern).exists():
        return None
    found = sorted(name for name in glob.iglob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207 - a pattern may begin with /
    if not found:
        raise UsageError(f"no file is called {pattern}")
    return found


def _set(arguments: Namespace, values: Mapping[str, str], prefix: str = "", *, dry: bool = False) -> int:
    return _change(
        arguments,
        lambda name: messages.Set(1, name, values, add=arguments.add, restart=arguments.restart, dry=dry),
        lambda raw: _edited(raw, values, add=arguments.add),
        prefix=prefix,
        dry=dry,
    )


def _edited(raw: bytes, values: Mapping[str, str], *, add: bool) -> str:
    from tui.config import document
    from tui.config.editing import edit

    return edit.set_typed(document.decode(raw), values, add=add)


def roll_back(arguments: Namespace, version: int, stored: Callable[[], str]) -> int:
    """Carry out ``tunedeck rollback``, and return its exit code; `stored` reads the version where no engine runs."""
    return _change(
        arguments,
        lambda name: messages.Rollback(1, name, version, restart=arguments.restart),
        lambda _: stored(),
        versions=True,
    )


def _values(words: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in words:
        try:
            path, value = keys.assignment(word)
            keys.steps(path)
            if not _PLAIN.fullmatch(value):
                from tui.config.editing import spelling

                spelling.read(value)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if path in values:
            raise UsageError(f"{path} is set twice")
        values[path] = value
    return values


def _change(
    arguments: Namespace,
    command: Callable[[str], messages.Command],
    change: Callable[[bytes], str],
    *,
    versions: bool = False,
    prefix: str = "",
    dry: bool = False,
) -> int:
    """Have the config changed by its engine, or change it here.

    With `versions`, which each job has of its own, a whole one is written, and brings a deleted file back. With
    ``--json``, standard output gets the reloads and nothing else. All that is said begins with `prefix`. If `dry`, all
    that is done is to say why the change would be refused.
    """
    config, job, json_lines = str(arguments.config), arguments.job, arguments.json
    path = paths.absolute(config)
    if not versions and not path.exists():
        raise UsageError(f"{config} is missing")
    found = engine_of(path)
    if found is None:
        if job is not None and not versions:
            raise UsageError(f"no job {job} is running with {config}")
        from tui.engine import claims

        if (holder := claims.holder(path)) is not None:
            raise UsageError(f"{config} is in use by {holder}, which does not answer: nothing was written")
        said = sys.stderr if json_lines else sys.stdout
        return _change_file(config, path, change, create=versions, said=said, prefix=prefix, dry=dry)
    names = [name for name, known in found.jobs.items() if same(Path(known.config), path)]
    if job is not None and job not in names:
        raise UsageError(f"no job {job} is running with {config}, but {', '.join(names)}")
    if versions and job is None and len(names) > 1:
        raise UsageError(f"{config} serves several jobs: {', '.join(names)}; choose one with --job")
    talk = Talk(names if job is None else [job], several=len(names) > 1, json_lines=json_lines, prefix=prefix, dry=dry)
    try:
        with client.connect_to_deck(found.socket) as (connection, stream):
            return talk.run(connection, stream, command(job or names[0]), arguments.timeout)
    except (ConnectionError, FileNotFoundError) as error:
        raise UsageError(f"the engine of {config} ended meanwhile: look what is in the file") from error


def engine_of(path: Path) -> client.RunningEngine | None:
    """Return the engine that runs a job with a config, None if there is none.

    Raises:
        UsageError: It does not answer.
    """
    for found in client.running():
        if isinstance(found, client.HangingEngine):
            if found.socket == paths.socket_of(str(path)):
                raise UsageError(str(found))
        elif any(same(Path(job.config), path) for job in found.jobs.values()):
            return found
    return None


def job_of(found: client.RunningEngine, config: str, wanted: str | None) -> str:
    """Return the job that a config is meant for: the wanted one, or the only one.

    Raises:
        UsageError: There is no such job, or one has to be chosen.
    """
    path = paths.absolute(config)
    names = [name for name, known in found.jobs.items() if same(Path(known.config), path)]
    if wanted is not None and wanted not in names:
        raise UsageError(f"no job {wanted} is running with {config}, but {', '.join(names)}")
    if wanted is None and len(names) > 1:
        raise UsageError(f"{config} serves several jobs: {', '.join(names)}; choose one with --job")
    return wanted or names[0]


def same(one: Path, other: Path) -> bool:
    """Return whether two paths name the same file, whatever way leads to its folder."""
    if not one.name:
        return False  # a host has no config
    if one.name == other.name and one.parent.resolve() == other.parent.resolve():
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False  # one of them is missing


def _change_file(
    config: str,
    path: Path,
    change: Callable[[bytes], str],
    *,
    create: bool,
    said: TextIO,
    prefix: str = "",
    dry: bool = False,
) -> int:
    """Change a file that no job runs with: its syntax is checked, and the schema that it names."""
    from tui.config import schema
    from tui.config.disk import store
    from tui.config.document import ConfigError

    remark = None

    def checked(raw: bytes) -> bytes:
        nonlocal remark
        new = change(raw)
        remark = schema.require(path, new)
        return new.encode("utf-8")

    try:
        if dry:
            checked(store.read(path).raw)
            return 0
        changed = store.update(path, checked, create=create)
    except ConfigError as error:
        return _refused(problem_words(error.problem), prefix)
    if remark is not None:
        print(f"tunedeck: {remark}", file=sys.stderr)
    print(f"{config} is written: no job is running with it" if changed else f"{config} says so already", file=said)
    if changed:
        print(
            "tunedeck: what a job or the schema of its deck objects to will be seen at its next start", file=sys.stderr
        )
    return 0


def _refused(message: str, prefix: str = "") -> int:
    for line in message.splitlines():
        print(f"tunedeck: {prefix}refused: {harmless(line)}", file=sys.stderr)
    return 1


class Talk:
    """One conversation with an engine: a command, its reply, and the receipts of the jobs.

    Args:
        names: The jobs whose receipts are waited for.
        several: The receipts are told with the names of their jobs.
        json_lines: They are told as JSON.
        prefix: What all that is told begins with.
        dry: The reply is all there is: nothing is written.
    """

    def __init__(
        self, names: list[str], *, several: bool, json_lines: bool = False, prefix: str = "", dry: bool = False
    ) -> None:
        self._names = names
        self._several = several
        self._json_lines = json_lines
        self._prefix = prefix
        self._dry = dry
        self.rows: dict[str, dict[int, messages.Reload]] = {name: {} for name in names}
        self._states: dict[str, str] = {}
        self._reasons: dict[str, str | None] = {}
        self.reply: messages.Reply | None = None
        self.wanted: list[tuple[str, ...]] | None = None  # the keys that are to be set, None for a whole text
        self._sent = False
        self._deadline = 0.0

    def run(self, connection: socket.socket, stream: BufferedRWPair, command: messages.Command, timeout: float) -> int:
        """Send the command, tell what becomes of it, and return the exit code."""
        if isinstance(command, messages.Set):
            self.wanted = [tuple(map(str, keys.steps(path))) for path in command.values]
        self._deadline = time.monotonic() + client.ANSWER_PATIENCE
        for message in self._messages(connection, stream):
            self.take(message)
            if isinstance(message, messages.Ready):
                self._sent = True
                stream.write(codec.encode(command))
                stream.flush()
                self._deadline = time.monotonic() + _VERDICT
            if isinstance(message, messages.Reply):
                self._deadline = time.monotonic() + timeout
            if self.reply is not None and self.reply.code == "unknown":
                raise UsageError(self.reply.message)
            if self.reply is not None and not self.reply.ok:
                how = "\n--restart does it all the same" if self.reply.code == "costs" else ""
                return _refused(self.reply.message + how, self._prefix)
            if self.reply is not None and self._dry:
                return 0
            if self.reply is not None and not self.reply.data.get("changed"):
                return self._tell_unchanged(self.reply.data.get("others", {}))
            if self.reply is not None and all(self._final(name) for name in self._names):
                break
        if self.reply is None:
            raise UsageError("the engine has not answered: look what is in the file")
        code = max(map(self.tell_job, self._names))
        if len(self._names) > 1 and not self._json_lines:
            rows = [row for row in map(self._row, self._names) if row is not None and row.status == "applied"]
            print(f"{self._prefix}{len(rows)}/{len(self._names)} applied")
        return code

    def _tell_unchanged(self, others: Mapping[str, int]) -> int:
        """Tell that nothing was written; what was refused or taken back before is no success."""
        if not others:
            print(f"{self._prefix}the file says so already", file=sys.stderr if self._json_lines else sys.stdout)
            return 0
        runs = ", ".join(f"{harmless(name)} runs v{version}" for name, version in others.items())
        return _refused(f"the file says so already, but {runs}: tunedeck history says why", self._prefix)

    def _messages(self, connection: socket.socket, stream: BufferedRWPair) -> Iterator[messages.Message | None]:
        """Yield what the engine says until the deadline."""
        received = codec.read(stream)
        while (left := self._deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                yield next(received)
            except TimeoutError:
                return
            except StopIteration:
                raise ConnectionError("the engine closed the connection") from None

    def take(self, message: messages.Message | None) -> None:
        """Take what the engine says."""
        if isinstance(message, messages.Reply):
            self.reply = message
        elif isinstance(message, messages.State):
            self._states[message.job] = message.state
            self._reasons[message.job] = message.reason
        elif isinstance(message, messages.Reload) and self._sent and message.job in self.rows:
            self.rows[message.job][message.version] = message

    def _row(self, name: str) -> messages.Reload | None:
        assert self.reply is not None
        version = self.reply.data.get("versions", {}).get(name)
        row = self.rows[name].get(version)
        # One that was overtaken is judged by the version that runs instead, if that has the same changes; those that
        # were not asked for have been made by others, and may run since.
        while row is not None and row.status == "superseded" and row.by is not None:
            newer = self.rows[name].get(row.by)
            if newer is None or not _within(filter(self._asked, row.changes), newer.changes):
                return newer if newer is None else row
            row = newer
        return row

    def _asked(self, change: messages.Change) -> bool:
        # As text: ``names.1`` may have been the key 1.
        path = tuple(map(str, keys.steps(change.key) if change.key else ()))
        return self.wanted is None or any(path[: len(steps)] == steps for steps in self.wanted)

    def _final(self, name: str) -> bool:
        row = self._row(name)
        return row is not None and row.status in _FINAL

    def tell_job(self, name: str) -> int:
        """Say what became of the change in a job; return the exit code."""
        row = self._row(name)
        prefix = self._prefix + (f"{name}: " if self._several else "")
        if row is not None and self._json_lines:
            print(codec.encode(row).decode(), end="")
        if row is None or row.status not in _FINAL:
            version = f"v{row.version}" if row is not None else "the change"
            said = sys.stderr if self._json_lines else sys.stdout
            waits = row.error.message if row is not None and row.error is not None else self._reasons.get(name)
            why = f", {waits}" if waits else ""
            words = f"{version} is in the file and on its way: the job has not taken it yet{harmless(why)}"
            print(f"{prefix}{words}", file=said)
            return 0
        if self._json_lines:
            return self._code(row, name)
        print(prefix + "\n".join(map(harmless, receipt(row).split("\n"))))
        return self._code(row, name)

    def _code(self, row: messages.Reload, name: str) -> int:
        idle = row.status == "failed" and self._states.get(name) not in messages.LIVE
        return 0 if row.status == "applied" or idle else 1


def _within(some: Iterable[messages.Change], others: Iterable[messages.Change]) -> bool:
    """Return whether all of some changes are among others."""
    wanted = {(change.key, json.dumps(change.new)) for change in some}
    return wanted <= {(change.key, json.dumps(change.new)) for change in others}


def receipt(row: messages.Reload) -> str:
    """Return a receipt, such as ``v12 applied at step 830 in 3.1 ms: lr 0.1 → 0.05``."""
    head = f"v{row.version} {row.status}"
    if row.status == "applied" and row.latency_ms is not None:
        head += f" by {wording.ranks(row.ranks)}" if row.ranks else ""
        head += f" at step {row.step} in {row.latency_ms:.1f} ms"
    elif row.by is not None:
        head += f" by v{row.by}"
    said = place_words(row.error) if row.error is not None else ", ".join(map(change_words, row.changes))
    # Of what is not the same, the keys that were changed are what the user has asked about.
    changed = row.changes if row.effective else ()
    kept = [(change.key, _effective(row.effective, change.key), change.new) for change in changed]
    odd = ", ".join(
        f"{key} {'–' if value is None else value_words(value)}" for key, value, asked in kept if value != asked
    )
    head = f"{head}: {said}" if said else head
    return f"{head}; the task has {odd}" if odd else head


def _effective(data: Any, path: str) -> Any:
    """Return what a task has at a path, None where there is nothing: it came as JSON, so its keys are text."""
    for step in keys.steps(path) if path else ():
        if isinstance(data, list):
            data = data[step] if isinstance(step, int) and step < len(data) else None
        else:
            data = data.get(str(step)) if isinstance(data, dict) else None
    return data
