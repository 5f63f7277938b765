"""The user's own keys: taken as a whole, or told by the line what is wrong; what is shown of keys goes along."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import TextArea

from tests.app.conftest import OpenDeck, text_of
from tui.app.app import DeckApp
from tui.app.key_places import classes
from tui.app.main_screen import MainScreen
from tui.app.own_keys import KeysFile, Wish, WrongKeyError, keymap
from tui.cli import keys_file


class Outer(Widget):
    BINDINGS = [Binding("ctrl+s", "save", "Save", id="save"), Binding("f1", "help", "Help", id="help")]  # noqa: RUF012


class Log(Widget):
    BINDINGS = [Binding("f", "follow", "Follow", id="log.follow"), Binding("up,k", "up", "Up")]  # noqa: RUF012


PLACES = {"log": (Log, Outer), "config": (TextArea, Outer)}


@pytest.mark.parametrize(
    ("binding", "keys", "wanted"),
    [
        ("save", "f9", "f9"),
        ("save", "F9, ctrl+k", None),  # in the editor ctrl+k deletes to the end of the line
        ("save", "F9, alt+/", "f9,alt+slash"),
        ("log.follow", "?", "question_mark"),
        ("log.follow", "G", "G"),
        ("save", "ctrl+s", "ctrl+s"),
    ],
)
def test_keys_are_named_as_people_write_them(binding: str, keys: str, wanted: str | None) -> None:
    wishes = [Wish(binding, keys, 1, 1)]
    if wanted is None:
        with pytest.raises(WrongKeyError, match=r"^1:1: in the config ctrl\+k is .* already$"):
            keymap(wishes, PLACES)
    else:
        assert keymap(wishes, PLACES) == {binding: wanted}


@pytest.mark.parametrize(
    ("binding", "keys", "says"),
    [
        ("sav", "f9", "there is no sav: did you mean save?"),
        ("log.folow", "f9", "there is no log.folow: did you mean log.follow?"),
        ("zzz", "f9", "there is no zzz"),
        ("save", "pgup", "there is no key pgup: did you mean pageup or up?"),
        ("save", "cmd+k", "cmd+k: there is no cmd+, only ctrl+, alt+ and shift+"),
        ("save", "ctrl+", "a key is missing"),
        ("save", "x", "x is text in the config: take a key with ctrl or alt, or f1 to f12"),
        ("save", "?", "question_mark is text in the config: take a key with ctrl or alt, or f1 to f12"),
        ("log.follow", "k", "in the log k is Up already"),
        ("log.follow", "ctrl+s", "in the log ctrl+s is Save already"),
    ],
)
def test_a_wish_that_can_not_be_fulfilled_is_told_with_its_line(binding: str, keys: str, says: str) -> None:
    with pytest.raises(WrongKeyError) as error:
        keymap([Wish("help", "f2", 1, 1), Wish(binding, keys, 3, 5)], PLACES)
    assert str(error.value) == f"3:5: {says}"


def test_two_may_exchange_their_keys() -> None:
    wishes = [Wish("save", "f1", 1, 1), Wish("help", "ctrl+s", 2, 1)]
    assert keymap(wishes, PLACES) == {"save": "f1", "help": "ctrl+s"}


def test_none_of_our_own_keys_is_refused() -> None:
    """Whoever writes down what there is, gets what there is."""
    places = classes(MainScreen, DeckApp)
    found: dict[str, list[str]] = {}
    for kind in {kind for kinds in places.values() for kind in kinds}:
        for one in Binding.make_bindings(vars(kind).get("BINDINGS", ())):
            if one.id is not None:
                found.setdefault(one.id, []).append(one.key)
    for binding, keys in found.items():
        assert keymap([Wish(binding, ",".join(keys), 1, 1)], places) == {binding: ",".join(keys)}


@pytest.mark.parametrize(
    ("text", "wishes", "trouble"),
    [
        ("save: f9\n# more\njob.stop: [ctrl+k, f12]\n", [("save", "f9", 1, 1), ("job.stop", "ctrl+k,f12", 3, 1)], ""),
        ("# nothing yet\n", [], ""),
        ("save: {a: 1}\n", [], "keys.yaml:1:1: save: a key is text, such as f9 or ctrl+k, or a list of such"),
        ("save: f9\nsave: f2\n", [], "keys.yaml:2:1: "),
        ("- save\n", [], "keys.yaml:1:1: "),
    ],
)
def test_the_file_is_read_with_its_lines(
    text: str, wishes: list[Wish], trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keys_file.read() == KeysFile()
    (tmp_path / "tunedeck").mkdir()
    (tmp_path / "tunedeck" / "keys.yaml").write_text(text)
    found = keys_file.read()
    assert list(found.wishes) == wishes
    assert trouble in found.trouble
    assert bool(found.trouble) is bool(trouble)


async def test_what_is_shown_goes_along(open_deck: OpenDeck) -> None:
    wishes = [Wish("job.stop", "f11", 1, 1), Wish("save", "f12", 2, 1)]
    async with open_deck(own_keys=KeysFile("keys.yaml", wishes)) as deck:
        await deck.until(lambda: "f11 Stop" in text_of(deck.app).splitlines()[-1])
        assert "f12 Save" in text_of(deck.app)
        await deck.press("x", "f12")
        await deck.until(deck.engine.saves)
        await deck.press("f1")
        await deck.until(lambda: deck.type_of_screen() == "HelpScreen")
        await deck.press("slash", *"end the job")
        await deck.until(lambda: "Cursor" not in text_of(deck.app))
        assert "f11  Stop  End the job in order" in text_of(deck.app)


async def test_a_wrong_one_is_told_and_none_is_taken(open_deck: OpenDeck) -> None:
    wishes = [Wish("job.stop", "f11", 1, 1), Wish("job.stp", "f12", 2, 1)]
    async with open_deck(own_keys=KeysFile("keys.yaml", wishes)) as deck:
        await deck.until(lambda: any("keys.yaml:2:1: there is no job.stp" in said for said in deck.toasts))
        assert "^t Stop" in text_of(deck.app)
