"""Benchmarks judged by one scorer: prompts of a file (`prompts`). What HPS v2 adds to this is in `hpsv2`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, fingerprint_of
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    from redraft.core.protocols import Scorer
    from redraft.core.tensors import Images


class PromptsBenchmarkConfig(Config):
    """Options of the suite `prompts`."""

    judge: str = Field(default="clip", description="scorer that judges, or the folder of one")
    images_per_prompt: int = Field(default=1, ge=1, description="pictures of each prompt")


class PromptsBenchmark:
    """Your own prompts, judged by one scorer: the mean of each of its heads."""

    name = "prompts"
    Config: ClassVar[type[BaseModel]] = PromptsBenchmarkConfig

    def __init__(self, prompts: Sequence[Prompt], *, scorer: Scorer, images_per_prompt: int = 1) -> None:
        self.prompts, self.scorer, self.images_per_prompt = tuple(prompts), scorer, images_per_prompt
        if len(self.prompts) < 2:
            raise UsageError(
                f"{len(self.prompts)} prompts: an interval needs at least 2; give --prompts FILE with more"
            )
        self.title = f"{len(self.prompts)} prompts, judged by {scorer.name}"
        self.fingerprint = fingerprint_of(self.name, scorer.fingerprint, *(prompt.id for prompt in self.prompts))

    @classmethod
    def build(cls, config: PromptsBenchmarkConfig, context: SuiteContext) -> PromptsBenchmark:
        """Raises UsageError when the context has fewer than two prompts."""
        scorer = context.require_scorer(config.judge)
        return cls(context.prompts, scorer=scorer, images_per_prompt=config.images_per_prompt)

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """The scorer's heads."""
        return Judgement(scores=self.scorer.score(images, prompts))

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """One row a head, the main one first."""
        rows = [
            mean_row(
                head, judged, head=head, key=key, unit="score", against=against, fingerprint=self.fingerprint
            )
            for head in judged.names
        ]  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """The judge on known pictures: finite, the same twice, and one picture alone like one among others."""
        return judge_checks(self.scorer, self.prompts[:2])


def judge_checks(scorer: Scorer, prompts: Sequence[Prompt], *, edge: int = 64) -> tuple[Check, ...]:
    """Whether a scorer answers as a judge must, on a ramp of colours and a flat grey picture of `edge` pixels.

    Every score is finite, twice the same, and does not depend on what else is in the batch (1e-4 of its size).
    """
    import torch

    from redraft.core.tensors import Images

    ramp = torch.linspace(0, 1, edge).expand(edge, edge)
    pictures = torch.stack([torch.stack([ramp, ramp.T, 1 - ramp]), torch.full((3, edge, edge), 0.5)])
    texts = [prompts[0], prompts[-1]]
    both = scorer.score(Images(pixels=pictures), texts)
    again = scorer.score(Images(pixels=pictures), texts)
    alone = scorer.score(Images(pixels=pictures[1:]), texts[1:])
    known = both.values[both.mask]
    apart = float((both.values[1] - alone.values[0])[both.mask[1]].abs().max()) if bool(both.mask[1].any()) else 0.0
    size = float(known.abs().max()) if len(known) else 1.0
    return (
        Check(
            name=f"{scorer.name}: every score is finite",
            expected="finite",
            found="finite" if len(known) and bool(torch.isfinite(known).all()) else "not finite, or nothing scored",
            passed=len(known) > 0 and bool(torch.isfinite(known).all()),
        ),
        Check(
            name=f"{scorer.name}: the same pictures get the same scores",
            expected="equal",
            found="equal" if torch.equal(both.values[both.mask], again.values[again.mask]) else "other scores",
            passed=torch.equal(both.values[both.mask], again.values[again.mask]),
        ),
        Check(
            name=f"{scorer.name}: a picture alone gets the score it gets among others",
            expected=f"within {1e-4 * max(size, 1):.1g}",
            found=f"{apart:.1g} apart",
            passed=apart <= 1e-4 * max(size, 1),
        ),
    )
