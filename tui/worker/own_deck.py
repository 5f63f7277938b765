"""`tui.join`: a process that was started by hand becomes the one job of a deck of its own.

It starts an engine in the background and is connected to it by a socket pair, so that each sees the end of the other.
The process stays its user's: nothing that the deck is asked to do ends it, raises in it or signals it.
"""

from __future__ import annotations

import _socket
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time

from tui.worker import current, joined
from tui.worker.joined import JoinedLoop
from tui.worker.link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, TextIO

    from tui.worker.loop import Loop

#: Seconds that an engine which has begun may take to hand the config over.
HANDOVER_PATIENCE = 30.0

#: So many bytes of output may wait for the engine; what comes then is left out, and counted.
MOST_OUTPUT = 1 << 16

#: What the engine can't be without; the oldest Python that it runs on.
_NEEDS = ("ruamel.yaml", "watchfiles", "jsonschema")
_OLDEST = (3, 10)

_RUN = "import sys; sys.path[0] = {!r}; from tui.engine.main import main; main()"

#: The deck that this process has begun last.
_own: _OwnDeck | None = None


class JoinError(RuntimeError):
    """The process has not become a job; the message says why."""


class OwnLoop(JoinedLoop):
    """The reload loop of a process that is not the deck's: it is never ended."""

    def finish(self) -> None:
        """Say that the process ends in order."""
        super().finish()
        self.channel.send({"kind": "goodbye"})

    def _leave(self) -> None:
        """Go on: `tui.stopping` is True, and that is all."""


class _OwnDeck:
    def __init__(self, config: str, link: Link, output: bool) -> None:
        self.config = config
        self.link = link
        self._tees = [_Tee(link, name) for name in ("stdout", "stderr") if output and getattr(sys, name) is not None]

    @property
    def is_open(self) -> bool:
        """The engine is there."""
        return self.link.is_open

    def close(self) -> None:
        """Leave what the process prints alone again."""
        for tee in self._tees:
            tee.close()


class _Tee:
    """Stands in the place of `sys.stdout` or `sys.stderr`: what is printed goes where it went, and to the deck."""

    def __init__(self, link: Link, name: str) -> None:
        self._stream: TextIO = getattr(sys, name)
        self._link = link
        self._name = name
        self._dropped = 0
        setattr(sys, name, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write to both; to the deck as far as it reads."""
        count = self._stream.write(text)
        if self._link.unsent > MOST_OUTPUT:
            self._dropped += text.count("\n")
        elif text and self._link.is_open:
            if self._dropped:
                text = f"\ntunedeck: {self._dropped} lines were left out: the deck did not read\n{text}"
                self._dropped = 0
            self._link.send({"kind": "output", "text": text})
        return count

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Leave the place, unless somebody else is in it by now."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self._stream)


def join(config: str | os.PathLike[str], name: str | None, output: bool) -> Any:
    """Join, and return the config that runs; see `tui.join`."""
    path = os.path.abspath(os.fspath(config))
    loop = _deck_above()
    if loop is None:
        loop = _loop_of_own(path) or _begin(path, name or _name(), output)
    if isinstance(loop, JoinedLoop):
        loop.begin()
    return loop.config


def _deck_above() -> Loop | None:
    """Return the reload loop of the deck that has started this process, if one has."""
    address = current.address
    joined.enter()
    deadline = time.monotonic() + HANDOVER_PATIENCE
    while address and current.loop is None and joined.is_on_its_way() and time.monotonic() < deadline:
        time.sleep(0.01)
    loop = current.loop or current.hosted.get()
    return None if isinstance(loop, OwnLoop) else loop


def _loop_of_own(path: str) -> Loop | None:
    """Return the reload loop of the deck that this process has begun already, as a cell that is run once more does.

    Raises:
        JoinError: It was begun for another config.
    """
    if _own is None or not _own.is_open or not isinstance(current.loop, OwnLoop):
        return None
    if os.path.realpath(_own.config) != os.path.realpath(path):
        raise JoinError(f"this process has joined with {_own.config} already: a process is one job")
    return current.loop


def _begin(path: str, name: str, output: bool) -> Loop:
    global _own
    if _own is not None:
        _own.close()
        _own = current.loop = None
    ours, theirs = _socket.socketpair()
    try:
        os.set_inheritable(ours.fileno(), False)
        guest = {"pid": os.getpid(), "connection": theirs.fileno(), "what": _what()}
        _start({"guest": guest, "config": path, "name": name}, theirs.fileno())
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    link = Link(ours)
    joined.be_part(link, OwnLoop, HANDOVER_PATIENCE)
    if current.loop is None:
        link.close()
        raise JoinError(f"the deck of {path} has begun, and has not handed the config over")
    _own = _OwnDeck(path, link, output)
    return current.loop


def _start(arguments: dict[str, Any], connection: int) -> None:
    """Start an engine that is no child of this process, which may wait for its own.

    Raises:
        JoinError: It does not run; the message is its own.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as answer:
        try:
            process = subprocess.Popen(
                [*_engine(), str(writer), json.dumps(arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(writer, connection),
                start_new_session=True,
            )
        except OSError as error:
            raise JoinError(f"no engine can be started: {error}") from None
        finally:
            os.close(writer)
        with process:
            _read_answer(answer, process.stderr)


def _read_answer(answer: IO[bytes], errors: IO[bytes] | None) -> None:
    line = answer.readline()
    if not line:
        said = errors.read().decode("utf-8", "replace").strip() if errors is not None else ""
        raise JoinError(f"the engine did not start:\n{said}")
    said = json.loads(line)
    if "error" in said:
        raise JoinError(said["error"])


def _engine() -> list[str]:
    """Return the command line of an engine, without its arguments.

    Raises:
        JoinError: There is none in this environment, and no command.
    """
    if sys.executable and sys.version_info >= _OLDEST and all(map(_has, _NEEDS)):
        # Named by its path: in this folder there may be another `tui`.
        return [sys.executable, "-c", _RUN.format(_root())]
    command = shutil.which("tunedeck")
    if command is None:
        raise JoinError(
            "tui.join starts an engine, which is neither in this environment nor in PATH as the command tunedeck: "
            "install tunedeck in either"
        )
    return [command, "engine"]


def _root() -> str:
    """Return the folder in which `tui` is."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _script() -> str | None:
    """Return the path of the script that runs, None in a notebook and at a prompt."""
    return None if "ipykernel" in sys.modules else getattr(sys.modules.get("__main__"), "__file__", None)


def _name() -> str:
    script = _script()
    if script is not None:
        return os.path.splitext(os.path.basename(script))[0]
    return "notebook" if "ipykernel" in sys.modules else "python"


def _what() -> str:
    """Return what the process is, for people."""
    if _script() is None:
        return f"a {'notebook' if _name() == 'notebook' else 'Python prompt'} (process {os.getpid()})"
    return f"{' '.join(['python', *sys.argv])} (process {os.getpid()})"
