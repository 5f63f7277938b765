from __future__ import annotations

import pytest

from tui.app import formatting
from tui.cli.change import receipt
from tui.cli.check import previewed
from tui.engine.service.headless import reload_words
from tui.protocol.messages import Change, Problem, Reload

CHANGES = (Change("batch", 16, "x5"), Change("opt.lr", 1, 2))


@pytest.mark.parametrize(
    ("effective", "said"),
    [
        (None, ""),
        ({"batch": "x5", "opt": {"lr": 2.0}, "more": 1}, ""),
        ({"batch": 5, "opt": {"lr": 0.5}}, "; the task has batch 5, opt.lr 0.5"),
        ({"batch": "x5", "opt": {}}, "; the task has opt.lr –"),
    ],
)
def test_a_receipt_names_what_the_task_has_instead(effective: dict[str, object] | None, said: str) -> None:
    row = Reload("job", 4, "applied", "set", CHANGES, step=3, latency_ms=2.0, effective=effective)
    assert receipt(row) == f"v4 applied at step 3 in 2.0 ms: batch 16 → x5 (number → text), opt.lr 1 → 2{said}"


def test_a_receipt_finds_what_the_task_has_under_any_key() -> None:
    changed = tuple(Change(key, None, 2) for key in ('d["a.b"]', 'd["ключ"]', "d[1.5]", "d[true]", "l[0]"))
    has = {"d": {"a.b": 2, "ключ": 2, "1.5": 2, "True": 3}, "l": [2]}
    row = Reload("job", 4, "applied", "set", changed, step=3, latency_ms=2.0, effective=has)
    assert receipt(row).partition("; ")[2] == "the task has d[true] 3"


def test_a_check_names_what_the_task_would_have_instead() -> None:
    job = {"job": "digits", "running": 3, "effect": "live", "restarting": [], "remark": ""}
    changed = [{"key": "lr", "old": 1, "new": "2"}]
    effective = [{"key": "lr", "old": "2", "new": 2}]
    assert previewed({**job, "changes": changed, "effective": effective}) == (
        'digits: lr 1 → "2" (number → text) would be taken live; the task would have lr 2'
    )


def test_a_crash_that_took_a_reload_back_is_told_in_a_line_without_its_traceback() -> None:
    row = Reload("job", 4, "reverted", "disk", by=5, error=Problem("ValueError: no\nTraceback\n  here"))
    assert formatting.outcome(row) == "ValueError: no"
    assert reload_words(row) == "* v4 reverted (disk) by v5 ValueError: no"
    refused = Reload("job", 4, "rejected", "disk", error=Problem("lr: no\nbatch: no"))
    assert formatting.outcome(refused) == "lr: no batch: no"
