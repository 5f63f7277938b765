"""Several writers of one file, each with a text that was based on an older one."""

from __future__ import annotations

import pytest

from tests.runs.folder import TICKER, Folder, Run, ask, row
from tui.config.disk import store
from tui.protocol import messages

BASE = "lr: 1  # a\nsize: 2\n"


def digest(text: str) -> str:
    return store.digest(text.encode())


@pytest.fixture
def run(folder: Folder) -> Run:
    """A job whose file somebody has changed since the viewer has seen it."""
    run = folder.run_task(TICKER, "tick", BASE)
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", BASE.replace("size: 2", "size: 3"))
    run.wait_for(row(2, "applied"))
    return run


def text(run: Run) -> str:
    return (run.folder / "c.yaml").read_text()


def save(run: Run, new: str, **more: object) -> messages.Reply:
    return ask(run.folder / "c.yaml", messages.Save(1, "tick", new, digest(BASE), **more))  # type: ignore[arg-type]


def test_a_save_of_another_key_is_merged(run: Run) -> None:
    reply = save(run, BASE.replace("lr: 1", "lr: 5"))
    assert reply.ok
    assert reply.data["text"] == text(run) == "lr: 5  # a\nsize: 3\n"
    assert reply.data["digest"] == digest(text(run))
    changes = run.wait_for(row(3, "applied"))["changes"]
    assert changes == [{"key": "lr", "old": 1, "new": 5}]
    run.stop()


def test_a_save_of_the_same_key_is_a_conflict_until_somebody_chooses(run: Run) -> None:
    mine = BASE.replace("size: 2", "size: 9").replace("lr: 1", "lr: 5")
    reply = save(run, mine)
    assert (reply.ok, reply.code) == (False, "conflict")
    assert reply.data["clashes"] == [{"key": "size", "base": 2, "mine": 9, "theirs": 3}]
    assert reply.data["text"] == text(run) == BASE.replace("size: 2", "size: 3")
    assert list(run.rows()) == [1, 2]
    assert save(run, mine, choices={"size": "theirs"}).data["text"] == text(run) == "lr: 5  # a\nsize: 3\n"
    run.wait_for(row(3, "applied"))
    run.stop()


def test_a_merge_is_asked_for_and_nothing_written(run: Run) -> None:
    before = text(run)
    reply = ask(run.folder / "c.yaml", messages.Merge(1, "tick", BASE.replace("lr: 1", "lr: 5"), digest(BASE)))
    assert reply.data == {"text": "lr: 5  # a\nsize: 3\n", "digest": digest(before)}
    unknown = ask(run.folder / "c.yaml", messages.Merge(1, "tick", "lr: 7\n", "nobody knows"))
    assert (unknown.code, unknown.data["clashes"]) == ("conflict", [])
    assert text(run) == before
    assert list(run.rows()) == [1, 2]
    run.stop()


def test_a_rollback_keeps_what_came_meanwhile(run: Run) -> None:
    two = text(run)
    folder = run.folder / "c.yaml"
    folder.write_text(two.replace("lr: 1", "lr: 8"))
    run.wait_for(row(3, "applied"))
    reply = ask(folder, messages.Rollback(1, "tick", 1, digest(two)))
    assert reply.ok
    assert text(run) == "lr: 8  # a\nsize: 2\n"
    run.wait_for(row(4, "applied"))
    run.stop()


def test_a_value_that_somebody_has_changed_since_is_not_set_over(run: Run) -> None:
    def put(values: dict[str, str], base: str | None) -> messages.Reply:
        return ask(run.folder / "c.yaml", messages.Set(1, "tick", values, base))

    reply = put({"lr": "6", "size": "7"}, digest(BASE))
    assert reply.code == "conflict"
    assert reply.data["clashes"] == [{"key": "size", "base": 2, "mine": 7, "theirs": 3}]
    assert text(run) == BASE.replace("size: 2", "size: 3")
    assert put({"lr": "6", "size": "3"}, digest(BASE)).ok  # the same value is no clash
    assert put({"size": "7"}, None).ok
    assert text(run) == "lr: 6  # a\nsize: 7\n"
    run.stop()


def test_a_config_that_is_not_parsed_is_merged_by_its_lines(folder: Folder) -> None:
    folder.write("c.txt", "one: [\ntwo\nthree\n")
    folder.write(
        "deck.yaml",
        "jobs: {tick: {command: [sleep, '60'], config: c.txt, on_change: SIGURG}}\n",
    )
    run = folder.run("deck.yaml")
    run.wait_for(row(1, "applied"))
    base = (folder.path / "c.txt").read_text()
    (folder.path / "c.txt").write_text(base.replace("three", "3"))
    run.wait_for(row(2, "applied"))
    reply = ask(folder.path / "deck.yaml", messages.Save(1, "tick", base.replace("one", "1"), digest(base)))
    assert reply.data["text"] == (folder.path / "c.txt").read_text() == "1: [\ntwo\n3\n"
    run.stop()
