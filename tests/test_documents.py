"""The documents for users say what is there: each command, status and field, and their links lead somewhere."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path

import pytest

from tui.cli import main
from tui.engine.service import headless
from tui.protocol import messages

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def section(title: str) -> str:
    text = (ROOT / "docs/reference.md").read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_command_is_in_the_reference() -> None:
    (commands,) = (item for item in main.build_parser()._actions if isinstance(item, argparse._SubParsersAction))
    said = section("Commands")
    shown = {item.dest for item in commands._choices_actions}
    assert {name for name in shown if not re.search(rf"`(tunedeck )?{name}\b", said)} == set()


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
