"""One model on the suite: paint every held-out prompt, let all examiners judge. Nothing is compared here.

Incumbent and candidate get the same prompts and, picture by picture, the same noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Parameters, Scores
from redraft.evaluation.examined import REWARD, Examined, Head
from redraft.evaluation.metrics import saturation
from redraft.evaluation.suites import evenly_by_task
from redraft.loop.adapting import AdaptedSteps
from redraft.loop.equipment import Equipment, FeatureExtractor
from redraft.loop.independence import independent
from redraft.loop.judging import features_of, judge
from redraft.loop.painting import OnBatch, Painted, paint


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The questions of an examination: distinct prompts, and for each picture to paint the index of its prompt."""

    prompts: tuple[Prompt, ...]
    group: tuple[int, ...]


def set_paper(equipment: Equipment, *, key: Key) -> Paper:
    """Every held-out prompt once, and some of each task several times, to measure diversity."""
    prompts = equipment.suite.prompts(key)
    options = equipment.config.examine
    again = evenly_by_task(prompts, options.diversity_prompts)
    extra = [index for index in again for _ in range(options.diversity_pictures - 1)]
    return Paper(prompts=prompts, group=(*range(len(prompts)), *extra))


def enlarged(paper: Paper, pictures: Mapping[str, int]) -> Paper:
    """A paper that asks for at least so many pictures of every prompt of a task, by the task's name.

    Raises UsageError for a task of which the paper has no prompt.
    """
    tasks = [prompt.tag("task") for prompt in paper.prompts]
    for task in pictures:
        if task not in tasks:
            known = ", ".join(sorted({name for name in tasks if name}))
            raise UsageError(f"task {task!r} has no prompt in this examination: name one of {known}")
    asked = Counter(paper.group)
    extra = [
        index for index, task in enumerate(tasks) for _ in range(pictures.get(task or "", 0) - asked[index])
    ]  # fmt: skip
    return replace(paper, group=(*paper.group, *extra))


def paint_paper(
    equipment: Equipment,
    paper: Paper,
    *,
    parameters: Parameters | None,
    key: Key,
    adapted: AdaptedSteps | None = None,
    on_batch: OnBatch | None = None,
) -> Painted:
    """Paint all pictures of a paper with given weights, in all steps or in those that `adapted` says.

    The noise depends on key and picture number alone.
    """
    return paint(
        equipment.backbone,
        [paper.prompts[index] for index in paper.group],
        recipe=equipment.recipe,
        key=key.child("noise"),
        batch=equipment.config.sampling.batch,
        parameters=parameters,
        adapted=adapted,
        on_batch=on_batch,
    )


def mark(equipment: Equipment, paper: Paper, painted: Painted, *, model: str, reward: Scorer | None) -> Examined:
    """Let reward, oracle and unseen scorers judge pictures. Raises NumericsError for a score that is not finite."""
    seen: dict[tuple[str, tuple[str, ...]], Scores] = {}
    heads = [] if reward is None else [_reward_head(reward, _judged_once(reward, painted, seen))]
    verdicts = judged = clauses = None
    if equipment.oracle is not None:
        scores = _judged_once(equipment.oracle, painted, seen)
        verdicts, judged = _column(scores, "accuracy"), scores.mask[:, scores.names.index("accuracy")].numpy()
        clauses = _column(scores, "semantics")
        heads.append(_head(scores, "safety", role="unseen", name="oracle/safety"))
    for scorer in equipment.unseen:
        scores = _judged_once(scorer, painted, seen)
        alone = independent(scorer, reward)
        heads += [
            replace(_head(scores, name, role="unseen", name=_label(scorer, name)), independent=alone)
            for name in scores.names
        ]
    return Examined(
        model=model,
        prompts=paper.prompts,
        group=np.asarray(paper.group),
        heads=tuple(heads),
        verdicts=verdicts,
        judged=judged,
        clauses=clauses,
        features=features_of(equipment.features, painted.images(0, len(painted.prompts))),
        feature_fingerprint=equipment.features.fingerprint,
        saturation=_saturation(painted),
    )


def reference_features(
    extractor: FeatureExtractor, images: Images
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Features of the pictures that the Frechet distance is measured from."""
    return features_of(extractor, images)


def _judged_once(scorer: Scorer, painted: Painted, seen: dict[tuple[str, tuple[str, ...]], Scores]) -> Scores:
    """A reward may be one of the examiners too: equal fingerprints mean equal scores, and the oracle reads slowly."""
    name = (scorer.fingerprint, scorer.heads)
    if name not in seen:
        seen[name] = judge(scorer, painted)
    return seen[name]


def _reward_head(reward: Scorer, scores: Scores) -> Head:
    return _head(scores, scores.names[0], role="trained", name=f"{REWARD}{reward.name}")


def _head(scores: Scores, head: str, *, role: Literal["trained", "unseen"], name: str) -> Head:
    column = scores.names.index(head)
    return Head(
        name=name,
        role=role,
        fingerprint=scores.fingerprints[column],
        values=_column(scores, head),
        mask=scores.mask[:, column].numpy(),
    )


def _label(scorer: Scorer, head: str) -> str:
    return scorer.name if len(scorer.heads) == 1 else f"{scorer.name}/{head}"


def _column(scores: Scores, head: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return scores.head(head).to(torch.float64).cpu().numpy()


def _saturation(painted: Painted) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    pixels = painted.pixels
    parts = [saturation(part.float().numpy() / 255) for part in torch.split(pixels, 256)]
    return np.concatenate(parts)
