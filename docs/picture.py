"""Makes docs/screen.png: the demo in a terminal of 120x36, a few changes into its life.

Run it as ``python docs/picture.py`` in the development environment. It needs rsvg-convert and the font Fira Code
(Debian: librsvg2-bin, fonts-firacode). Everything on the picture is real: the engine, the job, the edits.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tui import launch
from tui.app.app import DeckApp

HERE = Path(__file__).parent
STEPS = (("lr: 0.01 ", "lr: 0.05 "), ("momentum: 0.9 ", "momentum: [0.9 "), ("momentum: [0.9 ", "momentum: 0.8 "))


async def picture(socket: Path, config: Path) -> str:
    """Drive the viewer through the demo and return its screenshot as SVG."""
    app = DeckApp(socket)
    async with app.run_test(size=(120, 36)) as pilot:

        async def until(condition: Callable[[], bool]) -> None:
            while not condition():
                await pilot.pause(0.05)

        await until(lambda: "digits" in app.jobs and app.jobs["digits"].metrics is not None)
        job = app.jobs["digits"]
        for version, (old, new) in enumerate(STEPS, 2):
            await until(lambda: len(job.lines) > 6 * (len(job.timeline)))
            temporary = config.with_suffix(".new")
            temporary.write_text(config.read_text().replace(old, new, 1))
            temporary.replace(config)
            await until(lambda version=version: job.timeline.get(version) is not None)  # type: ignore[misc]
        await until(lambda: len(job.lines) > 26)
        for _ in range(5):
            await pilot.press("down")
        app.clear_notifications()
        await pilot.pause()
        return app.export_screenshot(title="tunedeck demo")


def main() -> None:
    """Run the demo's engine in a new folder and write the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (HERE.parent / "sample_configs").glob("*.yaml"):
            (folder / file.name).write_bytes(file.read_bytes())
        deck = {"deck": str(folder / "deck.yaml"), "task": None, "config": None, "name": None}
        process, answer = launch.start(deck, folder / "engine.log")
        try:
            socket = Path(json.loads(answer.readline())["socket"])
            svg = asyncio.run(picture(socket, folder / "digits.yaml"))
        finally:
            process.terminate()
            process.wait()
            answer.close()
    # Without this, renderers fold the blanks that hold the columns apart.
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    convert = ["rsvg-convert", "--zoom", "1.2", "-o", str(HERE / "screen.png")]
    subprocess.run(convert, input=svg.encode(), check=True)


if __name__ == "__main__":
    main()
