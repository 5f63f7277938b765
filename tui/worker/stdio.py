"""What the Python code of many jobs prints in one process, kept apart per job.

In a host `sys.stdout` and `sys.stderr` are streams that look whose code is running: what a job prints goes to the
engine under its name, line by line, and all else to the real stream. What C code and child processes write to
descriptors 1 and 2 can't be told apart; it is the host's.
"""

from __future__ import annotations

import codecs
import io
import sys
import threading
from typing import Any, TextIO

from tui.worker import current
from tui.worker.channel import Channel, JobChannel

#: An unfinished line that is longer than this is sent as it is, and a longer text in parts.
PART = 1 << 16


class Outlet(JobChannel):
    """The end of the channel that one run of a job has: its messages and what it prints, in one order.

    Args:
        channel: The connection to the engine.
        job: The job's name.
    """

    def __init__(self, channel: Channel, job: str) -> None:
        super().__init__(channel, job)
        self._lock = threading.RLock()  # a finalizer that runs just here may print
        self._rests: dict[str, str] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._ended = False

    def send(self, message: dict[str, Any]) -> None:
        """Send a message that must arrive; none comes after the end."""
        with self._lock:
            if not self._ended:
                super().send(message)

    def offer(self, message: dict[str, Any]) -> bool:
        """Send a message that may be left out; return whether it was sent."""
        with self._lock:
            return not self._ended and super().offer(message)

    def write(self, stream: str, text: str) -> bool:
        """Send the whole lines and keep the rest; return False when the run has ended."""
        with self._lock:
            if self._ended:
                return False
            text = self._rests.pop(stream, "") + text
            length = len(text) if len(text) > PART else text.rfind("\n") + 1
            self._rests[stream] = text[length:]
            self._send_text(text[:length])
            return True

    def write_bytes(self, stream: str, data: bytes) -> bool:
        """Do the same with encoded text, of which a character may come in two parts."""
        with self._lock:
            if stream not in self._decoders:
                self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
            return self.write(stream, self._decoders[stream].decode(data))

    def flush(self, stream: str) -> None:
        """Send the rest."""
        with self._lock:
            self._send_text(self._rests.pop(stream, ""))

    def end(self, code: int) -> None:
        """Send all that is left and then, as the last message, how the run ended."""
        with self._lock:
            for stream in list(self._rests):
                self.flush(stream)
            self.send({"kind": "ended", "code": code})
            self._ended = True

    def _send_text(self, text: str) -> None:
        # A lone surrogate, as from the name of a file, is legal in a str and nowhere else.
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
        for start in range(0, len(text), PART):
            self.send({"kind": "wrote", "text": text[start : start + PART]})


class Routed(io.TextIOBase):
    """Stands for a standard stream of the process and sorts by job what is written.

    Args:
        real: The stream for what no job has written.
        stream: Its name, ``stdout`` or ``stderr``.
    """

    line_buffering = True
    write_through = False

    def __init__(self, real: TextIO, stream: str) -> None:
        self.name = f"<{stream}>"
        self.mode = "w"
        self.buffer = _Bytes(self, real, stream)
        self._real = real
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of what is written to `buffer`."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of what can't be encoded."""
        return "backslashreplace"

    def write(self, text: str) -> int:
        """Write for the job whose code calls."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        outlet = current_outlet()
        if outlet is None or not outlet.write(self._stream, text):
            self._real.write(text)
        return len(text)

    def flush(self) -> None:
        """Send an unfinished line of the job whose code calls."""
        outlet = current_outlet()
        if outlet is not None:
            outlet.flush(self._stream)
        else:
            self._real.flush()

    def close(self) -> None:
        """Flush only: the stream is also the other jobs'."""
        self.flush()

    def reconfigure(self, **_: Any) -> None:
        """Accept everything: a line is sent when it is complete, in UTF-8, whatever is asked."""
        self.flush()

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: the engine reads."""
        return False

    def fileno(self) -> int:
        """Return the descriptor of the process: what is written to it is the host's."""
        return self._real.fileno()


class _Bytes(io.RawIOBase):
    """The `buffer` of a routed stream."""

    def __init__(self, text: Routed, real: TextIO, stream: str) -> None:
        self.name = text.name
        self.mode = "wb"
        self._text = text
        self._real = real
        self._stream = stream

    def write(self, data: Any) -> int:
        data = bytes(data)
        outlet = current_outlet()
        if outlet is None or not outlet.write_bytes(self._stream, data):
            self._real.buffer.write(data)
            self._real.buffer.flush()
        return len(data)

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        self.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._real.fileno()


def current_outlet() -> Outlet | None:
    """Return the outlet of the job whose code runs here."""
    loop = current.hosted.get()
    channel = None if loop is None else loop.channel
    return channel if isinstance(channel, Outlet) else None


def install() -> None:
    """Put routed streams in the place of the process's standard streams."""
    sys.stdout = Routed(sys.stdout, "stdout")
    sys.stderr = Routed(sys.stderr, "stderr")
