"""The arithmetic of clipped policy gradients (PPO, Schulman et al., arXiv 1707.06347) on logged transitions.

What `ddpo` and `grpo` share. Not a method: which pictures, which advantages and which kernel is theirs to say.

With D latent elements, a transition x -> x' of law N(m_theta(x), std^2), and the log-density of the day it was painted:

    1  d = [log p_theta(x' | x) - log p_painted(x' | x)] / D                  ratio = exp(d)
    2  guarded (GRPO-Guard): d <- std * (d + |m_theta - m_old|^2 / (2 std^2 D))
    3  surrogate = max(-A ratio, -A clip(ratio, 1 - clip_range, 1 + clip_range))
    4  kl = |m_theta - m_reference|^2 / (2 std^2 D)       of two steps from one state: exact, for they share their std

The division by D in line 1 is that of the released codes; their clip ranges of 1e-4 go with it. Line 4 is divided
too, so that a coefficient means the same for all sizes of latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from redraft.core.protocols import LossContext
from redraft.core.tensors import Loss, Parameters, Transitions
from redraft.diffusion.kernels import Step, log_probability
from redraft.diffusion.sample import denoise


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """Transitions under the present weights, per latent element, T,B: the log-ratio that is clipped, and the KL
    divergence from the reference (None where it was not asked for)."""

    log_ratio: torch.Tensor
    kl: torch.Tensor | None


def clipped_loss(
    transitions: Transitions, *, context: LossContext, clip_range: float, kl_coefficient: float, guarded: bool = False
) -> Loss:
    """The mean of lines 3 and 4 over all transitions and pictures: three network calls a transition at most.

    Without KL, pictures whose advantage is 0 have no gradient, so that their network calls are left out.
    """
    count = len(transitions)
    if not kl_coefficient:
        transitions = _with_advantage(transitions)
    advantage = transitions.advantage.to(transitions.rollout.latents)
    replayed = replay_transitions(transitions, context=context, with_kl=bool(kl_coefficient), guarded=guarded)
    surrogate = clipped_surrogate(replayed.log_ratio, advantage, clip_range=clip_range)
    # The mean over all `count` pictures: those left out have a surrogate without gradient.
    loss = surrogate.mean() * (len(transitions) / count)
    ratio = replayed.log_ratio.detach().exp()
    parts = {
        "log_ratio": replayed.log_ratio.detach().abs().mean().item(),
        "largest_log_ratio": replayed.log_ratio.detach().abs().max().item(),
        "clipped_share": ((ratio - 1).abs() > clip_range).double().mean().item(),
        "without_advantage": 1 - (advantage != 0).sum().item() / count,
    }
    if replayed.kl is not None:
        drift = replayed.kl.mean()
        loss = loss + kl_coefficient * drift
        parts["kl"] = drift.item()
    return Loss(value=loss, parts=parts)


def replay_transitions(
    transitions: Transitions, *, context: LossContext, with_kl: bool, guarded: bool = False
) -> Replayed:
    """Lines 1, 2 and 4 for each transition of each picture; differentiable in the present weights only.

    guarded: line 2, with the old weights of the context, which must be those that painted.
    """
    rollout = transitions.rollout

    def law_at(place: int, weights: Parameters | None) -> Step:
        return denoise(
            context.backbone,
            rollout.before[place],
            transitions.conditioning,
            recipe=rollout.recipe,
            index=rollout.steps[place],
            parameters=weights,
        ).step

    log_ratios, drifts = [], []
    for place in range(len(rollout.steps)):
        law = law_at(place, None)
        present = log_probability(rollout.after[place], mean=law.mean, std=law.std)
        log_ratio = (present - rollout.log_probabilities[place]) / rollout.latents[0].numel()  # line 1
        if guarded:
            with torch.no_grad():
                old = law_at(place, context.old)
            log_ratio = law.std * (log_ratio + mean_distance(law, old))  # line 2
        log_ratios.append(log_ratio)
        if with_kl:
            with torch.no_grad():
                reference = law_at(place, context.reference)
            drifts.append(mean_distance(law, reference))  # line 4
    return Replayed(log_ratio=torch.stack(log_ratios), kl=torch.stack(drifts) if with_kl else None)


def clipped_surrogate(log_ratio: torch.Tensor, advantage: torch.Tensor, *, clip_range: float) -> torch.Tensor:
    """Line 3, T,B, for log-ratios T,B and advantages B: no gradient where the ratio went too far the right way."""
    ratio = log_ratio.exp()
    return torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip_range, 1 + clip_range))


def mean_distance(law: Step, other: Step) -> torch.Tensor:
    """KL divergence, B, of two steps with one standard deviation, per latent element: lines 2 and 4."""
    return ((law.mean - other.mean) / law.std).square().flatten(1).mean(dim=1) / 2


def _with_advantage(transitions: Transitions) -> Transitions:
    """The pictures whose advantage is not 0, or the first one if there is none, so that the loss keeps its graph."""
    rows = transitions.advantage.nonzero().flatten().tolist()
    return transitions if len(rows) == len(transitions) else transitions.take(rows or [0])
