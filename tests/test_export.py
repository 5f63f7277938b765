"""The history as other programs and people read it."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

import pytest

from tui import export
from tui.cli.main import main
from tui.engine.history import database
from tui.engine.history.job_history import History
from tui.protocol.codec import encode
from tui.protocol.messages import Change, Effect, Problem, Reload

ROWS = [
    Reload("job", 1, "applied", "start", step=0, latency_ms=41.25, who="ada@lab", run=1, time=1_790_000_000.123456),
    Reload(
        *("job", 2, "applied", "editor", (Change("opt.lr", 0.1, 0.08), Change("näme", None, "=1+1 | <b>", added=True))),
        *(12_345, 3.0),
        base=1,
        run=1,
        times={"sent": 1_790_000_100.5, "applied": 1_790_000_100.503},
        note="größer | *besser*",
        tag="best",
        effective={"opt": {"lr": 0.08, "eps": "NaN"}},
        ranks={"total": 3, "applied": 2, "step": 4},
        effect=(Effect("=loss|", 10, -0.64, verdict="better", before=0.82, after=0.18), Effect("rate", 3, next=10)),
        time=1_790_000_100.5,
    ),
    Reload(
        *("job", 3, "rejected", "set", (Change("key", "\x1b[31m", ["\u2028", None]),)),
        error=Problem("first\nsecond \x07", 3, 7, "key"),
        errors=(Problem("first", 3, 7, "key"), Problem("second \x07")),
        by=None,
        run=1,
        time=1_790_000_200.0,
    ),
    Reload("job", 4, "superseded", "disk", by=5, run=1, note="=HYPERLINK(1)", time=1_790_000_300.0),
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("lr: 2\n")
    folder = database.folder_of(path)
    with contextlib.closing(database.open_database(folder)) as connection:
        history = History(connection, folder, path, "job")
        for row in ROWS:
            history.add(row, f"lr: {row.version}\n")
        assert list(history.json_lines()) == list(map(encode, ROWS))
        assert list(history.rows()) == ROWS
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["tunedeck", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_json_lines_are_those_of_a_headless_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = b"".join(map(encode, ROWS)).decode()
    assert printed(capsys, "history", config, "--json") == wanted
    assert printed(capsys, "history", config, "--format", "jsonl") == wanted
    assert "\n".join(export.write(ROWS, "jsonl")) + "\n" == wanted


def test_csv_can_be_read_and_holds_no_formula(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(printed(capsys, "history", config, "--format", "csv").splitlines()))
    assert [row["version"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[1]["changes"] == 'opt.lr: 0.1 → 0.08; näme: – → "=1+1 | <b>"'
    assert (rows[1]["tag"], rows[1]["note"], rows[1]["latency_ms"]) == ("best", "größer | *besser*", "3.0")
    assert (rows[2]["error"], rows[2]["line"], rows[2]["key"]) == (r"first; second \u0007", "3", "key")
    assert (rows[0]["effect"], rows[1]["effect"]) == ("", "'=loss| 0.82 → 0.18 ✓ better")
    assert [(row["ranks_applied"], row["ranks"]) for row in rows[:2]] == [("", ""), ("2", "3")]
    assert rows[3]["note"] == "'=HYPERLINK(1)"
    assert [export.as_cell(text) for text in ("+1", "-1", "@a", "\tx", "a=1", -1)] == [
        *("'+1", "'-1", "'@a", "'\tx", "a=1"),
        -1,
    ]


def test_markdown_is_a_table_whatever_the_texts_hold(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "history", config, "--format", "markdown").splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert {line.replace(r"\|", "").count("|") for line in lines} == {13}
    assert r"=loss\| 0.82 → 0.18 ✓ better" in lines[3]
    assert r"größer \| \*besser\*" in lines[3]
    assert r"\<b\>" in lines[3]


def test_words_are_one_harmless_line_a_row_with_what_the_user_said(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, "history", config).splitlines()
    assert len(lines) == len(ROWS)
    assert lines[0].endswith("v1 applied (start) at step 0 in 41.2 ms [run 1, ada@lab]")
    assert lines[1].endswith('#best "größer | *besser*" [run 1]')
    assert r"line 3:7: first; second \u0007" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_colours_are_for_terminals_alone(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [("history", config), ("diff", config, 1, 2), ("show", config, 2)]
    plain = [printed(capsys, *arguments) for arguments in asked]
    assert "\x1b" not in "".join(plain)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    history, diff, show = (printed(capsys, *arguments) for arguments in asked)
    assert "\x1b[32mapplied\x1b[0m" in history
    assert "\x1b[31mrejected\x1b[0m" in history
    assert "\x1b[31m-lr: 1\x1b[0m\n\x1b[32m+lr: 2\x1b[0m\n" in diff
    assert show == plain[2]
    monkeypatch.setenv("NO_COLOR", "1")
    assert [printed(capsys, *arguments) for arguments in asked] == plain
