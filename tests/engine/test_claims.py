"""One engine per config file, by whatever way another one comes to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.killed import kill
from tests.namespaces import Mounts
from tui.engine import claims, locks
from tui.engine import paths as engine_paths
from tui.engine.history.folders import HistoryFolders
from tui.engine.locks import Lock, Presence
from tui.engine.paths import PlaceError

CONTENT = "lr: 1\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    path = folder / "c.yaml"
    path.write_text(CONTENT)
    return path


@pytest.fixture
def mine(config: Path) -> Iterator[HistoryFolders]:
    homes = HistoryFolders("me")
    homes.open(config, "job")
    yield homes
    homes.close()


def refused(path: Path) -> bool:
    """Return whether another engine is refused a config, and would be by everything that asks who has it."""
    other = HistoryFolders("you")
    try:
        other.open(path, "job")
    except PlaceError as error:
        said = str(error)
    else:
        return False
    finally:
        other.close()
    assert f"{path} is in use by me;" in said
    assert claims.holder(path) == "me"
    return True


def save(path: Path) -> None:
    """Replace a file, as most editors do."""
    new = path.with_suffix(".new")
    new.write_text(path.read_text() + "more: 1\n")
    new.replace(path)


def linked(way: str, config: Path) -> Path:
    """Return another path to a config."""
    other = config.parent.parent / "other"
    if way == "link to the folder":
        other.symlink_to(config.parent)
        return other / config.name
    other.mkdir()
    path = other / "d.yaml"
    if way == "symbolic link":
        path.symlink_to(config)
    elif way == "link to a link":
        (other / "e.yaml").symlink_to(config)
        path.symlink_to("e.yaml")
    elif way == "hard link":
        path.hardlink_to(config)
    else:
        path = config.parent / "d.yaml"
        path.hardlink_to(config)
    return path


WAYS = ["link to the folder", "symbolic link", "link to a link", "hard link", "hard link beside"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", ["file", "link"])
def test_a_link_leads_to_the_same_lock(config: Path, way: str, first: str) -> None:
    one, other = config, linked(way, config)
    if first == "link":
        one, other = other, one
    homes = HistoryFolders("me")
    homes.open(one, "job")
    assert refused(other)
    homes.close()
    assert claims.holder(one) is claims.holder(other) is None
    assert not refused(other)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["told", "seen"])
def test_the_lock_follows_a_save_that_replaces_the_file(config: Path, mine: HistoryFolders, way: str, how: str) -> None:
    before = config.parent / "before"
    before.hardlink_to(config)
    for _ in range(3):
        save(config)
        assert list(mine.follow(config) if how == "told" else mine.repair()) == []
    assert refused(linked(way, config))
    assert not refused(before)  # it is another file by now


def test_the_lock_follows_a_link_that_leads_elsewhere(config: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.yaml").write_text(CONTENT)
    current = tmp_path / "current.yaml"
    current.symlink_to("one/c.yaml")
    homes = HistoryFolders("me")
    homes.open(current, "job")
    assert (refused(tmp_path / "one/c.yaml"), refused(tmp_path / "two/c.yaml")) == (True, False)
    (tmp_path / "new").symlink_to("two/c.yaml")
    (tmp_path / "new").replace(current)
    assert list(homes.follow(current)) == []
    assert (refused(tmp_path / "one/c.yaml"), refused(tmp_path / "two/c.yaml")) == (False, True)
    homes.close()


def test_a_file_that_becomes_that_of_another_engine_is_told_once(
    config: Path, mine: HistoryFolders, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(CONTENT)
    other = HistoryFolders("you")
    other.open(theirs, "job")
    config.unlink()
    config.hardlink_to(theirs)
    (news,) = mine.repair()
    assert news.message == (
        f"{config} is in use by you; `tunedeck ls` shows it; from now on both take what is saved in it"
    )
    assert list(mine.repair()) == []
    other.close()
    assert list(mine.repair()) == []
    assert refused(theirs)


def test_a_config_that_is_missing_is_locked_by_its_name(config: Path, mine: HistoryFolders) -> None:
    config.unlink()
    assert list(mine.repair()) == []
    assert refused(config)
    (config.parent.parent / "link").symlink_to(config)
    assert refused(config.parent.parent / "link")
    config.write_text(CONTENT)
    assert list(mine.repair()) == []
    assert refused(linked("hard link", config))


def test_an_inode_that_is_locked_is_given_to_no_other_file(config: Path, mine: HistoryFolders) -> None:
    """Between a save and the moment in which the lock follows it the number of the old file stays its own."""
    inode = config.stat().st_ino
    save(config)
    others = [config.with_name(f"{number}.yaml") for number in range(50)]
    for other in others:
        other.write_text(CONTENT)
    assert inode not in {other.stat().st_ino for other in others}


def test_the_number_that_a_lock_keeps_is_that_of_one_config(config: Path, tmp_path: Path) -> None:
    """A device that is unmounted gives its number, and those of its inodes, to the next one."""
    for path, left in ((config, 0), (config, 7), (config.with_name("d.yaml"), 0), (config, 0)):
        lock = Lock(tmp_path, path, "me", name="a.lock")
        assert lock.left == left
        lock.note(7)
        os.close(lock.descriptor)


def test_two_paths_that_are_one_in_two_containers_are_two_files(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may share the folder of the sockets: there, a path says nothing."""
    before = engine_paths.place_of(config), engine_paths.socket_of(str(config))
    config.parent.rename(config.parent.with_name("moved"))
    config.parent.mkdir()
    assert engine_paths.place_of(config) != before[0]
    assert engine_paths.socket_of(str(config)) != before[1]
    assert engine_paths.place_of(config.parent.with_name("moved") / config.name) == before[0]


@pytest.mark.parametrize("paths", ["one", "links"])
def test_of_many_engines_at_once_one_gets_the_file(config: Path, paths: str) -> None:
    """Each is a process of its own; they begin together, while somebody saves the file again and again."""
    ways = [config] * 4 if paths == "one" else [config, *(linked(way, config) for way in WAYS[1:2])] * 2
    code = (
        "import sys; from pathlib import Path; from tui.engine.history.folders import HistoryFolders\n"
        "from tui.engine.locks import *; from tui.engine.paths import *\n"
        "homes = HistoryFolders(sys.argv[2]); print('up', flush=True)\n"
        "for _ in sys.stdin:\n"
        "    try: homes.open(Path(sys.argv[1]), 'job')\n"
        "    except PlaceError: print('refused', flush=True)\n"
        "    else: print('got it', flush=True)\n"
        "homes.close()"
    )
    engines = [
        subprocess.Popen(
            [sys.executable, "-c", code, way, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number, way in enumerate(ways)
    ]
    over = threading.Event()

    def save_often() -> None:
        while not over.is_set():
            save(config)

    saving = threading.Thread(target=save_often)
    try:
        for engine in engines:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "up\n"
        saving.start()
        for engine in engines:
            assert engine.stdin is not None
            engine.stdin.write("go\n")
            engine.stdin.flush()
        said = [engine.stdout.readline() for engine in engines if engine.stdout is not None]
    finally:
        over.set()
        for engine in engines:
            engine.communicate()
        saving.join()
    assert sorted(said) == ["got it\n", *["refused\n"] * 3]


SECOND = (
    "import sys; from pathlib import Path\n"
    "from tui.engine.history.folders import HistoryFolders; from tui.engine.paths import PlaceError\n"
    "homes = HistoryFolders('you')\n"
    "try: homes.open(Path(sys.argv[1]), 'job')\n"
    "except PlaceError as error: print(error)\n"
    "else: print('got it')\n"
    "homes.close()"
)

#: A container has another folder of sockets, too. All of /tmp would hide a virtual environment that is in it.
CONTAINER = f"mkdir -p -m 700 /tmp/tunedeck-{os.getuid()}; mount -t tmpfs none /tmp/tunedeck-{os.getuid()}"

#: Another view of the machine, and where the config is in it.
MOUNTS = {
    "the folder under another path": ("mkdir other; mount --bind conf other", "other/c.yaml"),
    "the file under another path": (
        "mkdir other; touch other/d.yaml; mount --bind conf/c.yaml other/d.yaml",
        "other/d.yaml",
    ),
    "a container with the folder": (f"mount --bind conf /mnt; {CONTAINER}", "/mnt/c.yaml"),
    "a container with the folder above": (f"mount --bind . /mnt; {CONTAINER}", "/mnt/conf/c.yaml"),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("view", MOUNTS)
@pytest.mark.parametrize("first", ["here", "there"])
def test_a_mount_leads_to_the_same_lock(config: Path, view: str, first: str) -> None:
    script, name = MOUNTS[view]
    path = str(config.parent.parent / name)
    homes = HistoryFolders("me")
    if first == "here":
        homes.open(config, "job")
        save(config)
        list(homes.repair())
    mounts = Mounts(config.parent.parent, script)
    code = SECOND if first == "here" else SECOND.replace("'you'", "'me'").replace("homes.close()", "sys.stdin.read()")
    try:
        with subprocess.Popen(
            [*mounts.inside[:-1], "unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-uc", code, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as engine:
            assert engine.stdout is not None
            said = engine.stdout.readline()
            assert "is in use by me;" in said if first == "here" else refused(config)
            engine.communicate()
        assert first == "here" or not refused(config)
    finally:
        homes.close()
        mounts.close()


def test_two_engines_of_two_containers_with_one_process_id_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    one, other = Presence(), Presence()
    assert one.name != other.name
    one.release()
    other.release()


def test_the_next_holder_waits_until_nothing_is_left_of_the_one_before(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shims of a killed engine hold its presence until its jobs have ended."""
    presence = Presence()
    homes = HistoryFolders("me", presence.name)
    homes.open(config, "job")
    kill(homes)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            os.close(presence.descriptor)

    monkeypatch.setattr(time, "sleep", sleep)
    other = HistoryFolders("you")
    other.open(config, "job")
    assert len(waited) == 3
    other.close()
    locks.sweep()


needs_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to somebody else")


def as_nobody(sockets: Path, code: str, *arguments: object) -> str:
    """Run Python as a user without rights; return what it has printed."""
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "TUNEDECK_RUNTIME_DIR": str(sockets)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.fixture
def theirs() -> Iterator[Path]:
    """Return a config of the user nobody, in a folder to which that user can come."""
    if not shutil.which("setpriv"):
        pytest.skip("there is no setpriv")
    with tempfile.TemporaryDirectory() as name:
        config = Path(name, "conf", "c.yaml")
        config.parent.mkdir()
        config.write_text(CONTENT)
        for path in (config, config.parent):
            os.chown(path, 65534, 65534)
        config.parent.parent.chmod(0o755)
        yield config


@pytest.fixture
def sockets(theirs: Path) -> Path:
    """Return the folder of nobody's sockets."""
    folder = theirs.parent.parent / "sockets"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    return folder


@needs_users
@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("held", [True, False])
def test_a_lock_that_root_has_left_is_told_with_its_name_and_the_way_out(
    theirs: Path, sockets: Path, mode: int, held: bool
) -> None:
    folder = theirs.parent / ".tunedeck"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    lock = Lock(folder, theirs, "root's deck")
    lock.path.chmod(mode)
    if not held:
        os.close(lock.descriptor)
    said = as_nobody(sockets, SECOND, theirs)
    if mode == 0o600:
        assert said == (
            f"{theirs} is locked by {lock.path}, which belongs to root; if root runs no deck with it "
            f"(sudo -u root tunedeck ls), remove it: sudo rm {lock.path}\n"
        )
    elif held:
        assert said == f"{theirs} is in use by root's deck of the user root, whose `tunedeck ls` shows it\n"
    else:
        assert said == "got it\n"
    if held:
        lock.release()


@needs_users
@pytest.mark.parametrize("what", ["folder", "history"])
def test_where_the_folder_of_the_history_is_somebody_elses_another_one_is_used_and_that_is_told(
    theirs: Path, sockets: Path, what: str
) -> None:
    homes = HistoryFolders("root")
    homes.open(theirs, "job")
    homes.close()
    folder = theirs.parent / ".tunedeck"
    if what == "history":
        os.chown(folder, 65534, 65534)
    state = sockets.with_name("state")
    state.mkdir()
    os.chown(state, 65534, 65534)
    code = (
        "import os, sys; from pathlib import Path; from tui.engine.history import job_history\n"
        "from tui.engine.history.folders import HistoryFolders\n"
        "config = Path(sys.argv[1]); os.environ['XDG_STATE_HOME'] = sys.argv[2]\n"
        "homes = HistoryFolders('you'); homes.open(config, 'job')\n"
        "print(homes.problems[config]); print(job_history.folder_of(config)); homes.close()"
    )
    whose = folder if what == "folder" else folder / "history.db"
    assert as_nobody(sockets, code, theirs, state).splitlines() == [
        f"the history of c.yaml is kept in {state / 'tunedeck'}: {whose} belongs to root, as after a run with sudo; "
        f"sudo chown -R nobody {folder} makes it yours",
        str(state / "tunedeck"),
    ]


@pytest.mark.parametrize("case", ["made", "own", "open", "no folder", "missing"])
def test_the_folder_of_the_sockets_is_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setenv("TUNEDECK_RUNTIME_DIR", str(folder))
    if case == "made":
        assert engine_paths.socket_of("/a/deck.yaml").parent == folder
        assert folder.stat().st_mode & 0o777 == 0o700
        return
    if case == "own":
        folder.mkdir(mode=0o700)
        assert engine_paths.sockets_folder() == folder
        return
    if case == "open":
        folder.mkdir()
        folder.chmod(0o755)
    elif case == "no folder":
        folder.touch()
    else:
        monkeypatch.setenv("TUNEDECK_RUNTIME_DIR", str(folder / "below"))
    with pytest.raises(PlaceError, match="set TUNEDECK_RUNTIME_DIR to another folder"):
        engine_paths.sockets_folder()
    if case == "open":
        assert folder.stat().st_mode & 0o777 == 0o755


@needs_users
def test_a_folder_of_sockets_that_somebody_else_has_made_is_told_with_the_way_out(sockets: Path) -> None:
    code = "from tui.engine import paths\ntry: paths.sockets_folder()\nexcept paths.PlaceError as error: print(error)"
    os.chown(sockets, 0, 0)
    assert as_nobody(sockets, code) == (
        f"{sockets} belongs to root, it must be a folder of yours: set TUNEDECK_RUNTIME_DIR to another folder\n"
    )
