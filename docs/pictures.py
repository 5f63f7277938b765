"""Makes docs/first-minute.gif, docs/screen.png and the pictures of docs/gallery.md: the demo in a terminal.

Run it as ``python docs/pictures.py`` in the development environment. It needs rsvg-convert and the font Fira Code
(Debian: librsvg2-bin, fonts-firacode), and Pillow. Everything on the pictures is real: the engine, the job, the edits.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from PIL import Image
from textual.pilot import Pilot

from tui.app.app import DeckApp
from tui.app.model.job import JobModel
from tui.app.theme import DARK, LIGHT
from tui.cli import launch

HERE = Path(__file__).parent
STEPS = (("lr: 0.01 ", "lr: 0.05 "), ("momentum: 0.9 ", "momentum: [0.9 "), ("momentum: [0.9 ", "momentum: 0.8 "))
SIZE = (120, 36)


#: A text of a picture that holds dots of braille: what stands before its place, its place, what stands behind, itself.
_DOTS = re.compile(r'<text ([^>]*)x="([\d.]+)"([^>]*?) textLength="[\d.]+"([^>]*)>([^<]*[\u2800-\u28ff][^<]*)</text>')

#: The width of a cell in a picture: Textual's, of a font of 20 pixels.
_CELL = 12.2


def _apart(text: re.Match[str]) -> str:
    """Return a text cell by cell: the dots come from another font, and would be too wide."""
    before, x, between, behind, content = text.groups()
    signs = html.unescape(content)
    return "".join(
        f'<text {before}x="{float(x) + place * _CELL:.1f}"{between}{behind}>{html.escape(sign)}</text>'
        for place, sign in enumerate(signs)
        if not sign.isspace()
    )


def drawn(svg: str, zoom: float) -> bytes:
    """Return a screenshot as a PNG."""
    # Without this, renderers fold the blanks that hold the columns apart.
    svg = _DOTS.sub(_apart, svg).replace("<text ", '<text xml:space="preserve" ')
    convert = ["rsvg-convert", "--zoom", str(zoom)]
    return subprocess.run(convert, input=svg.encode(), check=True, stdout=subprocess.PIPE).stdout


class Session:
    """The demo on a screen that only a pilot sees."""

    def __init__(self, app: DeckApp, pilot: Pilot[None], config: Path) -> None:
        self.app = app
        self.pilot = pilot
        self.config = config

    @property
    def job(self) -> JobModel:
        """The job on the screen."""
        return self.app.jobs["digits"]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something."""
        while not condition():
            await self.pilot.pause(0.05)

    async def screen(self, name: str) -> None:
        """Wait for a screen of this class."""
        await self.until(lambda: type(self.app.screen).__name__ == name)
        await self.pilot.pause(0.3)

    def change(self, old: str, new: str) -> None:
        """Change the config as another program does."""
        text = self.config.read_text()
        if old not in text:
            raise ValueError(f"{old} is not in {self.config.name}")
        temporary = self.config.with_suffix(".new")
        temporary.write_text(text.replace(old, new, 1))
        temporary.replace(self.config)

    async def take(self, name: str, title: str = "tunedeck demo") -> None:
        """Write what is on the screen to a picture."""
        self.app.clear_notifications()
        await self.pilot.pause(0.3)
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(await asyncio.to_thread(drawn, self.app.export_screenshot(title=title), 1.2))


async def main_screen(session: Session) -> None:
    """Change the config some times; take the main screen, dark, light and small."""
    job = session.job
    for version, (old, new) in enumerate(STEPS, 2):
        await session.until(lambda: len(job.lines) > 6 * (len(job.timeline.versions)))
        session.change(old, new)
        await session.until(lambda version=version: job.timeline.get(version) is not None)  # type: ignore[misc]
    await session.until(lambda: len(job.lines) > 26)
    await session.pilot.press(*["down"] * 5)
    await session.take("screen.png")
    session.app.theme = LIGHT.name
    await session.take("gallery/light.png")
    session.app.theme = DARK.name
    await session.pilot.resize_terminal(80, 24)
    await session.take("gallery/small.png", "tunedeck demo, 80x24")
    await session.pilot.resize_terminal(*SIZE)


async def over_it(session: Session) -> None:
    """Take the screens over the main one."""
    await session.pilot.press("f6", "down", "down", "enter")
    await session.until(lambda: type(session.app.screen).__name__ != "MainScreen")
    await session.take("gallery/detail.png")
    await session.pilot.press("escape", "f1")
    await session.screen("HelpScreen")
    await session.take("gallery/help.png")
    await session.pilot.press("escape", "ctrl+o")
    await session.screen("JumpScreen")
    await session.take("gallery/jump.png")
    await session.pilot.press("escape", "ctrl+p")
    await session.screen("CommandPalette")
    await session.pilot.press(*"log")
    await session.pilot.pause(0.5)
    await session.take("gallery/palette.png")
    await session.pilot.press("escape", "escape")
    await session.screen("MainScreen")


async def effect(session: Session) -> None:
    """Take the charts with a change that made the job worse, then take it back."""
    job = session.job
    await session.until(lambda: job.metrics is not None and job.metrics.step > 700)
    version = job.timeline.newest_version + 1
    session.change("lr: 0.05 ", "lr: 0.5 ")

    def judged() -> bool:
        row = job.timeline.get(version)
        return row is not None and any(found.points >= 40 and found.verdict == "worse" for found in row.effect)

    await session.until(judged)
    await session.pilot.press("f8", "enter", *["n"] * 4)
    await session.pilot.pause(1.5)
    await session.take("gallery/charts.png")
    await session.pilot.press("enter", "f8")
    session.change("lr: 0.5 ", "lr: 0.05 ")
    await session.until(lambda: job.timeline.get(version + 1) is not None)


async def trouble(session: Session) -> None:
    """Take what a save would do, and a conflict with the disk."""
    view = session.app.main.view("digits")
    if view is None:
        raise RuntimeError("the job is not on the screen")
    editor = view.config.editor
    session.app.main.set_focus(editor)
    start = editor.text.index("lr: 0.05") + len("lr: ")
    row = editor.text[:start].count("\n")
    editor.replace("0.02", (row, 4), (row, 8))
    await session.pilot.press("f2")
    await session.screen("PreviewScreen")
    await session.take("gallery/preview.png")
    await session.pilot.press("escape")
    await session.screen("MainScreen")
    session.change("lr: 0.05", "lr: 0.03")
    await session.until(lambda: view.config.draft.theirs is not None)
    while type(session.app.screen).__name__ != "Dialog":
        await session.pilot.press("ctrl+s")  # a key just after a sheet has closed is dropped
        await session.pilot.pause(0.5)
    await session.take("gallery/conflict.png")


class Film:
    """A moving picture: what was on the screen, and for how long that is to be seen."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frames: list[tuple[str, int]] = []

    async def show(self, seconds: float = 1.2) -> None:
        """Take in what is on the screen."""
        await self._session.pilot.pause(0.2)
        self._frames.append((self._session.app.export_screenshot(title="tunedeck demo"), int(seconds * 1000)))

    async def press(self, *keys: str, seconds: float = 1.2) -> None:
        """Press keys, and take in what comes of it."""
        await self._session.pilot.press(*keys)
        await self.show(seconds)

    async def go_on(self, frames: int) -> None:
        """Let the job go on for so many frames."""
        for _ in range(frames):
            await self._session.pilot.pause(2)
            await self.show(0.5)

    def write(self, path: Path) -> None:
        """Write it as a GIF, each frame in its own few colours."""
        first, *others = [
            Image.open(io.BytesIO(drawn(svg, 0.8))).convert("RGB").quantize(64, dither=Image.Dither.NONE)
            for svg, _ in self._frames
        ]
        times = [time for _, time in self._frames]
        first.save(path, save_all=True, append_images=others, duration=times, loop=0, optimize=True)


async def first_minute(session: Session) -> None:
    """Do what the README begins with: a change by keys, what it does, the charts, and back."""
    film, job = Film(session), session.job
    view = session.app.main.view("digits")
    if view is None:
        raise RuntimeError("the job is not on the screen")
    await session.until(lambda: len(job.lines) > 1)
    await film.go_on(4)
    await film.press("alt+n")
    for _ in range(4):
        await film.press("ctrl+up", seconds=0.6)
    await film.press("f2", seconds=3)
    await film.press("escape")
    await session.pilot.press("ctrl+s")
    await session.until(lambda: (row := job.timeline.get(2)) is not None and row.status == "applied")
    await film.show(2)
    await film.go_on(8)
    await session.pilot.press("f8")
    await session.pilot.pause(1)
    await film.show(2)
    await film.go_on(6)
    await session.pilot.press("f8")
    session.app.main.set_focus(view.timeline)
    await film.press("down", seconds=2)
    await session.pilot.press("r")
    await session.until(lambda: (row := job.timeline.get(3)) is not None and row.status == "applied")
    await film.show(2)
    await film.go_on(3)
    film.write(HERE / "first-minute.gif")


async def gallery(session: Session) -> None:
    """Take all that stands still."""
    await main_screen(session)
    await over_it(session)
    await effect(session)
    await trouble(session)


async def drive(socket: Path, config: Path, act: Callable[[Session], Coroutine[Any, Any, None]], size: Any) -> None:
    """Open a viewer on the demo, and act in it."""
    app = DeckApp(socket)
    async with app.run_test(size=size) as pilot:
        session = Session(app, pilot, config)
        await session.until(lambda: "digits" in app.jobs and session.job.metrics is not None)
        await act(session)


def play(act: Callable[[Session], Coroutine[Any, Any, None]], size: tuple[int, int] = SIZE) -> None:
    """Run the demo's engine in a new folder, and act in a viewer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        for file in (HERE.parent / "sample_configs").glob("*.[jy]*"):
            (folder / file.name).write_bytes(file.read_bytes())
        deck = {"deck": str(folder / "deck.yaml"), "task": None, "config": None, "name": None}
        process, answer = launch.start(deck, folder / "engine.log")
        try:
            socket = Path(json.loads(answer.readline())["socket"])
            asyncio.run(drive(socket, folder / "digits.yaml", act, size))
        finally:
            process.terminate()
            process.wait()
            answer.close()


if __name__ == "__main__":
    play(first_minute, (100, 30))
    play(gallery)
