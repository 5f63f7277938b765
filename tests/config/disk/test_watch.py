from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import THOROUGHLY
from tests.patience import PATIENCE
from tui.config.disk import atomic, folder_events, watch
from tui.config.disk.store import Content, Fingerprint, StoreError, digest
from tui.config.disk.watch import LATEST, STILL, Settling, Watcher, trail

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the Linux kernel's news")


def print_of(inode: int, size: int, time: int = 0, *, renamed: bool = False) -> Fingerprint:
    return Fingerprint(1, inode, size, time, time + renamed)


A, B, EMPTY = print_of(1, 10), print_of(2, 20), print_of(1, 0, 5)


def settled(found: Fingerprint | None) -> Settling:
    settling = Settling()
    settling.see(-10.0, found, touched=True)
    assert settling.verdict(-9.0) is True
    settling.read(-9.0, True)
    return settling


def test_what_does_not_change_is_not_read() -> None:
    settling = settled(A)
    settling.see(0.0, A)
    assert (settling.verdict(5.0), settling.wake()) == (None, None)


def test_a_renamed_file_is_read_at_once() -> None:
    settling = settled(A)
    settling.see(0.0, B, touched=True, whole=True)
    assert settling.verdict(0.0) is True
    assert settling.since == 0.0


def test_a_renamed_file_that_is_empty_or_gone_again_is_waited_for() -> None:
    for found in (EMPTY, None):
        settling = settled(A)
        settling.see(0.0, found, touched=True, whole=True)
        assert settling.verdict(STILL / 2) is None
        assert settling.verdict(STILL) is True


def test_a_write_is_read_when_it_is_still() -> None:
    settling = settled(A)
    settling.see(0.0, EMPTY)
    settling.see(0.03, print_of(1, 5, 6))
    settling.see(0.06, print_of(1, 9, 7))
    assert settling.verdict(0.10) is None
    assert settling.wake() == 0.06 + STILL
    assert settling.verdict(0.06 + STILL) is True
    assert settling.since == 0.06


def test_news_without_a_visible_change_count_as_a_write() -> None:
    settling = settled(A)
    settling.see(0.0, B)
    settling.see(0.04, B, touched=True)
    assert settling.verdict(0.06) is None
    assert settling.verdict(0.04 + STILL) is True


def test_a_write_after_the_renaming_takes_back_the_proof() -> None:
    settling = settled(A)
    settling.see(0.0, B, touched=True, whole=True)
    settling.see(0.01, print_of(2, 30, 1), touched=True)
    assert settling.verdict(0.02) is None


def test_a_file_that_is_never_still_is_read_unsettled_once_a_second() -> None:
    settling = settled(A)
    verdicts = []
    for tick in range(250):
        now = tick / 100
        settling.see(now, print_of(1, 10 + tick % 2, tick))
        verdict = settling.verdict(now)
        if verdict is not None:
            verdicts.append((now, verdict))
            settling.read(now, verdict)
    assert verdicts == [(1.01, False), (2.01, False)]
    settling.see(2.5, B)
    assert settling.verdict(2.5 + STILL) is True


def test_an_empty_file_is_never_read_unsettled() -> None:
    settling = settled(A)
    for tick in range(200):
        settling.see(tick / 100, print_of(1, 0, tick))
        assert settling.verdict(tick / 100) is None


def test_doubt_asks_again_after_a_while() -> None:
    settling = settled(A)
    settling.see(0.0, B, touched=True, whole=True)
    settling.doubt(0.01)
    assert settling.verdict(0.05) is None
    assert settling.verdict(0.01 + STILL) is True
    settling.see(0.02, A)
    settling.see(1.0, B)
    settling.doubt(1.0)
    assert settling.wake() == 1.0 + STILL


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([A, B, EMPTY, None]), st.booleans()), min_size=1))
def test_the_end_of_any_history_is_read_and_only_when_still(
    history: list[tuple[int, Fingerprint | None, bool]],
) -> None:
    """Scripted histories: observations a few milliseconds apart, of files that come and go."""
    settling = settled(A)
    now, last, at, seen = 0, A, 0, A
    for pause, found, touched in history:
        now += pause
        if found != last or touched:
            last, at = found, now  # type: ignore[assignment]
        settling.see(now / 1000, found, touched=touched)
        verdict = settling.verdict(now / 1000)
        if verdict:
            assert now - at >= 1000 * STILL
            settling.read(now / 1000, True)
            seen = last
    if (wake := settling.wake()) is not None:
        assert settling.verdict(wake) is not None
        assert wake <= now / 1000 + max(STILL, LATEST)
        seen = last
    assert seen == last


def test_the_trail_leads_over_all_links(tmp_path: Path) -> None:
    real = tmp_path.resolve()
    (real / "v1").mkdir()
    (real / "v1/c.yaml").touch()
    (real / "..data").symlink_to("v1")
    (real / "c.yaml").symlink_to("..data/c.yaml")
    assert trail(real / "c.yaml") == [(real, "c.yaml"), (real, "..data"), (real / "v1", "c.yaml")]
    assert trail(real / "none/c.yaml") == [(real / "none", "c.yaml")]
    (real / "loop").symlink_to("loop")
    assert set(trail(real / "loop")) == {(real, "loop")}


@linux
def test_an_open_writer_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\n")
    assert atomic.being_written(path) is False
    with path.open("a"):
        assert atomic.being_written(path) is True
    with path.open():
        assert atomic.being_written(path) is False
    assert atomic.being_written(tmp_path / "none") is False


class Seen:
    """What a watcher has reported, to be waited for."""

    def __init__(self) -> None:
        self.reports: list[tuple[Path, bytes | str, bool]] = []
        self._news = asyncio.Event()

    def __call__(self, path: Path, found: Content | StoreError, settled: bool, seen: float) -> None:
        self.reports.append((path, found.raw if isinstance(found, Content) else str(found), settled))
        self._news.set()

    async def until(self, last: bytes | str) -> None:
        """Wait until the last report is `last`, or has it in its message."""
        while not self.reports or not (self.reports[-1][1] == last or str(last) in str(self.reports[-1][1])):
            self._news.clear()
            await self._news.wait()

    async def count(self, number: int) -> None:
        """Wait until there are so many reports."""
        while len(self.reports) < number:
            self._news.clear()
            await self._news.wait()

    @property
    def settled(self) -> list[bytes | str]:
        return [what for _, what, settled in self.reports if settled]


SOURCES: list[Callable[[folder_events.News], folder_events.Source]] = [folder_events.source, folder_events.Portable]


@pytest.fixture(params=SOURCES, ids=["native", "portable"])
def any_source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_events, "source", request.param)


@pytest.fixture
def no_safety_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SAFETY", 3600)


@pytest.fixture
def quick_safety_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SAFETY", 0.02)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "c.yaml"
    path.parent.mkdir()
    path.write_bytes(text(0))
    return path


def text(number: int) -> bytes:
    return b"number: %d\n" % number


@asynccontextmanager
async def watching(*paths: Path) -> AsyncIterator[tuple[Seen, Watcher]]:
    """Watch files whose present content has been reported."""
    seen = Seen()
    watcher = Watcher(paths, seen)
    await watcher.start()
    await seen.count(sum(path.exists() for path in paths))
    seen.reports.clear()
    try:
        yield seen, watcher
    finally:
        await watcher.close()


def rename(path: Path, raw: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(raw)
    temporary.replace(path)


def vim(path: Path, raw: bytes) -> None:
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_bytes(raw)
    backup.unlink()


def in_place(path: Path, raw: bytes) -> None:
    with path.open("r+b") as file:
        file.write(raw)
        file.truncate()


@pytest.mark.usefixtures("any_source", "no_safety_net")
@pytest.mark.parametrize("save", [rename, vim, in_place])
async def test_every_save_is_reported_once_and_whole(config: Path, save: Callable[[Path, bytes], None]) -> None:
    async with watching(config) as (seen, _):
        for number in range(1, 6):
            save(config, text(number))
            await seen.until(text(number))
    assert seen.reports == [(config, text(number), True) for number in range(1, 6)]


@pytest.mark.usefixtures("any_source", "no_safety_net")
async def test_half_a_file_is_not_reported(config: Path) -> None:
    async with watching(config) as (seen, _):
        with config.open("wb", buffering=0) as file:
            for byte in text(1):
                await asyncio.sleep(STILL / 10)
                file.write(bytes([byte]))
        await seen.until(text(1))
    assert seen.settled[-1] == text(1)
    if len(seen.reports) > 1:
        # Only a machine that stood still for long enough makes a pause look like an end.
        assert all(text(1).startswith(part) for part in seen.settled if isinstance(part, bytes))


@pytest.mark.usefixtures("any_source", "no_safety_net")
async def test_the_link_swap_of_a_config_map_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if folder_events.source is folder_events.Portable:
        monkeypatch.setattr(watch, "SAFETY", 0.2)  # while it begins anew, with another folder, it is deaf

    def publish(number: int) -> None:
        target = tmp_path / f"..{number}"
        target.mkdir()
        (target / "c.yaml").write_bytes(text(number))
        (tmp_path / "..data_tmp").symlink_to(target.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        shutil.rmtree(tmp_path / f"..{number - 1}", ignore_errors=True)

    publish(0)
    path = tmp_path / "c.yaml"
    path.symlink_to("..data/c.yaml")
    async with watching(path) as (seen, _):
        for number in range(1, 4):
            publish(number)
            await seen.until(text(number))
        # The new target's folder is watched as well.
        in_place(path, text(9))
        await seen.until(text(9))
    assert seen.settled == [text(1), text(2), text(3), text(9)]


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_a_renamed_file_does_not_wait(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STILL", 3600.0)
    monkeypatch.setattr(watch, "LATEST", 3600.0)
    seen = Seen()
    other = config.with_name("other.yaml")
    watcher = Watcher([config, other], seen)
    await watcher.start()
    rename(config, text(1))
    await seen.until(text(1))
    # The writer of this one is still at work: it has renamed its file too early.
    with config.with_suffix(".new").open("wb", buffering=0) as file:
        file.write(b"number:")
        Path(file.name).replace(config)
        rename(other, text(5))
        await seen.until(text(5))
    rename(config, text(2))
    await seen.until(text(2))
    await watcher.close()
    assert seen.settled == [text(1), text(5), text(2)]


@pytest.mark.usefixtures("any_source", "quick_safety_net")
async def test_a_folder_that_is_removed_and_made_again_is_survived(config: Path) -> None:
    async with watching(config) as (seen, _):
        for number in (1, 2):
            shutil.rmtree(config.parent)
            await seen.until("missing")
            config.parent.mkdir()
            config.write_bytes(text(number))
            await seen.until(text(number))
        config.parent.rename(config.parent.with_name("old"))
        config.parent.mkdir()
        config.write_bytes(text(3))
        await seen.until(text(3))


@pytest.mark.usefixtures("quick_safety_net")
async def test_a_removed_folder_is_watched_again(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(config) as (seen, _):
        shutil.rmtree(config.parent)
        await seen.until("missing")
        config.parent.mkdir()
        config.write_bytes(text(1))
        await seen.until(text(1))
        monkeypatch.setattr(watch, "SAFETY", 3600)
        await asyncio.sleep(0.05)
        rename(config, text(2))
        await seen.until(text(2))


@pytest.mark.usefixtures("any_source", "quick_safety_net")
async def test_a_missing_file_and_folder_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "none" / "c.yaml"
    async with watching(path) as (seen, _):
        await seen.until("missing")
        path.parent.mkdir()
        path.write_bytes(text(1))
        await seen.until(text(1))
        path.unlink()
        await seen.until("missing")
    assert [settled for *_, settled in seen.reports] == [True] * len(seen.reports)


@pytest.mark.usefixtures("any_source", "no_safety_net")
async def test_what_is_known_is_not_reported(config: Path) -> None:
    async with watching(config) as (seen, watcher):
        watcher.known(config, digest(text(1)))
        rename(config, text(1))
        config.touch()
        rename(config, text(2))
        await seen.until(text(2))
        # Back to what was reported before is news again.
        rename(config, text(1))
        await seen.until(text(1))
    assert seen.settled == [text(2), text(1)]


@pytest.mark.usefixtures("no_safety_net")
async def test_a_change_before_the_start_is_reported(config: Path) -> None:
    seen = Seen()
    watcher = Watcher([config], seen)
    watcher.known(config, digest(text(0)))
    config.write_bytes(text(1))
    await watcher.start()
    await seen.until(text(1))
    await watcher.close()
    await watcher.close()
    assert seen.settled == [text(1)]


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_a_file_that_is_never_still_is_reported_unsettled(config: Path) -> None:
    async with watching(config) as (seen, _):
        number = 0
        while not seen.reports:
            number += 1
            in_place(config, text(number))
            await asyncio.sleep(STILL / 10)
        assert seen.reports[0][2] is False
        in_place(config, text(999_999))
        await seen.until(text(999_999))
    assert seen.reports[-1][2] is True


@pytest.mark.usefixtures("no_safety_net")
async def test_two_files_in_one_folder_and_a_busy_log(config: Path) -> None:
    other = config.with_name("other.yaml")
    other.write_bytes(text(100))
    async with watching(config, other) as (seen, _):
        with config.with_name("log").open("wb", buffering=0) as log:
            for number in range(1, 200):
                log.write(b"line\n")
                await asyncio.sleep(0)
                if number == 50:
                    rename(config, text(1))
        await seen.until(text(1))
        rename(other, text(101))
        await seen.until(text(101))
    assert [(path, raw) for path, raw, _ in seen.reports] == [(config, text(1)), (other, text(101))]


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every waking of the watch by the system."""
    found: list[bool] = []
    poll = folder_events.Inotify.poll

    def counted(source: folder_events.Inotify) -> bool:
        found.append(poll(source))
        return found[-1]

    monkeypatch.setattr(folder_events.Inotify, "poll", counted)
    return found


def fill(folder: Path, number: int) -> None:
    """Do to other files of the folder whatever can be done to a file."""
    other = folder / f"other-{number}"
    rename(other, b"1")
    in_place(other, b"2")
    vim(other, b"3")
    other.chmod(0o600)
    other.with_name(f"link-{number}").symlink_to(other)
    if number % 2:
        other.unlink()


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_other_files_in_the_folder_wake_nobody(config: Path, polls: list[bool]) -> None:
    async with watching(config) as (seen, _):
        polls.clear()
        with config.with_name("log").open("a", buffering=1) as log:
            for number in range(200):
                fill(config.parent, number)
                log.write("line\n")
                await asyncio.sleep(0)
        assert polls == []
        for number in range(1, 4):
            rename(config, text(number))
            await seen.until(text(number))
        assert len(polls) < 20
    assert seen.settled == [text(1), text(2), text(3)]


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_other_files_beside_a_missing_one_are_not_looked_at_one_by_one(
    config: Path, polls: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(config) as (seen, _):
        config.unlink()
        await seen.until("missing")
        monkeypatch.setattr(folder_events, "PAUSE", 3600)  # what is told for nothing is not asked for again at once
        polls.clear()
        for number in range(20):
            fill(config.parent, number)
            await asyncio.sleep(0)
        assert 1 <= len(polls) <= 2


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_a_file_that_comes_back_is_found_beside_others(config: Path, polls: list[bool]) -> None:
    async with watching(config) as (seen, _):
        for number, save in enumerate([rename, vim_new], 1):
            config.unlink()
            await seen.until("missing")
            for other in range(20):
                fill(config.parent, 100 * number + other)
                await asyncio.sleep(0)
            save(config, text(number))
            await seen.until(text(number))
        polls.clear()
        fill(config.parent, 0)
        await asyncio.sleep(2 * folder_events.PAUSE)
        assert polls == []


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_more_news_than_the_system_keeps_delay_a_save_and_lose_none(config: Path) -> None:
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    async with watching(config) as (seen, _):
        one, other = config.with_name("one"), config.with_name("other")
        one.touch()
        for _ in range(kept // 4 + 1):  # each is told twice
            one.rename(other)
            other.rename(one)
        rename(config, text(1))
        await seen.until(text(1))
        for number in (2, 3):
            in_place(config, text(number))
            await seen.until(text(number))


@linux
@pytest.mark.usefixtures("quick_safety_net")
async def test_where_the_system_has_no_watches_left_files_are_polled(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoneLeft:
        def __init__(self, mask: int) -> None:
            raise OSError(errno.EMFILE, f"no instance left for {mask}")

    monkeypatch.setattr(folder_events, "Watches", NoneLeft)
    async with watching(config) as (seen, _):
        for number in (1, 2):
            rename(config, text(number))
            await seen.until(text(number))


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_a_writer_that_keeps_the_file_open_is_heard(config: Path) -> None:
    async with watching(config) as (seen, _):
        with config.open("r+b", buffering=0) as file:
            for number in (1, 2):
                file.seek(0)
                file.write(text(number))
                await seen.until(text(number))


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_what_is_written_under_another_name_of_the_file_is_seen(config: Path) -> None:
    (config.parent.parent / "elsewhere").mkdir()
    other = config.parent.parent / "elsewhere" / "c.yaml"
    os.link(config, other)
    async with watching(config) as (seen, _):
        for number in (1, 2):
            in_place(other, text(number))
            await seen.until(text(number))
        rename(config, text(3))
        await seen.until(text(3))
        in_place(other, text(4))  # it is another file now
        in_place(config, text(5))
        await seen.until(text(5))
    assert seen.settled == [text(1), text(2), text(3), text(5)]


@linux
@pytest.mark.usefixtures("no_safety_net")
async def test_a_file_that_has_changed_places_with_another_does_not_wait(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = config.with_suffix(".new")
    async with watching(config) as (seen, _):
        monkeypatch.setattr(watch, "STILL", 3600.0)
        monkeypatch.setattr(watch, "LATEST", 3600.0)
        for number in (1, 2):
            new.write_bytes(text(number))
            if not atomic.exchange(new, config):
                pytest.skip("this file system can't exchange names")
            await seen.until(text(number))


def vim_new(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)


def link_swap(path: Path, raw: bytes) -> None:
    target = path.with_name(f"target-{raw[8:-1].decode()}")
    target.write_bytes(raw)
    link = path.with_suffix(".lnk")
    link.symlink_to(target.name)
    link.replace(path)


def remove(path: Path, _: bytes) -> None:
    path.unlink()


def through_hard_link(path: Path, raw: bytes) -> None:
    other = path.with_suffix(".hard")
    os.link(path.resolve(), other)
    other.write_bytes(raw)
    other.unlink()


def exchanged(path: Path, raw: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(raw)
    atomic.exchange(new, path)
    new.unlink()


def chmod(path: Path, raw: bytes) -> None:
    path.chmod(0o600 if raw[-2] % 2 else 0o644)


SAVES = [rename, vim, vim_new, in_place, link_swap, remove, through_hard_link, exchanged, chmod]


@linux
@pytest.mark.timeout(3_600 if THOROUGHLY else 1_200)
@settings(max_examples=2_000 if THOROUGHLY else 25)
@given(
    st.lists(st.tuples(st.sampled_from(SAVES), st.sampled_from([0.0, 0.0002, 0.001, 0.06])), min_size=1, max_size=12)
)
def test_whatever_is_done_to_a_file_its_end_is_reported(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Callable[[Path, bytes], None], float]]
) -> None:
    path = tmp_path_factory.mktemp("watch") / "c.yaml"
    path.write_bytes(text(0))

    def play() -> None:
        for number, (save, pause) in enumerate(history, 1):
            if path.exists() or save in (rename, vim_new, link_swap):
                save(path, text(number))
            time.sleep(pause)

    async def run() -> None:
        seen = Seen()
        watcher = Watcher([path], seen)
        await watcher.start()
        await seen.count(1)
        await asyncio.to_thread(play)
        await asyncio.wait_for(seen.until(path.read_bytes() if path.exists() else "missing"), PATIENCE)
        await watcher.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "SAFETY", 3600)
        asyncio.run(run())


@pytest.mark.usefixtures("no_safety_net")
async def test_nothing_is_reported_after_the_end(config: Path) -> None:
    async with watching(config) as (seen, watcher):
        in_place(config, text(1))
        await watcher.close()
        rename(config, text(2))
        await asyncio.sleep(2 * STILL)
    assert seen.reports == []


@linux
async def test_a_pipe_in_the_place_of_the_file_is_an_error(config: Path) -> None:
    async with watching(config) as (seen, _):
        config.unlink()
        os.mkfifo(config)
        await seen.until("not a regular file")
