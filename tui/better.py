"""Which way a metric is better, and which one is the main one: as the job says, or as everybody reads its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: What a job may say of a metric.
WAYS = ("min", "max")

_LESS = re.compile(r"loss|err|error|errors|perplexity|ppl|mse|rmse|mae|nll|regret|latency")
_MORE = re.compile(r"acc|accuracy|reward|return|f1|auc|precision|recall|bleu|score|iou|r2")

#: What parts the words of a name: ``val/loss``, ``train_loss``, ``trainLoss``, ``loss.mean``, ``acc@5``.
_WORDS = re.compile(r"[A-Z]?[a-z]+\d?|[A-Z]+\d?")


def guess(name: str) -> str | None:
    """Return ``min`` or ``max`` where everybody reads the name one way."""
    words = [word.lower() for word in _WORDS.findall(name)]
    ways = {way for word in words for way, known in zip(WAYS, (_LESS, _MORE), strict=True) if known.fullmatch(word)}
    return ways.pop() if len(ways) == 1 else None


def way(name: str, told: Mapping[str, str]) -> str | None:
    """Return which way a metric is better: as it was `told`, else by its name."""
    return told.get(name) or guess(name)


def main(names: Iterable[str], told: Mapping[str, str]) -> str | None:
    """Return the main metric of some: the first that is told, else one whose name says its way, else the first."""
    names = list(names)
    named = next((name for name in names if guess(name)), None)
    return next((name for name in told if name in names), None) or named or next(iter(names), None)


def ordered(names: Iterable[str], told: Mapping[str, str]) -> list[str]:
    """Return the names, the main one first."""
    names = list(names)
    first = main(names, told)
    return sorted(names, key=lambda name: name != first)
