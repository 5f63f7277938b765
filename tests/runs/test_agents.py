"""What docs/agents.md says is true: its script is run as it stands, in a shell, and the sample job is better for it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Folder, tunedeck

ROOT = Path(__file__).parents[2]


def test_a_job_is_driven_to_a_better_setting_by_the_shell_alone(folder: Folder) -> None:
    for name in ("deck.yaml", "anneal.yaml", "digits.yaml", "digits.schema.json"):
        shutil.copy(ROOT / "sample_configs" / name, folder.path)
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/agents.md").read_text(), re.DOTALL)
    found = folder.write("tunedeck", f'#!/bin/sh\nexec {sys.executable} -m tui "$@"\n')
    found.chmod(0o755)
    try:
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=folder.path,
            env={**ENVIRONMENT, "PATH": f"{folder.path}:{ENVIRONMENT['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
        )
    finally:
        left = tunedeck("stop", str(folder.path), cwd=folder.path)
    assert (done.returncode, left.returncode) == (0, 2), done.stdout + done.stderr
    assert "refused with 1\n" in done.stdout
    lines = tunedeck("history", "anneal.yaml", "--json", cwd=folder.path).stdout.splitlines()
    hot, cold, warm = (row for row in map(json.loads, lines) if row["source"] == "set")
    assert (cold["effect"][0]["verdict"], warm["effect"][0]["verdict"]) == ("better", "worse")
    assert (hot["who"], cold["tag"], json.loads(lines[-1])["source"]) == ("agent", "best", "rollback")
    assert re.search(r"(?m)^temperature: 20 ", (folder.path / "anneal.yaml").read_text())
