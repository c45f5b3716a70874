"""What a cycle works with: model, reward, examiners, suite. Put together here from names; no stage runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Factory, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Images
from redraft.evaluation.suites import PromptsSuite, PromptsSuiteConfig, WorldSuite, WorldSuiteConfig
from redraft.loop.config import RunConfig
from redraft.world import parse

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone


class Suite(Protocol):
    """Where examination and training prompts come from."""

    name: str

    def prompts(self, key: Key) -> tuple[Prompt, ...]:
        """The held-out prompts."""
        ...

    def training_prompts(self, key: Key, count: int) -> tuple[Prompt, ...]:
        """Prompts that may be trained on."""
        ...


class FeatureExtractor(Protocol):
    """A scorer that can also give the features of pictures."""

    fingerprint: str

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D, of length 1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """The parts of one run. `unseen`: scorers that training never sees; `oracle` is None outside the picture world;
    `watched`: where probes take their prompts, the suite itself unless that has fewer than they ask for.
    """

    config: RunConfig
    backbone: PipelineBackbone
    recipe: Recipe
    collect_recipe: Recipe
    suite: Suite
    watched: Suite
    oracle: Scorer | None
    unseen: tuple[Scorer, ...]
    heldout: Scorer
    features: FeatureExtractor


def equip(config: RunConfig, factory: Factory, *, prompts: Sequence[Prompt] | None) -> Equipment:
    """Open the model and the examiners that `config` names. `prompts`: the user's own, or None for the picture world.

    Raises UsageError for unknown names and for folders that do not hold what they should.
    """
    backbone: PipelineBackbone = factory.backbone(config.model)  # type: ignore[assignment]
    sampling, collect = config.sampling, config.collect
    recipe = backbone.default_recipe(steps=sampling.steps, guidance_scale=sampling.guidance_scale)
    guidance = sampling.guidance_scale if collect.guidance_scale is None else collect.guidance_scale
    suite = _suite(config, prompts, count=config.examine.prompts)
    few = config.examine.prompts < config.probes.prompts
    names = [name for name in config.examine.scorers if name not in config.reward]
    scorers = {name: factory.scorer(name) for name in dict.fromkeys([*names, config.probes.heldout])}
    features: Any = scorers.get(config.examine.features) or factory.scorer(config.examine.features)
    if not hasattr(features, "image_features"):
        raise UsageError(
            f"examine.features = {config.examine.features!r}: this scorer gives no features; name a CLIP scorer"
        )
    return Equipment(
        config=config,
        backbone=backbone,
        recipe=recipe,
        collect_recipe=backbone.default_recipe(steps=sampling.steps, guidance_scale=guidance),
        suite=suite,
        watched=_suite(config, prompts, count=config.probes.prompts) if few else suite,
        oracle=factory.scorer("oracle") if verifiable(prompts) else None,
        unseen=tuple(scorers[name] for name in names),
        heldout=scorers[config.probes.heldout],
        features=features,
    )


def _suite(config: RunConfig, prompts: Sequence[Prompt] | None, *, count: int) -> Suite:
    if prompts is None:
        return WorldSuite(WorldSuiteConfig(prompts=count, tail=config.examine.tail_prompts))
    return PromptsSuite(PromptsSuiteConfig(prompts=count), prompts)


def verifiable(prompts: Sequence[Prompt] | None) -> bool:
    """Whether the oracle can read every prompt: true in the picture world, false as soon as one is free text."""
    if prompts is None:
        return True
    try:
        for prompt in prompts:
            parse(prompt.text)
    except UsageError:
        return False
    return True


def render_references(prompts: Sequence[Prompt], *, count: int, key: Key) -> Images:
    """`count` renders of the prompts in turn: the pictures that a perfect model would give."""
    from redraft.world.render import render

    requests = [parse(prompt.text) for prompt in prompts]
    rng = np.random.default_rng(key.child("references").entropy)
    pictures = np.stack([render(requests[index % len(requests)], rng) for index in range(count)])
    return Images(pixels=torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
