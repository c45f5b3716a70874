"""The paper of an examination: which prompts are painted how often. No picture is painted here."""

from __future__ import annotations

from collections import Counter

import pytest

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.loop.examination import Paper, enlarged

PROMPTS = tuple(
    Prompt(text=text, tags=(f"task:{task}",))
    for text, task in (("two stars", "counting"), ("a red star", "colors"), ("three rings", "counting"))
)
PAPER = Paper(prompts=PROMPTS, group=(0, 1, 2, 0, 0))


def test_prompts_of_a_task_are_painted_so_often() -> None:
    paper = enlarged(PAPER, {"counting": 4})
    assert Counter(paper.group) == {0: 4, 1: 1, 2: 4}
    assert paper.group[: len(PAPER.group)] == PAPER.group  # the noise goes by a picture's number


def test_what_is_painted_more_often_already_stays() -> None:
    assert Counter(enlarged(PAPER, {"counting": 2}).group) == {0: 3, 1: 1, 2: 2}


def test_nothing_asked_for_changes_nothing() -> None:
    assert enlarged(PAPER, {}) == PAPER


def test_a_task_without_prompts_is_refused_with_the_tasks_there_are() -> None:
    with pytest.raises(UsageError, match="task 'position' has no prompt in this examination: name one of colors, "):
        enlarged(PAPER, {"position": 3})
