from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from io import BufferedReader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.scrollback import LineBlock, Output
from tui.engine.service import headless
from tui.engine.service.headless import Printer, Readable, as_json, reload_words
from tui.protocol import codec, messages
from tui.protocol.messages import Change, Log, Notice, Problem, Reload, Running, State


class Reader:
    """The other end of a printer's pipe, which reads when a test says so."""

    def __init__(self, *, blocking: bool = True) -> None:
        descriptor, self.descriptor = os.pipe()
        os.set_blocking(self.descriptor, blocking)
        if sys.platform == "linux":
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
        self.stream: BufferedReader = os.fdopen(descriptor, "rb")

    def all(self, printer: Printer) -> list[messages.Message | None]:
        """Close the printer and return everything that it writes."""

        def close() -> None:
            printer.close()
            os.close(self.descriptor)

        closing = threading.Thread(target=close)
        closing.start()
        lines = self.stream.readlines()
        closing.join()
        return [codec.decode(line) for line in lines]


#: So much waits in these tests; with what waits else they would take long.
WAITING = 1 << 16


@pytest.fixture(params=[True, False], ids=["blocking", "non-blocking"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(headless, "MOST_WAITING", WAITING)
    made = Reader(blocking=request.param)
    yield made
    made.stream.close()


def lines(first: int, count: int) -> Output:
    text = "".join(f"line {number}\n" for number in range(first, first + count))
    return Output("job", LineBlock(first, count, text.encode(), 1, 5.0))


def test_events_come_out_in_order_and_lines_one_by_one(reader: Reader) -> None:
    printer = Printer(as_json, reader.descriptor)
    told = [State("job", "starting"), Notice("job", "hello"), Reload("job", 1, "sent", "start")]
    for event in (told[0], lines(0, 2), *told[1:], Running("job", 1)):
        printer.put(event)
    logs = [Log("job", f"line {number}", 1, time=5.0) for number in range(2)]
    assert reader.all(printer) == [told[0], *logs, *told[1:]]


def test_a_slow_reader_loses_lines_but_never_an_event(reader: Reader) -> None:
    printer = Printer(as_json, reader.descriptor)
    batches = 3 * WAITING // 10_000
    for batch in range(batches):
        printer.put(lines(batch * 1_000, 1_000))
        printer.put(State("job", f"after batch {batch}"))
    found = reader.all(printer)
    states = [event.state for event in found if isinstance(event, State)]
    assert states == [f"after batch {batch}" for batch in range(batches)]
    dropped = sum(event.count for event in found if isinstance(event, messages.Dropped))
    kept = [event.line for event in found if isinstance(event, Log)]
    assert dropped > 0
    assert dropped + len(kept) == batches * 1_000
    assert kept == sorted(kept, key=lambda line: int(line.split()[1]))


def test_lines_are_counted_as_dropped_where_they_are_missing(reader: Reader) -> None:
    printer = Printer(as_json, reader.descriptor)
    flood = 3 * WAITING // 10_000 * 1_000
    for first in range(0, flood, 1_000):
        printer.put(lines(first, 1_000))
    mark = codec.encode(State("job", "flooded", time=6.0))
    printer.put(State("job", "flooded", time=6.0))
    found = [codec.decode(line) for line in iter(reader.stream.readline, mark)]
    printer.put(lines(flood, 10))
    found += reader.all(printer)
    expected = 0
    for event in found:
        if isinstance(event, messages.Dropped):
            expected += event.count
        else:
            assert isinstance(event, Log)
            assert event.line == f"line {expected}"
            expected += 1
    assert expected == flood + 10


def test_a_reader_that_has_gone_is_told_once_and_holds_nothing_up(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader()
    reader.stream.close()
    printer = Printer(as_json, reader.descriptor)
    printer.put(lines(0, 10))
    printer.close()
    os.close(reader.descriptor)
    assert capsys.readouterr().err == "tunedeck: standard output: Broken pipe; the jobs go on unheard\n"


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_printer_goes_on_where_standard_error_has_gone_as_well(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.stream.close()
    monkeypatch.setattr(sys, "stderr", Gone())
    printer = Printer(as_json, reader.descriptor)
    printer.put(State("job", "running"))
    printer.close()  # a thread that has raised is an error of pytest's
    os.close(reader.descriptor)


def test_who_asks_for_the_end_is_not_held_up_and_events_go_before_lines(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "LAST_WORDS", 0.05)
    printer = Printer(as_json, reader.descriptor)
    printer.put(lines(0, 5_000))
    printer.put(State("job", "stopped"))
    printer.put(lines(5_000, 5_000))
    printer.close(wait=False)  # nobody has read anything
    found = reader.all(printer)
    states = [index for index, event in enumerate(found) if isinstance(event, State)]
    kept = sum(isinstance(event, Log) for event in found)
    dropped = [event.count for event in found if isinstance(event, messages.Dropped)]
    assert [len(states), kept + sum(dropped)] == [1, 10_000]
    assert kept < 200  # what the pipe and the piece before it hold
    assert [type(event) for event in found[-3:]] == [messages.Dropped, State, messages.Dropped]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (State("a", "running", pid=7), "* running pid 7"),
        (State("a", "crashed", exit_code=1, reason="ValueError: no"), "* crashed ValueError: no"),
        (Output("a", LineBlock(3, 1, b"hello\n", 1, 5.0)), "| hello"),
        (Output("a", LineBlock(3, 1, b"10 %\r99 %\r\n", 1, 5.0)), "| 99 %"),
        (Output("a", LineBlock(3, 1, b"caf\xe9 \xe2\x82\xac\n", 1, 5.0)), "| caf\ufffd \u20ac"),
        (messages.Dropped("a", 12), "* 12 lines were dropped here"),
        (Notice("a", "gone", "warning"), "* warning: gone"),
    ],
)
def test_a_log_for_people(event: messages.Event, words: str) -> None:
    line = Readable(5)(event).decode()
    assert line[8:] == f" a     {words}\n"


def test_of_metrics_that_wait_only_the_latest_are_kept_but_each_before_the_next_event(reader: Reader) -> None:
    printer = Printer(as_json, reader.descriptor)
    printer.put(lines(0, 2_000))  # more than the pipe holds: the printer waits for the reader
    while printer.queue:
        time.sleep(0.001)
    for step in range(1_000):
        printer.put(messages.Metrics("job", step, {}))
        printer.put(messages.Metrics("other", step, {}))
    assert len(printer.queue) == 2
    printer.put(State("job", "crashed"))
    for step in range(10):
        printer.put(messages.Metrics("job", step, {}))
    found = [event for event in reader.all(printer) if not isinstance(event, Log)]
    told = [(event.job, event.step) if isinstance(event, messages.Metrics) else "crashed" for event in found]
    assert told == [("job", 999), ("other", 999), "crashed", ("job", 9)]


def test_for_a_reader_that_never_reads_metrics_do_not_pile_up(reader: Reader) -> None:
    printer = Printer(as_json, reader.descriptor)
    printer.put(lines(0, 2_000))  # more than the pipe holds: the printer waits for the reader
    while printer.queue:
        time.sleep(0.001)
    sizes = []
    for number in range(20_000):
        printer.put(lines(number, 1))
        printer.put(messages.Metrics("job", number, {"loss": 1.0}))
        if number % 5_000 == 4_999:
            sizes.append(len(printer.queue))
    assert sizes[0] == sizes[-1]
    assert sizes[-1] <= 2 * WAITING // headless.OVERHEAD + 2
    metrics = [event.step for event in reader.all(printer) if isinstance(event, messages.Metrics)]
    assert metrics[-1] == 19_999


def test_log_for_people_has_its_words_before_each_line() -> None:
    said = Readable(3)(Output("a", LineBlock(0, 3, b"one\n\n[b]{two}\n", 1, 5.0))).decode()
    assert [line[8:] for line in said.splitlines()] == [" a   | one", " a   | ", " a   | [b]{two}"]


def test_metrics_are_not_told_to_people() -> None:
    assert Readable(1)(messages.Metrics("a", 1, {})) == b""


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            Reload("a", 2, "applied", "disk", (Change("lr", 1, 0.5), Change("x", None, 2, added=True)), 7, 12.34),
            "* v2 applied (disk) at step 7 in 12.3 ms lr 1 → 0.5, x – → 2",
        ),
        (Reload("a", 2, "superseded", "editor", by=3), "* v2 superseded (editor) by v3"),
        (
            Reload("a", 2, "invalid", "disk", error=Problem("no good", 3, 7)),
            "* v2 invalid (disk) line 3:7: no good",
        ),
        (Reload("a", 2, "invalid", "disk", error=Problem("no good", 3)), "* v2 invalid (disk) line 3: no good"),
        (Reload("a", 2, "sent", "disk", (Change("t", "x" * 99, ""),)), f"* v2 sent (disk) t {'x' * 39}… → "),
        (
            Reload("a", 2, "sent", "set", (Change("x", 1, "1"), Change("b", True, "true"), Change("d", "1", "0,5"))),
            '* v2 sent (set) x 1 → "1" (number → text), b true → "true" (boolean → text), d "1" → 0,5',
        ),
        (
            Reload(
                "a", 2, "sent", "set", (Change("n", None, "null"), Change("m", 1, None), Change("k", None, None, True))
            ),
            '* v2 sent (set) n null → "null", m 1 → null, k – → null',
        ),
    ],
)
def test_a_reload_in_one_line(row: Reload, words: str) -> None:
    assert reload_words(row) == words


def test_json_is_one_object_a_line() -> None:
    assert json.loads(codec.encode(Notice("a", "two\nlines")))["message"] == "two\nlines"


@given(text=st.text(), job=st.text(), version=st.none() | st.integers(1), at=st.floats(0, 1e12))
def test_a_line_is_encoded_like_its_event(text: str, job: str, version: int | None, at: float) -> None:
    batch = messages.Lines(job, 0, f"{text}\n{{}}", version, time=at)
    logs = [Log(job, line, version, time=at) for line in (*text.split("\n"), "{}")]
    assert codec.encode_lines(batch) == b"".join(map(codec.encode, logs))
