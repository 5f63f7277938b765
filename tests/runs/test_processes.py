from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import TICKER, Folder, Run, Watch, command, log, row, state
from tui.engine.service.headless import LAST_WORDS

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs a child subreaper and process descriptors")

#: A task with a child that ignores SIGTERM, and a grandchild in a session of its own whose parent has gone.
FAMILY = """
    import os, signal, subprocess, sys, textwrap, time

    STAY = r'''
    import os, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b"up\\n")
    time.sleep(600)
    '''

    def run(config):
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(STAY)])
        if os.fork() == 0:
            os.setsid()
            grandchild = os.fork()
            if grandchild == 0:
                time.sleep(600)
            # One write for each line: `print` may write text and newline apart, and "up" come between.
            os.write(1, b"grandchild %d\\n" % grandchild)
            os._exit(0)
        os.wait()
        os.write(1, b"its parent has gone\\n")
        while True:
            config = yield {"up": 1}
            time.sleep(0.001)
"""


def family(folder: Folder) -> tuple[Run, Watch]:
    """Start a run with children of all sorts and watch all of them."""
    run = folder.run_task(FAMILY, "run")
    run.worker()
    run.wait_for(log("up"))
    run.wait_for(log("its parent has gone"))
    grandchild = next(int(line.split()[1]) for line in run.lines if line.startswith("grandchild"))
    # The shim, the worker, its child and the grandchild; the process between them has ended.
    watch = Watch.tree(run.pid)
    assert {run.worker(), grandchild} < watch.pids
    assert len(watch.pids) == 4
    return run, watch


#: Processes that ignore SIGTERM and fork all the time, each in a session of its own; all hold one lock.
FORKS = """
    import fcntl, os, signal, sys, time

    def run(config):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        held = open("held", "w")
        fcntl.flock(held, fcntl.LOCK_EX)
        os.write(1, b"up\\n")
        while True:
            forked = os.fork()
            if MANY and forked == 0:  # one has many children
                os.setsid()
                time.sleep(0.2)
                os._exit(0)
            elif MANY:
                time.sleep(0.001)
            elif forked:  # or each has one, and ends
                os._exit(0)
            else:
                os.setsid()
"""


THREE = """
jobs:
  process: {task: job.py:tick, config: c.yaml}
  thread: {task: job.py:tick, config: c.yaml, runner: thread}
  command: {command: [sleep, "1000"], config: c.yaml, on_change: restart}
"""


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_signal_to_the_process_that_a_state_names_is_its_crash(folder: Folder, number: signal.Signals) -> None:
    folder.task(TICKER)
    run = folder.run_deck(THREE)
    jobs = ["process", "thread", "command"]
    up = [run.wait_for(lambda event, job=job: event["job"] == job and state("running")(event)) for job in jobs]  # type: ignore[misc]
    for pid in {event["pid"] for event in up}:
        os.kill(pid, number)
    assert run.end() == 1
    last = {event["job"]: event for event in run.events if event["event"] == "state"}
    assert sorted(last) == ["command", "host", "process", "thread"]
    words = f"killed by {number.name}"
    for job, event in last.items():
        reason = f"its host ended, with all jobs in it: {words}" if job == "thread" else words
        assert (event["state"], event["exit_code"], event["reason"]) == ("crashed", -number, reason)


def shim_of(worker: int) -> int:
    return int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])


@linux
def test_nothing_survives_a_kill_of_the_engine(folder: Folder) -> None:
    run, watch = family(folder)
    run.process.kill()
    assert watch.survivors() == set()
    assert run.end() == -signal.SIGKILL


@linux
@pytest.mark.parametrize("victim", ["engine", "shim", "worker", "nobody"])
@pytest.mark.parametrize("kind", ["thread", "command", "terminal"])
def test_nothing_survives_whatever_runs(folder: Folder, kind: str, victim: str) -> None:
    folder.task(FAMILY)
    folder.write("main.py", "import job\nfor _ in job.run(None):\n    pass\n")
    command = f"command: [{sys.executable}, -u, main.py], on_change: restart, tty: {str(kind == 'terminal').lower()}"
    what = "task: job.py:run, runner: thread" if kind == "thread" else command
    run = folder.run_deck(f"jobs: {{a: {{{what}, config: c.yaml, stop: {{grace: 1}}}}}}")
    run.wait_for(log("up"))
    run.wait_for(log("its parent has gone"))
    worker = run.worker()
    watch = Watch.tree(run.pid)
    assert len(watch.pids) == 4
    if victim == "engine":
        run.process.kill()
    elif victim != "nobody":
        os.kill(worker if victim == "worker" else shim_of(worker), signal.SIGKILL)
    else:
        run.process.terminate()
    assert watch.survivors() == set()
    run.end()


@linux
@pytest.mark.parametrize("end", ["in order", "by a kill of the engine"])
@pytest.mark.parametrize("many", [True, False], ids=["one forks", "each forks"])
def test_nothing_survives_that_forks_all_the_time(folder: Folder, many: bool, end: str) -> None:
    folder.task(FORKS.replace("MANY", str(many)))
    first = "" if many else "import os, time\nif os.fork():\n    time.sleep(600)\n"
    folder.write("main.py", first + "import job\njob.run(None)\n")
    command = f"command: [{sys.executable}, main.py], on_change: restart"
    run = folder.run_deck(f"jobs: {{a: {{{command}, config: c.yaml, stop: {{grace: 1}}}}}}")
    run.wait_for(log("up"))
    with (folder.path / "held").open() as held:
        if end == "in order":
            assert run.stop() == 143
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            run.process.kill()
            fcntl.flock(held, fcntl.LOCK_EX)  # the time limit of a test is that of a survivor too
            run.end()


@linux
def test_nothing_survives_a_kill_of_the_shim(folder: Folder) -> None:
    run, watch = family(folder)
    os.kill(shim_of(run.worker()), signal.SIGKILL)
    assert watch.survivors() == set()
    assert run.end() == 1
    assert run.states == ["starting", "running", "crashed"]


@linux
def test_nothing_survives_a_kill_of_the_worker(folder: Folder) -> None:
    run, watch = family(folder)
    os.kill(run.worker(), signal.SIGKILL)
    assert watch.survivors() == set()
    assert run.end() == 1
    assert run.events[-1]["reason"] == "killed by SIGKILL"


@linux
def test_nothing_survives_an_end_in_order(folder: Folder) -> None:
    run, watch = family(folder)
    assert run.stop() == 143
    assert watch.survivors() == set()


@linux
def test_nothing_survives_the_end_of_the_task(folder: Folder) -> None:
    """The engine does not end before what its jobs have left behind."""
    folder.task(FAMILY.replace("while True:", "while not os.path.exists('go'):"))
    run = folder.run("job.py:run", "-c", "c.yaml")
    run.wait_for(log("up"))
    run.worker()
    watch = Watch.tree(run.pid)
    folder.write("go", "")
    assert run.end() == 0
    assert watch.survivors(0) == set()


@linux
def test_the_kill_of_one_shim_leaves_the_other_jobs_alone(folder: Folder) -> None:
    folder.task(TICKER)
    folder.write("d.yaml", "lr: 1\n")
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}, b: {task: job.py:tick, config: d.yaml}}")

    def up(job: str) -> int:
        found = run.wait_for(
            lambda event: event["job"] == job and state("running")(event) and event["pid"] is not None
        )["pid"]
        assert isinstance(found, int)
        return found

    up("b")
    os.kill(shim_of(up("a")), signal.SIGKILL)
    run.wait_for(lambda event: event["job"] == "a" and state("crashed")(event))
    folder.save("d.yaml", "lr: 2\n")
    assert run.wait_for(row(2, "applied"))["job"] == "b"
    assert run.stop() == 143


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_engine_stops_its_jobs_in_order(folder: Folder, number: signal.Signals) -> None:
    run = folder.run_task(TICKER, "tick")
    run.wait_for(row(1, "applied"))
    run.process.send_signal(number)
    assert run.end() == 128 + number
    assert run.lines[-1] == "closed"
    assert run.states == ["starting", "running", "stopped"]


def test_a_reader_that_never_reads_does_not_hold_up_the_end(folder: Folder) -> None:
    folder.task(
        """
        from pathlib import Path
        def run(config):
            while True:
                print("x" * 1_000)
                yield
                Path("flooding").touch()
        """
    )
    read, write = os.pipe()
    engine = subprocess.Popen(
        command("run", "job.py:run", "-c", "c.yaml", "--headless"),
        cwd=folder.path,
        stdin=subprocess.DEVNULL,
        stdout=write,
    )
    os.close(write)
    try:
        while not (folder.path / "flooding").exists():
            assert engine.poll() is None
            time.sleep(0.01)
        time.sleep(0.5)  # until the pipe is full: nobody can tell
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(PATIENCE) == 143
    finally:
        engine.kill()
        engine.wait()
        os.close(read)


def test_what_a_job_wrote_that_ended_by_itself_is_read_to_the_end_by_a_slow_reader(folder: Folder) -> None:
    folder.task("def run(config):\n    for _ in range(2_000): print('x' * 100)\n    yield\n")
    engine = subprocess.Popen(
        command("run", "job.py:run", "-c", "c.yaml", "--headless"),
        cwd=folder.path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with engine:
        assert engine.stdout is not None
        first = engine.stdout.readline()
        time.sleep(2 * LAST_WORDS + 1)  # a page is read by somebody
        said = first + engine.stdout.read()
        assert said.count(b"x" * 100) == 2_000
        assert said.endswith(b" * finished\n")


def test_a_task_that_never_comes_to_a_checkpoint_gets_its_signal(folder: Folder) -> None:
    folder.task(
        """
        import time
        def run(config):
            print("busy")
            try:
                while True:
                    time.sleep(0.001)
            except KeyboardInterrupt:
                print("interrupted")
                raise
        """
    )
    run = folder.run_deck("jobs: {a: {task: job.py:run, config: c.yaml, stop: {signal: SIGINT, grace: 3}}}")
    run.wait_for(log("busy"))
    run.worker()
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGTERM)  # a second one does no harm
    assert run.end() == 143
    assert "interrupted" in run.lines
    assert run.states[-1] == "stopped"


def test_a_task_that_ignores_everything_is_killed_after_its_grace(folder: Folder) -> None:
    folder.task(
        """
        import signal, time
        def run(config):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("deaf")
            while True:
                time.sleep(0.001)
        """
    )
    run = folder.run_deck("jobs: {a: {task: job.py:run, config: c.yaml, stop: {grace: 0.1}}}")
    run.wait_for(log("deaf"))
    assert run.stop() == 143
    assert (run.states[-1], run.events[-1]["exit_code"]) == ("stopped", -signal.SIGKILL)


def test_a_stop_while_the_task_is_being_imported(folder: Folder) -> None:
    folder.task("import time\nprint('importing')\nwhile True: time.sleep(0.001)\n")
    run = folder.run_deck("jobs: {a: {task: job.py:run, config: c.yaml, stop: {grace: 0.1}}}")
    run.wait_for(log("importing"))
    assert run.stop() == 143
    assert run.states == ["starting", "stopped"]
    assert run.rows()[1]["status"] == "failed"


LOCKED = """
    import fcntl, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lock = open("lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("alone", flush=True)
    except BlockingIOError:
        print("TWO WORKERS", flush=True)
    while True:
        time.sleep(0.05)
"""


@linux
def test_the_next_engine_waits_until_nothing_is_left_of_one_that_was_killed(folder: Folder) -> None:
    folder.write("c.yaml", "lr: 1\n")
    folder.write("main.py", LOCKED)
    deck = (
        f"jobs: {{a: {{command: [{sys.executable}, main.py], config: c.yaml, on_change: restart, stop: {{grace: 1}}}}}}"
    )
    first = folder.run_deck(deck)
    first.wait_for(log("alone"))
    first.process.kill()
    first.process.wait()
    second = folder.run_deck(deck)
    second.wait_for(lambda event: event["event"] == "log")
    assert second.lines == ["alone"]
    first.end()


#: As in a container whose programs belong to a session outside of it: there its number is 0.
CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")


@linux
@pytest.mark.parametrize("within", [(), CONTAINER], ids=["here", "in a container"])
def test_who_became_the_engine_keeps_its_children(folder: Folder, within: tuple[str, ...]) -> None:
    """As the entry of a container does, which starts a helper and then becomes the program."""
    if within and (not shutil.which(within[0]) or subprocess.run([*within, "true"], check=False).returncode):
        pytest.skip("no namespaces may be made here")
    folder.task("""
        import os, signal
        def loses_its_shim(config):
            yield
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
    """)
    folder.write("entry", 'sleep 600 > /dev/null 2>&1 & echo $! > helper; exec "$@"')
    script = 'sh entry "$@"; code=$?; kill -9 $(cat helper) && touch lived; exit $code'
    run = folder.run("job.py:loses_its_shim", "-c", "c.yaml", prefix=(*within, "sh", "-c", script, "sh"))
    assert run.end() == 1
    assert (folder.path / "lived").exists()


@linux
@pytest.mark.parametrize("runner", ["process", "thread"])
def test_an_interpreter_that_hangs_is_gone_with_the_engine(folder: Folder, runner: str) -> None:
    folder.task(TICKER)
    python = folder.write("python", "#!/bin/sh\necho hangs\nexec sleep 600\n")
    python.chmod(0o755)
    run = folder.run_deck(f"jobs: {{a: {{task: job.py:tick, config: c.yaml, runner: {runner}, python: '{python}'}}}}")
    starting = run.wait_for(lambda event: event["job"] == "a" and state("starting")(event))
    assert starting["reason"] == f"waits for {python} to begin"
    run.wait_for(log("hangs"))
    watch = Watch.tree(run.pid)
    assert len(watch.pids) == 2
    run.process.kill()
    assert watch.survivors() == set()
    run.end()


@linux
def test_a_shim_that_does_not_listen_holds_up_no_stop(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml, stop: {grace: 0.2}}}")
    worker = run.worker()
    watch = Watch.tree(run.pid)
    os.kill(worker, signal.SIGSTOP)  # or it would end as it is asked to
    os.kill(shim_of(worker), signal.SIGSTOP)
    assert run.stop() == 143
    assert watch.survivors() == set()
