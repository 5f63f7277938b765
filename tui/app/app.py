"""The viewer: shows what the engine says and sends it the user's wishes. It owns no job and no file."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shlex
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from tui.app import commands, deck_changes, formatting, key_places, preferences
from tui.app.attention import Attention
from tui.app.client import Client
from tui.app.dialogs.dialog import Choice, Dialog, StoppingScreen
from tui.app.dialogs.loss import work_lost
from tui.app.frame_scheduler import FrameScheduler
from tui.app.main_screen import MainScreen
from tui.app.model.job import JobModel, Part
from tui.app.overview.overview_screen import OverviewScreen
from tui.app.own_keys import KeysFile, WrongKeyError, keymap
from tui.app.pane_layout import LOW
from tui.app.preferences import Preferences
from tui.app.result import Result
from tui.app.sanitize import plain
from tui.app.textual_ext.driver import TitledDriver
from tui.app.textual_ext.resume import resume
from tui.app.textual_ext.stylesheet import FrugalStylesheet
from tui.app.theme import DARK, LIGHT
from tui.app.toasts import ToastApp
from tui.protocol import messages

STOP = Choice("s", "stop", "stop the jobs", "in order, then quit")
LEAVE = Choice("l", "leave", "leave them running", "tunedeck attach brings you back")
QUIT = Choice("q", "quit", "quit without saving")

#: The names of so many jobs have room in the title of a dialog.
MOST_NAMED = 3

#: A deck of so many jobs opens in the overview, until that was left once.
MANY = 4

#: Seconds that the first frame waits for an engine; what comes later is drawn when it comes.
FIRST_FRAME_PATIENCE = 0.3

#: Seconds from one bell to the next, at least.
SILENCE = 1.0


class DeckApp(ToastApp):
    """A viewer of one deck."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {commands.DeckCommands}
    CSS_PATH = "app.tcss"
    TITLE = "tunedeck"
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (40, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (10, "-short"), (LOW, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", tooltip="Stop the jobs or leave them running", priority=True, id="quit"),
        # In an editor it is undo; there, alt+z is the way, before the editor takes it for a z.
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, tooltip="fg in the shell comes back", id="suspend"),
        Binding("alt+z", "suspend_process", "Suspend", show=False, priority=True, id="suspend.always"),
        Binding("ctrl+p", "command_palette", "Commands", show=False, tooltip="All commands by name", id="palette"),
    ]

    def __init__(
        self,
        path: Path,
        focus_job: str | None = None,
        clock: Callable[[], float] = time.time,
        own_keys: KeysFile | None = None,
    ) -> None:
        super().__init__(TitledDriver)
        self.stylesheet = FrugalStylesheet(variables=self.get_css_variables())
        self.keymap: dict[str, str] = {}
        self._own_keys = own_keys or KeysFile()
        self.clock = clock
        self.preferences = Preferences()
        self._preferences_path = preferences.default_path()
        self._unread = ""
        self._unkept = False
        self._load_choices()
        self.result = Result(1, "error")
        self.deck_name = ""
        self.jobs: dict[str, JobModel] = {}
        self.main = MainScreen(self.jobs)
        self.overview = OverviewScreen(self.jobs)
        self._focus_job = focus_job
        self._client = Client(path, self.receive)
        self.greeted = False
        self._told = asyncio.Event()
        self._lost = False
        self._stopping: StoppingScreen | None = None
        self._rang = -SILENCE
        self._waiting: messages.DeckChange | None = None  # what the deck file says, and is not done yet
        self._question: Dialog | None = None
        self._attention = Attention(self.say, self._ring)
        self.frames = FrameScheduler(self._draw, self._handle_exception)

    def get_default_screen(self) -> Screen[None]:
        """Return the main screen."""
        return self.main

    def awaits_focus(self) -> bool:
        """Return whether the first pane is still to come."""
        return self.screen is self.main and not self._lost and self.main.awaits_focus

    async def on_load(self) -> None:
        """Connect, and wait a moment for what the engine knows: then all of it stands in the first frame."""
        self._connect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), FIRST_FRAME_PATIENCE)

    def on_mount(self) -> None:
        """Listen to signals."""
        loop = asyncio.get_running_loop()
        self._take_keys()
        self.install_screen(self.overview, "overview")
        if self.greeted:
            self._begin_in_overview()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._end, "signal", number)
        loop.add_signal_handler(signal.SIGCONT, self._resume)
        self.set_interval(1, self._tick)

    def _take_keys(self) -> None:
        """Use the user's own keys, all of them or none."""
        trouble = self._own_keys.trouble
        try:
            self.keymap = keymap(self._own_keys.wishes, key_places.classes(MainScreen, type(self)))
            self.set_keymap(self.keymap)
        except WrongKeyError as error:
            trouble = f"{self._own_keys.path}:{error}"
        if trouble:
            self.say(f"{plain(trouble)}\nThe keys are as they are without it.", "error", "Own keys not taken")

    def _resume(self) -> None:
        """Go on after a stop: the screen shows what the shell has left there."""
        resume(self._driver)
        self.refresh(layout=True)

    def on_unmount(self) -> None:
        """Leave signals as they were found."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCONT):
            loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Give the terminal to another program until the end of the block; nothing else may happen meanwhile.

        The terminal sends ctrl+c to both, and it is meant for the other one alone.
        """
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, lambda *_: None)  # not ignored, for that would be inherited
        try:
            with self.suspend():
                yield
        finally:
            # Behind what has come meanwhile, of which the loop does not know yet.
            loop.call_later(0, loop.add_signal_handler, signal.SIGINT, self._end, "signal", signal.SIGINT)

    # What the user chose

    def _load_choices(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        try:
            self.preferences = preferences.load(self._preferences_path)
        except (OSError, ValueError) as error:
            self._unread = f"{_reason(error)}. What you chose before is not known."
        # Before anything is drawn: a theme that is set later has all colours found out twice.
        chosen = self.preferences.theme
        self.set_reactive(DeckApp.theme, chosen if chosen in self.available_themes else DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())

    def choose(self, **changed: Any) -> None:
        """Keep what the user chose for the next time."""
        self.preferences = dataclasses.replace(self.preferences, **changed)
        try:
            preferences.save(self._preferences_path, **changed)
        except OSError as error:
            if not self._unkept:
                what = f"{self._preferences_path}: {_reason(error)}. It holds until you quit."
                self.say(what, "warning", "Choice not kept")
            self._unkept = True

    def watch_theme(self, theme: str) -> None:
        """Keep the theme."""
        if theme != self.preferences.theme and self.is_running:
            self.choose(theme=theme)

    # What comes from the engine

    @work(exclusive=True, group="connection")
    async def _connect(self) -> None:
        try:
            await self._client.run()
            reason = ""
        except (OSError, ValueError) as error:
            reason = str(error)
        self._disconnected(reason)

    def receive(self, message: messages.Message) -> None:
        """Take in one message of the engine; what it changed is drawn with the next frame."""
        if isinstance(message, messages.Ready):
            self._begin()
        elif isinstance(message, messages.Hello):
            self.deck_name = message.deck
            self.title = f"tunedeck {plain(message.deck)}"
        elif isinstance(message, messages.Notice):
            self.say(plain(message.message), message.severity, plain(message.job))
        elif isinstance(message, messages.DeckChange):
            self._change_deck(message)
        elif isinstance(message, messages.JobInfo) and message.job not in self.jobs:
            self.jobs[message.job] = JobModel(message)
            self.jobs[message.job].live_updates = self.greeted
            if self.greeted and not self.main.current:
                self.main.show_job(message.job)
        elif isinstance(message, messages.Gone):
            self.main.forget(message.job)
            self.overview.forget()
        elif isinstance(message, messages.Event) and (job := self.jobs.get(message.job)) is not None:
            before = job.state.state if job.state is not None else None
            parts = job.apply(message)
            if self.greeted:
                in_view = job.name == self.main.current and not self.main.covered
                self._attention.tell(job, message, before, in_view)
                self.frames.note(job.name, parts)

    def _begin(self) -> None:
        self.greeted = True
        self._told.set()
        if self._unread:
            self.say(f"{self._preferences_path}: {self._unread}", "warning", "Choices not read")
        for job in self.jobs.values():
            job.live_updates = True
        chosen = self._focus_job if self._focus_job in self.jobs else next(iter(self.jobs), None)
        if chosen is not None:
            self.main.show_job(chosen)
        if self.is_screen_installed("overview"):
            self._begin_in_overview()
        self.call_later(self.action_apply_deck)  # there may be no screen yet to ask on

    def _change_deck(self, change: messages.DeckChange) -> None:
        """Say what the deck file that was saved leads to; ask, where jobs would end for it."""
        self._waiting = change if change.waits else None
        if self._question is not None and self._question in self.screen_stack:
            self._question.dismiss("")  # the file says something else by now, or somebody else has answered
        said = deck_changes.words(change)
        if self.greeted and change.waits:
            self.action_apply_deck()
        elif self.greeted:
            self.say(said or "It says what runs.", "information", "The deck file was saved")

    @work(exclusive=True, group="deck")
    async def action_apply_deck(self) -> None:
        """Do what the deck file says, after asking."""
        if (change := self._waiting) is None:
            return
        self._question = deck_changes.question(change, self.jobs, self.clock())
        if await self.push_screen_wait(self._question):
            await self.order(messages.Apply(0, change.digest), "Deck file not followed")

    def _begin_in_overview(self) -> None:
        if self._many and self.preferences.overview and self._focus_job is None:
            self.open_overview()
            self.overview.table.listing.chosen = ""  # the first row: what fails

    @property
    def _many(self) -> bool:
        return sum(not job.is_host for job in self.jobs.values()) >= MANY

    def open_overview(self) -> None:
        """Show all jobs at a glance."""
        if self.screen is self.main:
            self.main.covered = True
            self.overview.table.listing.chosen = self.main.current
            self.push_screen(self.overview)
            self.name_window()

    def leave_overview(self, name: str) -> None:
        """Show the panes again, of a job if it is named."""
        if self._many and self.preferences.overview:
            self.choose(overview=False)
        self.main.uncover(name)  # first: else the former job would be drawn once more
        self.pop_screen()
        self.name_window()

    def show_keys(self, used: str) -> None:
        """Show the help, what is in use first."""
        self.push_screen(key_places.help_of(used, MainScreen, type(self), self.keymap))

    def _draw(self, changed: dict[str, Part]) -> None:
        if not self.main.whole:
            return  # the app is ending
        self.main.sync(changed, self.clock())
        if self.main.covered:
            self.overview.sync(changed, self.clock())
        self.name_window()
        if self._stopping is not None and self._stopping.is_mounted:
            self._stopping.show(self._states())

    def _tick(self) -> None:
        if self.greeted and not self._lost and self.main.whole:
            self.main.tick(self.clock())
            if self.main.covered:
                self.overview.tick(self.clock())

    def _ring(self) -> None:
        now = time.monotonic()
        if self.preferences.bell and now - self._rang >= SILENCE:
            self._rang = now
            self.bell()

    def name_window(self) -> None:
        """Say in the title of the terminal how the job on the screen is, or all of them."""
        job = self.main.job
        if self.main.covered and isinstance(self._driver, TitledDriver):
            self._driver.name_window(f"{self.overview.table.states()} · {plain(self.title)}")
        elif job is not None and isinstance(self._driver, TitledDriver):
            state = job.state.state if job.state is not None else "unknown"
            sign = formatting.STATES.get(state, formatting.UNKNOWN).glyph
            self._driver.name_window(f"{sign} {plain(job.name)} {state} · {plain(self.title)}")

    def _disconnected(self, reason: str) -> None:
        self._lost = True
        self._told.set()
        if self._stopping is not None:
            self._end("quit-stop")
        elif not self.greeted:
            self.result = Result(1, "engine-gone", message=reason or "the engine closed the connection")
            self.exit()
        else:
            self.frames.flush()
            ended = all(not job.alive for job in self.jobs.values())
            what = "The deck was stopped: its engine has ended." if ended else "The engine is gone, unexpectedly."
            told = (
                f"{what} {reason and reason + '. '}This is what was last known; unsaved text can still be copied. "
                "ctrl+q quits, tunedeck run opens the deck again."
            )
            self.main.lose("deck stopped" if ended else "engine gone", told)
            self.overview.lose(told)

    # What goes to the engine

    async def request(self, command: messages.Command) -> messages.Reply:
        """Send a command and wait for the reply; raises ConnectionError when the engine is gone."""
        return await self._client.request(command)

    async def order(self, command: messages.Command, failure: str, also: str = "") -> messages.Reply | None:
        """Send a command and return the reply if it went well, or has the code `also`; else say what was wrong."""
        try:
            reply = await self.request(command)
        except ConnectionError as error:
            self.say(str(error), "error", failure)
            return None
        if reply.ok or reply.code == also:
            return reply
        self.say(plain(reply.message), "error", failure)
        return None

    async def action_quit(self) -> None:
        """Leave the deck; with live jobs or unsaved text, ask how."""
        if isinstance(self.screen, StoppingScreen):
            # The engine goes on with it; the user need not watch.
            self._end("quit-stop")
        elif not any(isinstance(screen, Dialog) for screen in self.screen_stack):
            self._quit()

    @work(exclusive=True, group="quit")
    async def _quit(self) -> None:
        live = [job for job in self.jobs.values() if job.alive] if not self._lost else []
        alive = [plain(job.name) for job in live if not job.is_host]
        unsaved = self.main.unsaved()
        note = f"Not saved: {', '.join(unsaved)}." if unsaved else ""
        choice = "stop"
        if alive:
            who = f"{len(alive)} jobs" if len(alive) > MOST_NAMED else ", ".join(alive)
            title = f"{who} {'is' if len(alive) == 1 else 'are'} still running"
            said = f"{work_lost(live, self.clock())}\n{note}".strip()
            choice = await self.push_screen_wait(Dialog(title, said, [STOP, LEAVE]))
        elif unsaved:
            choice = await self.push_screen_wait(Dialog("Quit without saving?", note, [QUIT]))
        if choice == "leave":
            self._end("quit-leave")
        elif choice:
            await self._shut_down(wait=bool(live))

    async def _shut_down(self, wait: bool) -> None:
        if self._lost or not self.greeted:
            self._end("engine-gone" if self._lost else "quit-leave")
            return
        self._stopping = StoppingScreen()
        if wait:
            await self.push_screen(self._stopping)
            self._stopping.show(self._states())
        reply = await self.order(messages.Shutdown(0), "Not stopped")
        if reply is None and not self._lost:
            await self._stopping.dismiss()
            self._stopping = None
        elif not wait:
            self._end("quit-stop")

    def _states(self) -> list[str]:
        states = {plain(job.name): job.state.state if job.state else "unknown" for job in self.jobs.values()}
        return [
            f"{formatting.STATES.get(state, formatting.UNKNOWN).glyph} {name}  {state}"
            for name, state in states.items()
        ]

    def _end(self, why: str, number: int = 0) -> None:
        states = {job.name: job.state.state for job in self.jobs.values() if job.state is not None}
        live = sum(job.alive and not job.is_host for job in self.jobs.values()) if why == "quit-leave" else 0
        go_on = f"{live} jobs go on" if live > 1 else "1 job goes on"
        goes_on = f"{go_on}: tunedeck attach {shlex.quote(self.deck_name)}" if live else ""
        failed = "crashed" in states.values() or (why == "engine-gone" and any(j.alive for j in self.jobs.values()))
        self.result = Result(128 + number if number else int(failed), why, states, goes_on, number)
        self.exit(return_code=self.result.exit_code)

    # The command palette

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """Yield all that keys do, first in the pane in use, then the jobs and the colours."""
        for place, node in self.overview.places() if self.main.covered else self.main.places():
            yield from commands.of(place, node, self.keymap)
        for name in self.jobs:
            if name != self.main.current or self.main.covered:
                show = partial(self.leave_overview if self.main.covered else self.main.show_job, name)
                yield SystemCommand(f"Show {plain(name)}", "Switch to this job", show)
        if self._waiting is not None:
            yield SystemCommand("Follow the deck file", deck_changes.words(self._waiting), self.action_apply_deck)
        yield SystemCommand("Theme", "Choose the colours", self.action_change_theme)
        title, rings = f"Bell: turn it {'off' if self.preferences.bell else 'on'}", not self.preferences.bell
        yield SystemCommand(title, "It rings for what went wrong", partial(self.choose, bell=rings))


def _reason(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
