"""Parts for the tests of policy gradients: a linear chain as a diffusion model, and rollouts of many pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from exact_parts import prompts_of

from redraft.core.keys import Key
from redraft.core.protocols import Method
from redraft.core.records import Kernel, NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import Conditioning, Images, LoggedRollout, Parameters, Scored, Transitions
from redraft.diffusion.kernels import log_probability
from redraft.diffusion.parameterize import training_target
from redraft.diffusion.sample import denoise, sample_logged
from redraft.methods.fit import FitConfig, FitState, fit, next_round

KINDS: tuple[Prediction, ...] = ("epsilon", "v", "flow")
MODELS = [("epsilon", "ddim_eta"), ("v", "few_step"), ("flow", "flow_sde"), ("flow", "coefficients_preserving")]


@dataclass(frozen=True, kw_only=True)
class Tilted:
    """Oracle C1: N(0.5, 0.64) tilted by exp(reward / 0.5), its mean, and the rewards' deviation at that optimum."""

    reward: Callable[[torch.Tensor], torch.Tensor]
    mean: float
    deviation: float
    tolerance: float


# Standard errors of the last rounds' gradient, sqrt(2) / 0.8 / sqrt(32768) = 0.01 and 2.5 / 0.8 / sqrt(32768) = 0.017,
# over the slopes of the objective there, 0.977 and 2.57: three of them.
TILTED = {
    "linear": Tilted(reward=lambda x: x, mean=1.78, deviation=0.8, tolerance=0.03),
    "quadratic": Tilted(
        reward=lambda x: -((x - 2) ** 2) / 2, mean=1.3421, tolerance=0.02,
        deviation=math.sqrt((2 * 0.64**2 + 4 * (2 - 1.3421) ** 2 * 0.64) / 4),
    ),
}  # fmt: skip


@dataclass
class LinearChain:
    """A backbone and its few_step recipe whose every logged step is x' = slope * x + start + theta + std * z, exactly.

    The levels all but coincide (they must fall), so that alpha and sigma = std are the same at each of them.
    """

    prediction: Prediction
    std: float
    transitions: int
    slope: float = 0.0
    start: float = 0.0
    latent_shape: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        self.alpha = 1 - self.std if self.prediction == "flow" else math.sqrt(1 - self.std**2)
        self._theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def recipe(self) -> Recipe:
        levels = []
        for place in range(self.transitions + 1):
            sigma = self.std + 1e-11 * (self.transitions - place)
            alpha = 1 - sigma if self.prediction == "flow" else math.sqrt(1 - sigma**2)
            levels.append(NoiseLevel(alpha=alpha, sigma=sigma, timestep=500.0))
        clean = NoiseLevel(alpha=1.0, sigma=0.0, timestep=0.0)
        return Recipe(levels=(*levels, clean), kernel=Kernel(name="few_step"), dtype="float64")

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        return nothing(len(prompts))

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        theta = self._theta if parameters is None else parameters["theta"]
        x0_hat = (self.slope * latents + self.start + theta) / self.alpha
        noise_hat = (latents - self.alpha * x0_hat) / self.std
        return training_target(x0_hat, noise_hat, alpha=self.alpha, sigma=self.std, kind=self.prediction)

    def decode(self, latents: torch.Tensor) -> Images:
        return Images(pixels=torch.sigmoid(latents).expand(-1, 3, -1, -1))

    def encode_images(self, images: Images) -> torch.Tensor:
        return torch.logit(images.pixels[:, :1])

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        return {"theta": self._theta}

    def reference(self) -> Parameters:
        return {"theta": torch.zeros(1, dtype=torch.float64)}

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full_like(timesteps, self.alpha), torch.full_like(timesteps, self.std)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        return self.recipe().levels


def nothing(count: int) -> Conditioning:
    return Conditioning(positive={"mean": torch.zeros(count, 1).double()}, negative={})


def rolled(backbone, *, recipe: Recipe, count: int, key: Key) -> LoggedRollout:
    """What `sample_logged` gives, drawn for all pictures at once: its key of each picture would take minutes."""
    shape = (count, *backbone.latent_shape)
    conditioning, latents = nothing(count), key.child("initial").normal(shape).double()
    before, after, logged = [], [], []
    with torch.no_grad():
        for index in range(recipe.steps):
            law = denoise(backbone, latents, conditioning, recipe=recipe, index=index).step
            reached = law.mean + law.std * key.child(index).normal(shape).double()
            if law.std > 0:
                before.append(latents)
                after.append(reached)
                logged.append(log_probability(reached, mean=law.mean, std=law.std))
            latents = reached
    return LoggedRollout(
        latents=latents,
        before=torch.stack(before),
        after=torch.stack(after),
        log_probabilities=torch.stack(logged),
        steps=tuple(range(len(before))),
        recipe=recipe,
    )


def scored_chain(chain: LinearChain, reward: Callable[[torch.Tensor], torch.Tensor], *, count: int, key: Key) -> Scored:
    """Pictures of one prompt; the reward is of the state after the last transition, whose law is known."""
    rollout = rolled(chain, recipe=chain.recipe(), count=count, key=key)
    return Scored(
        prompts=(Prompt(text="chain"),) * count,
        conditioning=nothing(count),
        rollout=rollout,
        reward=reward(rollout.after[-1].flatten()),
        group=torch.zeros(count, dtype=torch.long),
    )


def learnt(method: Method, chain: LinearChain, reward: Callable[[torch.Tensor], torch.Tensor], *, key: Key) -> float:
    """Theta after rounds of fresh rollouts: ten with long steps, then eight with short ones."""
    state: FitState | None = None
    for turn in range(18):
        config = FitConfig(
            steps=6,
            batch_size=32768,
            learning_rate=0.03 if turn < 10 else 0.01,
            betas=(0.5, 0.9),
            ema_decay=0.0,
            weight_decay=0.0,
        )
        round_key = key.child("round", turn)
        scored = scored_chain(chain, reward, count=32768, key=round_key)
        last = None if state is None else next_round(state, config=config)
        examples = method.prepare(scored, key=round_key)
        state = fit(method, chain, examples, config=config, key=round_key, state=last).state
    assert state is not None
    return float(state.policy["theta"])


def recipe_for(backbone, kernel: str, steps: int = 4, *, guidance_scale: float = 1.0) -> Recipe:
    strength = 0.0 if kernel == "few_step" else 0.7
    return Recipe(
        levels=backbone.levels(steps),
        kernel=Kernel(name=kernel, strength=strength),
        dtype="float64",
        guidance_scale=guidance_scale,
    )


def painted(backbone, *, recipe: Recipe, count: int = 8, groups: int = 2, key: Key) -> Scored:
    """Pictures in groups; the reward is the mean of a picture."""
    batch = prompts_of(count, backbone)
    rollout = sample_logged(backbone, batch.conditioning, recipe=recipe, key=key)
    return Scored(
        prompts=batch.prompts,
        conditioning=batch.conditioning,
        rollout=rollout,
        reward=rollout.latents.flatten(1).mean(dim=1),
        group=torch.arange(count) * groups // count,
    )


def transitions_of(scored: Scored, advantage: torch.Tensor) -> Transitions:
    assert isinstance(scored.rollout, LoggedRollout)
    return Transitions(rollout=scored.rollout, conditioning=scored.conditioning, advantage=advantage)
