from __future__ import annotations

from typing import Any

import pytest

from tui.config import problems
from tui.config.document import parse
from tui.config.problems import problem_of
from tui.protocol.messages import Problem

TEXT = """\
# a comment
lr: -1
opt:
  betas: [0.9, high]
  'a.b': 3
"""


@pytest.mark.parametrize(
    ("steps", "line", "column", "key"),
    [
        (["lr"], 2, 5, "lr"),
        (["opt", "betas", 1], 4, 16, "opt.betas[1]"),
        (["opt", "a.b"], 5, 10, 'opt["a.b"]'),
        (["opt", "eps"], 4, 3, "opt.eps"),
        (["batch"], 2, 1, "batch"),
        (["lr", "function-after[check()]", "int"], 2, 5, "lr"),
        (["lr", "int"], 2, 5, "lr"),
        (["opt", "Adam", "lr"], 4, 3, "opt"),
        ([], 2, 1, None),
    ],
)
def test_an_error_has_the_place_of_its_value(steps: list[Any], line: int, column: int, key: str | None) -> None:
    document = parse(TEXT)
    problem = problem_of("all of it", [(steps, "no")], document.data, document.marks)
    assert problem == Problem(f"{key}: no" if key else "no", line, column, key)


def test_of_several_errors_the_first_in_the_file_has_its_place_in_the_row() -> None:
    document = parse(TEXT)
    errors: list[Any] = [(["opt", "betas", 1], "no number"), (["lr"], "too small")]
    problem = problem_of("all of it", errors, document.data, document.marks)
    assert problem == Problem("lr: too small\nopt.betas[1]: no number", 2, 5, "lr")


def test_an_error_of_no_value_has_no_place() -> None:
    assert problem_of("no", [], {}, {}) == Problem("no")
    assert problem_of("no", [(["lr"], "bad")], "text", {}) == Problem("bad")


@pytest.mark.parametrize(
    ("problem", "words", "file"),
    [
        (Problem("no"), "no", "c: no"),
        (Problem("no", 3), "line 3: no", "c:3: no"),
        (Problem("no", 3, 7), "line 3:7: no", "c:3:7: no"),
    ],
)
def test_a_place_is_told_as_far_as_it_is_known(problem: Problem, words: str, file: str) -> None:
    assert problems.place_words(problem) == words
    assert problems.in_file("c", problem) == file
