"""What is wrong with a text in TOML: of a command's config, which is passed on as it is."""

from __future__ import annotations

import re
import sys

from tui.protocol.messages import Problem

_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")


def problem(text: str) -> Problem | None:
    """Return where a text is no TOML; None where it is, and before Python 3.11, which can't read it."""
    if sys.version_info < (3, 11):
        return None
    import tomllib

    try:
        tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (text.count("\n") + 1, 1)
        return Problem(f"no TOML: {_PLACE.sub('', str(error))}", line, column)
    return None
