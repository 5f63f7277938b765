"""Reads the user's own keys for a viewer: ``keys.yaml``, the ids of bindings with the keys that they are to have."""

from __future__ import annotations

import os
from pathlib import Path

from tui.app.own_keys import KeysFile, Wish


def read() -> KeysFile:
    """Return what the file says; it is no trouble that there is none."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - of nobody, too
    path = Path(folder, "tunedeck", "keys.yaml")
    if not path.exists():
        return KeysFile()
    from tui import reading
    from tui.config import document
    from tui.config.keys import child
    from tui.config.problems import in_file

    try:
        text = document.decode(reading.read(path, 1 << 20)[0])
        if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
            return KeysFile(str(path))
        parsed = document.parse(text)
    except document.ConfigError as error:
        return KeysFile(str(path), trouble=in_file(str(path), error.problem))
    except OSError as error:
        return KeysFile(str(path), trouble=f"{path}: {error.strerror or error}")
    wishes = []
    for name, value in parsed.data.items():
        keys = value if isinstance(value, list) else [value]
        mark = parsed.marks[child("", name)]
        line, column = mark.key or mark.value
        if not keys or not all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys):
            trouble = f"{path}:{line}:{column}: {name}: a key is text, such as f9 or ctrl+k, or a list of such"
            return KeysFile(str(path), trouble=trouble)
        wishes.append(Wish(str(name), ",".join(map(str, keys)), line, column))
    return KeysFile(str(path), wishes)
