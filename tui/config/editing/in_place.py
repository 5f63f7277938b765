"""Values that are one word, put in the place of others that are: without a look at the rest of the text."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tui.config import document, keys, retyped
from tui.config.diff import same
from tui.config.document import ConfigDocument, Mark
from tui.config.editing import spelling


def set_values(text: str, values: Mapping[str, Any], known: ConfigDocument | None) -> ConfigDocument | None:
    """Return a config with other values; None where that takes more than a word in the place of each.

    Args:
        text: The text of the config.
        values: By their key paths; plain data, or `spelling.Spelled` as their user has written it.
        known: A document that may be that of the text.

    Raises:
        ConfigError: The text is no config.
    """
    if not all(retyped.is_word(spelling.inline(value)) for value in values.values()):
        return None
    found = known if known is not None and known.text == text else document.parse(text)
    for path, value in values.items():
        after = _set(found, path, value)
        if after is None:
            return None
        found = after
    return found


def _set(config: ConfigDocument, path: str, value: Any) -> ConfigDocument | None:
    mark = config.marks.get(path)
    if mark is None or not path or _in_json(config):
        return None
    if sum((other.start, other.end) == (mark.start, mark.end) for other in config.marks.values()) > 1:
        return None  # it is in what an alias stands for
    data, old = spelling.data_of(value), _at(config.data, path)
    if same(old, data):
        return config
    word = _spelled(value, config.text, mark)
    text = config.text[: mark.start] + word + config.text[mark.end :]
    after = retyped.reread(text, config)
    return after if after is not None and same(_at(after.data, path), data) else None


def _spelled(value: Any, text: str, mark: Mark) -> str:
    """Return a value as it is written: text in the quotes of the text before it."""
    quote = text[mark.start : mark.start + 1]
    inside = quote if quote in ("'", '"') and isinstance(spelling.data_of(value), str) else ""
    return spelling.inline(value, quote=inside)


def _in_json(config: ConfigDocument) -> bool:
    """Whether it is in brackets as a whole: there JSON's own spellings may be asked for."""
    return config.text.startswith("{", config.marks[""].start)


def _at(data: Any, path: str) -> Any:
    return functools.reduce(keys.get, keys.steps(path), data)
