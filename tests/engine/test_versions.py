from __future__ import annotations

import pytest

from tests.engine.runs import TICKER, Folder, row, tunedeck


def test_show_and_diff_read_the_history_while_the_engine_runs(folder: Folder) -> None:
    run = folder.run_task(TICKER, "tick", "lr: 1  # é\r\n")
    run.wait_for(row(1, "applied"))
    folder.save("c.yaml", "lr: 2")
    run.wait_for(row(2, "applied"))
    assert tunedeck("show", "c.yaml", "2", cwd=folder.path).stdout == "lr: 2"
    shown = tunedeck("show", "c.yaml", "v1", "--job", "tick", cwd=folder.path)
    assert (shown.returncode, shown.stdout) == (0, "lr: 1  # é\n")  # the pipe's reader translates
    wanted = "--- c.yaml v1\n+++ c.yaml v2\n@@ -1 +1 @@\n-lr: 1  # é\n+lr: 2\n\\ No newline at end of file\n"
    assert tunedeck("diff", "c.yaml", "1", "2", cwd=folder.path).stdout == wanted
    assert tunedeck("diff", "c.yaml", "2", cwd=folder.path).stdout == ""
    folder.path.joinpath("c.yaml").write_text("lr: 3")
    assert "+lr: 3\n" in tunedeck("diff", "c.yaml", "2", cwd=folder.path).stdout
    run.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "c.yaml", "9"), "no version 9: the newest is 1"),
        (("diff", "c.yaml", "1", "9"), "no version 9"),
        (("show", "c.yaml", "x"), "'x' is no version"),
        (("show", "c.yaml", "1", "--job", "other"), "no history of a job 'other'; it has once"),
        (("show", "none.yaml", "1"), "no history"),
    ],
)
def test_an_unknown_version_is_refused(folder: Folder, arguments: tuple[str, ...], words: str) -> None:
    folder.run_task("def once(config):\n    yield\n", "once").end()
    done = tunedeck(*arguments, cwd=folder.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
