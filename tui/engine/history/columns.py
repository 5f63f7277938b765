"""A reload as a row of the history's table, and back: the one place that knows the columns and their order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from tui.protocol.codec import effects_in, jsonable, quote
from tui.protocol.messages import Change, Effect, Problem, Reload


class Stored(NamedTuple):
    """The columns of a row in the order of the table, but for the config before them and the text after them."""

    job: str
    version: int
    time: float
    status: str
    source: str
    changes: str
    step: int | None
    latency_ms: float | None
    error: str | None
    by_version: int | None
    who: str
    base: int | None
    run: int
    times: str
    note: str
    tag: str
    effective: str | None
    errors: str | None
    effect: str | None
    ranks: str | None

    @classmethod
    def of(cls, row: Reload) -> Stored:
        """Return a reload as it is stored."""
        return cls(
            row.job,
            row.version,
            row.time,
            row.status,
            row.source,
            json.dumps(jsonable(row.changes)),
            row.step,
            row.latency_ms,
            json.dumps(jsonable(row.error)) if row.error else None,
            row.by,
            row.who,
            row.base,
            row.run,
            json.dumps(row.times),
            row.note,
            row.tag,
            json.dumps(jsonable(row.effective)) if row.effective is not None else None,
            json.dumps(jsonable(row.errors)) if row.errors else None,
            effect_column(row.effect),
            json.dumps(row.ranks) if row.ranks else None,
        )

    def reload(self) -> Reload:
        """Return the reload."""
        return Reload(
            self.job,
            self.version,
            self.status,
            self.source,
            tuple(Change(**change) for change in json.loads(self.changes)),
            self.step,
            self.latency_ms,
            Problem(**json.loads(self.error)) if self.error else None,
            self.by_version,
            self.who,
            self.base,
            self.run,
            json.loads(self.times),
            self.note,
            self.tag,
            json.loads(self.effective) if self.effective else None,
            tuple(Problem(**problem) for problem in json.loads(self.errors)) if self.errors else (),
            effects_of(self.effect),
            json.loads(self.ranks) if self.ranks else None,
            time=self.time,
        )


#: What is read of a row: the text is the last column of the table, so who reads the rest does not pass it.
READ = ", ".join(Stored._fields)

#: All columns, in the order in which they are stored.
COLUMNS = f"config, {READ}, text"

INSERT = f"INSERT INTO reload ({COLUMNS}) VALUES ({', '.join('?' * (COLUMNS.count(',') + 1))})"

#: What an answer changes in a row; what the user says of it is not among that.
_ANSWER = (
    *("status", "changes", "step", "latency_ms", "error", "by_version", "base", "times", "effective", "errors"),
    "ranks",
)

UPDATE = (
    f"UPDATE reload SET {', '.join(f'{name} = ?' for name in _ANSWER)} WHERE config = ? AND job = ? AND version = ?"
)


def answer(row: Reload) -> tuple[Any, ...]:
    """Return the values of an `UPDATE`, but for those that name the row."""
    stored = Stored.of(row)
    return tuple(getattr(stored, name) for name in _ANSWER)


def effect_column(effects: Sequence[Effect]) -> str | None:
    """Return what changes did as it is stored."""
    return json.dumps(jsonable(effects)) if effects else None


def effects_of(stored: str | None) -> tuple[Effect, ...]:
    """Return what changes did, as it was stored."""
    return effects_in(json.loads(stored)) if stored else ()


def json_line(stored: Stored) -> bytes:
    """Return a row as `tui.protocol.codec.encode` would, in a fifth of the time: it is JSON already."""
    fields = (
        f'{{"event": "reload", "time": {stored.time!r}',
        f'"job": {quote(stored.job)}',
        f'"version": {stored.version}',
        f'"status": {quote(stored.status)}',
        f'"source": {quote(stored.source)}',
        f'"changes": {_raw(stored.changes)}',
        f'"step": {_number(stored.step)}',
        f'"latency_ms": {_number(stored.latency_ms)}',
        f'"error": {_raw(stored.error)}',
        f'"by": {_number(stored.by_version)}',
        f'"who": {quote(stored.who)}',
        f'"base": {_number(stored.base)}',
        f'"run": {stored.run}',
        f'"times": {_raw(stored.times)}',
        f'"note": {quote(stored.note)}',
        f'"tag": {quote(stored.tag)}',
        f'"effective": {_raw(stored.effective)}',
        f'"errors": {_raw(stored.errors or "[]")}',
        f'"effect": {_raw(stored.effect or "[]")}',
        f'"ranks": {_raw(stored.ranks)}}}\n',
    )
    return ", ".join(fields).encode("utf-8", "replace")


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _raw(stored: str | None) -> str:
    if stored is None:
        return "null"
    return json.dumps(json.loads(stored), ensure_ascii=False) if "\\u" in stored else stored
