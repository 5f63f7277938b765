"""Each recipe of docs/recipes, by the commands that its first lines name: a change, what comes of it, and a stop."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.test_adapters import PYTHON
from tests.runs.folder import Folder, tunedeck

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
