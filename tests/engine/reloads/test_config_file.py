from __future__ import annotations

import asyncio
import errno
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tui.config.disk import store, to_disk
from tui.config.disk.store import Conflict, Content, StoreError
from tui.engine.reloads.candidate import Candidate
from tui.engine.reloads.config_file import PARSE_INLINE, ConfigFile


class Watched(ConfigFile):
    """A config file that notes what its listeners hear, and what the watch is told to know."""

    def __init__(self, path: Path) -> None:
        self.known: list[str | None] = []
        super().__init__(path, lambda path, digest: self.known.append(digest))
        self.heard: list[Candidate] = []
        self.documents = 0
        self.listeners.append(self.heard.append)
        self.on_document = self._count

    def _count(self) -> None:
        self.documents += 1


@pytest.fixture
async def file(tmp_path: Path) -> Watched:
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1\n")
    file = Watched(path)
    await file.load()
    await file.current("start", 0.0, taken=True)
    return file


def content(raw: bytes) -> Content:
    return Content(raw, store.digest(raw))


async def test_loading_tells_nobody(file: Watched) -> None:
    assert (file.text, file.digest, file.problem) == ("lr: 1\n", store.digest(b"lr: 1\n"), None)
    assert (file.heard, file.documents) == ([], 0)
    assert await file.current("start", 3.0) == Candidate("lr: 1\n", {"lr": 1}, None, "start", 3.0)


async def test_what_is_replaced_before_a_start_could_take_it_becomes_a_version_first(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1\n")
    file = Watched(path)
    await file.load()
    await file.save("lr: 2\n", file.digest, False, 0.0)
    assert [(heard.text, heard.source) for heard in file.heard] == [("lr: 1\n", "disk"), ("lr: 2\n", "editor")]


async def test_a_missing_file_is_a_problem_without_a_text(tmp_path: Path) -> None:
    file = Watched(tmp_path / "c.yaml")
    await file.load()
    assert (file.text, file.digest) == (None, None)
    assert file.problem is not None
    assert "is missing" in file.problem.message
    assert (await file.current("start", 0.0)).data is None


async def test_new_content_on_disk_is_heard_with_its_first_sight(file: Watched) -> None:
    await file.changed(content(b"lr: 2\n"), True, 7.5)
    assert file.heard == [Candidate("lr: 2\n", {"lr": 2}, None, "disk", 7.5)]
    assert file.documents == 1


async def test_known_content_is_not_heard_again(file: Watched) -> None:
    await file.changed(content(b"lr: 1\n"), True, 0.0)
    assert (file.heard, file.documents) == ([], 0)


async def test_broken_content_is_heard_once_it_has_settled(file: Watched) -> None:
    await file.changed(content(b"lr: [\n"), False, 0.0)
    assert (file.heard, file.text, file.problem) == ([], "lr: 1\n", None)
    await file.changed(content(b"lr: [\n"), True, 0.0)
    assert [(heard.text, heard.data) for heard in file.heard] == [("lr: [\n", None)]
    assert file.problem is not None


async def test_what_is_no_text_does_not_pass_for_the_text_before(file: Watched) -> None:
    await file.changed(content(b"lr: \xff\n"), True, 0.0)
    assert (file.text, file.digest) == (None, store.digest(b"lr: \xff\n"))
    assert (await file.current("start", 0.0)).text == file.heard[0].text
    (heard,) = file.heard
    assert (heard.text, heard.data) == ("lr: \N{REPLACEMENT CHARACTER}\n", None)
    assert heard.problem is not None
    assert (heard.problem.line, heard.problem.column) == (1, 5)


async def test_a_file_that_goes_missing_is_shown_but_is_no_version(file: Watched) -> None:
    await file.changed(StoreError("gone"), True, 0.0)
    assert (file.text, file.digest, file.heard, file.documents) == (None, None, [], 1)
    await file.changed(content(b"lr: 1\n"), True, 0.0)
    assert [heard.text for heard in file.heard] == ["lr: 1\n"]


async def test_a_save_is_known_to_the_watch_before_it_is_on_disk(file: Watched) -> None:
    await file.save("lr: 2\n", file.digest, False, 1.0)
    assert file.known == [store.digest(b"lr: 2\n")]
    assert file.path.read_text() == "lr: 2\n"
    assert file.heard == [Candidate("lr: 2\n", {"lr": 2}, None, "editor", 1.0)]


async def test_who_changes_a_file_learns_of_his_version_before_it_is_there_to_stay(
    file: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = threading.Event()
    monkeypatch.setattr(store, "settle_file", lambda path, folder: settled.wait(PATIENCE))
    versions: list[int] = []
    told = asyncio.Event()

    def tell() -> None:
        versions.append(len(file.heard))
        told.set()

    changing = asyncio.create_task(file.edit(lambda _: "lr: 2\n", "set", 1.0, told=tell))
    await told.wait()
    file.heard.append(file.heard[-1])  # what a guard may do meanwhile
    settled.set()
    assert await changing
    assert versions == [1]


async def test_a_save_over_somebody_elses_change_leaves_all_as_it_was(file: Watched) -> None:
    before = file.digest
    file.path.write_text("lr: 9\n")
    with pytest.raises(Conflict):
        await file.save("lr: 2\n", before, False, 1.0)
    assert file.path.read_text() == "lr: 9\n"
    assert (file.text, file.heard) == ("lr: 1\n", [])
    assert file.known == [store.digest(b"lr: 2\n"), before]


async def test_what_a_save_replaces_is_a_version_first(file: Watched) -> None:
    file.path.write_text("lr: 9\n")
    await file.save("lr: 2\n", store.digest(b"lr: 9\n"), False, 1.0)
    assert [(heard.source, heard.data) for heard in file.heard] == [("disk", {"lr": 9}), ("editor", {"lr": 2})]
    await file.changed(content(b"lr: 2\n"), True, 2.0)
    assert len(file.heard) == 2


async def test_an_edit_is_made_to_what_somebody_else_has_written_meanwhile(file: Watched) -> None:
    seen = []

    def change(raw: bytes) -> str:
        seen.append(raw)
        if len(seen) == 1:
            file.path.write_text("lr: 9\n")
        return raw.decode() + "x: 1\n"

    assert await file.edit(change, "set", 1.0)
    assert seen == [b"lr: 1\n", b"lr: 9\n"]
    assert file.path.read_text() == "lr: 9\nx: 1\n"
    assert [(heard.source, heard.text) for heard in file.heard] == [("disk", "lr: 9\n"), ("set", "lr: 9\nx: 1\n")]


async def test_an_edit_gives_up_where_somebody_else_is_always_faster(
    file: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ATTEMPTS", 3)

    def change(raw: bytes) -> str:
        file.path.write_bytes(raw + b"#\n")
        return "lr: 2\n"

    with pytest.raises(Conflict):
        await file.edit(change, "set", 1.0)
    assert file.path.read_text() == "lr: 1\n#\n#\n#\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
async def test_a_change_waits_until_nobody_is_in_the_middle_of_writing(file: Watched) -> None:
    seen: list[bytes] = []

    def change(raw: bytes) -> str:
        seen.append(raw)
        return raw.decode().replace("b: 1", "b: 5")

    with file.path.open("w") as other:
        other.write("lr: 2\n")
        other.flush()
        edit = asyncio.create_task(file.edit(change, "set", 1.0))
        await asyncio.sleep(0.05)
        other.write("b: 1\n")
    assert await asyncio.wait_for(edit, PATIENCE)
    assert seen == [b"lr: 2\nb: 1\n"]
    assert [candidate.text for candidate in file.heard] == ["lr: 2\nb: 1\n", "lr: 2\nb: 5\n"]


async def test_a_schema_that_is_elsewhere_is_remarked(file: Watched) -> None:
    await file.save("# yaml-language-server: $schema=https://x.org/s\nlr: 2\n", file.digest, False, 1.0)
    assert file.remark == "not checked: the schema https://x.org/s is not on this machine: only local files are read"
    await file.save("lr: 2\n", file.digest, False, 1.0)
    assert file.remark is None


async def test_a_text_that_comes_back_just_before_it_is_replaced_has_its_version(
    file: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.path.write_text("lr: 5  # nobody has seen it\n")
    others = [b"lr: 6\n", b"lr: 5  # nobody has seen it\n"]
    place = store.place_file

    def write_first() -> None:
        if others:
            file.path.write_bytes(others.pop(0))

    def change(raw: bytes) -> str:
        write_first()
        return "lr: 2\n"

    def late_place(*arguments: Any, **options: Any) -> store.Placed:
        write_first()
        return place(*arguments, **options)

    monkeypatch.setattr(store, "place_file", late_place)
    assert await file.edit(change, "set", 1.0)
    texts = [candidate.text for candidate in file.heard]
    assert texts[-2:] == ["lr: 5  # nobody has seen it\n", "lr: 2\n"]


async def test_a_save_is_on_its_way_before_it_is_there_to_stay(file: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    settled = threading.Event()
    monkeypatch.setattr(store, "settle_file", lambda path, folder: settled.wait(PATIENCE))
    heard = asyncio.Event()
    file.listeners.append(lambda _: heard.set())
    save = asyncio.create_task(file.save("lr: 2\n", file.digest, False, 1.0))
    await asyncio.wait_for(heard.wait(), PATIENCE)
    assert file.path.read_text() == "lr: 2\n"
    await asyncio.sleep(0.05)
    assert not save.done()
    settled.set()
    await asyncio.wait_for(save, PATIENCE)


async def test_a_save_that_may_not_stay_is_told_and_is_what_runs(
    file: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(to_disk, "sync_folder", fail)
    with pytest.raises(StoreError, match="is written, but may be lost"):
        await file.save("lr: 2\n", file.digest, False, 1.0)
    assert (file.text, file.digest, file.path.read_text()) == ("lr: 2\n", store.digest(b"lr: 2\n"), "lr: 2\n")
    assert [heard.data for heard in file.heard] == [{"lr": 2}]
    assert file.known == [file.digest]


async def test_a_text_that_can_not_be_encoded_is_refused(file: Watched) -> None:
    with pytest.raises(StoreError, match=r"U\+D800, half a character"):
        await file.save("lr: '\ud800'\n", file.digest, False, 1.0)
    assert (file.path.read_text(), file.heard) == ("lr: 1\n", [])


async def test_a_large_text_is_parsed_all_the_same(file: Watched) -> None:
    text = f"pad: {'x' * PARSE_INLINE}\n"
    await file.changed(content(text.encode()), True, 0.0)
    assert file.heard[0].data == {"pad": "x" * PARSE_INLINE}


async def test_a_start_waits_for_what_is_being_parsed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1\n")
    file = Watched(path)
    await file.load()
    large = "".join(f"key{number}: {number}\n" for number in range(1_000)).encode()
    change = asyncio.create_task(file.changed(content(large), True, 1.0))
    await asyncio.sleep(0)
    candidate = await file.current("start", 2.0)
    await change
    assert candidate.problem is None
    assert candidate.data is not None
    assert len(candidate.data) == 1_000


async def test_what_was_found_before_a_save_is_not_taken_after_it(file: Watched) -> None:
    old = content(b"lr: 0\n")
    save = asyncio.create_task(file.save("lr: 2\n", file.digest, in_place=False, seen=1.0))
    await asyncio.sleep(0)
    late = asyncio.create_task(file.changed(old, True, 0.5))
    await asyncio.gather(save, late)
    assert [candidate.data for candidate in file.heard] == [{"lr": 2}]
    assert file.text == "lr: 2\n"
