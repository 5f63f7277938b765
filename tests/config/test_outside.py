"""What comes from outside has one way in for each kind, with a size and a limit: whoever finds another must say why."""

from __future__ import annotations

import ast
import functools
import json
from typing import Any

import pytest

from tests import sources
from tui.app.model.query import query
from tui.config.document import ConfigError
from tui.config.key_patterns import parse
from tui.engine.deck.spec import LONGEST_NAME, name_problem, single
from tui.protocol import codec, messages
from tui.regexes import LONGEST, Pattern, PatternError, TooLongError
from tui.runners.readiness import Readiness

#: Where a pattern is looked for that is not written there: the names of its parts are ours, or are escaped.
OWN_PATTERNS = {
    "config/document.py": 1,  # a table of ours
    "app/model/query.py": 1,  # text that is escaped
    "engine/reloads/checks.py": 1,  # a file's name, escaped
}

#: Who looks for patterns of others.
LOOK = {"app/model/query.py", "config/schema_patterns.py", "engine/deck/load.py", "runners/readiness.py"}

#: Globs of keys: stars alone, in a time that grows with the length of the key, and of limited size.
GLOBS = {"config/key_patterns.py"}

#: Who reads messages of a socket: through `codec.read`, or line by line where asyncio has the limit.
MESSAGES = {
    "app/client.py", "cli/change.py", "cli/client.py", "cli/jobs.py", "cli/waiting.py", "engine/service/server.py",
    "protocol/codec.py",
}  # fmt: skip

#: Who reads JSON that is no such message: from our own processes, or from a file that has been read with its limits.
JSON = {
    "adapters/xgboost.py", "app/editor/nudge.py", "app/preferences.py", "cli/run.py", "cluster/controller.py",
    "cluster/replica.py", "config/key_patterns.py", "config/keys.py", "config/schema.py", "engine/history/columns.py",
    "engine/history/job_history.py", "engine/jobs/code_check.py", "engine/main.py", "engine/metrics/store.py",
    "protocol/codec.py", "runners/process_tree.py", "worker/import_check.py", "worker/own_deck.py", "worker/shim.py",
}  # fmt: skip

#: Who takes the name of a job from a user.
NAMES = {"engine/deck/load.py", "engine/deck/spec.py"}

REGEX_CALLS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split", "template"}


@functools.cache
def calls() -> list[tuple[str, str | None, str, ast.Call]]:
    """Return every call in the package, with its module, and what it is called on, if that has a name, and by which."""
    found: list[tuple[str, str | None, str, ast.Call]] = []
    for place, nodes in sources.calls().items():
        for node in nodes if not place.startswith("samples/") else []:
            if isinstance(node.func, ast.Attribute):
                found.append((place, getattr(node.func.value, "id", None), node.func.attr, node))
            elif isinstance(node.func, ast.Name):
                found.append((place, "", node.func.id, node))
    return found


def constant(node: ast.expr) -> bool:
    """Return whether a pattern is made of what stands in its module."""
    if isinstance(node, ast.BinOp):
        return constant(node.left) and constant(node.right)
    if isinstance(node, ast.JoinedStr):
        return all(constant(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return constant(node.value)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def test_patterns_of_others_are_looked_for_in_one_way() -> None:
    found: dict[str, int] = {}
    for place, module, name, node in calls():
        assert module != "regex" or place == "regexes.py", f"{place} looks for patterns by itself: use tui.regexes"
        if module == "re" and name in REGEX_CALLS and not constant(node.args[0]):
            found[place] = found.get(place, 0) + 1
    assert found == OWN_PATTERNS, "a pattern from outside goes through tui.regexes"
    assert {place for place, module, name, _ in calls() if (module, name) == ("", "Pattern")} == LOOK
    assert {place for place, _, name, _ in calls() if name in ("fnmatch", "fnmatchcase")} == GLOBS


def test_messages_are_read_in_one_way() -> None:
    reads = {("codec", "decode"), ("codec", "read"), ("", "decode")}
    assert {place for place, module, name, _ in calls() if (module, name) in reads} == MESSAGES
    assert {
        place for place, module, name, _ in calls() if (module, name) in (("json", "loads"), ("json", "load"))
    } == JSON


def test_names_of_jobs_are_taken_in_one_way() -> None:
    assert {place for place, _, name, _ in calls() if name == "name_problem"} == NAMES
    assert {place for place, _, name, _ in calls() if name == "JobSpec"} == NAMES


ENDLESS = "^(a+)+$"


def test_a_look_for_a_pattern_has_an_end_and_a_pattern_a_size() -> None:
    line = "a" * 5000 + "!"
    with pytest.raises(TooLongError, match=r"its pattern \^\(a\+\)\+\$ takes more than 0\.1 s for 'a+…': make it"):
        Readiness(line=ENDLESS).in_line(line)
    with pytest.raises(TooLongError):
        Pattern(ENDLESS, 0.1).matches(line)
    for bad, words in (("(", r"missing \), at character 2"), ("a" * (LONGEST + 1), "at most 10000"), ("(" * 3000, "")):
        with pytest.raises(PatternError, match="no regular expression: .*" + words):
            Pattern(bad, 0.1)
        with pytest.raises(PatternError):
            query(f"re:{bad}")
    with pytest.raises(ValueError, match="at most 10000 characters"):
        parse("a" * (LONGEST + 1))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "a job's name is text"),
        (None, "a job's name is text"),
        (7, "put 7 in quotes"),
        ("x" * (LONGEST_NAME + 1), "at most 100 bytes"),
        ("ä" * (LONGEST_NAME // 2 + 1), "at most 100 bytes"),
        ("a\nb", "no control characters"),
        ("a\x1b[31m", "no control characters"),
    ],
)
def test_a_name_of_a_job_has_a_size_and_a_kind(name: Any, words: str) -> None:
    assert words in (name_problem(name) or "")
    if isinstance(name, str) and name:
        with pytest.raises(ConfigError, match=words):
            single("job.py:run", "c.yaml", name)


def test_a_name_may_be_of_any_language() -> None:
    assert name_problem("größe 2/b (ключ)") is None


@pytest.mark.parametrize(
    "body",
    [
        {"event": "set", "id": 1, "job": "a", "values": {"a": 1}},
        {"event": "set", "id": 1, "job": "a", "values": ["a"]},
        {"event": "set", "id": 1, "job": "a", "values": {}, "add": "yes"},
        {"event": "stop", "id": True, "job": "a"},
        {"event": "stop", "id": 1, "job": None},
        {"event": "rollback", "id": 1, "job": "a", "version": "1"},
        {"event": "save", "id": 1, "job": "a", "text": "", "base": 5},
        {"event": "reload", "job": "a", "version": "x", "status": "sent", "source": "disk"},
        {"event": "hello", "protocol": "3"},
        {"event": ["set"]},
        [1],
    ],
)
def test_a_message_whose_parts_are_of_another_kind_is_none(body: Any) -> None:
    with pytest.raises(ValueError, match="message"):
        codec.decode(json.dumps(body).encode())


def test_a_message_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="levels"):
        codec.decode(b"[" * 200_000)
    line = codec.encode(messages.Stop(1, "job"))
    monkeypatch.setattr(codec, "LIMIT", len(line))
    assert codec.decode(line) == messages.Stop(1, "job")
    with pytest.raises(ValueError, match="at most"):
        codec.decode(b" " + line)
