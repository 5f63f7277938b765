"""The commands that name jobs of a running deck: start, restart, pause and resume them, read what they print."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.cli.arguments import UsageError, count, seconds
from tui.cli.found import NAMED, choose
from tui.streams import wanted

if TYPE_CHECKING:
    from tui.cli.client import RunningEngine
    from tui.protocol import messages


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    for verb, help_ in (
        ("start", "start jobs that have ended, with their configs as they are"),
        ("restart", "end jobs and start them anew"),
        ("pause", "hold jobs at their next checkpoint"),
        ("resume", "let jobs that are paused go on"),
    ):
        command = commands.add_parser(verb, help=help_, epilog=f"example: tunedeck {verb} digits --deck deck.yaml")
        command.add_argument("jobs", metavar="JOB", nargs="+")
        command.add_argument("--deck", metavar="DECK", help=NAMED)
        command.add_argument(
            "--timeout", metavar="SECONDS", type=seconds, default=10.0, help="to wait until it has happened (10)"
        )
        command.set_defaults(run=_control, verb=verb, acts=True)
    logs = commands.add_parser(
        "logs", help="print what a job has printed", epilog="example: tunedeck logs digits -n 20 -f"
    )
    logs.add_argument("job", metavar="JOB")
    logs.add_argument("-f", dest="follow", action="store_true", help="go on with what comes, until the job ends")
    logs.add_argument("-n", dest="lines", metavar="N", type=count, help="the last N lines; else all that are kept")
    logs.add_argument("--deck", metavar="DECK", help=NAMED)
    logs.add_argument("--json", action="store_true", help="one JSON object a line, as of run --headless --json")
    logs.set_defaults(run=_logs)


def _control(arguments: argparse.Namespace) -> int:
    found = choose(arguments.deck)
    _require(found, arguments.jobs)
    return _Orders(found, arguments.verb, arguments.jobs).carry_out(arguments.timeout)


def stop(found: RunningEngine, names: Sequence[str]) -> int:
    """Stop some jobs of a deck, and return the exit code."""
    _require(found, names)
    return _Orders(found, "stop", names).carry_out(0.0)


def _require(found: RunningEngine, names: Sequence[str]) -> None:
    for name in names:
        if name not in found.own_jobs:
            raise UsageError(f"{found.name} has no job {name}, but {', '.join(found.own_jobs)}")


class _Orders:
    """Commands to the jobs of a deck, all at once, and what becomes of them.

    Args:
        found: The deck.
        verb: What is to be done: start, restart, stop, pause or resume.
        names: Of the jobs.
    """

    def __init__(self, found: RunningEngine, verb: str, names: Sequence[str]) -> None:
        self._found = found
        self._verb = verb
        self._names = list(dict.fromkeys(names))
        self._replies: dict[str, messages.Reply] = {}
        self._states: dict[str, messages.State] = dict(found.states)

    def carry_out(self, timeout: float) -> int:
        """Give the commands, wait until the jobs have obeyed, tell their states and return the exit code."""
        from tui.cli import client
        from tui.protocol import codec
        from tui.protocol.messages import LIVE, Reply, State

        # A job that runs is started already.
        asked = [name for name in self._names if self._verb != "start" or self._states[name].state not in LIVE]
        if asked:
            try:
                with client.connect_to_deck(self._found.socket) as (connection, stream):
                    stream.write(b"".join(codec.encode(self._command(place, name)) for place, name in enumerate(asked)))
                    stream.flush()
                    connection.settimeout(None)  # a job may take its time to end
                    deadline = 0.0
                    for message in codec.read(stream):
                        if isinstance(message, State):
                            self._states[message.job] = message
                        elif isinstance(message, Reply):
                            self._replies[asked[message.id]] = message
                            deadline = time.monotonic() + timeout
                        if len(self._replies) == len(asked):
                            left = deadline - time.monotonic()
                            if left <= 0 or not any(map(self._open, asked)):
                                break
                            connection.settimeout(left)
            except TimeoutError:
                pass  # what is still open is told
            except (ConnectionError, FileNotFoundError) as error:
                raise UsageError(f"{self._found.name} ended meanwhile") from error
        return max(map(self._tell, self._names))

    def _command(self, number: int, name: str) -> messages.Command:
        from tui.protocol import messages

        if self._verb in ("pause", "resume"):
            return messages.Pause(number, name, paused=self._verb == "pause")
        return messages.Stop(number, name) if self._verb == "stop" else messages.Start(number, name)

    def _open(self, name: str) -> bool:
        """Return whether a job has not done yet what it was told."""
        from tui.protocol.messages import ENDED

        if not self._replies[name].ok:
            return False
        state = self._states[name].state
        if self._verb == "pause":
            return state != "paused" and state not in ENDED
        return state == ("paused" if self._verb == "resume" else "starting") and self._verb != "stop"

    def _tell(self, name: str) -> int:
        from tui.export import harmless, one_line

        reply = self._replies.get(name)
        if reply is not None and not reply.ok:
            print(f"tunedeck: {name}: {harmless(one_line(reply.message))}", file=sys.stderr)
            return 1
        state = self._states[name]
        details = (f"process {state.pid}" if state.pid else "", harmless(one_line(state.reason or "")))
        print("  ".join(filter(None, (name, state.state, *details))))
        return 1 if self._verb != "stop" and state.state in ("crashed", "stopped") else 0


def _logs(arguments: argparse.Namespace) -> int:
    from tui.cli import client
    from tui.protocol import codec

    found = choose(arguments.deck)
    known = list(found.jobs)  # a host prints too
    if arguments.job not in known:
        raise UsageError(f"{found.name} has no job {arguments.job}, but {', '.join(known)}")
    try:
        with client.connect_to_deck(found.socket, brief=False) as (connection, stream):
            connection.settimeout(None)
            for piece in wanted(_pieces(codec.read(stream), arguments)):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
    except (ConnectionError, FileNotFoundError) as error:
        raise UsageError(f"{found.name} ended meanwhile") from error
    except KeyboardInterrupt:
        return 130
    return 0


def _pieces(received: Iterable[messages.Message | None], arguments: argparse.Namespace) -> Iterator[bytes]:
    """Yield what is to be printed of a job's lines: those that are kept, then, to follow it, those that come."""
    from tui.protocol.messages import ENDED, Ready, State

    form = _as_json if arguments.json else _as_text
    news = _of_job(received, arguments.job)
    ended = False
    kept: list[messages.Lines | messages.Dropped] = []
    for message in news:
        if isinstance(message, Ready):
            break
        if isinstance(message, State):
            ended = message.state in ENDED
        else:
            kept.append(message)
    yield from map(form, kept if arguments.lines is None else _last(kept, arguments.lines))
    for message in news if arguments.follow and not ended else ():
        if isinstance(message, State):
            if message.state in ENDED:
                return
        elif not isinstance(message, Ready):
            yield form(message)


def _of_job(
    received: Iterable[messages.Message | None], job: str
) -> Iterator[messages.Lines | messages.Dropped | messages.State | messages.Ready]:
    """Yield the lines and the states of a job, how many lines are missing where some are, and when all is known."""
    from tui.protocol.messages import Dropped, Lines, Ready, State

    end: int | None = None  # the number of the next line
    for message in received:
        if isinstance(message, Ready) or (isinstance(message, State) and message.job == job):
            yield message
        elif isinstance(message, Lines) and message.job == job:
            if end is not None and message.first > end:
                yield Dropped(job, message.first - end, time=message.time)
            end = message.first + len(message.lines)
            yield message


def _last(kept: Sequence[messages.Lines | messages.Dropped], count: int) -> list[messages.Lines | messages.Dropped]:
    """Return the last lines of some, and what is missing among them."""
    from tui.protocol.messages import Lines

    found: list[messages.Lines | messages.Dropped] = []
    for block in reversed(kept):
        if count <= 0:
            break
        if isinstance(block, Lines):
            lines = block.lines[-count:]
            block = replace(block, first=block.first + len(block.lines) - len(lines), text="\n".join(lines))
            count -= len(lines)
        found.append(block)
    return found[::-1]


def _as_json(block: messages.Lines | messages.Dropped) -> bytes:
    from tui.protocol import codec, messages

    return codec.encode_lines(block) if isinstance(block, messages.Lines) else codec.encode(block)


def _as_text(block: messages.Lines | messages.Dropped) -> bytes:
    from tui.protocol.messages import Lines

    text = block.text if isinstance(block, Lines) else f"* {block.count} lines were dropped here"
    return f"{text}\n".encode("utf-8", "replace")
