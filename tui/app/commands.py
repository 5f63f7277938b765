"""The commands of the palette, made of the bindings: what a key does, can be found by its name too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from textual.actions import parse
from textual.app import SystemCommand
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode


def own_bindings(kind: type, keymap: Mapping[str, str] | None = None) -> list[Binding]:
    """Return the keys that a class itself defines, those of the user in the place of ours."""
    found = list(Binding.make_bindings(vars(kind).get("BINDINGS", ())))
    if not keymap:
        return found
    mapped: dict[tuple[str | None, str], Binding] = {}
    for one in found:
        for key in keymap.get(one.id or "", one.key).split(","):
            mapped.setdefault((one.id, key), one if key == one.key else one.with_key(key))
    return list(mapped.values())


def of(place: str, node: DOMNode, keymap: Mapping[str, str] | None = None) -> Iterator[SystemCommand]:
    """Yield what the keys of a widget or screen do, where that makes sense now; moving about is left to the keys.

    Args:
        place: What stands before the name of each.
        node: What has the keys, and carries out their actions.
        keymap: The user's own keys.
    """
    told = set()
    for binding in own_bindings(type(node), keymap):
        _, name, parameters = parse(binding.action)
        if binding.id is None or binding.action in told or not node.check_action(name, parameters):
            continue
        told.add(binding.action)
        title = f"{place}: {binding.description}" if place else binding.description
        key = node.app.get_key_display(binding)
        said = f"{binding.tooltip}  ({key})" if binding.tooltip else f"({key})"
        yield SystemCommand(title, said, partial(node.app.run_action, binding.action, node))


class DeckCommands(Provider):
    """The palette's commands in their own order: what can be done where the focus is comes first."""

    async def discover(self) -> Hits:
        """Yield all commands."""
        for title, said, callback, _ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(title, callback, help=said)

    async def search(self, query: str) -> Hits:
        """Yield the commands that fit what was typed; of two that fit alike, the one that comes first."""
        matcher = self.matcher(query)
        for place, (title, said, callback, _) in enumerate(self.app.get_system_commands(self.screen)):
            if (match := matcher.match(title)) > 0:
                yield Hit(match - place / 10_000, matcher.highlight(title), callback, help=said)
