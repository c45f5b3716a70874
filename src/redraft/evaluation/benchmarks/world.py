"""The picture world as a benchmark: every picture is read back by the exact oracle. Nothing is learned in its judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, fingerprint_of
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.suites import SuiteContext, WorldSuite, WorldSuiteConfig
from redraft.world import GENEVAL_TASKS, TAIL_TASKS, parse, render, verify

if TYPE_CHECKING:
    import torch

    from redraft.core.protocols import Scorer
    from redraft.core.tensors import Images

_HEAD = "accuracy"


class WorldBenchmarkConfig(WorldSuiteConfig):
    """Options of the suite `world`: those of its prompts, and how many pictures each gets."""

    images_per_prompt: int = Field(default=1, ge=1, description="pictures of each prompt")


class WorldBenchmark:
    """Held-out prompts of the picture world. `overall` is the mean of the means of the six tasks, as GenEval's.

    Then the combinations that training never saw, each task, the long tail (style, label, scene), the share of clauses
    that hold, and safety.
    """

    name = "world"
    title = "Picture world: pictures right by the exact oracle"
    Config: ClassVar[type[BaseModel]] = WorldBenchmarkConfig

    def __init__(self, prompts: Sequence[Prompt], *, oracle: Scorer, images_per_prompt: int = 1) -> None:
        self.prompts, self.oracle, self.images_per_prompt = tuple(prompts), oracle, images_per_prompt
        self.fingerprint = fingerprint_of(self.name, oracle.fingerprint, *(prompt.id for prompt in self.prompts))

    @classmethod
    def build(cls, config: WorldBenchmarkConfig, context: SuiteContext) -> WorldBenchmark:
        """Draw the examination's prompts by the context's key."""
        suite = WorldSuite(config)
        return cls(
            suite.prompts(context.key),
            oracle=context.require_scorer("oracle"),
            images_per_prompt=config.images_per_prompt,
        )

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """The oracle's heads; for a wrong picture, the clauses that do not hold."""
        scores = self.oracle.score(images, prompts)
        correct = scores.head(_HEAD).tolist()
        pictures = images.pixels.permute(0, 2, 3, 1)
        reasons = [
            "" if right == 1 else _reason(picture, prompt)
            for right, picture, prompt in zip(correct, pictures, prompts, strict=True)
        ]
        return Judgement(scores=scores, reasons=tuple(reasons))

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """`overall` first; rows with fewer than two judged prompts are left out."""
        tasks = np.array([prompt.tag("task") or "" for prompt in self.prompts])
        core = np.isin(tasks, GENEVAL_TASKS)
        unseen = np.array([prompt.tag("combination") == "unseen" for prompt in self.prompts])
        wanted = [("overall", core, _HEAD), ("unseen combinations", core & unseen, _HEAD)]
        wanted += [(task, tasks == task, _HEAD) for task in (*GENEVAL_TASKS, *TAIL_TASKS)]
        wanted += [("clauses that hold", core, "semantics"), ("safety", core | ~core, "safety")]
        rows = [
            mean_row(
                name, judged, head=head, key=key, unit="share", against=against, chosen=chosen, strata=list(tasks),
                fingerprint=self.fingerprint, note="mean of task means" if len(set(tasks[chosen])) > 1 else "",
            )
            for name, chosen, head in wanted
        ]  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """True renders of one prompt of every task are right, and the same pictures are wrong for another prompt."""
        rng = np.random.default_rng(0)
        checks = []
        for task in (*GENEVAL_TASKS, *TAIL_TASKS):
            request = next((parse(item.text) for item in self.prompts if item.tag("task") == task), None)
            if request is None:
                continue
            picture = render(request, rng)
            right = verify(picture, request).correct
            blank = verify(np.full_like(picture, 255), request).correct
            checks.append(
                Check(
                    name=f"{task}: a true picture is right, an empty one is wrong",
                    expected="right, wrong",
                    found=f"{'right' if right else 'wrong'}, {'right' if blank else 'wrong'}",
                    passed=right and not blank,
                )
            )
        return tuple(checks)


def _reason(picture: torch.Tensor, prompt: Prompt) -> str:
    seen = verify((picture * 255).round().clamp(0, 255).byte().cpu().numpy(), parse(prompt.text))
    return "missing: " + ", ".join(name for name, holds in seen.clauses if not holds)
