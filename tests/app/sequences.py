"""What people and terminals send, each piece with what it means, and ways to cut it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st
from textual import events
from textual.message import Message

from tui.app.model.file_text import visible
from tui.app.textual_ext.terminal_input import ESCAPE_PATIENCE, QUICK, SEQUENCE_PATIENCE, TerminalInput, Typed

ESC = "\x1b"
PASTE, PASTED = "\x1b[200~", "\x1b[201~"

#: Alt with these is more than one key, or the begin of one.
AMBIGUOUS = "[O]P_"
NAMES = {"[": "left_square_bracket", "]": "right_square_bracket", "_": "underscore"}


class Piece(NamedTuple):
    """What is sent, what it means, and the seconds without anything that belong to it."""

    sent: str
    means: tuple[str, ...]
    pause: float = 0.0


def text(value: str) -> Piece:
    return Piece(value, (value,))


def key(sent: str, name: str, pause: float = 0.0) -> Piece:
    return Piece(sent, (f"<{name}>",), pause)


def nothing(sent: str, pause: float = 0.0) -> Piece:
    return Piece(sent, (), pause)


def alt(character: str) -> Piece:
    name = f"shift+{character.lower()}" if character.isupper() else NAMES.get(character, character)
    return key(ESC + character, f"alt+{name}", pause=ESCAPE_PATIENCE * 2 if character in AMBIGUOUS else 0.0)


def paste(content: str) -> Piece:
    shown = visible(content.replace("\x1b[106;5u", "\n").replace("\x1b[27;5;106~", "\n"))
    return Piece(PASTE + content.replace(PASTED, "") + PASTED, (f"«{shown}»",) if shown else ())


#: All but the marks of what was pasted, see `meaning_of`.
_PRINTABLE = st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="«»")
TEXTS = st.text(st.one_of(st.sampled_from("abz: #-'\"[]{}~^;m123\t\n"), _PRINTABLE), min_size=1, max_size=30).map(text)
#: An editor takes both for the end of a line.
RETURNS = st.sampled_from(["\r", "\r\n"]).map(lambda end: Piece(f"a{end}b", ("a\nb",)))
ALTS = st.sampled_from([c for c in "acdeghijklmnopqrstuvwxyzACEXZ01379ö" if c not in AMBIGUOUS]).map(alt)
UNBOUND = st.sampled_from("cdeghijkloqrtuvwxyACEX0ö").map(alt)
LOOK_ALIKES = st.sampled_from(
    ["\x1b", "\x1b[201", "\x1b[201;1~", "[201~", "\x1b[200~", "\x1b[2\x1b01~", "\x1b[106;5u", "\x1b[27;5;106~", "\x11",
     "\x03", "\x00", "\x1b[A", "\x1bm", "\x9b201~", "\r\n", "\r", "\t", "q", "l", "\x1b\x1b", "\x1b[<0;3;3M"]
)  # fmt: skip
PASTES = (
    st.lists(st.one_of(LOOK_ALIKES, st.text(st.characters(blacklist_characters="«»"), max_size=8)), max_size=8)
    .map("".join)
    .map(lambda content: paste(content.encode("utf-8", "replace").decode().replace("\x1b[201~", "")))
)
SILENT = st.sampled_from(
    [*(f"\x1b[<{button};{x};{x + 1}{end}" for button in (35, 0, 64) for x in (3, 70) for end in "Mm"), "\x1b[M#!!",
     "\x1b[<35;-1;5M", "\x1b[I", "\x1b[O", "\x1b[?1;2c", "\x1b[>1u", "\x1b[?2026;0$y", "\x1b[97;1:3u", "\x1b[5;9z",
     "\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1b]11;rgb:1/2/3\x07", "\x1bP>|term 1.2\x1b\\", "\x1b_Gi=31;OK\x1b\\",
     "\x1b[201~", "\x1b[27;5~", "\x1b[1114112;1u", "\x1b[55296u", "\x1b[24;80R", "\x1b[1;5\x1b[5;9z"]
).map(nothing)  # fmt: skip
CUT_SHORT = st.sampled_from(["\x1b[1;5", "\x1b[<35;1", "\x1b[M ", "\x1b[97;"]).map(
    lambda sent: nothing(sent, SEQUENCE_PATIENCE * 2)
)
KEYS = st.sampled_from([
    *(key(sent, name) for name, together in {
        "up": "\x1b[A \x1bOA \x1b[57419u",
        "ctrl+right": "\x1b[1;5C \x1bf",
        "delete": "\x1b[3~",
        "shift+tab": "\x1b[Z",
        "f1": "\x1bOP \x1b[[A \x1b[11~",
        "shift+f3": "\x1b[1;2R",
        "ctrl+q": "\x11",
        "backspace": "\x7f \x1b[127;2u \x1b[27;2;127~",
        "ctrl+a": "\x1b[97;5u \x1b[27;5;97~ \x1b[97;69u",
        "alt+a": "\x1b[97;3u \x1b[97;3;97u \x1b[27;3;97~",
        "alt+shift+a": "\x1b[97;4u \x1bA",
        "ctrl+shift+k": "\x1b[107;6u",
        "alt+enter": "\x1b\r \x1b[13;3u",
        "escape": "\x1b[27u \x1b[27;2u",
    }.items() for sent in together.split(" ")),
    key(ESC, "escape", ESCAPE_PATIENCE * 2),
])  # fmt: skip
KITTY_TEXTS = st.sampled_from(
    [Piece("\x1b[97;;97u", ("a",)), Piece("\x1b[97;2;65u", ("A",)), Piece("\x1b[27;2;65~", ("A",)),
     Piece("\x1b[97;129;97u", ("a",)), Piece("\x1b[229;;229u", ("å",)), Piece("\x1b[97;3;229u", ("å",)),
     Piece("\x1b[113;7;64u", ("@",)), Piece("\x1b[57400;;49u", ("1",)), Piece("\x1b[32;2;32u", (" ",)),
     Piece("\x1b[97u", ("a",)), Piece("\x1b[97;2u", ("A",)), Piece("\x1b[0;;97:98u", ("ab",))]
)  # fmt: skip
BREAKS = st.sampled_from(
    ["\x1b[13u", "\x1b[13;2u", "\x1b[27;2;13~", "\x1b[13;130u", "\x1b[57414u", "\x1b[106;5u", "\x1b[27;5;106~"]
).map(lambda sent: Piece(sent, ("\n",)))

ANYTHING = st.lists(
    st.one_of(TEXTS, RETURNS, ALTS, st.sampled_from(AMBIGUOUS).map(alt), PASTES, SILENT, CUT_SHORT, KEYS, KITTY_TEXTS,
              BREAKS),
    min_size=1, max_size=8,
)  # fmt: skip

#: Stands behind all else.
END = "\u2301"

#: What can't be but text, or nothing, in the editor: the mouse moves, and does not click; a tab alone would indent.
TEXT_ONLY = st.lists(
    st.one_of(
        TEXTS.filter(lambda piece: piece.sent not in ("\t", "\n")),
        RETURNS,
        UNBOUND,
        PASTES,
        SILENT.filter(lambda piece: "<0" not in piece.sent),
        KITTY_TEXTS,
    ),
    min_size=1,
    max_size=8,
)


def meaning(pieces: Sequence[Piece]) -> str:
    return _lines("".join(part for piece in pieces for part in piece.means))


def typed(pieces: Sequence[Piece]) -> str:
    """Return what an editor has of it."""
    return _lines("".join(part.strip("«»") for piece in pieces for part in piece.means if not part.startswith("<alt+")))


def meaning_of(messages: Sequence[Message]) -> str:
    """Return what messages mean, in the same form; what has no meaning for a text has none."""
    found = []
    for message in messages:
        if isinstance(message, events.Paste):
            found.append(f"«{message.text}»")
        elif isinstance(message, Typed):
            found.append(message.text)
        elif isinstance(message, events.Key):
            breaks = message.key in ("enter", "ctrl+j")
            types = message.is_printable or message.key == "tab"
            found.append("\n" if breaks else str(message.character) if types else f"<{message.key}>")
    return _lines("".join(found))


def _lines(value: str) -> str:
    """Return a text with the line ends that an editor makes of those that came."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def heard(pieces: Sequence[Piece], seed: int, pauses: Sequence[float] = (0.0, QUICK / 3)) -> list[Message]:
    """Return what comes of it where it is cut anywhere, with pauses at the cuts; time passes as for the driver."""
    chance = random.Random(seed)
    source, now, found = TerminalInput(), 100.0, list[Message]()

    def passes(seconds: float) -> None:
        nonlocal now
        now += seconds
        while (due := source.deadline) is not None and due <= now:
            found.extend(source.expire(due))

    for piece in pieces:
        rest = piece.sent.encode()
        while rest:
            size = chance.choice([1, 2, 3, len(rest), len(rest)])
            found += source.feed(rest[:size], now)
            rest = rest[size:]
            passes(chance.choice(pauses))
        passes(piece.pause)
    passes(2 * SEQUENCE_PATIENCE)
    return found
