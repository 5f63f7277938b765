"""Makes docs/screen.png and the pictures of docs/gallery.md: the demo in a terminal, some changes into its life.

Run it as ``python docs/pictures.py`` in the development environment. It needs rsvg-convert and the font Fira Code
(Debian: librsvg2-bin, fonts-firacode). Everything on the pictures is real: the engine, the job, the edits.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

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
        svg = self.app.export_screenshot(title=title)
        # Without this, renderers fold the blanks that hold the columns apart.
        svg = _DOTS.sub(_apart, svg).replace("<text ", '<text xml:space="preserve" ')
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        convert = ["rsvg-convert", "--zoom", "1.2", "-o", str(path)]
        await asyncio.to_thread(subprocess.run, convert, input=svg.encode(), check=True)


async def main_screen(session: Session) -> None:
    """Change the config some times; take the main screen, dark, light and small."""
    await session.until(lambda: "digits" in session.app.jobs and session.job.metrics is not None)
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
    await session.pilot.press("ctrl+s")
    await session.screen("Dialog")
    await session.take("gallery/conflict.png")


async def pictures(socket: Path, config: Path) -> None:
    """Drive the viewer through the demo."""
    app = DeckApp(socket)
    async with app.run_test(size=SIZE) as pilot:
        session = Session(app, pilot, config)
        await main_screen(session)
        await over_it(session)
        await effect(session)
        await trouble(session)


def main() -> None:
    """Run the demo's engine in a new folder and write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        for file in (HERE.parent / "sample_configs").glob("*.[jy]*"):
            (folder / file.name).write_bytes(file.read_bytes())
        deck = {"deck": str(folder / "deck.yaml"), "task": None, "config": None, "name": None}
        process, answer = launch.start(deck, folder / "engine.log")
        try:
            socket = Path(json.loads(answer.readline())["socket"])
            asyncio.run(pictures(socket, folder / "digits.yaml"))
        finally:
            process.terminate()
            process.wait()
            answer.close()


if __name__ == "__main__":
    main()
