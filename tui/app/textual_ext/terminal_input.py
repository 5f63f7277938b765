"""What a terminal sends, as Textual's events: a key is one event, a paste one text, and what nobody knows is nothing.

It stands in the place of Textual's `XTermParser`, which gets only what the mouse, the focus and the size say. By its
source (`parse` in `_xterm_parser.py` of 8.2.8) that one types out a sequence that it does not know, with a ``^`` for
the escape, ends a paste at an escape within it and turns its parts around (both since 1.0 at least), takes alt with a
letter for the letter (since 7.0), and raises, which ends the viewer, at UTF-8 that is none (since 1.0 at least) and at
a key's release (since 8.1 or 8.2).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

from textual import constants, events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS, MODIFIER_FUNCTIONAL_KEYS
from textual._xterm_parser import SPECIAL_KEY_TO_CHARACTER, XTermParser
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.message import Message

from tui.app.model.file_text import visible

ESC = "\x1b"
PASTE, PASTED = "\x1b[200~", "\x1b[201~"

#: Seconds within which only a paste without brackets brings more text.
QUICK = 0.01

#: Seconds for the rest of a sequence whose first part may be a key by itself, and of any other.
ESCAPE_PATIENCE = constants.ESCAPE_DELAY
SEQUENCE_PATIENCE = 1.0

#: No sequence is longer; 32 is what Textual's parser bears.
LONGEST, LONGEST_REPORT = 1000, 32

_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
_CSI = re.compile(r"\x1b\[(?:\[[A-E]|M[^\x1b]{3}|(?![M\[])[ -?]*[@-~])", re.DOTALL)
_CSI_BEGUN = re.compile(r"\x1b\[(?:\[|M[^\x1b]{0,2}|[ -?]*)", re.DOTALL)
_CSI_BROKEN = re.compile(r"\x1b\[(?:M[^\x1b]{0,2}|[ -?]*)", re.DOTALL)

#: Answers to what another program has asked the terminal: of its colours, its name, its pictures.
_ANSWER = re.compile(r"\x1b(?:\]\d+;[ -~]*\x07|(?:\]\d+;|P[\d;]*[$+>!|]|_G)[ -~]*\x1b\\)")
_ANSWER_BEGUN = re.compile(r"\x1b(?:\](?:\d+(?:;[ -~]*)?)?|P[\d;]*(?:[$+>!|][ -~]*)?|_(?:G[ -~]*)?)\x1b?")

_REPORT = re.compile(
    r"\x1b\[(?:[IO]|<\d{1,4};-?\d{1,5};-?\d{1,5}[Mm]|M.{3}|48(?:;[1-9]\d{0,4}(?::\d+)?){4}t|\?\d+;\d\$y)", re.DOTALL
)
#: The size of a terminal that does not know it in pixels; Textual's parser would divide by them.
_SIZE = re.compile(r"\x1b\[48;([1-9]\d{0,4});([1-9]\d{0,4});0;0t")
_KEY = re.compile(r"\x1b\[([\d:;]*)([u~A-HPQRS])")

#: A line break as tmux writes it into a paste where it has extended keys on (tmux/tmux#4163, 3.5 and 3.5a).
_BREAK = re.compile(r"\x1b\[(?:106;5u|27;5;106~)")

_MODIFIERS = ("shift", "alt", "ctrl", "super", "hyper", "meta")

#: Other terminals send the same for these with shift and without.
_SHIFTLESS = ("enter", "backspace", "space", "escape")


class Typed(events.InputEvent):
    """Text that came faster than anybody types; for what takes no text it is keys.

    Args:
        text: With tabs and line ends as they came.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class TerminalInput:
    """Turns the bytes of a terminal into events, wherever they are cut."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = ""
        self._pasting = False
        self._came = 0.0
        self._text_came = -QUICK
        self._returned = False  # the last of the text was a carriage return
        self._reports = XTermParser()

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to decide, unless more comes before."""
        if not self._pending or (self._pasting and not self._without_end()):
            return None
        return self._came + self._patience()

    def feed(self, data: bytes, now: float) -> list[Message]:
        """Return what has become clear with some more bytes, which came at this time."""
        self._pending += self._decode(data)
        self._came = now
        return list(self._events(final=False))

    def expire(self, now: float) -> list[Message]:
        """Return what is clear because nothing has come up to now."""
        due = self.deadline
        return list(self._events(final=True)) if due is not None and now >= due else []

    def _patience(self) -> float:
        if self._pending[0] != ESC and not self._pasting:
            return QUICK
        return ESCAPE_PATIENCE if len(self._pending) <= len("\x1b[[") and not self._pasting else SEQUENCE_PATIENCE

    def _events(self, *, final: bool) -> Iterator[Message]:
        while self._pending:
            found = self._paste(final) if self._pasting else self._next(final)
            if found is None:
                return
            size, messages = found
            self._pending = self._pending[size:]
            yield from messages

    def _next(self, final: bool) -> tuple[int, Sequence[Message]] | None:
        """Return how much of what is pending is understood, and what it is; None while it may go on."""
        if text := _TEXT.match(self._pending):
            return self._text(text[0], final)
        self._returned = False
        return self._sequence(final) if self._pending[0] == ESC else (1, _control(self._pending[0]))

    def _text(self, text: str, final: bool) -> tuple[int, Sequence[Message]] | None:
        quick = self._came - self._text_came < QUICK
        alone = len(text) == 1 and not quick
        if alone and text in "\r\n\t" and text == self._pending and not final:
            return None  # with more behind it, it is part of a text; else a key that indents
        self._text_came = self._came
        size = len(text)
        if quick and self._returned:
            text = text.removeprefix("\n")  # of a line end that was cut
        self._returned = text.endswith("\r")
        if alone and (text.isprintable() or text in "\r\n\t"):
            return size, [key_of(text)]
        return size, [Typed(text)] if text else []

    def _paste(self, final: bool) -> tuple[int, Sequence[Message]] | None:
        """Return the text up to the true end; while that is long in coming, what has come, and it goes on."""
        end = self._pending.find(PASTED)
        if end >= 0:
            self._pasting = False
            return end + len(PASTED), _pasted(self._pending[:end])
        return (size, _pasted(self._pending[:size])) if final and (size := self._without_end()) else None

    def _without_end(self) -> int:
        """Return where that begins which may be the first part of the end, or of a line break."""
        last = self._pending.rfind(ESC)
        return last if last >= len(self._pending) - len("\x1b[27;5;106~") and last >= 0 else len(self._pending)

    def _sequence(self, final: bool) -> tuple[int, Sequence[Message]] | None:
        final = final or len(self._pending) > LONGEST
        kind = self._pending[1:2]
        if kind in ("", ESC):
            return (1, [events.Key("escape", ESC)]) if final or kind else None
        if kind == "[":
            return self._csi(final)
        if kind == "O":
            return self._ss3(final)
        if kind in "]P_":
            if answer := _ANSWER.match(self._pending):
                return answer.end(), []
            if not final and _ANSWER_BEGUN.fullmatch(self._pending):
                return None
        return 2, _alt(kind)

    def _csi(self, final: bool) -> tuple[int, Sequence[Message]] | None:
        if found := _CSI.match(self._pending):
            return found.end(), self._meaning(found[0])
        if not final and _CSI_BEGUN.fullmatch(self._pending):
            return None
        broken = _CSI_BROKEN.match(self._pending)
        size = broken.end() if broken is not None else 2
        return size, _alt("[") if size == 2 else []

    def _ss3(self, final: bool) -> tuple[int, Sequence[Message]] | None:
        if len(self._pending) == 2 and not final:
            return None
        keys = _known(self._pending[:3])
        return (3, keys) if keys else (2, _alt("O"))

    def _meaning(self, sequence: str) -> Sequence[Message]:
        """Return what a whole sequence stands for."""
        if sequence == PASTE:
            self._pasting = True
            return []
        if size := _SIZE.fullmatch(sequence):
            cells = Size(int(size[2]), int(size[1]))
            return [events.Resize(cells, cells)]
        if _REPORT.fullmatch(sequence):
            return list(self._reports.feed(sequence)) if len(sequence) <= LONGEST_REPORT else []
        if key := _KEY.fullmatch(sequence):
            return _extended(key[1], key[2]) or _known(sequence)
        return _known(sequence)


def key_of(character: str) -> events.Key:
    """Return the key of a character that was typed, of which a line feed is ctrl+j."""
    for key in _control(character):
        return key
    return events.Key(_character_to_key(character), character)


def _control(character: str) -> list[events.Key]:
    """Return what a control character is the key of."""
    return [events.Key(key.key, character) for key in _known(character)]


def _known(sequence: str) -> list[events.Key]:
    """Return the keys of a sequence of old; Textual has characters among them, of a Mac's keyboard, which are none."""
    keys = ANSI_SEQUENCES_KEYS.get(sequence)
    return [events.Key(key.value, None) for key in keys] if isinstance(keys, tuple) else []


def _alt(character: str) -> list[events.Key]:
    if known := _known(ESC + character):
        return known
    shift = "shift+" if character.isupper() and len(character.lower()) == 1 else ""
    name = key_of(character.lower() if shift else character).key
    return [events.Key(f"alt+{shift}{name}", None)]


def _pasted(text: str) -> list[events.Paste]:
    text = visible(_BREAK.sub("\n", text))
    return [events.Paste(text)] if text else []


def _extended(codes: str, final: str) -> list[events.Key]:
    """Return the keys of kitty's protocol, or of xterm's modifyOtherKeys; none where it is not a key that is pressed.

    Args:
        codes: Such as ``97:65;2:1;65``: the key, also with shift; modifiers and kind of event; the text.
        final: What the sequence ends with.
    """
    fields = [part.split(":") for part in codes.split(";")] + [[""], [""], [""]]
    (code, *others), (bits, *kind), text = fields[:3]
    other = final == "~" and code == "27" and text != [""]
    if other:  # modifyOtherKeys: the third is the character that the key has with its modifiers
        code, final, text = text[0], "u", [""]
    held = _held(bits)
    if kind[:1] == ["3"]:  # it was let go
        return []
    name = FUNCTIONAL_KEYS.get(f"{code or 1}{final}", "")
    plain = _character(code) if final == "u" else ""
    typed = [character for part in text if (character := _character(part))]
    if not typed and not name and held <= {"shift"}:
        typed = [_shifted(plain, others, known=other) if held else plain]
    typed = [character for character in typed if character and _is_text(character, plain, held)]
    if not typed and not (name or plain):
        return []
    if not typed:
        return [_key(name or _character_to_key(plain), held, None if held else _of_key(name))]
    return [_key(name or _character_to_key(character), held & {"shift"} if character.isspace() else set(), character)
            for character in typed]  # fmt: skip


def _key(name: str, held: set[str], character: str | None) -> events.Key:
    if name in MODIFIER_FUNCTIONAL_KEYS:
        held = set()
    if name in _SHIFTLESS and held == {"shift"}:
        held, character = set(), character or _of_key(name)
    return events.Key("+".join([*sorted(held), name]), character)


def _of_key(name: str) -> str | None:
    """Return what a key of kitty's types where the terminal does not say it."""
    return SPECIAL_KEY_TO_CHARACTER.get(name) or (name if len(name) == 1 else None)


def _held(bits: str) -> set[str]:
    """Return the modifiers; the locks are none."""
    number = max(int(bits[:4] or 1) - 1, 0)
    return {name for place, name in enumerate(_MODIFIERS) if number >> place & 1}


def _character(code: str) -> str:
    """Return the character of a number, empty where there is none."""
    number = int(code) if 0 < len(code) < 8 else 0
    return "" if not number or number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)


def _shifted(plain: str, others: list[str], *, known: bool) -> str:
    """Return what a key types with shift, empty where only the terminal would know."""
    return plain if known or plain == " " else _character(others[0] if others else "") or (
        plain.upper() if plain.isalpha() and len(plain.upper()) == 1 else ""
    )  # fmt: skip


def _is_text(character: str, plain: str, held: set[str]) -> bool:
    """Tell whether a key types this, or is a command.

    What it would type anyway says nothing; alt, and ctrl with it, may have made another character of it.
    """
    if not character.isprintable() or held & {"super", "hyper", "meta"}:
        return False
    return ("alt" in held and character.lower() != plain.lower()) or not held & {"alt", "ctrl"}
