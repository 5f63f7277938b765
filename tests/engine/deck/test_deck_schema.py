"""The JSON Schema of deck files, for editors, says what the reader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.config import document, schema
from tui.engine.deck import order
from tui.engine.deck.load import load
from tui.engine.deck.vocabulary import CODES, KINDS, RESTARTS, RUNNERS, Kinds

ROOT = Path(__file__).parents[3]
FILE = ROOT / "sample_configs/deck.schema.json"
JOB: dict[str, Any] = json.loads(FILE.read_text())["$defs"]["job"]["properties"]


def problem(text: str) -> object:
    return schema.check(FILE, document.parse(text))


def test_it_has_every_key_and_every_choice() -> None:
    assert list(JOB) == list(KINDS)
    assert JOB["runner"]["enum"] == list(RUNNERS)
    assert JOB["restart"]["enum"] == list(RESTARTS)
    assert JOB["code"]["enum"] == list(CODES)
    assert JOB["depends_on"]["additionalProperties"]["enum"] == list(order.CONDITIONS)


def test_each_key_has_the_types_and_the_words_of_the_reader() -> None:
    names = {str: "string", list: "array", dict: "object", bool: "boolean", int: "integer", float: "number"}

    def types(kinds: Kinds) -> dict[str, tuple[set[str], str]]:
        found = {}
        for key, (kind, words) in kinds.items():
            told = {names[one] for one in (kind if isinstance(kind, tuple) else (kind,))}
            found[key] = (told - {"integer"} if "number" in told else told), words
        return found

    shown = {
        key: ({*([item["type"]] if isinstance(item["type"], str) else item["type"])}, item["description"])
        for key, item in JOB.items()
    }
    assert shown == types(KINDS)


@pytest.mark.parametrize("name", ["deck", "three_ways", "dask"])
def test_the_samples_fit_and_name_it(name: str) -> None:
    text = (ROOT / f"sample_configs/{name}.yaml").read_text()
    assert problem(text) is None
    assert schema.named_by(text, ROOT / "sample_configs") == FILE


def test_the_deck_of_the_reference_fits() -> None:
    reference = (ROOT / "docs/reference.md").read_text()
    assert problem(reference.partition("## The deck file\n\n```yaml\n")[2].partition("```")[0]) is None


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {}",
        "jobs: {a: {task: m:f}}",
        "jobs: {a: {config: c.yaml}}",
        "jobs: {a: {task: m:f, command: [x], config: c.yaml}}",
        "jobs: {a: {task: m:f, config: c.yaml, code: swap}}",
        "jobs: {a: {task: m:f, config: c.yaml, guards: {loss: {maxx: 1}}}}",
        "jobs: {a: {task: m:f, config: c.yaml, depends_on: {b: done}}}",
        "jbos: {}",
    ],
)
def test_what_the_reader_refuses_it_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / "deck.yaml").write_text(text)
    with pytest.raises(document.ConfigError):
        load(tmp_path / "deck.yaml")
    assert problem(text) is not None
