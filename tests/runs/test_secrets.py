"""A config with secrets: nothing that is told of it has one, the file and the text of a version do."""

from __future__ import annotations

import json

from tests.runs.folder import Folder, row, tunedeck
from tui.engine.reloads.secrets import MASK

TASK = """
    import tui
    from pydantic import BaseModel, SecretStr
    class Config(BaseModel):
        lr: float
        token: SecretStr
        spare: SecretStr = SecretStr("s3cret-spare")
    def tick(config: Config):
        while True:
            print("token", config.token)
            old = config
            while config is old:
                tui.sleep(0.02)
                config = yield {"loss": config.lr}
"""


def test_a_secret_is_told_by_nothing_but_its_file(folder: Folder) -> None:
    run = folder.run_task(TASK, "tick", "lr: 1\ntoken: s3cret-1\n")
    run.wait_for(row(1, "applied"))
    done = tunedeck("set", "c.yaml", "token=s3cret-2", "lr=2", cwd=folder.path)
    assert f"token {MASK} → {MASK}" in done.stdout
    assert "lr 1 → 2" in done.stdout
    folder.save("c.yaml", "lr: 2\ntoken: s3cret-3\n")
    run.wait_for(row(3, "applied"))
    check = tunedeck("check", "c.yaml", cwd=folder.path)
    run.stop()
    # The next run knows before its worker does: its first row has a change too.
    folder.save("c.yaml", "lr: 2\ntoken: s3cret-4\n")
    again = folder.run("job.py:tick", "-c", "c.yaml")
    first = again.wait_for(row(4, "applied"))
    again.stop()
    assert first["changes"] == [{"key": "token", "old": MASK, "new": MASK}]
    history = tunedeck("history", "c.yaml", "--json", cwd=folder.path).stdout
    assert json.loads(history.splitlines()[0])["effective"]["spare"] == MASK
    for told in (run.events, again.events, done.stdout, check.stdout, history):
        assert "s3cret" not in str(told)
    assert tunedeck("show", "c.yaml", "2", cwd=folder.path).stdout == "lr: 2\ntoken: s3cret-2\n"
    assert (folder.path / "c.yaml").read_text() == "lr: 2\ntoken: s3cret-4\n"
