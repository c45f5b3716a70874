"""Diversity: how unlike each other the pictures of one prompt are, by distance of features. It says nothing of quality.

No LPIPS: its network needs a package that is not wanted here; any CLIP's features serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.features import Extractor, judgement_of, open_extractor
from redraft.evaluation.benchmarks.rows import RESAMPLES, require_alike
from redraft.evaluation.metrics import diversity
from redraft.evaluation.statistics import FloatArray, paired_interval
from redraft.evaluation.suites import SuiteContext, WorldSuite, WorldSuiteConfig

if TYPE_CHECKING:
    from redraft.core.tensors import Images


class DiversityConfig(Config):
    """Options of the suite `diversity`."""

    features: str = Field(default="clip", description="scorer whose features are compared, or 'inception'")
    images_per_prompt: int = Field(default=4, ge=2, description="pictures of each prompt")
    prompts: int = Field(default=96, ge=12, description="prompts of the picture world, where no file is given")


class DiversityBenchmark:
    """Mean distance between the features of the pictures of one prompt; higher is more diverse.

    Raises:
        UsageError: for fewer than two pictures of a prompt.
    """

    name = "diversity"
    title = "Diversity: feature distance between pictures of one prompt"
    Config: ClassVar[type[BaseModel]] = DiversityConfig

    def __init__(self, prompts: Sequence[Prompt], *, extractor: Extractor, images_per_prompt: int = 4) -> None:
        if images_per_prompt < 2:
            raise UsageError(
                f"images_per_prompt = {images_per_prompt}: diversity compares at least 2 pictures a prompt"
            )
        self.prompts, self.extractor, self.images_per_prompt = tuple(prompts), extractor, images_per_prompt
        self.fingerprint = fingerprint_of(self.name, extractor.fingerprint, *(prompt.id for prompt in self.prompts))

    @classmethod
    def build(cls, config: DiversityConfig, context: SuiteContext) -> DiversityBenchmark:
        """The context's prompts, or some of the picture world's."""
        prompts = context.prompts or WorldSuite(WorldSuiteConfig(prompts=config.prompts, tail=0)).prompts(context.key)
        extractor = open_extractor(config.features, context)
        return cls(prompts, extractor=extractor, images_per_prompt=config.images_per_prompt)

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:  # noqa: ARG002
        """The features of each picture."""
        return judgement_of(self.extractor, images)

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """One row, `diversity`; none when fewer than two prompts have several pictures."""
        values = _per_prompt(judged)
        known = np.isfinite(values)
        if known.sum() < 2:
            return ()
        child, difference = key.child(self.name), None
        if against is not None:
            require_alike(judged, against, head=judged.names[0])
            change = values - _per_prompt(against)
            difference = paired_interval(change[np.isfinite(change)], key=child, resamples=RESAMPLES)
        row = Row(
            name="diversity",
            interval=paired_interval(values[known], key=child, resamples=RESAMPLES),
            unit="distance",
            fingerprint=self.fingerprint,
            difference=difference,
            per_prompt=values,
            note="mean Euclidean distance of features",
        )
        return (row,)

    def self_test(self) -> tuple[Check, ...]:
        """Pictures at the corners of a square of edge 1 are (4 + 2 sqrt 2) / 6 apart; identical ones 0."""
        square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        same = np.zeros(4, dtype=np.int64)
        return (
            close("corners of a square", float(diversity(square, same, count=1)[0]), (4 + 2 * 2**0.5) / 6),
            close("identical pictures", float(diversity(square * 0, same, count=1)[0]), 0.0),
        )


def _per_prompt(judged: Judged) -> FloatArray:
    return diversity(judged.values, judged.group, count=len(judged.prompts))
