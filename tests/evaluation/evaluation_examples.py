"""Examinations and reports made from real prompts and drawn numbers, shared by the tests of this room."""

from dataclasses import replace

import numpy as np

from redraft.core.keys import Key
from redraft.core.records import Measure, Prompt, Report
from redraft.evaluation.examined import Examined, Head
from redraft.evaluation.suites import WorldSuite, evenly_by_task

KEY = Key(seed=11)


def measure(name: str = "oracle", *, difference: float, error: float, **changes: object) -> Measure:
    """A row with the normal 95 % interval of the given standard error."""
    row = Measure(
        name=name,
        role="oracle",
        unit="share",
        incumbent=0.5,
        candidate=0.5 + difference,
        difference=difference,
        low=difference - 1.959964 * error,
        high=difference + 1.959964 * error,
        count=512,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def report(*measures: Measure, scored: int = 512) -> Report:
    """A report of the rows, and of a diversity that is kept unless one is given."""
    rows = measures
    if not any(row.name == "diversity" for row in measures):
        rows = (*measures, diversity_row(0.98, 0.01))
    return Report(suite="world", incumbent="base", candidate="new", prompts=512, scored=scored, measures=rows)


def diversity_row(ratio: float, error: float) -> Measure:
    """The row of a diversity of `ratio` times the incumbent's."""
    row = measure("diversity", difference=ratio - 1, error=error, role="diversity", unit="ratio")
    return replace(row, incumbent=1.0, candidate=ratio)


def prompts_of_suite(count: int = 120, tail: int = 24) -> tuple[Prompt, ...]:
    """Prompts of a small examination."""
    return WorldSuite.build(WorldSuite.Config(prompts=count, tail=tail)).prompts(KEY)


def examined_pair(
    prompts: tuple[Prompt, ...], *, gain: float, spread: float = 1.0, repeated: int = 24
) -> tuple[Examined, Examined, np.ndarray]:
    """Incumbent and candidate whose verdicts share their luck, and reference features.

    The candidate's chance to be right is higher by `gain`; its features spread `spread` times as far in a prompt.
    """
    rng = np.random.default_rng(KEY.entropy)
    group = np.concatenate([np.arange(len(prompts)), np.repeat(evenly_by_task(prompts, repeated), 3)]).astype(np.int64)
    luck = rng.random(len(group))
    centres = rng.normal(size=(len(prompts), 8))[group]
    within = rng.normal(size=(len(group), 8))

    def examined(model: str, chance: float, scale: float, trained: float) -> Examined:
        verdicts = (luck < chance).astype(np.float64)
        return Examined(
            model=model,
            prompts=prompts,
            group=group,
            heads=(
                Head(name="reward", role="trained", fingerprint="r1", values=verdicts + trained),
                Head(name="clip-heldout", role="unseen", fingerprint="c1", values=0.3 * luck + 0.05 * verdicts),
            ),
            verdicts=verdicts,
            clauses=(1 + verdicts) / 2,
            features=centres + scale * within,
            feature_fingerprint="f1",
            saturation=np.stack([0.3 + 0.1 * luck, 0.01 * luck], axis=1),
        )

    reference = rng.normal(size=(300, 8)) * np.sqrt(2)
    return examined("base", 0.5, 1.0, 0.0), examined("new", 0.5 + gain, spread, 0.2), reference
