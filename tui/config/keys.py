"""Key paths: how a place in a config is spelled, as ``opt.betas[1]`` or ``env["a.b"]``."""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def child(path: str, key: Any) -> str:
    """Return the path of the item `key` (a mapping's key or a list's index) of the value at `path`.

    Keys that are no strings stand in brackets, so that the key ``1`` and the key ``"1"`` are told apart.
    """
    if not isinstance(key, str):
        return f"{path}[{json.dumps(key, default=str)}]"
    if not _PLAIN.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key
