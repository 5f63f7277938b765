from __future__ import annotations

import contextvars
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.patience import PATIENCE
from tests.worker.loops import FakeChannel
from tui.worker import current, stdio
from tui.worker.channel import Channel
from tui.worker.loop import Loop
from tui.worker.stdio import PART, Outlet, Routed


class Desk:
    """Two jobs, a standard stream, and what is written to it by whom."""

    def __init__(self) -> None:
        self.channel = FakeChannel()
        self.outlets = {job: Outlet(cast(Channel, self.channel), job) for job in "ab"}
        self.bytes = io.BytesIO()
        self.real = io.TextIOWrapper(self.bytes, encoding="utf-8", write_through=True)
        self.out = Routed(self.real, "stdout")
        self.err = Routed(self.real, "stderr")

    def as_job(self, job: str, call: Callable[[], Any]) -> Any:
        """Call something as a job's code."""
        context = contextvars.copy_context()
        context.run(current.hosted.set, Loop(self.outlets[job], 1, {}))
        return context.run(call)

    def wrote(self, job: str = "a") -> list[str]:
        """Return what was sent as the output of a job."""
        return [message["text"] for message in self.channel.of("wrote") if message["job"] == job]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for stream in (desk.out, desk.err):
        # For good, which its own close does not do: what collects garbage would close it in the middle of another
        # test, and flush the rest of that one's job.
        io.IOBase.close(stream.buffer)
        io.IOBase.close(stream)


def test_lines_are_sent_whole_and_a_rest_when_flushed(desk: Desk) -> None:
    def talk() -> None:
        print("one", "line", file=desk.out)
        print("begun", end="", file=desk.out)
        assert desk.wrote() == ["one line\n"]
        print(", continued\nand a rest", end="", file=desk.out)
        assert desk.wrote() == ["one line\n", "begun, continued\n"]
        desk.out.flush()
        desk.out.flush()

    desk.as_job("a", talk)
    assert desk.wrote() == ["one line\n", "begun, continued\n", "and a rest"]


def test_each_job_is_heard_under_its_own_name_and_all_else_on_the_real_stream(desk: Desk) -> None:
    for job in "ab":
        desk.as_job(job, lambda: print("half", end="", file=desk.out))
    for job in "ab":
        desk.as_job(job, lambda job=job: print(" of", job, file=desk.out))  # type: ignore[misc]
    print("nobody's", file=desk.out)
    assert (desk.wrote("a"), desk.wrote("b")) == (["half of a\n"], ["half of b\n"])
    assert desk.bytes.getvalue() == b"nobody's\n"


def test_an_unfinished_line_of_one_stream_is_not_mixed_with_the_other(desk: Desk) -> None:
    def talk() -> None:
        desk.out.write("out")
        desk.err.write("err\n")
        desk.out.write("!\n")

    desk.as_job("a", talk)
    assert desk.wrote() == ["err\n", "out!\n"]


def test_bytes_go_the_same_way_also_when_a_character_comes_in_parts(desk: Desk) -> None:
    def talk() -> None:
        desk.out.write("text ")
        assert desk.out.buffer.write(b"\xc3") == 1
        desk.out.buffer.write(memoryview(b"\xa4 \xff\n"))
        desk.out.buffer.flush()

    desk.as_job("a", talk)
    assert desk.wrote() == ["text ä �\n"]
    desk.out.buffer.write(b"nobody's")
    assert desk.bytes.getvalue() == b"nobody's"


def test_the_end_comes_after_all_that_was_written_and_nothing_comes_after_the_end(desk: Desk) -> None:
    def talk() -> None:
        desk.out.write("the last")
        desk.outlets["a"].end(3)
        print("a ghost", file=desk.out)
        desk.outlets["a"].send({"kind": "applied"})
        desk.outlets["a"].offer({"kind": "metrics"})

    desk.as_job("a", talk)
    assert desk.channel.sent == [
        {"job": "a", "kind": "wrote", "text": "the last"},
        {"job": "a", "kind": "ended", "code": 3},
    ]
    assert desk.bytes.getvalue() == b"a ghost\n"


def test_output_and_receipts_keep_their_order(desk: Desk) -> None:
    def talk() -> None:
        print("before", file=desk.out)
        desk.outlets["a"].send({"kind": "applied"})
        print("after", file=desk.err)

    desk.as_job("a", talk)
    assert [message.get("text", message["kind"]) for message in desk.channel.sent] == ["before\n", "applied", "after\n"]


def test_long_text_is_sent_in_parts(desk: Desk) -> None:
    desk.as_job("a", lambda: desk.out.write("x" * (2 * PART + 1)))
    assert [len(text) for text in desk.wrote()] == [PART, PART, 1]


def test_a_lone_surrogate_is_told_and_not_sent(desk: Desk) -> None:
    desk.as_job("a", lambda: print("name \udcff", file=desk.out))
    assert desk.wrote() == ["name \\udcff\n"]


def test_the_stream_is_what_programs_expect(desk: Desk) -> None:
    assert (desk.out.encoding, desk.out.isatty(), desk.out.writable(), desk.out.readable()) == (
        "utf-8",
        False,
        True,
        False,
    )
    desk.out.reconfigure(line_buffering=False, encoding="latin-1")
    with desk.out:
        pass
    assert not desk.out.closed  # it is the other jobs' too
    desk.out.buffer.close()
    assert not desk.out.buffer.closed
    with pytest.raises(TypeError, match="must be str, not bytes"):
        desk.out.write(b"")  # type: ignore[arg-type]
    with pytest.raises(io.UnsupportedOperation):
        desk.out.fileno()  # as the real one says


def test_a_finalizer_may_print_while_a_message_is_sent(desk: Desk) -> None:
    class Nested(FakeChannel):
        def send(self, message: dict[str, Any]) -> None:
            super().send(message)
            if message.get("text") == "outer\n":
                print("inner", file=desk.out)

    desk.outlets["a"] = Outlet(cast(Channel, Nested()), "a")
    thread = threading.Thread(target=desk.as_job, args=("a", lambda: print("outer", file=desk.out)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_streams_are_replaced_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", io.StringIO())
    stdio.install()
    print("nobody's")
    assert stdio.current_outlet() is None
