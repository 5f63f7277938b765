"""Each recipe of docs/recipes, by the commands that its first lines name: a change, what comes of it, and a stop."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.test_adapters import PYTHON
from tests.runs.folder import Folder, row, tunedeck
from tui.config import document

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"

#: What each needs, and what it leaves when it is stopped.
NEEDS = {
    "boost": (("lightgbm",), "model.txt"),
    "compose": (("hydra", "omegaconf"), None),
    "crawl": (("scrapy",), "feed.json"),
    "injected": (("jax", "optax"), "weights.npy"),
    "load": (("locust",), None),
    "loop": (("torch", "tqdm"), "model.pt"),
    "online": (("sklearn",), "model.pickle"),
    "serve": (("uvicorn",), None),
    "settings": (("pydantic_settings",), None),
    "study": (("optuna",), "best"),
    "workers": (("gunicorn",), None),
}


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Iterator[Folder]:
    for needed in (*NEEDS[name][0], "yaml"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: make recipes")
    for file in (f"{name}.py", f"{name}.yaml"):
        shutil.copy(RECIPES / file, tmp_path)
    made = Folder(tmp_path)
    yield made
    made.close()


def test_every_recipe_is_run_and_told_of() -> None:
    assert {path.stem for path in RECIPES.glob("*.py")} == {path.stem for path in RECIPES.glob("*.yaml")} == {*NEEDS}
    told = (RECIPES.parent / "recipes.md").read_text()
    assert all(f"(recipes/{name}.py)" in told for name in NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_a_recipe_does_as_it_says(folder: Folder, name: str) -> None:
    lines = (folder.path / f"{name}.py").read_text().splitlines()
    started, changed = (shlex.split(line)[1:] for line in lines if line.startswith("tunedeck "))
    words = started[started.index("--") + 1 :]
    # A program of a package is run by its module, which is in the environment that runs the tests.
    program = [*PYTHON[:-1], *(words[1:] if words[0] == "python" else ["-m", *words])]
    run = folder.run(*started[1 : started.index("--")], "--", *program)
    up = {"serve": "running on", "workers": "Booting worker"}.get(name)  # these report no metrics
    run.wait_for(lambda event: event["event"] == "metrics" or (up is not None and up in event.get("line", "")))
    done = tunedeck(*changed, cwd=folder.path)
    assert (done.returncode, "applied" in done.stdout) == (0, True), (done, run.lines[-20:])
    value = changed[-1].partition("=")[2]
    run.wait_for(lambda event: event["event"] == "log" and value in event["line"])
    assert run.stop() == 128 + 15
    assert run.states[-1] == "stopped", run.lines[-20:]
    left = NEEDS[name][1]
    assert left is None or (folder.path / left).stat().st_size > 2


#: Programs of the deck in docs/recipes.md: a config, and what is replaced in it for a better and a worse one.
SERVERS = {
    "prometheus": ("global: {scrape_interval: 15s}\nscrape_configs: []\n", ("15s", "5s"), ("5s", "5 s")),
    "caddy": ('http://localhost:8087 {\n\trespond "one"\n}\n', ("one", "two"), ("respond", "respnd")),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_program_of_the_deck_is_told_by_its_command(tmp_path: Path, name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: it is a program of its own")
    (example,) = re.findall(r"```yaml\n(.*?)```", (RECIPES.parent / "recipes.md").read_text(), re.DOTALL)
    job = {**document.parse(example).data["jobs"][name], "env": {"HOME": str(tmp_path)}}
    text, *changes = SERVERS[name]
    folder = Folder(tmp_path)
    folder.save(job["config"], text)
    try:
        run = folder.run_deck(json.dumps({"jobs": {name: job}}))
        run.wait_for(row(1, "applied"))
        for version, (change, status) in enumerate(zip(changes, ("applied", "invalid"), strict=True), 2):
            text = text.replace(*change)
            folder.save(job["config"], text)
            run.wait_for(row(version, status))
        assert run.stop() == 128 + 15
    finally:
        folder.close()
