"""Notes and tags, and what viewers ask of a job's history."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.plays import Play
from tui.engine.service import history_commands, write_commands
from tui.protocol import codec, messages
from tui.protocol.messages import Noted, Reload, Reply


async def ask(play: Play, kind: Any, *words: Any) -> Reply:
    return await history_commands.obey(play.job, kind(7, "job", *words))


async def test_notes_and_tags_are_kept_and_told() -> None:
    play = Play()
    await play.run()
    assert await ask(play, messages.Note, 1, " the first one, ä “quoted” ") == Reply(7, True)
    assert await ask(play, messages.Tag, 1, "best") == Reply(7, True)
    told = [(event.version, event.note, event.tag) for event in play.of(Noted)]
    assert told == [(1, "the first one, ä “quoted”", ""), (1, "the first one, ä “quoted”", "best")]
    (row,) = play.history.rows()
    assert (row.note, row.tag) == told[-1][1:]
    assert await ask(play, messages.Note, 1, "") == Reply(7, True)
    (row,) = play.history.rows()
    assert (row.note, row.tag) == ("", "best")


async def test_an_answer_that_comes_later_keeps_the_note() -> None:
    play = Play()
    await play.run()
    await play.save("lr: 2\n")
    await ask(play, messages.Note, 2, "waits")
    play.apply(2)
    assert [(row.status, row.note) for row in play.of(Reload)][-1] == ("applied", "waits")
    assert [(row.status, row.note) for row in play.history.rows()][-1] == ("applied", "waits")


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (messages.Note, "a\nb", r"a note can't hold U+000A, a control character: remove it"),
        (messages.Note, "\x1b[31m", "a note can't hold U+001B"),
        (messages.Note, "a\x00", "U+0000"),
        (messages.Note, "a\x85b", "U+0085"),
        (messages.Note, "a\u2028b", "U+2028"),
        (messages.Note, "a\ud800b", "U+D800"),
        (messages.Note, "\u202egnp", "U+202E"),
        (messages.Note, "x" * 1001, "a note has 1,000 characters at most, this one has 1,001"),
        (messages.Tag, "a\tb", "a tag can't hold U+0009"),
        (messages.Tag, "two words", "a tag is one word"),
        (messages.Tag, "x" * 41, "a tag has 40 characters at most"),
    ],
)
async def test_what_is_no_line_of_text_is_refused_and_changes_nothing(kind: Any, text: str, reason: str) -> None:
    play = Play()
    await play.run()
    await ask(play, messages.Note, 1, "note")
    await ask(play, messages.Tag, 1, "tag")
    before = list(play.events)
    reply = await ask(play, kind, 1, text)
    assert (reply.ok, reply.code) == (False, "refused")
    assert reason in reply.message
    assert play.events == before
    (row,) = play.history.rows()
    assert (row.note, row.tag) == ("note", "tag")


async def test_there_is_no_note_on_an_unknown_version_and_none_on_a_full_disk() -> None:
    play = Play()
    await play.run()
    assert (await ask(play, messages.Note, 9, "x")).code == "unknown"
    assert (await ask(play, messages.Detail, 9)).code == "unknown"
    play.connection.execute("PRAGMA query_only = 1")
    reply = await ask(play, messages.Note, 1, "x")
    assert (reply.ok, reply.code) == (False, "unwritable")
    assert "the history can't be written: attempt to write a readonly database" in reply.message
    assert play.of(Noted) == []
    (row,) = play.history.rows()
    assert row.note == ""


async def test_a_note_on_a_row_that_waits_to_be_written_is_written_with_it() -> None:
    play = Play()
    await play.run()
    play.connection.execute("PRAGMA query_only = 1")
    await play.save("lr: 2\n")
    assert (await ask(play, messages.Note, 2, "late")).ok
    play.connection.execute("PRAGMA query_only = 0")
    play.apply(2)
    assert not play.history.late
    assert [(row.status, row.note) for row in play.history.rows()][-1] == ("applied", "late")


async def test_pages_finds_and_details() -> None:
    play = Play()
    await play.run()
    for number in range(2, 250):
        await play.save(f"lr: {number}\n")
        play.apply(number)
    assert [row.version for row in history_commands.newest(play.job) if isinstance(row, Reload)] == list(range(50, 250))
    page = (await ask(play, messages.Page, 1, 20)).data
    assert (page["first"], [row["version"] for row in page["rows"]]) == (1, list(range(1, 21)))
    assert codec.reload_of(page["rows"][4]) == next(iter(play.history.rows(5, 5)))
    page = (await ask(play, messages.Page, 1, 249)).data
    assert (page["first"], len(page["rows"]), page["oldest"]) == (50, 200, 1)
    assert (await ask(play, messages.Find, "v24 !v249", 1, 249)).data == {
        "first": 1,
        "versions": [*range(248, 239, -1), 24],
    }
    reply = await ask(play, messages.Find, "run:x", 1, 249)
    assert (reply.ok, reply.code, "no run" in reply.message) == (False, "refused", True)
    detail = (await ask(play, messages.Detail, 7)).data
    assert (detail["text"], detail["base"], detail["base_text"], detail["running"]) == ("lr: 7\n", 6, "lr: 6\n", 249)
    assert codec.reload_of(detail["row"]).version == 7


async def test_a_history_that_can_not_be_read_any_more_is_told_and_holds_nothing_up() -> None:
    play = Play()
    await play.run()
    play.connection.execute("DROP TABLE reload")
    (notice,) = history_commands.newest(play.job)
    assert isinstance(notice, messages.Notice)
    assert "the history can't be read: no such table" in notice.message
    reply = await write_commands.roll_back(play.job, [play.job], messages.Rollback(1, "job", 1))
    assert (reply.ok, reply.code) == (False, "unreadable")
    await play.save("lr: 2\n")
    play.apply(2)
    assert play.rows()[2].status == "applied"


def test_what_the_task_works_with_is_compared_with_what_the_text_says() -> None:
    effective = {"opt": {"lr": 0.1, "eps": 1e-8}, "day": "2026-09-21"}
    found = history_commands.differences("opt: {lr: 1}\nday: 2026-09-21\n", effective)
    assert found == [
        {"key": "opt.lr", "old": 1, "new": 0.1},
        {"key": "opt.eps", "old": None, "new": 1e-8, "added": True},
    ]
    assert [item["new"] for item in history_commands.differences("a: [", {"a": 1})] == [1]


async def test_a_detail_says_how_long_a_version_is_on_probation() -> None:
    play = Play()
    await play.run()
    assert (await ask(play, messages.Detail, 1)).data["probation"] is None
    await play.save("lr: 2\n")
    play.apply(2, step=5, at=time.monotonic())
    seconds, steps = (await ask(play, messages.Detail, 2)).data["probation"]
    assert 0 < seconds <= 10
    assert steps == 10 + 5
    assert (await ask(play, messages.Detail, 1)).data["probation"] is None
    play.job.reloads.trial.close()
    assert (await ask(play, messages.Detail, 2)).data["probation"] == (0.0, 0)
