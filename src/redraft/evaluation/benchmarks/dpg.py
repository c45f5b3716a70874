"""DPG-Bench (Hu et al. 2024, arXiv 2403.05135): long prompts, each with a tree of yes-or-no questions.

Trees are in `dpg_rules`, who answers in `answers`. A picture with an unanswered question is missing in the coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.answers import Answerer, FileAnswers, ScorerAnswers, has_all
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.dpg_rules import Item, Question, effective, read_items, tree_score
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.statistics import FloatArray
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    from redraft.core.tensors import Images

FILE = "dpg_bench.csv"
_SCORE = "score"
_NO_YES = "no question was answered yes: does the judge give the probability of yes?"


class DpgConfig(Config):
    """Options of the suite `dpg`."""

    judge: str = Field(default="", description="scorer that gives the probability of yes to a question")
    answers: str = Field(default="", description="JSONL file of answers, instead of a judge")
    images_per_prompt: int = Field(default=4, ge=1, description="pictures of each prompt; published numbers have 4")
    limit: int | None = Field(default=None, ge=2, description="only the first prompts; None: all")


class DpgBenchmark:
    """Rows: `overall`, 100 times the mean share of questions that count as yes, then each broad category.

    A category is the share of its questions answered yes, before the trees take any away, as published.

    Raises:
        UsageError: when there are fewer than two items.
    """

    name = "dpg"
    title = "DPG-Bench: questions about long prompts"
    Config: ClassVar[type[BaseModel]] = DpgConfig

    def __init__(self, items: Sequence[Item], *, answerer: Answerer, images_per_prompt: int = 4) -> None:
        if len(items) < 2:
            raise UsageError(f"{len(items)} prompts of DPG-Bench: an interval needs at least 2; raise limit")
        prompts = [Prompt(text=item.text, tags=("suite:dpg", f"item:{item.id}"), source=FILE) for item in items]
        self._items = dict(zip(prompts, items, strict=True))
        self.prompts, self.answerer, self.images_per_prompt = tuple(prompts), answerer, images_per_prompt
        self.categories = tuple(dict.fromkeys(question.category for item in items for question in item.questions))
        self.fingerprint = fingerprint_of(self.name, answerer.fingerprint, *(repr(item) for item in items))

    @classmethod
    def build(cls, config: DpgConfig, context: SuiteContext) -> DpgBenchmark:
        """Read dpg_bench.csv of `context.folder`. Raises UsageError unless either a judge or answers are given."""
        items = read_items(Path(context.folder) / FILE)[: config.limit]
        if bool(config.judge) == bool(config.answers):
            raise UsageError(
                "DPG-Bench asks questions: say who answers, either --judge NAME (a scorer that gives the probability "
                "of yes) or --set answers=FILE (JSONL)"
            )
        answerer: Answerer
        if config.answers:
            answerer = FileAnswers(Path(config.answers))
        else:
            answerer = ScorerAnswers(context.require_scorer(config.judge))
        return cls(items, answerer=answerer, images_per_prompt=config.images_per_prompt)

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """The score 0..1 and, for each category, how many of its questions got a yes; why, where not all did."""
        import torch

        from redraft.core.tensors import Scores

        values, known, reasons = [], [], []
        for picture, prompt in zip(images.pixels, prompts, strict=True):
            item = self._items[prompt]
            answers = self.answerer.answer(picture, item)
            whole = has_all(answers, [question.number for question in item.questions])
            values.append(
                [tree_score(item.questions, answers), *self._yes(item, answers)] if whole else [0.0] * self._width
            )
            known.append([whole] * self._width)
            reasons.append(_reason(item, answers) if whole else "a question has no answer")
        return Judgement(
            scores=Scores(
                values=torch.tensor(values, dtype=torch.float32),
                names=(_SCORE, *(f"yes to {category}" for category in self.categories)),
                fingerprints=(self.fingerprint,) * self._width,
                mask=torch.tensor(known),
            ),
            reasons=tuple(reasons),
        )

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """Intervals are over prompts; `questions` in the details of a category is the published figure, all alike."""
        overall = mean_row(
            "overall", judged, head=_SCORE, key=key, unit="score", against=against, scale=100.0, most=100.0,
            fingerprint=self.fingerprint, note="" if judged.column(_SCORE)[0].any() else _NO_YES,
        )  # fmt: skip
        rows = [overall]
        for category in self.categories:
            head, asked = f"yes to {category}", self._asked(category)
            other = None if against is None else _shares(against, head, asked)
            yes, mask, _ = judged.column(head)
            numbers = asked[judged.group[mask]].sum()
            details = {"questions": 100 * float(yes[mask].sum() / numbers)} if numbers else {}
            rows.append(
                mean_row(
                    category, _shares(judged, head, asked), head=head, key=key, unit="score", against=other,
                    scale=100.0, most=100.0, fingerprint=self.fingerprint, details=details,
                    note="mean over prompts, before dependencies",
                )
            )  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """Known answers through a known tree: a no takes away all that depends on it, directly or not."""
        tree = [_question(1), _question(2, 1), _question(3, 2), _question(4)]
        yes = dict.fromkeys((1, 2, 3, 4), True)
        return (
            close("all yes", tree_score(tree, yes), 1.0),
            close("no at the root of three", tree_score(tree, {**yes, 1: False}), 0.25),
            close("no in the middle", tree_score(tree, {**yes, 2: False}), 0.5),
            close("no at a leaf", tree_score(tree, {**yes, 3: False}), 0.75),
        )

    @property
    def _width(self) -> int:
        return 1 + len(self.categories)

    def _asked(self, category: str) -> FloatArray:
        """P: how many questions of the category each prompt has."""
        items = (self._items[prompt] for prompt in self.prompts)
        return np.array(
            [sum(question.category == category for question in item.questions) for item in items], dtype=float
        )

    def _yes(self, item: Item, answers: Mapping[int, bool]) -> list[float]:
        """How many questions of each category got a yes."""
        got = [question.category for question in item.questions if answers[question.number]]
        return [float(got.count(category)) for category in self.categories]


def _shares(judged: Judged, head: str, asked: FloatArray) -> Judged:
    """Numbers of yes as shares of the questions asked; pictures of prompts without such a question are left out."""
    yes, mask, mark = judged.column(head)
    numbers = asked[judged.group]
    known = mask & (numbers > 0)
    values = np.divide(yes, numbers, out=np.full(len(yes), np.nan), where=known)
    return replace(judged, names=(head,), fingerprints=(mark,), values=values[:, None], mask=known[:, None])


def _reason(item: Item, answers: Mapping[int, bool]) -> str:
    """The questions that got a no, and how many more fall with them."""
    no = [question.text for question in item.questions if not answers[question.number]]
    counted = sum(effective(item.questions, answers).values())
    lost = len(item.questions) - counted - len(no)
    return "; ".join(no) + (f"; and {lost} that presuppose these" if lost else "")


def _question(number: int, *parents: int) -> Question:
    return Question(number=number, text=f"{number}?", parents=parents, category="entity")
