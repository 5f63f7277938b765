from __future__ import annotations

import pytest

from tui.cli import change
from tui.protocol.messages import Change, Reload, Reply, State


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [("b", 0, "v4 applied"), ("a", 1, "v3 superseded by v4")],
)
def test_a_set_that_was_overtaken_is_judged_by_the_keys_that_it_asked_for(
    asked: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What others have changed stands in its row too, but may be applied before the one that overtakes it."""
    talk = change.Talk(["job"], several=False)
    talk.wanted = [(asked,)]
    talk.reply = Reply(1, ok=True, data={"changed": True, "versions": {"job": 3}})
    talk.rows["job"] = {
        3: Reload("job", 3, "superseded", "set", (Change("a", 0, 1), Change("b", 0, 1)), by=4),
        4: Reload("job", 4, "applied", "set", (Change("b", 0, 1), Change("c", 0, 1))),
    }
    assert talk.tell_job("job") == code
    assert capsys.readouterr().out.startswith(says)


def test_a_set_that_waits_says_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    talk = change.Talk(["job"], several=False)
    talk.reply = Reply(1, ok=True, data={"changed": True, "versions": {"job": 3}})
    talk.rows["job"] = {3: Reload("job", 3, "sent", "set", (Change("a", 0, 1),))}
    talk.take(State("job", "running", reason="none of its processes has called tui.checkpoint within 10 s"))
    assert talk.tell_job("job") == 0
    assert capsys.readouterr().out == (
        "v3 is in the file and on its way: the job has not taken it yet, "
        "none of its processes has called tui.checkpoint within 10 s\n"
    )
