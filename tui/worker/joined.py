"""How a process that a deck did not set up as a worker becomes a part of a job: by its first `tui.checkpoint`.

The environment of the job's command has ``TUNEDECK=PATH#TOKEN``. The process connects, says who it is, and is sent
what a worker is sent; from then on its checkpoints are those of `tui.worker.loop`. Its own program must never come to
harm by that, so here is nothing that waits longer than `JOIN_PATIENCE`, and nothing that takes its time to import.

========== ========== ==================================================================================
direction  kind       further keys
========== ========== ==================================================================================
to engine  join       token, protocol, pid; rank and ranks where the launcher says them, else null
to process refused    message: why it can't join
to process setup      version, config, guards, paused, stopping (a signal or null), rank, ranks, state_dir, hold
to process prepare    round, message: what all ranks are to heed at one step; see `tui.worker.rank`
to process go         round, step: heed it there
to process abort      round: it comes to nothing
to engine  promised   round, fence: this checkpoint is not passed unheard
to engine  rejected   as a worker says it; round, where it was prepared
both ways             else what a worker and its engine say; see `tui.worker.channel`
========== ========== ==================================================================================

How they go over the wire is in `tui.worker.link`.
"""

from __future__ import annotations

import atexit
import os
import sys
import time

from tui.worker import current, native, stopping
from tui.worker.link import Link, LostError, connected
from tui.worker.loop import Loop
from tui.worker.rank import Fence, JoinedMailbox, launched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tui.worker.validation import Rules

PROTOCOL = 2

#: Seconds that a process may be held up by its first checkpoint.
JOIN_PATIENCE = 0.045

#: Seconds between two ticks of the receiving thread.
TICK = 0.05

_SIGTERM = 15


class JoinedLoop(Loop):
    """The reload loop of a process that has joined.

    Its idle path is that of code which comes by millions of times: one flag says that there is anything to do.

    Attributes:
        due: The next checkpoint does more than to count.
    """

    mailbox: JoinedMailbox

    def __init__(self, link: Link, setup: dict[str, Any]) -> None:
        super().__init__(link, setup["version"], setup["config"], JoinedMailbox(Fence(setup["hold"])))
        self.rank, self.ranks = setup["rank"], setup["ranks"]
        self.state_dir = setup["state_dir"]
        self._thread = native.main_thread()
        self._rules: Rules | None = None
        # Reloads that have come before the program said what it wants; None once it has. No flag beside it.
        self._early: list[dict[str, Any]] | None = []
        self._gate = native.new_lock()
        self.guard(setup["guards"])
        if setup["stopping"]:
            self.put({"kind": "stop", "signal": setup["stopping"]})
        if setup["paused"]:
            self.put({"kind": "pause"})

    def begin(self) -> None:
        """Answer for the config that came by joining: the program is about to have it."""
        if self._has_begun():  # also where the user's own class comes to a checkpoint, made below
            return
        with self._gate:
            early, self._early = self._early, None
            if early is None:
                return  # another thread came first
            self._rules = _rules_for(_part.given)
            first = self._judged({"version": self.version, "config": self.config})
            if first is None:
                self.config = _part.given
            else:
                self.config, self.effective = first["config"], first.get("effective", [])
                self._answer([])
            for message in early:
                self._put(message)

    def _has_begun(self) -> bool:
        return self._early is None

    def put(self, message: dict[str, Any]) -> None:
        """Take a message of the engine."""
        with self._gate:
            kind = message["kind"]
            if kind == "reload" and self._early is not None:
                self._early.append(message)
            elif kind == "prepare":
                self._promise(message["round"], message["message"])
            elif kind in ("go", "abort"):
                self._take_decision(message)
            else:
                self._put(message)

    def _put(self, message: dict[str, Any]) -> None:
        wanted = self._judged(message) if message["kind"] == "reload" else message
        if wanted is not None:
            super().put(wanted)

    def _promise(self, number: int, message: dict[str, Any]) -> None:
        """Promise that a message of a round will be heeded at one step with the other ranks, or reject it."""
        wanted = self._judged(message, round=number) if message["kind"] == "reload" else message
        if wanted is not None:
            fence = self.mailbox.fence.promise(number, wanted, self._next_step)
            self.channel.send({"kind": "promised", "round": number, "fence": fence})

    def _next_step(self) -> int:
        self.due = True  # first: who has not seen it has counted its step already, and the fence is behind that
        return self.step if self._stands else self.step + 1

    @property
    def _stands(self) -> bool:
        """The task is held at a checkpoint: that one is not passed yet."""
        return self._paused and self.told_paused

    def _take_decision(self, message: dict[str, Any]) -> None:
        if message["kind"] == "abort":
            self.mailbox.fence.forget(message["round"])
            return
        self.mailbox.fence.decide(message["round"], message["step"])
        self.due = True
        self.mailbox.event.set()

    def checkpoint(self, metrics: Any) -> Any:
        """Complete a checkpoint: report, take what is waiting, return the current config."""
        self.step = step = self.step + 1
        self._latest = self._blocks.add(step, metrics) if metrics else None
        if self.due:
            self._take_notice(metrics)
        return self.config

    def finish(self) -> None:
        """The program ends in order: send what it has reported last."""
        self._blocks.finish()

    def sleep(self, seconds: float) -> None:
        """Sleep until a message waits in the mailbox, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while native.is_cooperative() and not self.mailbox.event.is_set() and time.monotonic() < deadline:
            time.sleep(min(TICK, max(deadline - time.monotonic(), 0)))
        self.mailbox.wait(max(deadline - time.monotonic(), 0))

    def _judged(self, message: dict[str, Any], **about: Any) -> dict[str, Any] | None:
        """Return the message with the object that the program wants; None where that can't be made, and is told."""
        if self._rules is None:
            return message
        try:
            made = self._rules.judge(message["config"])
        except Exception as refusal:  # of a kind that is imported only where there are rules
            about.update(version=message["version"], message=str(refusal), errors=getattr(refusal, "errors", []))
            self.channel.send({"kind": "rejected", **about})
            return None
        return {**message, "config": made, "effective": self._rules.effective(message["config"], made)}

    def _take_notice(self, metrics: Any) -> None:
        self.due = False  # first: what comes from here on is seen now, or sets it again
        _part.thread = native.this_thread()
        self.begin()
        if self._guards is not None:
            with self._lock:
                self._guards.check_metrics(metrics)
        self._come_to_fence()
        self._attend(metrics)
        while self.mailbox.fence.claims(
            self.step
        ):  # the promise was made while it was held, or looked at what had come
            self._come_to_fence()
            self._attend(metrics)
        if self._stopping and self.stop.leaves(self.step):
            self._leave()
        if (
            self._guards is not None or self._stopping or self.mailbox.fence.is_set
        ):  # never to False: a promise may come now
            self.due = True

    def _come_to_fence(self) -> None:
        """Wait where the other ranks may have to be heard first; end where nobody is heard."""
        if not self.mailbox.fence.is_set:
            return
        if not self.mailbox.fence.wait(self.step):
            self._end_alone()
        self.mailbox.event.set()  # what was decided for this step is waiting

    def _held(self) -> bool:
        return super()._held() and not self.mailbox.fence.ends_pause

    def _arrived(self) -> list[dict[str, Any]]:
        decided = self.mailbox.fence.take(self.step)
        for message in decided:
            if message["kind"] == "stop":
                self.stop.begin(message["signal"], self.step)
        return [*super()._arrived(), *decided]

    def _end_alone(self) -> None:
        silence = f"the deck has not said within {self.mailbox.fence.patience:g} s at which step all ranks change"
        _say(f"{silence}: rank {self.rank} ends at step {self.step}, it must not go on alone")
        if native.this_thread() == self._thread:
            raise SystemExit(1)
        os._exit(1)


class _Part:
    """This process as a part of a job: not yet, on its way, or there; anew in each process that is forked."""

    def __init__(self) -> None:
        self.lock = native.new_rlock()
        self.link: Link | None = None
        self.loop: Loop | None = None
        self.asked = False  # the deck, whether it has answered or not
        self.entered = False  # by a checkpoint
        self.given: Any = None  # the config of its own that it came with to that
        self.thread = 0  # in which a checkpoint was last seen
        self.steps = 0  # checkpoints before the deck has answered: all ranks count from their first


_part = _Part()


def first_checkpoint(config: Any, metrics: Any) -> Any:
    """Join, and complete the first checkpoint; the caller's own config is what it has until the deck has answered."""
    with _part.lock:
        loop = enter(config)
        if loop is None:
            _part.steps += 1
            return config
    if isinstance(loop, JoinedLoop):
        loop.begin()
    return loop.checkpoint(metrics)


def enter(config: Any = None) -> Loop | None:
    """Join, and be live from now on; else what the program asks joins it, and does not say yet what config it wants."""
    _part.given, _part.entered = config, True
    loop = join()
    if loop is not None:
        current.loop = loop
    return loop


def asked_loop() -> Loop | None:
    """Return the reload loop of this process, also before its first checkpoint."""
    return current.loop or _part.loop


def member() -> tuple[int, int]:
    """Return the rank of this process and the number of all; joining tells it, where the launcher does not."""
    loop = join()
    return (loop.rank, loop.ranks) if loop is not None else (0, 1)


def join() -> Loop | None:
    """Join the deck, once in a process; None where there is no answer, or none yet."""
    with _part.lock:
        if current.address is not None and not _part.asked:
            _part.asked = True
            _join(current.address)
        if _part.entered and not is_on_its_way():
            current.address = None
        return asked_loop()


def _join(address: str) -> None:
    deadline = time.monotonic() + JOIN_PATIENCE
    path, _, token = address.rpartition("#")
    try:
        link = Link(connected(path, JOIN_PATIENCE / 2))
    except OSError as error:
        _say(f"no deck answers at {path} ({error.strerror}): the script runs by itself")
        return
    rank, ranks = launched()
    link.send({"kind": "join", "token": token, "protocol": PROTOCOL, "pid": os.getpid(), "rank": rank, "ranks": ranks})
    if be_part(link, JoinedLoop, max(deadline - time.monotonic(), 0.001)):
        stopping.install(_SIGTERM)  # anew, in a process that was forked


def be_part(link: Link, kind: type[JoinedLoop], seconds: float) -> bool:
    """Be a part of the job to which a connection leads; return whether it is up.

    Args:
        link: The connection.
        kind: Of the reload loop.
        seconds: How long the first message may take; then it is taken when it comes.
    """
    _part.link = link
    try:
        link.limit(seconds)
        messages = link.receive()
        link.limit(TICK)
    except (LostError, OSError) as error:
        _say(f"the deck has not taken it up ({error}): the script runs by itself")
        return False
    intake = _Intake(link, kind)
    for message in messages:
        intake.put(message)
    native.start_thread(_receive, (link, intake))
    return True


def is_on_its_way() -> bool:
    """Tell whether this process has said that it joins, and the deck may still answer."""
    return _part.link is not None and _part.link.is_open


class _Intake:
    """Takes what the engine says to this process."""

    def __init__(self, link: Link, kind: type[JoinedLoop]) -> None:
        self._link = link
        self._kind = kind
        self._loop: JoinedLoop | None = None
        self._thread = native.main_thread()
        self._ended: float | None = None

    def put(self, message: dict[str, Any]) -> None:
        """Take a message."""
        kind = message["kind"]
        if kind == "setup":
            self._loop = self._kind(self._link, message)
            with _part.lock:  # a checkpoint either counts with those before it, or finds the loop
                self._loop.step = _part.steps
                _part.loop = self._loop
                if _part.entered:
                    current.loop = self._loop
            atexit.register(self._loop.finish)
        elif kind == "refused":
            _say(f"{message['message']}: the script runs by itself")
            self._link.close()
        elif kind == "stack" and self._loop is not None:
            from tui.worker import stack

            self._link.send({"kind": "stack", "id": message["id"], "text": stack.of(self._loop, self._thread)})
        elif self._loop is not None:
            self._loop.put(message)

    def tick(self) -> None:
        """Have metrics sent, and what could not be sent before."""
        if self._loop is not None:
            self._loop.sample()
            if not self._loop.over:
                self._look_for_end(self._loop)
        self._link.flush()

    def _look_for_end(self, loop: JoinedLoop) -> None:
        """Where the program has ended and its process is still here, say what it waits for, once.

        While the thread lives that has come to checkpoints, it may come to more; else nobody takes a change.
        """
        threading = sys.modules.get("threading")
        if threading is None or threading.main_thread().is_alive():
            return
        from tui.worker import lingering

        self._ended = self._ended or time.monotonic()
        goes_on = _part.thread != self._thread and _part.thread in sys._current_frames()
        if not goes_on and time.monotonic() - self._ended > lingering.LINGER:
            loop.over = True
            self._link.send({"kind": "lingers", "message": lingering.reason("the script"), "over": True})

    def end(self) -> None:
        """The engine is gone: the process goes on with the config that it has, and a pause ends."""
        if self._loop is not None:
            self._loop.put({"kind": "resume"})


def _receive(link: Link, intake: _Intake) -> None:
    """Hand on what the engine sends until the connection is gone, in a thread of its own."""
    due = time.monotonic()
    try:
        while True:
            if time.monotonic() >= due:
                intake.tick()
                due = time.monotonic() + TICK
            for message in link.receive():
                intake.put(message)
    except LostError:
        link.close()
        intake.end()


def _rules_for(given: Any) -> Rules | None:
    """Return what makes of a config what the program has given: a dataclass or a pydantic model; None for a dict."""
    kind = type(given)
    if not hasattr(kind, "model_validate") and not hasattr(kind, "__dataclass_fields__"):
        return None
    from tui.worker import validation

    return validation.rules_of(kind)


def _say(message: str) -> None:
    if sys.stderr is not None:
        print(f"tunedeck: {message}", file=sys.stderr)


def _leave() -> None:
    """A process that was forked is none that has joined: it joins by its own first checkpoint."""
    global _part
    link = _part.link
    if isinstance(_part.loop, JoinedLoop):
        atexit.unregister(_part.loop.finish)  # it may wait for a thread that is not here
    _part = _Part()
    if link is not None:
        link.abandon()
    stopping.uninstall()
    current.loop = None
    current.address = os.environ.get("TUNEDECK") or None
    current.inside = current.address is not None


current.joining = sys.modules[__name__]
os.register_at_fork(after_in_child=_leave)
if current.address is not None:  # else the process is not a deck's to end
    stopping.install(_SIGTERM)
