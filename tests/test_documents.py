"""The documents for users say what is there: each command, status and field, and their links lead somewhere."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.cli import main
from tui.config import document
from tui.engine.service import headless
from tui.protocol import messages

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def section(title: str) -> str:
    text = (ROOT / "docs/reference.md").read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each row of a section's tables, and the row."""
    for line in section(title).splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]], line


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command that the help shows."""
    (found,) = (item for item in main.build_parser()._actions if isinstance(item, argparse._SubParsersAction))
    return {item.dest: found.choices[item.dest] for item in found._choices_actions}


def test_every_option_is_in_the_row_of_its_command() -> None:
    said = dict.fromkeys(commands(), "")
    names: list[str] = []
    for cells, row in rows("Commands"):
        if "…" not in cells[0][:4]:  # else it goes on with the command above
            spelled = re.findall(r"`(?:tunedeck )?([a-z]+(?:\\\|[a-z]+)*)", cells[0])
            names = [name for words in spelled for name in words.split("\\|") if name in said]
        for name in names:
            said[name] += row
    assert "" not in said.values()
    for name, parser in commands().items():
        for option in ["|".join(action.option_strings) for action in parser._actions if action.option_strings]:
            assert "--help" in option or re.search(rf"(?:{option})(?![\w-])", said[name]), (name, option)


def test_every_exit_code_is_of_commands_that_there_are() -> None:
    _, _, table = section("Commands").partition("### Exit codes")
    told = re.findall(r"^\| ([\w+]*) *\| ([^|]*) \|", table, re.MULTILINE)
    assert {code for code, _ in told} == {"code", "", "0", "1", "2", "3", "128+n"}
    named = {name for _, cell in told for name in re.findall(r"`([a-z]+)", cell)}
    assert named <= {*commands()}
    assert {*commands()} - named == NO_CODE_OF_THEIR_OWN


#: They end with 0, or with 2 as all do.
NO_CODE_OF_THEIR_OWN = {"demo", "ls", "logs", "path", "completion", "history", "show", "diff", "metrics"}


def test_every_key_of_a_deck_is_in_the_reference() -> None:
    schema = json.loads((ROOT / "sample_configs/deck.schema.json").read_text())
    example = section("The deck file").partition("```yaml")[2].partition("```")[0]
    said = set(re.findall(r"^( {4})?(\w+):", example, re.MULTILINE))
    assert {("", key) for key in schema["properties"]} <= said
    assert {(" " * 4, key) for key in schema["$defs"]["job"]["properties"]} <= said


def test_a_value_means_what_the_reference_says() -> None:
    yaml = pytest.importorskip("yaml")
    told = [re.findall(r"`([^`]*)`", row) for _, row in rows("What a value means")][1:]
    assert len(told) == 10
    for written, here, elsewhere in told:
        assert document.parse(f"a: {written}").data["a"] == json.loads(here), written
        assert yaml.safe_load(written) == json.loads(elsewhere), written
    for written, _, elsewhere in told[:3]:
        assert document.parse(f"%YAML 1.1\n---\na: {written}").data["a"] == json.loads(elsewhere), written


def test_every_status_is_in_the_reference() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("What becomes of a reload"), re.MULTILINE)) == {*messages.STATUSES}


@pytest.mark.parametrize("kind", [*headless.PUBLIC, messages.Log], ids=lambda kind: str(kind.KIND))
def test_every_field_that_programs_read_is_in_the_reference(kind: type[messages.Event]) -> None:
    row = re.search(rf"^\| `{kind.KIND}` \|(.*)\|$", section("JSON lines"), re.MULTILINE)
    assert row is not None
    fields = {field.name for field in dataclasses.fields(kind)} - {"job", "time"}
    assert {name for name in fields if not re.search(rf"`{name}`", row[1])} == set()


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_links_lead_somewhere(document: Path) -> None:
    lost = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text()):
        name, _, anchor = link.partition("#")
        path = document.parent / name if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(link)
    assert lost == []


def test_the_readme_is_short() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(text.split()) <= 1_500
