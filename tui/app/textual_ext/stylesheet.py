"""Finds out once which rules hold for a widget in a state, not each time that the focus moves or a class changes.

Textual looks through all rules again for a widget and for each of its component classes, of which widgets of ours have
a dozen, and makes the styles of all of those anew (`Stylesheet.apply` and `_process_component_classes` in
`css/stylesheet.py`, 1.0 to 8.2.8; its own cache lasts for one update and knows no component classes). That was a third
of the work from the start to the first frame.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

#: What a pseudo class says as well: its contrary.
_CONTRARY = {"blur": "focus", "enabled": "disabled", "light": "dark"}

#: The same for all widgets.
_OF_APP = {"dark", "inline", "ansi", "nocolor"}


class FrugalStylesheet(Stylesheet):
    """Remembers the rules that hold for a node by all that selectors can ask of it and of those above it."""

    #: What is remembered of the rules.
    REMEMBERED = ("_asked", "_asked_of_app", "_ways", "_found", "_found_of_component")

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        #: The rules that each component class of a widget was given last.
        self._given: WeakKeyDictionary[DOMNode, dict[str, RulesMap]] = WeakKeyDictionary()
        self._forget()

    def _forget(self) -> None:
        self._of = self.rules
        self._ways: dict[tuple[Any, ...], int] = {}
        self._found: dict[int, tuple[RulesMap, tuple[bool, ...]]] = {}
        self._found_of_component: dict[tuple[int, str], RulesMap] = {}
        asked = {_CONTRARY.get(name, name) for rule in self.rules for name in rule.pseudo_classes}
        asked -= self._EXCLUDE_PSEUDO_CLASSES_FROM_CACHE
        self._asked = sorted(asked - _OF_APP)
        self._asked_of_app = sorted(asked)

    def _way(self, node: DOMNode) -> int:
        """Return a number for all that selectors ask of a node and of those above it, but for its place among others.

        Rules that ask for the place are never remembered.
        """
        parent = node._parent
        above = self._way(parent) if isinstance(parent, DOMNode) else -1
        asked = self._asked_of_app if isinstance(node, App) else self._asked
        states = (node.has_pseudo_class(name) for name in asked)
        key = above, node._css_type_names, node.id, node.classes, *states
        return self._ways.setdefault(key, len(self._ways))

    def apply(
        self,
        node: DOMNode,
        *,
        animate: bool = False,
        cache: dict[tuple[Any, ...], RulesMap] | None = None,  # noqa: ARG002 (of one update: ours holds for all)
    ) -> None:
        """Give a node the rules that hold for it."""
        if self.rules is not self._of:
            self._forget()
        way = self._way(node)
        if way in self._found:
            rules, flags = self._found[way]
            node._has_hover_style, node._has_focus_within, node._has_order_style, node._has_odd_or_even = flags
            self.replace_rules(node, rules, animate=animate)
            self._process_component_classes(node)
            return
        for rules in self._look(node, animate):
            flags = node._has_hover_style, node._has_focus_within, node._has_order_style, node._has_odd_or_even
            self._found[way] = rules, flags

    def _look(self, node: DOMNode, animate: bool = False) -> list[RulesMap]:
        """Give a node the rules that hold for it, and return them if they may be remembered."""
        found: dict[tuple[Any, ...], RulesMap] = {}
        super().apply(node, animate=animate, cache=found)
        return list(found.values())

    def _process_component_classes(self, node: DOMNode) -> None:
        """Give each component class its styles; they stay the same object where the rules are the same."""
        if not (components := node._get_component_classes()):
            return
        way, before, given = self._way(node), node._component_styles.copy(), self._given.setdefault(node, {})
        changed = False
        for component in sorted(components):
            rules = self._found_of_component.get((way, component))
            if rules is not None and component in before and given.get(component) is rules:
                continue
            virtual = DOMNode(classes=component)
            virtual._attach(node)
            if rules is not None:
                self.replace_rules(virtual, rules)
            else:
                for rules in self._look(virtual):
                    self._found_of_component[way, component] = rules
            if rules is not None:
                given[component] = rules
            else:
                given.pop(component, None)
            changed = changed or before.get(component) != virtual.styles
            node._component_styles[component] = virtual.styles
        if changed:
            node.refresh()

    @classmethod
    def replace_rules(cls, node: DOMNode, rules: RulesMap, animate: bool = False) -> None:
        """Replace the rules of a node, if they are others."""
        if not animate and node.styles.base._rules == rules:
            node.notify_style_update()
        else:
            super().replace_rules(node, rules, animate=animate)
