from __future__ import annotations

import re
import signal

import pytest

from tests.runs.folder import TICKER, Folder, log, row, state, tunedeck


def test_a_generator_runs_to_its_end(folder: Folder) -> None:
    run = folder.run_task(
        """
        def train(config):
            for step in range(3):
                config = yield {"loss": step}
            print("trained with", config["lr"])
        """,
        "train",
    )
    assert run.end() == 0
    assert run.states == ["starting", "running", "finished"]
    assert run.lines == ["trained with 1"]
    assert [event["step"] for event in run.events if event["event"] == "metrics"][-1] == 3
    first = run.rows()[1]
    assert (first["status"], first["source"], first["step"], first["changes"]) == ("applied", "start", 0, [])


def test_all_output_arrives_in_the_order_in_which_it_was_written(folder: Folder) -> None:
    run = folder.run_task(
        """
        import ctypes, logging, os, subprocess, sys

        libc = ctypes.CDLL(None)
        logging.basicConfig(level=logging.INFO, format="%(message)s")

        def talk(config):
            for round in range(3):
                print("print")
                logging.info("logging")
                os.write(1, b"fd 1\\n")
                libc.puts(b"C")
                os.write(2, b"fd 2\\n")
                subprocess.run([sys.executable, "-c", "print('python child')"], check=True)
                print("stderr", file=sys.stderr)
                os.system("echo shell; echo shell error >&2")
                if os.fork() == 0:
                    print("forked")
                    os._exit(0)
                os.wait()
                sys.stdout.write("no newline, ")
                os.write(1, b"\\xff broken \\xc3\\xa4\\n") if sys.stdout.flush() is None else None
                yield
            sys.stdout.write("the last")
        """,
        "talk",
    )
    assert run.end() == 0
    once = ["print", "logging", "fd 1", "C", "fd 2", "python child", "stderr", "shell", "shell error", "forked"]
    assert run.lines == [*once, "no newline, � broken ä"] * 3 + ["the last"]


def test_a_child_that_goes_on_is_heard_at_once(folder: Folder) -> None:
    run = folder.run_task(
        """
        import os, subprocess, sys

        CHILD = "import os; print('child begins'); os.write({}, b'!'); input(); print('child ends')"

        def talk(config):
            reader, writer = os.pipe()
            child = [sys.executable, "-c", CHILD.format(writer)]
            with subprocess.Popen(child, stdin=subprocess.PIPE, pass_fds=[writer]) as process:
                os.read(reader, 1)
                print("parent")
                process.communicate(b"\\n")
            yield print("parent ends")
        """,
        "talk",
    )
    assert run.end() == 0
    assert run.lines == ["child begins", "parent", "child ends", "parent ends"]


def test_output_while_the_task_is_imported_comes_first_and_is_of_no_version(folder: Folder) -> None:
    run = folder.run_task("print('imported')\ndef run(config): raise __import__('tui').Done", "run")
    assert run.wait_for(log("imported"))["version"] is None
    assert run.end() == 0


NEIGHBOURLY = """
    import importlib.util, helper, loop

    def run(config):
        yield print(helper.NAME, loop.NAME, importlib.util.find_spec("shim"))
"""


def test_a_task_may_import_its_neighbours_from_anywhere(folder: Folder) -> None:
    (folder.path / "project").mkdir()
    folder.write("project/job.py", NEIGHBOURLY)
    folder.write("project/helper.py", "NAME = 'neighbour'")
    folder.write("project/loop.py", "NAME = 'named as one of ours'")
    folder.write("c.yaml", "lr: 1")
    run = folder.run("project/job.py:run", "-c", "c.yaml")
    assert run.end() == 0
    assert run.lines == ["neighbour named as one of ours None"]


def test_a_task_may_be_named_by_its_module(folder: Folder) -> None:
    (folder.path / "package").mkdir()
    folder.write("package/__init__.py", "")
    folder.write("package/part.py", "def run(config):\n    yield print('from', __name__)")
    folder.write("c.yaml", "lr: 1")
    run = folder.run("package.part:run", "-c", "c.yaml", "--name", "other")
    assert run.end() == 0
    assert run.lines == ["from package.part"]
    assert {event["job"] for event in run.events} == {"other"}


def test_a_plain_function_is_called_until_it_is_done(folder: Folder) -> None:
    run = folder.run_task(
        """
        import tui
        calls = 0
        def run(config):
            global calls
            calls += 1
            if calls == 4:
                raise tui.Done
            return {"calls": calls}
        """,
        "run",
    )
    assert run.end() == 0
    last = [event for event in run.events if event["event"] == "metrics"][-1]
    assert (last["step"], last["values"]) == (3, {"calls": 3})


#: A script as people write them, in each way that checkpoints come to be inside of a plain function.
SCRIPTS = """
    import threading, tui

    def direct(config):
        tui.checkpoint(config, loss=1)
        print("done", config["lr"])

    def thread(config):
        worker = threading.Thread(target=tui.checkpoint, args=(config,))
        worker.start()
        worker.join()
        print("done", config["lr"])

    async def coroutine(config):
        tui.checkpoint(config, loss=1)
        print("done", config["lr"])
"""
ENDS = (
    "tunedeck: the task has returned after 1 checkpoint inside, so it is finished; "
    "loop: true in the deck calls it again"
)


def test_a_plain_function_that_has_called_checkpoint_is_a_whole_run(folder: Folder) -> None:
    folder.task(SCRIPTS)
    ways = [(function, "process") for function in ("direct", "thread", "coroutine")]
    ways += [("direct", "thread"), ("thread", "thread"), ("coroutine", "thread"), ("coroutine", "asyncio")]
    jobs = [f"{f}-{r}: {{task: job.py:{f}, runner: {r}, config: c.yaml}}" for f, r in ways]
    run = folder.run_deck(f"jobs: {{{', '.join(jobs)}}}")
    assert run.end() == 0
    for function, runner in ways:
        events = [event for event in run.events if event["job"] == f"{function}-{runner}"]
        assert [event["line"] for event in events if event["event"] == "log"] == ["done 1", ENDS], (function, runner)
        assert [event["state"] for event in events if event["event"] == "state"][-1] == "finished"


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("for _ in range(3): threading.Thread(target=wait).start()", "3 threads"),
        ("threading.Thread(target=wait).start()\n    sys.exit(0)", "1 thread"),
        ("atexit.register(wait)", "what it does at its exit"),
    ],
)
def test_what_the_process_of_a_task_that_has_ended_waits_for_is_told(folder: Folder, way: str, words: str) -> None:
    folder.task(
        f"""
import atexit, os, sys, threading, time
def wait():
    while not os.path.exists("go"):
        time.sleep(0.001)
def run(config):
    {way}
"""
    )
    run = folder.run("job.py:run", "-c", "c.yaml", "--once")
    reason = f"the task has ended, its process waits for {words}"
    run.wait_for(lambda event: event["event"] == "state" and event["reason"] == reason)
    assert run.states == ["starting", "running"]
    folder.save("c.yaml", "lr: 2\n")
    assert run.wait_for(row(2, "failed"))["error"]["message"] == reason
    folder.write("go", "")
    assert run.end() == 0
    assert run.states[-1] == "finished"


def test_once_calls_a_plain_function_once(folder: Folder) -> None:
    folder.task("def run(config):\n    print('called')")
    run = folder.run("job.py:run", "-c", "c.yaml", "--once")
    assert run.end() == 0
    assert run.lines == ["called"]
    assert run.states[-1] == "finished"


def test_loop_true_calls_again_what_has_called_checkpoint(folder: Folder) -> None:
    folder.task(
        """
        import tui
        def run(config):
            if config["lr"] == 2:
                raise tui.Done
            print("called")
            tui.checkpoint(config)
        """
    )
    run = folder.run_deck("jobs: {j: {task: job.py:run, config: c.yaml, loop: true}}")
    run.wait_for(lambda _: run.lines[:2] == ["called", "called"])
    folder.save("c.yaml", "lr: 2\n")
    assert run.end() == 0
    assert set(run.lines) == {"called"}


def test_loop_false_calls_a_plain_function_once_and_its_checkpoints_reload(folder: Folder) -> None:
    folder.task(
        """
        import time, tui
        def run(config):
            print("called")
            while config["lr"] == 1:
                time.sleep(0.001)
                config = tui.checkpoint(config, loss=0.5)
            print("left with", config["lr"])
        """
    )
    run = folder.run_deck("jobs: {j: {task: job.py:run, config: c.yaml, loop: false}}")
    run.wait_for(lambda event: event["event"] == "metrics" and event["values"] == {"loss": 0.5})
    folder.save("c.yaml", "lr: 2\n")
    assert run.end() == 0
    assert run.lines == ["called", "left with 2"]
    assert run.rows()[2]["step"] > 0


def test_a_long_step_that_sleeps_by_tui_takes_a_reload_at_once(folder: Folder) -> None:
    run = folder.run_task(
        """
        import tui
        def run(config):
            if config["lr"] == 2:
                raise tui.Done
            print("a step begins")
            tui.sleep(3_000)
        """,
        "run",
    )
    run.wait_for(log("a step begins"))
    folder.save("c.yaml", "lr: 2\n")
    assert run.end() == 0
    assert run.rows()[2]["status"] == "applied"


def test_a_stop_ends_such_a_sleep_too(folder: Folder) -> None:
    run = folder.run_task("import tui\ndef run(config):\n    print('sleeps')\n    tui.sleep(3_000)", "run")
    run.wait_for(log("sleeps"))
    assert run.stop() == 128 + signal.SIGTERM
    assert run.states[-1] == "stopped"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_child_of_the_task_joins_by_each_way_to_start_one(folder: Folder, method: str) -> None:
    run = folder.run_task(
        f"""
        import multiprocessing, time, tui

        def child():
            while tui.checkpoint({{"own": 1}}, loss=1.0) == {{"own": 1}}:
                time.sleep(0.001)  # until the deck has answered: no checkpoint waits for it longer than 50 ms
            for _ in range(3):
                assert tui.checkpoint({{"own": 1}}, loss=1.0) == {{"lr": 1}}
            print("child is rank", tui.rank(), "of", tui.ranks())

        def run(config):
            process = multiprocessing.get_context({method!r}).Process(target=child)
            process.start()
            process.join()
            print("child ended with", process.exitcode)
            config = yield
            print("parent goes on with", config["lr"])
        """,
        "run",
    )
    assert run.end() == 0
    assert run.lines == ["child is rank 1 of 2", "child ended with 0", "parent goes on with 1"]
    assert [event["step"] for event in run.events if event["event"] == "metrics"][-1] == 1, "that of the task"


def test_nothing_of_ours_is_open_in_the_children_of_a_task(folder: Folder) -> None:
    run = folder.run_task(
        """
        import os
        def run(config):
            os.system("for fd in /dev/fd/*; do echo ${fd##*/} $(readlink $fd); done")
            yield
        """,
        "run",
    )
    assert run.end() == 0
    assert not [line for line in run.lines if "socket" in line]


def test_two_jobs_of_a_deck_run_side_by_side_until_the_last_has_ended(folder: Folder) -> None:
    folder.task(TICKER)
    folder.write("short.py", "def run(config):\n    yield print('short')")
    folder.write("s.yaml", "a: 1")
    run = folder.run_deck(
        "jobs: {long: {task: job.py:tick, config: c.yaml}, short: {task: short.py:run, config: s.yaml}}"
    )
    run.wait_for(lambda event: event["job"] == "short" and state("finished")(event))
    folder.save("c.yaml", "lr: 2\n")
    run.wait_for(row(2, "applied"))
    assert run.stop() == 143
    ends = {event["job"]: event["state"] for event in run.events if event["event"] == "state"}
    assert ends == {"long": "stopped", "short": "finished"}


def test_two_jobs_may_share_a_config(folder: Folder) -> None:
    folder.task(TICKER)
    run = folder.run_deck("jobs: {a: {task: job.py:tick, config: c.yaml}, b: {task: job.py:tick, config: c.yaml}}")
    for job in "ab":
        run.wait_for(lambda event, job=job: event["job"] == job and row(1, "applied")(event))  # type: ignore[misc]
    folder.save("c.yaml", "lr: 2\n")
    for job in "ab":
        run.wait_for(lambda event, job=job: event["job"] == job and row(2, "applied")(event))  # type: ignore[misc]
    assert run.stop() == 143


SHOW = """
    import os, sys
    def show(config):
        print(sys.argv[1:], os.environ.get("WHERE"), os.path.basename(os.getcwd()), sys.stdin.isatty())
    import tui
    def once(config):
        show(config)
        raise tui.Done
"""


def test_task_has_arguments_and_an_environment_of_its_own(folder: Folder) -> None:
    (folder.path / "inner").mkdir()
    folder.task(SHOW)
    run = folder.run_deck("""
        jobs:
          it:
            task: job.py:once
            config: c.yaml
            cwd: inner
            args: [--seed, "1"]
            env: {WHERE: "{here}"}
            tty: true
    """)
    assert run.end() == 0
    assert run.lines == ["['--seed', '1'] {here} inner True"]


def test_task_has_arguments_from_the_command_line(folder: Folder) -> None:
    folder.task(SHOW)
    run = folder.run("job.py:once", "-c", "c.yaml", "--env", "WHERE={here}", "--tty", "--", "--seed", "1")
    assert run.end() == 0
    assert run.lines == [f"['--seed', '1'] {{here}} {folder.path.name} True"]
    command = ("-c", "c.yaml", "--env", "WHERE={here}", "--", "sh", "-c", "echo $WHERE")
    run = folder.run(*command)
    assert run.end() == 0
    assert run.lines == ["{here}"]


def test_slow_import_says_what_it_imports(folder: Folder) -> None:
    run = folder.run_task(
        """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.01)
        def run(config):
            time.sleep(600)
        """,
        "run",
    )
    run.wait_for(lambda event: state("starting")(event) and event["reason"] == "imports job.py")
    shown = tunedeck("ls", cwd=folder.path).stdout
    assert re.search(r"  run  starting  imports job.py, \d+ s  /", shown), shown
    (folder.path / "go").touch()
    run.wait_for(lambda event: state("running")(event) and event["reason"] is None)
