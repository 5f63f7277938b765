"""A value by one step up or down, in the spelling that its user gave it: text in, text out.

What a number is, is what `tui.config.document` takes for one: YAML 1.2, with underscores.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any, NamedTuple

#: The steps of a positive float between two powers of ten: each about a quarter more than the one before.
LADDER = tuple(map(Decimal, ("1", "1.25", "1.6", "2", "2.5", "3.15", "4", "5", "6.3", "8", "10")))

_DECIMAL = re.compile(r"([-+]?)(\d[\d_]*|(?=\.\d))(?:(\.)(\d*))?(?:([eE])([-+]?)(\d+))?")
_BASED = re.compile(r"([-+]?)(0[xob])([0-9a-fA-F_]+)")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_SWITCHES = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))
_NULLS = ("~", "null", "Null", "NULL", "")

#: Text that is text without quotes, whatever stands around it.
_BARE = re.compile(r"(?!(?i:true|false|null|yes|no|on|off|y|n|[-+.]?(?:inf|nan))$)[A-Za-z][\w./+-]*", re.ASCII)

#: No number in a config is longer.
_LONGEST = 60

#: Nothing is rounded.
_EXACT = Context(prec=400)

#: A place of a digit: of the number itself, 0 for the units, or of its exponent.
_Place = tuple[bool, int]


class Nudged(NamedTuple):
    """A value after a step: its text, and where the cursor stands in it that stood on a digit."""

    text: str
    at: int | None = None


class _Number(NamedTuple):
    """A decimal number as it is spelled."""

    sign: str
    whole: str
    point: str
    decimals: str
    letter: str
    exponent_sign: str
    exponent: str

    @property
    def is_whole(self) -> bool:
        return not self.point and not self.letter

    @property
    def power(self) -> int:
        return int(f"{self.exponent_sign}{self.exponent}") if self.letter else 0

    @property
    def value(self) -> Decimal:
        return Decimal("".join(self).replace("_", ""))


def nudged(text: str, schema: Mapping[str, Any], direction: int, at: int | None = None) -> Nudged | None:
    """Return a value one step up (1) or down (-1); None where it has no steps, or is at its end.

    Args:
        text: The value as it stands in the config.
        schema: What is known of it, in words of JSON Schema; see `schema_hints.fragment`.
        direction: 1 or -1.
        at: Where in the text the cursor stands; on a digit, that one is turned.
    """
    if choices := schema.get("enum"):
        found = _next_choice(text, choices, direction)
        return Nudged(found) if found != text else None
    for switch in _SWITCHES:
        if text in switch:
            return Nudged(switch[1 - switch.index(text)])
    with localcontext(_EXACT):
        if based := _BASED.fullmatch(text):
            return _nudge_based(based, schema, direction, at) if len(text) <= _LONGEST else None
        number = _number(text)
        return _nudge_decimal(text, number, schema, direction, at) if number is not None else None


# Choices


def meaning(text: str) -> Any:
    """Return what a scalar means: text, a number, a boolean or None."""
    if text in _NULLS:
        return None
    for switch in _SWITCHES:
        if text in switch:
            return text == switch[0]
    if text[:1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text[1:-1]
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if based := _BASED.fullmatch(text):
        return int(text.replace("_", ""), _BASES[based[2]])
    if (number := _number(text)) is not None:
        bare = text.replace("_", "")
        return int(bare) if number.is_whole else float(bare)
    return text


def spelled(value: Any, like: str) -> str:
    """Return a value as text of a config, text in the quotes that `like` has."""
    if not isinstance(value, str):
        return json.dumps(value)
    if like[:1] == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if like[:1] != '"' and _BARE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _next_choice(text: str, choices: Sequence[Any], direction: int) -> str:
    now = meaning(text)
    known = [index for index, choice in enumerate(choices) if _same(choice, now)]
    place = known[0] + direction if known else 0 if direction > 0 else -1
    chosen = choices[place % len(choices)]
    return text if _same(chosen, now) else spelled(chosen, text)


def _same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


# Numbers


def _number(text: str) -> _Number | None:
    found = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    number = _Number(*(part or "" for part in found.groups()))
    if number.letter and not number.whole and not number.exponent_sign:
        return None  # YAML takes `.5e1` for text
    return number if math.isfinite(float(text.replace("_", ""))) else None


def _nudge_decimal(
    text: str, number: _Number, schema: Mapping[str, Any], direction: int, at: int | None
) -> Nudged | None:
    places = _places(text)
    place = next((place for offset, place in places if offset == at), None)
    if place is None:
        wanted, keeps = _stepped(number, schema, direction), False
    elif place[0]:
        wanted, keeps = number.value.scaleb(direction * 10 ** place[1]) if place[1] < 3 else number.value, False
    else:
        wanted, keeps = number.value + direction * Decimal(1).scaleb(place[1] + number.power), True
    value = _fitting(number.value, wanted, schema, direction)
    if value is None or (number.is_whole and value != value.to_integral_value()):
        return None
    exponent = place is not None and place[0]
    new = _with_power(number, value) if exponent else _spell(number, value, keeps=keeps)
    if len(new) > _LONGEST or meaning(new) in (meaning(text), new):
        return None
    return Nudged(new, _nearest(_places(new), place) if place is not None else None)


def _stepped(number: _Number, schema: Mapping[str, Any], direction: int) -> Decimal:
    """Return the value a step of its own scale further, whatever its limits."""
    value, multiple = number.value, _limit(schema, "multipleOf")
    if multiple is not None and multiple > 0:
        rounding = ROUND_FLOOR if direction > 0 else ROUND_CEILING
        return (_exactly(value / multiple, rounding) + direction) * multiple
    if number.is_whole:
        return value + direction
    if value == 0:
        return direction * _first_step(number, schema)
    return rung(abs(value), direction if value > 0 else -direction).copy_sign(value)


def rung(value: Decimal, direction: int) -> Decimal:
    """Return the next step of the ladder above or below a positive value."""
    power = value.adjusted()
    part = value.scaleb(-power)
    if direction > 0:
        return next(step for step in LADDER if step > part).scaleb(power)
    below = [step for step in LADDER if step < part]
    return below[-1].scaleb(power) if below else LADDER[-2].scaleb(power - 1)


def _first_step(number: _Number, schema: Mapping[str, Any]) -> Decimal:
    """Return a step away from 0, which is on no ladder: a hundredth of the range, or one of its last decimal."""
    low, high = _limit(schema, "minimum", "exclusiveMinimum"), _limit(schema, "maximum", "exclusiveMaximum")
    if low is not None and high is not None and low < high:
        return Decimal(1).scaleb(((high - low) / 100).adjusted())
    return Decimal(1).scaleb(number.power - max(len(number.decimals), 1))


def _fitting(value: Decimal, wanted: Decimal, schema: Mapping[str, Any], direction: int) -> Decimal | None:
    """Return what is wanted, or what is nearest to it within the limits; None if that leads nowhere."""
    multiple = _limit(schema, "multipleOf")
    if multiple is not None and multiple > 0:
        wanted = _exactly(wanted / multiple, ROUND_CEILING if direction > 0 else ROUND_FLOOR) * multiple
    else:
        multiple = Decimal(1) if schema.get("type") == "integer" else None
    for limit, sign, excluded in _limits(schema):
        bound = _bound(limit, sign, multiple, excluded=excluded)
        if bound is not None and (wanted - bound) * sign < 0:
            wanted = bound
    for limit, sign, excluded in _limits(schema):
        if (wanted - limit) * sign < 0 or (excluded and wanted == limit):
            return None
    return wanted if (wanted - value) * direction > 0 else None


def _limits(schema: Mapping[str, Any]) -> Iterator[tuple[Decimal, int, bool]]:
    """Yield each limit, 1 for a lower one and -1 for an upper one, and whether it is not allowed itself."""
    for word, sign in (("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1)):
        limit = _limit(schema, word)
        if limit is not None:
            yield limit, sign, word.startswith("exclusive")


def _bound(limit: Decimal, sign: int, multiple: Decimal | None, *, excluded: bool) -> Decimal | None:
    """Return the outermost value that a limit allows; None where there is none, as above 0."""
    if multiple is None:
        return None if excluded else limit
    bound = _exactly(limit / multiple, ROUND_CEILING if sign > 0 else ROUND_FLOOR) * multiple
    return bound + sign * multiple if excluded and bound == limit else bound


def _exactly(value: Decimal, rounding: str) -> Decimal:
    return value.to_integral_value(rounding)


def _limit(schema: Mapping[str, Any], *words: str) -> Decimal | None:
    for word in words:
        limit = schema.get(word)
        if isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit):
            return Decimal(str(limit))
    return None


# Spelling


def _spell(number: _Number, value: Decimal, *, keeps: bool) -> str:
    """Return a value as `number` is spelled; `keeps`: with the same exponent and no decimal less."""
    power = number.power
    if number.letter and not keeps and value and 1 <= abs(number.value.scaleb(-power)) < 10:
        power = value.adjusted()
    part = value.scaleb(-power)
    needed = max(-int(part.normalize().as_tuple().exponent), 0)
    least = len(number.decimals) if keeps else min(len(number.decimals), 1)
    whole, _, decimals = f"{abs(part):.{max(needed, least)}f}".partition(".")
    if not number.whole and whole == "0" and decimals:
        whole = ""
    point = "." if number.point or decimals else ""
    sign = "-" if value < 0 else "+" if number.sign == "+" else ""
    return f"{sign}{_grouped(whole, number.whole)}{point}{decimals}{_exponent(number, power)}"


def _with_power(number: _Number, value: Decimal) -> str:
    """Return a value that is the same number with another exponent, or was cut off at a limit."""
    power = value.adjusted() - number.value.adjusted() + number.power
    if not value or number.value.scaleb(power - number.power) != value:
        return _spell(number, value, keeps=True)
    return f"{number.sign}{number.whole}{number.point}{number.decimals}{_exponent(number, power)}"


def _exponent(number: _Number, power: int) -> str:
    if not number.letter:
        return ""
    sign = "-" if power < 0 else "+" if number.exponent_sign == "+" or not number.whole else ""
    width = len(number.exponent) if number.exponent.startswith("0") else 1
    return f"{number.letter}{sign}{abs(power):0{width}d}"


def _grouped(digits: str, like: str) -> str:
    """Return digits with the underscores, or the zeros in front, that `like` has."""
    if like.startswith("0") and len(like) > 1:
        digits = digits.zfill(len(like.replace("_", "")))
    size = len(like) - like.rfind("_") - 1
    if "_" not in like or not size:
        return digits
    first = len(digits) % size
    groups = [digits[:first]] * bool(first) + [
        digits[start : start + size] for start in range(first, len(digits), size)
    ]
    return "_".join(groups)


def _places(text: str) -> list[tuple[int, _Place]]:
    """Return the offset of each digit of a decimal number with its place."""
    match = _DECIMAL.fullmatch(text)
    assert match is not None
    found: list[tuple[int, _Place]] = []
    for group, lowest in ((2, 0), (4, -len(match[4] or "")), (7, 0)):
        place = lowest
        for offset in range(match.end(group) - 1, match.start(group) - 1, -1):
            if text[offset] != "_":
                found.append((offset, (group == 7, place)))
                place += 1
    return found


def _nearest(places: Sequence[tuple[int, _Place]], wanted: _Place) -> int | None:
    """Return the offset of a place, or of the nearest one that there still is."""
    offsets = {place: offset for offset, place in places if place[0] == wanted[0]}
    return offsets[min(offsets, key=lambda place: abs(place[1] - wanted[1]))] if offsets else None


# Numbers of another base


def _nudge_based(based: re.Match[str], schema: Mapping[str, Any], direction: int, at: int | None) -> Nudged | None:
    sign, prefix, digits = based.groups()
    base = _BASES[prefix]
    try:
        value = Decimal(int(digits.replace("_", ""), base) * (-1 if sign == "-" else 1))
    except ValueError:  # 0b2
        return None
    place = None
    if at is not None and at >= based.start(3) and digits[at - based.start(3) :][:1] not in ("", "_"):
        place = len(digits[at - based.start(3) + 1 :].replace("_", ""))
    multiple = _limit(schema, "multipleOf")
    step = Decimal(base**place if place is not None else multiple if multiple and multiple > 0 else 1)
    found = _fitting(value, value + direction * step, {"type": "integer", **schema}, direction)
    if found is None or found != found.to_integral_value():
        return None
    new = f"{abs(int(found)):{prefix[1]}}".zfill(len(digits.replace("_", "")))
    new = _grouped(new.upper() if digits.isupper() else new, digits.lstrip("0") or digits)
    head = f"{'-' if found < 0 else '+' if sign == '+' else ''}{prefix}"
    return Nudged(head + new, None if place is None else len(head) + _offset(new, place))


def _offset(digits: str, place: int) -> int:
    """Return where in some digits that of a place stands."""
    offsets = [offset for offset, digit in enumerate(digits) if digit != "_"]
    return offsets[max(len(offsets) - 1 - place, 0)]
