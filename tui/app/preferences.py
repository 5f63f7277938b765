"""What the user chose on the screen, kept in a small file from one time to the next."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tui import reading
from tui.app.pane_layout import Sizes
from tui.app.theme import DARK

#: So many bytes of choices nobody has.
_LIMIT = 1 << 20


@dataclass(frozen=True)
class Preferences:
    """What the user chose.

    Attributes:
        theme: The name of the theme.
        sizes: How the panes share the room.
        wrap: Long lines of the log are wrapped.
        charts: They are shown.
        overview: A deck of many jobs opens in the overview: nobody has left it yet.
        live_knobs: A knob is sent when it rests; else on enter.
        bell: It rings for what went wrong.
    """

    theme: str = DARK.name
    sizes: Sizes = field(default_factory=Sizes)
    wrap: bool = False
    charts: bool = False
    live_knobs: bool = True
    bell: bool = True
    overview: bool = True


def default_path() -> Path:
    """Return where the choices of this user are kept."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - of nobody, too
    return Path(state) / "tunedeck" / "viewer.json"


def load(path: Path) -> Preferences:
    """Return the choices kept at `path`; what is missing there, or is no choice, is as if nothing had been chosen.

    Raises:
        OSError: The file can't be read.
        ValueError: It holds something else.
    """
    try:
        kept = _read(path)
    except FileNotFoundError:
        return Preferences()
    chosen = Preferences(sizes=Sizes.of(kept.get("sizes")))
    if isinstance(kept.get("theme"), str):
        chosen = replace(chosen, theme=kept["theme"])
    return replace(
        chosen,
        wrap=kept.get("wrap") is True,
        charts=kept.get("charts") is True,
        live_knobs=kept.get("live_knobs") is not False,
        bell=kept.get("bell") is not False,
        overview=kept.get("overview") is not False,
    )


def save(path: Path, **changed: object) -> None:
    """Write what has changed to `path`, as a whole or not at all; what other viewers or versions keep there stays.

    Raises:
        OSError: It can't be written.
    """
    try:
        kept = _read(path)
    except (FileNotFoundError, ValueError):  # the first time, or nothing that could be lost
        kept = {}
    kept |= {name: value._asdict() if isinstance(value, Sizes) else value for name, value in changed.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            json.dump(kept, file, indent=2)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _read(path: Path) -> dict[str, Any]:
    kept = json.loads(reading.read(path, _LIMIT)[0])
    if not isinstance(kept, dict):
        raise ValueError("it holds no choices")
    return kept
