"""Parts for the tests of the methods: a real, differentiable reward on the exact backbone, and small examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from redraft.core.keys import Key
from redraft.core.protocols import LossContext, TrainableBackbone
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Images, PromptBatch, Rollout, Scored, Scores
from redraft.diffusion.exact import ExactBackbone, Mixture


class LatentReward:
    """A Scorer for the exact backbone: the sum over latent elements of a function of the latent."""

    heads = ("latent",)
    fingerprint = "latent-reward"

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], *, differentiable: bool = True) -> None:
        self.name = "latent"
        self.differentiable = differentiable
        self._function = function

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = self.score_pixels(images.pixels, prompts)[:, None]
        return Scores(
            values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=torch.ones_like(values).bool()
        )

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        assert len(pixels) == len(prompts)
        # The exact backbone's decode is the sigmoid of channel 0.
        return self._function(torch.logit(pixels[:, :1])).flatten(1).sum(dim=1)


def gaussian(
    *, trains: Sequence[str] = ("shift",), shape: tuple[int, int, int] = (1, 1, 1), **options
) -> ExactBackbone:
    """The data of the DRaFT oracle: N(1, 0.5^2)."""
    return ExactBackbone(Mixture(means=(1.0,), variances=(0.25,)), latent_shape=shape, trains=trains, **options)


def recipe_of(backbone: TrainableBackbone, steps: int, *, guidance_scale: float = 1.0) -> Recipe:
    return Recipe(levels=backbone.levels(steps), guidance_scale=guidance_scale, dtype="float64")


def prompts_of(count: int, backbone: TrainableBackbone) -> PromptBatch:
    prompts = tuple(Prompt(text=f"prompt {index}") for index in range(count))
    return PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))


def context_of(backbone: TrainableBackbone, *, old: dict[str, torch.Tensor] | None = None) -> LossContext:
    reference = backbone.reference()
    return LossContext(backbone=backbone, reference=reference, old=reference if old is None else old, step=0)


def scored_of(reward: Sequence[float], group: Sequence[int], *, backbone: TrainableBackbone | None = None) -> Scored:
    backbone = backbone or gaussian()
    batch = prompts_of(len(reward), backbone)
    latents = Key(seed=5).normal((len(reward), *backbone.latent_shape)).double()
    return Scored(
        prompts=batch.prompts,
        conditioning=batch.conditioning,
        rollout=Rollout(latents=latents, recipe=recipe_of(backbone, 4)),
        reward=torch.tensor(reward, dtype=torch.float64),
        group=torch.tensor(group),
    )


def set_weights(backbone: TrainableBackbone, **values: float) -> None:
    with torch.no_grad():
        for name, value in values.items():
            backbone.trainable()[name].fill_(value)


def gradient(value: torch.Tensor, backbone: TrainableBackbone) -> dict[str, torch.Tensor]:
    names = list(backbone.trainable())
    return dict(zip(names, torch.autograd.grad(value, [backbone.trainable()[name] for name in names]), strict=True))


def two_modes(
    prediction: str, *, guided: bool, kind: type[ExactBackbone] = ExactBackbone
) -> tuple[ExactBackbone, PromptBatch]:
    """A backbone where nothing is linear, with prompts that mean something when guidance is on."""
    backbone = kind(
        Mixture(means=(-1.0, 1.5), variances=(0.2, 0.4), weights=(0.4, 0.6)),
        prediction=prediction,
        latent_shape=(1, 2, 2),
        prompt_means={"left": -0.5, "right": 0.7} if guided else {},
        trains=("shift", "offset", "log_variance"),
    )
    set_weights(backbone, shift=0.02, offset=0.1, log_variance=-0.1)
    prompts = tuple(Prompt(text=text) for text in ("left", "right", "left"))
    return backbone, PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))
