"""The timeline for other programs and for people: as JSON lines, CSV or Markdown. Both ends of a deck write these."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from tui import wording
from tui.protocol.codec import encode, jsonable
from tui.protocol.messages import Change, Reload

#: What a spreadsheet takes for the begin of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: What a terminal would obey, or would turn a line round by.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Format(NamedTuple):
    """A way to write reloads: how files with it are called, what comes before them, and the line of each."""

    ending: str
    head: tuple[str, ...]
    line: Callable[[Reload], str]


def harmless(text: str) -> str:
    """Return `text` with its control characters, newlines too, by their numbers."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Return `text` as one harmless line, its lines joined."""
    return harmless("; ".join(line.strip() for line in text.splitlines() if line.strip()))


def change(item: Change) -> str:
    """Return a change in one line, such as ``lr: 0.1 → 0.05``; a side that is missing as ``–``."""
    sides = (item.added, item.old), (item.removed, item.new)
    old, new = ("–" if missing else json.dumps(jsonable(side), ensure_ascii=False) for missing, side in sides)
    return one_line(f"{item.key}: {old} → {new}")


def moment(seconds: float) -> str:
    """Return a time as ISO 8601 with milliseconds, in the local zone."""
    whole = time.localtime(seconds)
    zone = time.strftime("%z", whole)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', whole)}.{int(seconds % 1 * 1000):03}{zone[:3]}:{zone[3:]}"


def write(rows: Iterable[Reload], name: str) -> Iterator[str]:
    """Yield the lines of `rows` in a format, without line ends."""
    form = FORMATS[name]
    yield from form.head
    yield from map(form.line, rows)


def _json_line(row: Reload) -> str:
    return encode(row).decode().rstrip("\n")


def _csv_line(row: Reload) -> str:
    return _cells(*(value(row) for value in _CSV.values()))


def _effect(row: Reload) -> str:
    """Return what a change did to the main metric."""
    return one_line(wording.effect(row.effect[0])) if row.effect else ""


def _of_error(row: Reload, name: str) -> object:
    value = getattr(row.error, name, None)
    return one_line(value) if isinstance(value, str) else value


#: What a table for other programs holds of a reload, by the names of its columns.
_CSV: dict[str, Callable[[Reload], object]] = {
    **{name: attrgetter(name) for name in ("version", "status", "source")},
    "time": lambda row: moment(row.time),
    **{name: attrgetter(name) for name in ("who", "run", "base", "step", "latency_ms", "by", "tag", "note")},
    "changes": lambda row: "; ".join(map(change, row.changes)),
    "error": lambda row: _of_error(row, "message"),
    **{name: partial(_of_error, name=name) for name in ("line", "column", "key")},
    "effect": _effect,
    "ranks_applied": lambda row: row.ranks["applied"] if row.ranks else "",
    "ranks": lambda row: row.ranks["total"] if row.ranks else "",
}


def _cells(*values: object) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(as_cell(value) for value in values)
    return line.getvalue()


def as_cell(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula: a text in a config may be written by anybody."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _markdown_line(row: Reload) -> str:
    said = one_line(row.error.message) if row.error is not None else "; ".join([*map(change, row.changes), *row.files])
    took = f"{row.latency_ms:.1f} ms" if row.latency_ms is not None else ""
    step = "" if row.step is None else row.step
    begin = f"v{row.version}", row.status, row.source, moment(row.time), row.who, row.run
    cells = *begin, step, took, said, _effect(row)
    return "| " + " | ".join(_escaped(str(cell)) for cell in (*cells, row.tag, row.note)) + " |"


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*_<>`\[\]#~])", r"\\\1", text)


FORMATS = {
    "jsonl": Format("jsonl", (), _json_line),
    "csv": Format("csv", (",".join(_CSV),), _csv_line),
    "markdown": Format(
        "md",
        (
            "| version | status | source | time | who | run | step | took | what | effect | tag | note |",
            "|--:|---|---|---|---|--:|--:|--:|---|---|---|---|",
        ),
        _markdown_line,
    ),
}
