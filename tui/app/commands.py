"""The commands of the palette, made of the bindings: what a key does, can be found by its name too."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.actions import parse
from textual.app import SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode


def own_bindings(kind: type) -> list[Binding]:
    """Return the keys that a class itself defines."""
    return list(Binding.make_bindings(vars(kind).get("BINDINGS", ())))


def of(place: str, node: DOMNode) -> Iterator[SystemCommand]:
    """Yield what the keys of a widget or screen do, where that makes sense now; moving about is left to the keys.

    Args:
        place: What stands before the name of each.
        node: What has the keys, and carries out their actions.
    """
    told = set()
    for binding in own_bindings(type(node)):
        _, name, parameters = parse(binding.action)
        if binding.id is None or binding.action in told or not node.check_action(name, parameters):
            continue
        told.add(binding.action)
        title = f"{place}: {binding.description}" if place else binding.description
        key = node.app.get_key_display(binding)
        said = f"{binding.tooltip}  ({key})" if binding.tooltip else f"({key})"
        yield SystemCommand(title, said, partial(node.app.run_action, binding.action, node))
