"""What training, and policy gradients above all, is known to fail on, refused before it. Pure functions.

Not the checks of single values (those are in the configurations), and no repair: each says what to change.
"""

from __future__ import annotations

import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import Backbone
from redraft.core.records import Recipe
from redraft.core.tensors import Parameters, Transitions
from redraft.diffusion.sample import replay
from redraft.methods.advantages import group_normalise


def require_stochastic(recipe: Recipe, *, method: str) -> Recipe:
    """Return the recipe, or raise UsageError naming `method` when no step of it draws noise."""
    if not recipe.kernel.stochastic or recipe.steps < 2:
        raise UsageError(
            f"{method} with kernel {recipe.kernel.name!r} in {recipe.steps} steps: a policy gradient needs steps with "
            "a density; use ddim_eta, coefficients_preserving, few_step or (flow models) flow_sde, and 2 steps or more"
        )
    return recipe


def require_same_architecture(reference: Parameters, *, trained: Parameters) -> None:
    """Raise UsageError unless the reference has a value of the same shape for each trained weight, and no other."""
    wrong = sorted(reference.keys() ^ trained.keys())
    wrong += sorted(name for name in reference.keys() & trained.keys() if reference[name].shape != trained[name].shape)
    if wrong:
        name = wrong[0]
        shapes = [f"{tuple(values[name].shape)}" if name in values else "none" for values in (reference, trained)]
        raise UsageError(
            f"the reference is of another architecture: {len(wrong)} weights do not fit, {name!r} first (reference "
            f"{shapes[0]}, trained {shapes[1]}); take the reference from the backbone that is trained"
        )


def require_group_size(size: int, *, method: str) -> None:
    """Raise UsageError naming `method` when a group, the pictures of one prompt, has fewer than 2."""
    if size < 2:
        raise UsageError(
            f"{method} with a group of {size} picture: its advantage is always 0, so nothing would be learnt from it; "
            "paint 2 or more pictures of each prompt (8 to 24 are usual)"
        )


def require_spread(reward: torch.Tensor, group: torch.Tensor) -> None:
    """Raise UsageError when the rewards B of every group are alike, NumericsError for one that is not finite."""
    normalised = group_normalise(reward, group, scale="group", clip=1.0)
    if normalised.zero_variance_groups == normalised.groups:
        raise UsageError(
            f"the rewards of all {len(reward)} pictures equal those of their siblings ({normalised.groups} groups, "
            f"first reward {reward[0].item():.4g}): every advantage would be 0; use a finer reward, other prompts, or "
            "more pictures of each"
        )


def require_whole_batches(
    pictures: int, *, pictures_per_prompt: int, batch_size: int, micro_batch: int | None = None, processes: int = 1
) -> None:
    """Raise UsageError when the collected pictures do not divide into groups and batches, or a batch into its parts.

    A pass over pictures that are no multiple of the batch trains some of them twice and others once; parts of unlike
    size leave processes waiting and replay at unlike shapes.
    """
    rules = (
        ("pictures collected", pictures, "pictures_per_prompt", pictures_per_prompt),
        ("pictures collected", pictures, "batch_size", batch_size),
        ("batch_size", batch_size, "processes", processes),
        ("batch_size of a process", batch_size // processes, "micro_batch", micro_batch or batch_size // processes),
    )
    for whole, size, part, divisor in rules:
        if size < divisor or size % divisor:
            raise UsageError(f"{part}={divisor} does not divide {whole}={size}: {_way_out(part, size, divisor)}")


def require_clip_above_noise(clip_range: float, *, noise: float) -> None:
    """Raise UsageError when a clip range is not above the noise of the log-ratios (`log_ratio_noise`)."""
    if not clip_range > noise:
        raise UsageError(
            f"clip_range={clip_range:g}, but log-ratios differ from 0 by up to {noise:.3g} before any update: rounding "
            "alone would clip; raise clip_range above that, or paint and train in float32, unmerged, without autocast"
        )


@torch.no_grad()
def log_ratio_noise(backbone: Backbone, transitions: Transitions, *, parameters: Parameters | None = None) -> float:
    """The largest absolute log-ratio, per latent element, of a replay under the weights that painted.

    It is 0 where a replay repeats the very same sums. parameters: those weights; None: the backbone's own. A batch of
    the size that is trained on is enough, for it is the shape that changes the order of sums.
    """
    rollout = transitions.rollout
    replayed = replay(backbone, rollout, transitions.conditioning, parameters=parameters)
    return float((replayed - rollout.log_probabilities).abs().max()) / rollout.latents[0].numel()


def _way_out(part: str, size: int, divisor: int) -> str:
    divisors = [number for number in range(1, size + 1) if size % number == 0]
    below = [number for number in divisors if number < divisor][-1:]
    above = [number for number in divisors if number > divisor][:1]
    return f"use {part} {' or '.join(str(number) for number in below + above)}, or change what it divides"
