from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config import document
from tui.runners.base import LaunchError
from tui.runners.command import CommandSpec, Filled, placeholders

CONFIG = Path("/etc/app/c.yaml")
DATA = {"name": "web", "port": 80, "on": True, "off": False, "none": None, "x-y": 1.5, "env": {"a": [{"b": "deep"}]}}


def spec(*arguments: str, **env: str) -> CommandSpec:
    return CommandSpec("a", arguments, CONFIG, "restart", env=env)


def fill(text: str, data: Any = DATA) -> str:
    return spec(text).fill(data, CONFIG).arguments[0]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{config}", str(CONFIG)),
        ("--port={port}", "--port=80"),
        ("{name}:{port}", "web:80"),
        ("{on} {off}", "true false"),
        ("{x-y}", "1.5"),
        ("{env.a[0].b}", "deep"),
        ("{{name}}", "{name}"),
        ("{{name}} {name}", "{name} web"),
        ("{{{name}}}", "{{name}}"),
        ("plain {} {0} ${HOME:-x} { name } {a,b} {name", "plain {} {0} ${HOME:-x} { name } {a,b} {name"),
        ("awk '{print $1}' {\"json\": 1}", "awk '{print $1}' {\"json\": 1}"),
    ],
)
def test_a_placeholder_is_filled_and_every_other_brace_stays(text: str, filled: str) -> None:
    assert fill(text) == filled


def test_numbers_are_filled_in_as_they_are_written() -> None:
    text = "v: 1.10\nl: [1e3, &x 0x10]\nt: 'a b'\non: TRUE\nd: 2001-01-01\n"
    data = document.parse(text).data
    filled = spec("{v} {l[0]} {l[1]} {t} {on} {d}").fill(data, CONFIG, text)
    assert filled.arguments == ("1.10 1e3 16 a b true 2001-01-01",)


@pytest.mark.parametrize(
    ("text", "data", "why"),
    [
        (
            "{nam}",
            DATA,
            "the command uses {nam}, but the config has no such key; write {{nam}} to mean the text itself",
        ),
        ("{none}", DATA, "no such key"),
        ("{env.b}", DATA, "no such key"),
        ("{env.a[1]}", DATA, "no such key"),
        ("{env}", DATA, "has no single value for it"),
        ("{env.a}", DATA, "has no single value for it"),
        ("{name}", "name: web", "no such key"),
    ],
)
def test_a_value_that_the_config_lacks_is_named(text: str, data: Any, why: str) -> None:
    with pytest.raises(LaunchError) as raised:
        fill(text, data)
    assert why in str(raised.value)


def test_a_config_that_is_not_parsed_can_still_be_named() -> None:
    assert fill("{config}", "any text") == str(CONFIG)


def test_the_environment_is_filled_too() -> None:
    made = spec("run", "{port}", NAME="<{name}>", FILE="{config}").fill(DATA, CONFIG)
    assert made == Filled(("run", "80"), {"NAME": "<web>", "FILE": str(CONFIG)})


@pytest.mark.parametrize(
    ("arguments", "env", "filled", "names_config"),
    [
        (("run",), {}, False, False),
        (("run", "{config}"), {}, False, True),
        (("run", "{port}"), {}, True, False),
        (("run", "{{port}}"), {}, False, False),
        (("run",), {"A": "{port}"}, True, False),
        (("run",), {"A": "{config} {port}"}, True, True),
    ],
)
def test_whether_values_and_the_path_are_used(
    arguments: tuple[str, ...], env: dict[str, str], filled: bool, names_config: bool
) -> None:
    made = spec(*arguments, **env)
    assert (made.filled, made.names_config) == (filled, names_config)


@given(st.text(alphabet="{}ab. []0-$", max_size=30))
def test_any_text_is_filled_or_refused_and_only_placeholders_change_it(text: str) -> None:
    keys = placeholders(text)
    if keys:
        with pytest.raises(LaunchError, match="the command uses"):
            fill(text, {})
    else:
        literals = text.count("{{")
        assert len(text) - len(fill(text, {})) <= 2 * literals
