from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tui.config import schema_patterns
from tui.config.document import parse
from tui.config.schema import SchemaError, check, load, named_by, require

SCHEMA = """\
$defs: {rate: {type: number, exclusiveMinimum: 0}}
type: object
additionalProperties: false
patternProperties: {^x-: true}
required: [lr]
properties:
  lr: {$ref: '#/$defs/rate'}
  day: {type: string}
  by: {additionalProperties: {type: integer}}
  opt: {$ref: opt.json}
"""


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    (tmp_path / "opt.json").write_text('{"properties": {"betas": {"items": {"type": "number"}}}}')
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    return tmp_path / "schema.yaml"


@pytest.mark.parametrize(
    "text", ["lr: 1", "lr: 0.1\nday: 2024-01-02\nx-more: 1\nby: {1: 2}\n", "lr: .inf\nopt: {betas: [1]}"]
)
def test_a_good_config_passes(schema: Path, text: str) -> None:
    assert check(schema, parse(text)) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "words"),
    [
        ("lr: -1", 1, 5, "lr", "-1 is less than or equal to the minimum of 0"),
        ("day: x", 1, 1, None, "'lr' is a required property"),
        ("lr: 1\nlrr: 2", 2, 6, "lrr", "unknown key"),
        ("lr: 1\nopt:\n  betas: [1, no]", 3, 14, "opt.betas[1]", "'no' is not of type 'number'"),
        ("lr: 1\nby: {2: x}", 2, 9, "by[2]", "'x' is not of type 'integer'"),
    ],
)
def test_an_error_has_its_key_and_its_place(
    schema: Path, text: str, line: int, column: int, key: str | None, words: str
) -> None:
    problem = check(schema, parse(text))
    assert problem is not None
    assert problem.message == (f"{key}: {words}" if key else words)
    assert (problem.line, problem.column, problem.key) == (line, column, key)


def test_of_very_many_errors_it_is_said_that_there_are_more(schema: Path) -> None:
    found = check(schema, parse("lr: 1\nby:\n" + "".join(f"  k{n}: x\n" for n in range(60))))
    assert found is not None
    assert len(found.all) == 51
    assert [part.message for part in found.all].count("more than 50 errors, only the first are told") == 1


def test_all_errors_are_told_at_once(schema: Path) -> None:
    problem = check(schema, parse("# first\nfoo: 1\nlr: -1\nopt: {betas: [a, b]}\n"))
    assert problem is not None
    assert [line.partition(":")[0] for line in problem.message.splitlines()] == [
        "foo",
        "lr",
        "opt.betas[0]",
        "opt.betas[1]",
    ]
    assert (problem.line, problem.key) == (2, "foo")


def test_what_is_too_long_to_read_is_cut(schema: Path) -> None:
    problem = check(schema, parse(f"lr: {'x' * 5000}"))
    assert problem is not None
    assert len(problem.message) < 250


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no schema file"),
        ("{", "can't be read in line"),
        ("[1]", "must be a mapping"),
        ('{"type": "numbr"}', "is no JSON Schema: 'numbr' is not valid"),
        ('{"properties": {"lr": {"type": 3}}}', "at /properties/lr/type"),
    ],
)
def test_a_schema_that_is_none_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "s.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SchemaError, match="json") as caught:
        load(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("reference", ["https://example.com/s.json", "none.json", "#/nowhere", "#"])
def test_a_reference_is_followed_to_local_files_only(tmp_path: Path, reference: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(f'{{"$ref": "{reference}"}}')
    with pytest.raises(SchemaError, match="can't be used"):
        check(path, parse("lr: 1"))


def test_a_schema_counts_as_it_is_now(schema: Path) -> None:
    assert check(schema, parse("lr: 1")) is None
    schema.write_text("properties: {lr: {type: string}}")
    os.utime(schema, ns=(1, 1))
    assert check(schema, parse("lr: 1")) is not None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("# yaml-language-server: $schema=s.json", "/conf/s.json"),
        ("#yaml-language-server: $schema=../s.json", "/conf/../s.json"),
        ("# yaml-language-server: $schema=file:///a/b%20c.json", "/a/b c.json"),
        ("# yaml-language-server: $schema=/a/s.json", "/a/s.json"),
        ("lr: 1 # yaml-language-server: $schema=s.json", None),
        ("lr: 1", None),
    ],
)
def test_the_first_lines_name_a_local_schema(line: str, found: str | None) -> None:
    assert named_by(f"# first\n{line}\na: 1\n", Path("/conf")) == (Path(found) if found else None)


def test_a_schema_that_is_elsewhere_is_not_fetched_and_that_is_told(tmp_path: Path) -> None:
    text = "# yaml-language-server: $schema=https://example.com/s.json\na: 1\n"
    words = "the schema https://example.com/s.json is not on this machine: only local files are read"
    with pytest.raises(SchemaError, match=words):
        named_by(text, tmp_path)
    assert require(tmp_path / "c.yaml", text) == f"not checked: {words}"


def test_the_library_is_imported_only_for_a_schema() -> None:
    code = (
        "import sys, tui.engine.engine, tui.engine.deck.load; print({'jsonschema', 'referencing'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("properties: {k: {pattern: PATTERN}}", f"k: {'a' * 60}!"),
        ("patternProperties: {PATTERN: true}", f"{'a' * 60}!: 1"),
        ("patternProperties: {PATTERN: true}\nadditionalProperties: false", f"{'a' * 60}!: 1"),
        ("propertyNames: {pattern: PATTERN}", f"{'a' * 60}!: 1"),
    ],
)
def test_a_pattern_that_takes_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, text: str
) -> None:
    monkeypatch.setattr(schema_patterns, "LIMIT", 0.1)
    path = tmp_path / "s.yaml"
    path.write_text(f"type: object\n{rule.replace('PATTERN', '^(a|aa)+$')}\n")
    with pytest.raises(SchemaError, match=r"its pattern \^\(a\|aa\)\+\$ takes more than 0.1 s for 'a+…'"):
        check(path, parse(text))


def test_patterns_are_matched_as_the_library_does(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "patternProperties: {'^n': {type: number}, '^[a-z]+$': {not: {const: no}}}\n"
        "properties: {name: {pattern: '^\\w+$'}}\nadditionalProperties: {type: boolean}\n"
    )
    config = parse("name: x y\nn1: 2\nnn: false\nother: no\nB: 1\nC: true\n")
    problem = check(path, config)
    ours = {error.message for error in (problem.all if problem is not None else ())}
    theirs = {error.message for error in jsonschema.Draft202012Validator(load_yaml(path)).iter_errors(config.data)}
    assert ours == theirs
    assert len(ours) == 5


def load_yaml(path: Path) -> Any:
    return parse(path.read_text()).data


@pytest.mark.parametrize(
    "text", ["lr: 1\nday: !!set {a, b}\n", "\ufeff# yaml-language-server: $schema=schema.yaml\nlr: no\n"]
)
def test_sets_and_byte_order_marks_are_no_trouble(schema: Path, text: str) -> None:
    config = parse(text)
    path = named_by(text, schema.parent) or schema
    assert path == schema
    assert check(path, config) is not None


def test_unevaluated_properties_are_matched_within_a_time_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_patterns, "LIMIT", 0.1)
    path = tmp_path / "s.yaml"
    path.write_text("unevaluatedProperties: false\npatternProperties: {'^(a|aa)+$': true}\n")
    with pytest.raises(SchemaError, match=r"takes more than 0\.1 s"):
        check(path, parse(f"{'a' * 60}!: 1\n"))


NAMES = [
    *("http://[x", "file:///%00", "file:///%%00", "file://[", "//[", "file:///a%FFb", "deep.json", "deep.yaml"),
    *("x" * 5000, "file:///" + "a/" * 3000, ".", "/dev/zero", "/dev/tty", "?", "#", "%"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_that_can_not_be_named_or_read_is_told_and_nothing_else_happens(tmp_path: Path, name: str) -> None:
    """A config that names it is unchecked: for a save, a start and a `set` alike."""
    (tmp_path / "deep.json").write_text('{"not": ' * 3000 + "{}" + "}" * 3000)
    (tmp_path / "deep.yaml").write_text("{not: " * 3000 + "{}" + "}" * 3000)
    text = f"# yaml-language-server: $schema={name}\na: 1\n"
    remark = require(tmp_path / "c.yaml", text)
    assert remark is not None
    assert remark.startswith("not checked: ")


ODD = [
    *(
        '{"$schema": []}',
        '{"$schema": 5}',
        '{"$id": 5}',
        '{"$id": "http://[x"}',
        '{"$ref": 5}',
        '{"$ref": "http://[x"}',
    ),
    *(
        '{"$anchor": 5}',
        '{"$defs": 5}',
        '{"properties": 5}',
        '{"pattern": "("}',
        '{"properties": {"a": {"pattern": "("}}}',
    ),
    *('{"$dynamicRef": "#x"}', '{"$ref": "file:///%00"}', '{"a": 1e999}', '{"$schema": "http://json-schema.org/none"}'),
    *(
        '{"multipleOf": 0}',
        '{"properties": {"a": {"multipleOf": 1e-400}}}',
        '{"$id": "urn:x", "$ref": "y"}',
        "true",
        "false",
    ),
]


@pytest.mark.parametrize("text", ODD)
def test_whatever_a_schema_holds_a_config_is_checked_or_it_is_told_why_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    try:
        check(tmp_path / "s.json", parse("a: x\nb: 1\n"))
    except SchemaError as error:
        assert str(tmp_path / "s.json") in str(error)  # noqa: PT017 - nothing else may be raised


def test_a_config_that_is_too_deep_for_its_schema_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"additionalProperties": {"$ref": "#"}}')
    config = parse("a: 1")
    for _ in range(5000):
        config.data["a"] = {"a": config.data["a"]}
    with pytest.raises(SchemaError, match="it leads too deep"):
        check(path, config)
