"""The reward of a cycle: the one that was named, a blend of several, the six facets of one, or one fitted to ratings.

The raters here are those of the picture world; ratings of people come from the store once the studio collects them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Factory, Scorer
from redraft.core.tensors import Images, Parameters
from redraft.loop.config import Facets
from redraft.loop.equipment import Equipment
from redraft.loop.journal import Journal, Packed, digest_of
from redraft.loop.judging import judge
from redraft.loop.observer import Observer
from redraft.loop.painting import Painted, paint, repeated

if TYPE_CHECKING:
    from redraft.rewards.blend import Standard
    from redraft.rewards.fitted import FittedRewardScorer

STANDARD_PROMPTS = 96
"""Prompts whose pictures by the incumbent give the scale of each scorer of a blend."""


def blended_reward(
    weights: Mapping[str, float],
    factory: Factory,
    *,
    equipment: Equipment,
    journal: Journal,
    incumbent: Parameters,
    inputs: Mapping[str, str],
    key: Key,
    observer: Observer,
) -> Scorer:
    """The scorer of a single name, or a blend: each scorer in standard deviations over the incumbent's pictures."""
    scorers = [factory.scorer(name) for name in weights]
    if len(scorers) == 1:
        return scorers[0]
    from redraft.rewards.blend import BlendScorer, standard_of

    standards = _standards(
        lambda painted: {scorer.name: standard_of(judge(scorer, painted)) for scorer in scorers},
        what=f"{len(scorers)} rewards",
        equipment=equipment, journal=journal, incumbent=incumbent,
        inputs={**inputs, "weights": digest_of(dict(weights))}, key=key, observer=observer,
    )  # fmt: skip
    named = {scorer.name: weights[name] for scorer, name in zip(scorers, weights, strict=True)}
    return BlendScorer(scorers, named, standards=standards)


def facet_reward(
    options: Facets,
    factory: Factory,
    *,
    equipment: Equipment,
    journal: Journal,
    incumbent: Parameters,
    inputs: Mapping[str, str],
    key: Key,
    observer: Observer,
) -> Scorer:
    """The six facets of one scorer, in standard deviations over the incumbent's pictures, with safety as a constraint.

    Raises UsageError for a scorer without the facets.
    """
    from redraft.rewards.six_facet_reward import SixFacetReward, facet_standards, require_facets

    scorer = factory.scorer(options.scorer)
    require_facets(scorer)
    standards = _standards(
        lambda painted: facet_standards(judge(scorer, painted)),
        what="six facets",
        equipment=equipment, journal=journal, incumbent=incumbent,
        inputs={**inputs, "facets": digest_of(options.model_dump(mode="json"))}, key=key, observer=observer,
    )  # fmt: skip
    return SixFacetReward(
        scorer,
        standards=standards,
        weights=options.weights,
        minimum=options.least_safety,
        strength=options.strength,
    )


def _standards(
    measure: Callable[[Painted], Mapping[str, Standard]],
    *,
    what: str,
    equipment: Equipment,
    journal: Journal,
    incumbent: Parameters,
    inputs: Mapping[str, str],
    key: Key,
    observer: Observer,
) -> dict[str, Standard]:
    """Mean and deviation of each reward over the incumbent's pictures; a stage of the journal, so measured once."""
    from redraft.rewards.blend import Standard

    def paint_and_measure() -> Packed:
        prompts = equipment.suite.training_prompts(key.child("standards"), STANDARD_PROMPTS)
        observer.stage("standards", f"{len(prompts)} pictures to scale {what} by")
        painted = _paint(equipment, prompts, incumbent, key=key.child("standards"), observer=observer)
        return Packed(tensors={}, facts={name: vars(standard) for name, standard in measure(painted).items()})

    packed, _ = journal.stage("standards", paint_and_measure, inputs=inputs)
    return {name: Standard(**facts) for name, facts in packed.facts.items()}


def fitted_reward(
    factory: Factory,
    *,
    equipment: Equipment,
    journal: Journal,
    incumbent: Parameters,
    inputs: Mapping[str, str],
    key: Key,
    observer: Observer,
) -> FittedRewardScorer:
    """A differentiable reward fitted to simulated thumbs on the incumbent's own pictures.

    Raises UsageError outside the picture world, where there is nobody to rate: a reward must be named there.
    """
    if equipment.oracle is None:
        raise UsageError(
            "this method needs a reward with gradients, and nobody rates pictures of free prompts yet: name one, for "
            "example --reward clip"
        )
    options = equipment.config.ratings
    prompts = equipment.suite.training_prompts(key.child("prompts"), options.prompts)

    def collect() -> Packed:
        every = repeated(prompts, options.pictures_per_prompt)
        observer.stage("rate", f"{len(every)} pictures by {options.raters} simulated raters")
        painted = _paint(equipment, every, incumbent, key=key.child("noise"), observer=observer)
        labels = simulated_thumbs(painted, raters=options.raters, key=key.child("raters"))
        return Packed(tensors={"pixels": painted.pixels, "labels": labels}, facts={})

    packed, _ = journal.stage("rate", collect, inputs=inputs)
    from redraft.rewards.fit import fit_reward
    from redraft.rewards.ratings import Ratings
    from redraft.rewards.scorer_folders import stored_clip

    observer.stage("fit", "a reward on those ratings")
    tower: Any = factory.scorer(options.clip).tower  # type: ignore[attr-defined]
    ratings = Ratings(
        images=Images(pixels=packed.tensors["pixels"].float() / 255),
        prompts=repeated(prompts, options.pictures_per_prompt),
        labels=packed.tensors["labels"],
    )
    folder = journal.workspace.folder / "runs" / journal.run / "reward"
    reward = fit_reward(
        tower, ratings, key=key.child("fit"), config=options.fit, name="ratings",
        clip_folder=stored_clip(tower.folder, folder=folder),
    )  # fmt: skip
    reward.save(folder)
    held_out = {name: round(value, 3) for name, value in reward.card.metrics.items() if name.startswith("held_out")}
    observer.note(f"fitted reward on held-out ratings: {held_out}")
    return reward


def simulated_thumbs(painted: Painted, *, raters: int, key: Key) -> torch.Tensor:
    """Share of thumbs up, N in 0..1, that `raters` simulated people give each picture."""
    from redraft.world import Rater, facets, parse

    rng = np.random.default_rng(key.entropy)
    people = [Rater.draw(rng) for _ in range(raters)]
    shares = []
    for pixels, prompt in zip(painted.pixels, painted.prompts, strict=True):
        seen = facets(pixels.permute(1, 2, 0).numpy(), parse(prompt.text))
        shares.append(sum(person.thumbs(seen, rng) for person in people) / raters)
    return torch.tensor(shares, dtype=torch.float32)


def _paint(equipment: Equipment, prompts: Any, incumbent: Parameters, *, key: Key, observer: Observer) -> Painted:
    return paint(
        equipment.backbone,
        prompts,
        recipe=equipment.collect_recipe,
        key=key,
        batch=equipment.config.sampling.batch,
        parameters=incumbent,
        on_batch=observer.progress,
    )
