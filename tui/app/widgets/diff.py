"""What differs between two texts, to scroll through: in one column, or side by side where that is wide enough."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.model.file_text import FileText, visible
from tui.app.sanitize import sanitize
from tui.app.styles import TONES, drawn, tone

#: From this width on two columns are the better view, unless the user wants the other one.
WIDE = 100


class DiffLine(NamedTuple):
    """One line and the tone that it is drawn in."""

    text: str
    tone: str


Pair = tuple[DiffLine, DiffLine]

_EMPTY = DiffLine("", "plain")


class Diff(NamedTuple):
    """A difference in both views; one that has nothing to put side by side has no pairs."""

    lines: list[DiffLine]
    pairs: list[Pair]


def diff_lines(old: str | None, new: str | None, old_name: str, new_name: str) -> Diff:
    """Return what leads from `old` to `new`; None is a text that does not exist."""
    if new is None:
        return Diff([DiffLine("there is no text of this version", "dim")], [])
    if old is None:
        return Diff([DiffLine(f"+{_clean(line)}", "good") for line in FileText(new).shown.split("\n")], [])
    a, b = ([_clean(line) for line in FileText(text).shown.split("\n")] for text in (old, new))
    groups = list(SequenceMatcher(None, a, b).get_grouped_opcodes(3))
    if groups:
        names = [DiffLine(f"--- {old_name}", "strong"), DiffLine(f"+++ {new_name}", "strong")]
        return Diff(
            [*names, *(line for group in groups for line in _unified(group, a, b))],
            [(names[0], names[1]), *(pair for group in groups for pair in _paired(group, a, b))],
        )
    same = old == new
    return Diff(
        [DiffLine("no difference" if same else "the texts differ in line ends or unseen characters", "dim")], []
    )


_Opcodes = list[tuple[str, int, int, int, int]]


def _span(group: _Opcodes) -> str:
    (_, a, _, b, _), (_, _, a_end, _, b_end) = group[0], group[-1]
    return f"@@ -{a + 1},{a_end - a} +{b + 1},{b_end - b} @@"


def _unified(group: _Opcodes, old: list[str], new: list[str]) -> Iterator[DiffLine]:
    yield DiffLine(_span(group), "key")
    for kind, a, a_end, b, b_end in group:
        if kind == "equal":
            yield from (DiffLine(f" {line}", "plain") for line in old[a:a_end])
        else:
            yield from (DiffLine(f"-{line}", "bad") for line in old[a:a_end])
            yield from (DiffLine(f"+{line}", "good") for line in new[b:b_end])


def _paired(group: _Opcodes, old: list[str], new: list[str]) -> Iterator[Pair]:
    yield DiffLine(_span(group), "key"), _EMPTY
    for kind, a, a_end, b, b_end in group:
        signs, tones = ("  ", ("plain", "plain")) if kind == "equal" else ("-+", ("bad", "good"))
        left = [DiffLine(f"{n + 1:>4} {signs[0]}{old[n]}", tones[0]) for n in range(a, a_end)]
        right = [DiffLine(f"{n + 1:>4} {signs[1]}{new[n]}", tones[1]) for n in range(b, b_end)]
        yield from zip_longest(left, right, fillvalue=_EMPTY)


def _clean(line: str) -> str:
    return sanitize(visible(line))


class DiffView(ScrollView, can_focus=True):
    """The lines of a diff; only what is visible is drawn."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONES

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sides", "Side by side", show=False, tooltip="Or in one column", id="diff.sides"),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
    ]

    def __init__(self, diff: Diff | None = None) -> None:
        super().__init__()
        self._diff = diff or Diff([], [])
        self._wanted: bool | None = None

    def on_mount(self) -> None:
        """Find out how much there is."""
        self.show(self._diff)

    def show(self, diff: Diff) -> None:
        """Show another difference, from its begin."""
        self._diff = diff
        self.scroll_to(0, 0, animate=False)
        self._measure()

    @property
    def side_by_side(self) -> bool:
        """Whether both texts stand beside each other."""
        wanted = self.size.width >= WIDE if self._wanted is None else self._wanted
        return wanted and bool(self._diff.pairs)

    def action_sides(self) -> None:
        """Put the texts side by side, or in one column."""
        self._wanted = not self.side_by_side
        self._measure()

    def on_resize(self) -> None:
        """Choose the view that fits."""
        self._measure()

    def _measure(self) -> None:
        if self.side_by_side:
            widest = max(cell_len(line.text) for pair in self._diff.pairs for line in pair)
            width, height = self.size.width + max(widest - self._half, 0), len(self._diff.pairs)
        else:
            width = max((cell_len(line.text) for line in self._diff.lines), default=0)
            height = len(self._diff.lines)
        self.virtual_size = Size(width, height)
        self.refresh()

    @property
    def _half(self) -> int:
        return max((self.size.width - 3) // 2, 1)

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        width, style = self.size.width, self.rich_style
        row = self.scroll_offset.y + y
        # Not by the virtual size: that is still the one of the other view while a resize is on its way.
        if row >= len(self._diff.pairs if self.side_by_side else self._diff.lines):
            return Strip.blank(width, style)
        if not self.side_by_side:
            return self._drawn(self._diff.lines[row], width)
        left, right = (self._drawn(line, self._half) for line in self._diff.pairs[row])
        middle = drawn(self, Text(" │ ", tone(self, "dim")))
        return Strip.join([left, middle, right]).crop_extend(0, width, style)

    def _drawn(self, line: DiffLine, width: int) -> Strip:
        left = self.scroll_offset.x
        strip = drawn(self, Text(line.text, tone(self, line.tone)))
        return strip.crop_extend(left, left + width, self.rich_style)
