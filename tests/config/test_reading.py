"""Files that others have made: one function reads them, and what is none is refused without waiting for it."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest

from tests.sources import calls
from tui import reading
from tui.app import preferences
from tui.config import schema
from tui.config.disk import store
from tui.config.disk.store import StoreError
from tui.config.document import parse
from tui.config.schema import SchemaError

#: What opens a file, or connects to one, by whatever name it is called.
OPENERS = {
    *(
        "open",
        "fdopen",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "copyfile",
        "copy2",
        "copytree",
    ),
    *("NamedTemporaryFile", "TemporaryFile", "mkstemp", "ZipFile", "fromfile", "loadtxt", "memmap"),
}

#: Who may, besides the one function, and what is opened there.
OTHERS = {
    "reading.py": "all that comes from outside",
    "config/disk/store.py": "what is written: the new file, the file in place",
    "config/disk/to_disk.py": "the folder that is synced",
    "config/disk/atomic.py": "a lease, no content",
    "engine/history/database.py": "our own database and what lies with it",
    "engine/metrics/store.py": "our own database",
    "engine/metrics/usage.py": "/proc",
    "engine/locks.py": "our own locks",
    "engine/claims.py": "a pointer to the config, no content",
    "engine/paths.py": "the file that keeps our folder out of git, written",
    "engine/main.py": "the log of the engine, written",
    "cluster/cargo.py": "an archive in memory, written",
    "cluster/controller.py": "our own source",
    "cluster/replica.py": "a pipe of ours, and the archive that the controller has made",
    "engine/jobs/log_file.py": "the log of a job, written",
    "engine/reloads/checks.py": "the copy for a check, written",
    "runners/command.py": "the copy for a command, written",
    "app/preferences.py": "the new choices, written",
    "app/textual_ext/own_terminal.py": "a file of its own, for what is written to standard error meanwhile",
    "app/dialogs/save_file.py": "the lines of a log, written where the user says",
    "cli/launch.py": "the log of the engine, written; a pipe of ours",
    "cli/run.py": "the samples that come with tunedeck",
    "streams.py": "/dev/null",
    "worker/bootstrap.py": "/dev/null",
    "worker/import_check.py": "/dev/null, and the code of a task, as Python itself reads it",
    "worker/own_deck.py": "a pipe of ours",
    "worker/process_tree.py": "/proc",
    "worker/stopping.py": "/proc",
    "samples/anneal.py": "a file of its own",
    "samples/digits.py": "a file of its own",
}

#: Modules of ours whose `open` opens no file.
NO_FILES = {
    "_histories",
    "_homes",
    "_roster",
    "connection",
    "histories",
    "self",
    "home",
    "homes",
    "server",
    "intake",
    "FindBar",
    "outlet",
}


def opened(found: list[ast.Call]) -> set[str]:
    """Return which of these calls open files."""
    return {name for call in found if (name := _opener(call.func)) is not None}


def _opener(function: ast.expr) -> str | None:
    if isinstance(function, ast.Name):
        return function.id if function.id in OPENERS else None
    if not isinstance(function, ast.Attribute) or function.attr not in OPENERS:
        return None
    base = function.value
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    if isinstance(base, ast.Call):  # as query_one(FindBar).open()
        name = next((word.id for word in base.args if isinstance(word, ast.Name)), "")
    return f"{name}.{function.attr}" if name not in NO_FILES else None


def test_what_others_have_made_is_read_in_one_place() -> None:
    found = {name: opened(nodes) for name, nodes in calls().items()}
    reads = {name: openers for name, openers in found.items() if any("read_" in opener for opener in openers)}
    assert set(reads) <= {"samples/anneal.py", "engine/metrics/usage.py", "cluster/controller.py"}
    strangers = {name: calls for name, calls in found.items() if calls and name not in OTHERS}
    assert strangers == {}, "read it with tui.reading.read, or say in OTHERS what it opens"
    assert {name for name in OTHERS if not found.get(name)} == set(), "these open nothing any more"


def called(call: ast.Call) -> tuple[str, str]:
    """Return what is called, and of which module."""
    return getattr(getattr(call.func, "value", None), "id", ""), getattr(call.func, "attr", "")


def test_who_reads_what_others_have_made() -> None:
    readers = {("reading", "read"), ("store", "read"), ("store", "found")}
    callers = {name for name, found in calls().items() if readers & set(map(called, found))}
    assert callers == {
        "app/preferences.py",  # what the user chose on the screen
        "cli/change.py",  # a config
        "cli/check.py",  # a deck or a config
        "cli/completion.py",  # a config and its schema
        "cli/history.py",
        "cli/keys_file.py",  # own keys
        "cli/run.py",  # the log of an engine
        "config/disk/store.py",  # a config
        "config/disk/watch.py",
        "config/schema.py",  # a schema, and what it refers to
        "engine/deck/load.py",  # a deck file
        "engine/jobs/code.py",  # the code of a task
        "engine/reloads/checks.py",
        "engine/reloads/config_file.py",
        "engine/reloads/schema_watch.py",  # a schema
        "engine/service/dry_run.py",
        "engine/service/save_commands.py",
        "engine/service/write_commands.py",
        "runners/command.py",
    }


def strange(folder: Path, kind: str) -> Path:
    """Return something that is no regular file of a sensible size."""
    path = folder / "strange"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(reading.LIMIT + 1)
    else:
        path = Path(kind)
    return path


def said_of_null() -> str:
    """Return what Python says of a path that holds a null character: not the same in all of its versions."""
    with pytest.raises(ValueError, match="embedded null") as error:
        Path("/a\0b").stat()
    return str(error.value)


WORDS = {
    "fifo": "is not a regular file: a pipe, a socket or a device is not read",
    "/dev/zero": "is not a regular file: a pipe, a socket or a device is not read",
    "/dev/tty": "is not a regular file: a pipe, a socket or a device is not read",
    "link": "is not a regular file: a pipe, a socket or a device is not read",
    "socket": "is not a regular file: a pipe, a socket or a device is not read",
    "folder": "is a directory: name a file in it",
    "large": "is larger than 16 MiB: is it the right file?",
    "/a\0b": f"is no path: {said_of_null()}",
}


@pytest.mark.parametrize("kind", WORDS)
def test_what_is_no_file_is_refused_by_all_who_read(tmp_path: Path, kind: str) -> None:
    path = strange(tmp_path, kind)
    with pytest.raises(reading.Unfit) as unfit:
        reading.read(path)
    assert unfit.value.strerror == WORDS[kind]
    with pytest.raises(StoreError) as caught:
        store.read(path)
    assert str(caught.value) == f"{path} {WORDS[kind]}"
    with pytest.raises(SchemaError) as refused:
        schema.load(path)
    assert "embedded null" in str(refused.value) or str(refused.value) == f"the schema {path} {WORDS[kind]}"
    if "\0" not in kind:
        (tmp_path / "s.json").write_text(f'{{"$ref": "{path.as_uri()}"}}')
        with pytest.raises(SchemaError, match="can't be used"):
            schema.check(tmp_path / "s.json", parse("lr: 1"))
    with pytest.raises((OSError, ValueError)):
        preferences.load(path)


def test_a_file_that_grows_while_it_is_read_is_cut_off_by_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x")
    monkeypatch.setattr(os, "read", lambda *_: bytes(600))
    with pytest.raises(reading.Unfit, match="is larger than 1 KiB"):
        reading.read(path, 1024)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1")
    real = os.open

    def late(*arguments: object) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(reading.Unfit, match="is not a regular file"):
        reading.read(path)
