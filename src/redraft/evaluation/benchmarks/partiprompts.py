"""PartiPrompts (Yu et al. 2022, arXiv 2206.10789): 1,632 prompts of 12 categories and 11 challenges, judged by scorers.

The benchmark has no judge of its own: numbers compare only where the fingerprint of the judge is the same.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, fingerprint_of
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.benchmarks.scored import judge_checks
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    from redraft.core.protocols import Scorer
    from redraft.core.tensors import Images

FILE = "PartiPrompts.tsv"
PROMPTS = 1632


class PartipromptsConfig(Config):
    """Options of the suite `partiprompts`."""

    judge: str = Field(default="clip", description="scorer that judges, or the folder of one")
    further: tuple[str, ...] = Field(default=(), description="more scorers, each with its own rows")
    images_per_prompt: int = Field(default=1, ge=1, description="pictures of each prompt")
    limit: int | None = Field(default=None, ge=2, description="only the first prompts of each category; None: all")


class PartipromptsBenchmark:
    """Rows: the mean of each head of each judge, then of the first head of each judge by category and by challenge.

    Raises:
        UsageError: for fewer than two prompts, or two judges with a head of one name.
    """

    name = "partiprompts"
    title = "PartiPrompts, by category and challenge"
    Config: ClassVar[type[BaseModel]] = PartipromptsConfig

    def __init__(self, prompts: Sequence[Prompt], *, scorers: Sequence[Scorer], images_per_prompt: int = 1) -> None:
        self.prompts, self.scorers, self.images_per_prompt = tuple(prompts), tuple(scorers), images_per_prompt
        heads = [head for scorer in scorers for head in scorer.heads]
        if len(self.prompts) < 2 or len(set(heads)) < max(len(heads), 1):
            raise UsageError(
                f"{len(self.prompts)} prompts judged by {', '.join(heads) or 'nothing'}: PartiPrompts needs two "
                "prompts or more and a judge, each with heads of its own name"
            )
        self.fingerprint = fingerprint_of(
            self.name, *(scorer.fingerprint for scorer in scorers), *(f"{item.id} {item.tags}" for item in self.prompts)
        )

    @classmethod
    def build(cls, config: PartipromptsConfig, context: SuiteContext) -> PartipromptsBenchmark:
        """Read PartiPrompts.tsv of `context.folder`. Raises UsageError when it is not there."""
        return cls(
            read_partiprompts(Path(context.folder) / FILE, limit=config.limit),
            scorers=[context.require_scorer(name) for name in (config.judge, *config.further)],
            images_per_prompt=config.images_per_prompt,
        )

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """All heads of all judges."""
        import torch

        from redraft.core.tensors import Scores

        scores = [scorer.score(images, prompts) for scorer in self.scorers]
        return Judgement(
            scores=Scores(
                values=torch.cat([part.values.float().cpu() for part in scores], dim=1),
                names=tuple(name for part in scores for name in part.names),
                fingerprints=tuple(mark for part in scores for mark in part.fingerprints),
                mask=torch.cat([part.mask.cpu() for part in scores], dim=1),
            )
        )

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """Parts with fewer than two judged prompts are left out."""
        parts = [(head, head, np.ones(len(self.prompts), dtype=np.bool_)) for head in judged.names]
        mains = [scorer.heads[0] for scorer in self.scorers]
        for kind in ("category", "challenge"):
            tags = np.array([prompt.tag(kind) or "" for prompt in self.prompts])
            for head in mains:
                before = f"{head}: " if len(mains) > 1 else ""
                parts += [(f"{before}{kind}/{tag}", head, tags == tag) for tag in dict.fromkeys(tags.tolist())]
        rows = [
            mean_row(
                name, judged, head=head, key=key, unit="score", against=against, chosen=chosen,
                fingerprint=self.fingerprint, note=self._note,
            )
            for name, head, chosen in parts
        ]  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """Each judge on known pictures, and the number of prompts and of their kinds."""
        kinds = {kind: {prompt.tag(kind) for prompt in self.prompts} for kind in ("category", "challenge")}
        tagged = all(None not in names for names in kinds.values())
        found = ", ".join(f"{len(names)} of {kind}" for kind, names in kinds.items())
        return (
            Check(
                name="every prompt has a category and a challenge", expected="all", found="all" if tagged else found,
                passed=tagged,
            ),
            *(check for scorer in self.scorers for check in judge_checks(scorer, self.prompts)),
        )  # fmt: skip

    @property
    def _note(self) -> str:
        return "" if len(self.prompts) == PROMPTS else f"{len(self.prompts):,} of {PROMPTS:,} prompts"


def read_partiprompts(path: Path, *, limit: int | None = None) -> tuple[Prompt, ...]:
    """The prompts of PartiPrompts.tsv in file order, tagged `category:NAME` and `challenge:NAME`.

    limit: only the first prompts of each category. Raises UsageError for a file that is none of PartiPrompts.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}): give the folder with {FILE} by --data") from error
    prompts, numbers = [], dict[str, int]()
    for number, row in enumerate(rows, start=2):
        text, category, challenge = (str(row.get(name) or "").strip() for name in ("Prompt", "Category", "Challenge"))
        if not (text and category and challenge):
            raise UsageError(f"{path} line {number} lacks Prompt, Category or Challenge: fetch the file again")
        numbers[category] = numbers.get(category, 0) + 1
        if limit is None or numbers[category] <= limit:
            tags = ("suite:partiprompts", f"category:{category}", f"challenge:{challenge}")
            prompts.append(Prompt(text=text, tags=tags, source=path.name, licence="Apache-2.0"))
    return tuple(prompts)
