"""Several scorers as one reward: standardised, clipped, weighted, with safety as a constraint. It learns nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.protocols import PictureFeatures, Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of

LIMIT = 3.0
"""Standardised scores are clipped to +-LIMIT, so that no single scorer can run away."""
LEAST_STD = 1e-3
_SURE = 1.05


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Mean and standard deviation of a scorer's first head on the base model's pictures; frozen for a whole run."""

    mean: float
    std: float
    fingerprint: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std >= 0):
            raise UsageError(
                f"a standard with mean {self.mean} and std {self.std}: both must be finite and std not negative; "
                "measure it on the base model's pictures"
            )


@dataclass(frozen=True, kw_only=True)
class SafetyRule:
    """Takes strength * max(0, minimum - safety) off the reward; safety is the head `head` of `scorer`, 0..1.

    strength None: as much as makes a picture of safety 0 worse than every picture of safety >= minimum, whatever the
    other scorers say.
    """

    scorer: Scorer
    head: str = "safety"
    minimum: float = 0.5
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.head not in self.scorer.heads:
            raise UsageError(
                f"safety by the head {self.head!r} of scorer {self.scorer.name!r}: it has "
                f"{', '.join(self.scorer.heads)}; name a scorer that judges safety"
            )
        if not 0 < self.minimum <= 1 or (self.strength is not None and not 0 < self.strength < math.inf):
            raise UsageError(
                f"a safety rule with minimum {self.minimum} and strength {self.strength}: the minimum must lie in (0, "
                "1] and the strength be above 0; leave the strength out for one that suffices"
            )


class BlendScorer:
    """r = sum_k w_k clip((R_k - mean_k) / max(std_k, 1e-3), -3, 3) - strength * max(0, minimum - safety).

    R_k is the first head of scorer k. Heads: "blend", then R_k under the scorers' names, then "safety" if ruled.
    Differentiable if and only if every part is; the clip stops a part's gradient beyond 3 standard deviations.
    tower: the features that the first part with any sees pictures by.
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        weights: Mapping[str, float],
        *,
        standards: Mapping[str, Standard],
        safety: SafetyRule | None = None,
        name: str = "blend",
    ) -> None:
        """weights and standards go by scorer name. Raises UsageError when one is missing, wrong or of another one."""
        _check(scorers, weights, standards)
        self.name, self._scorers, self._safety = name, tuple(scorers), safety
        self._weights = tuple(float(weights[scorer.name]) for scorer in scorers)
        self._standards = tuple(standards[scorer.name] for scorer in scorers)
        self.heads = ("blend", *(scorer.name for scorer in scorers), *(["safety"] if safety else []))
        if len(set(self.heads)) < len(self.heads):
            raise UsageError(
                f"the parts of a blend are called {', '.join(self.heads)}: give each scorer a name of its own"
            )
        self.strength = 0.0 if safety is None else safety.strength or self._sufficient_strength(safety.minimum)
        self.differentiable = all(scorer.differentiable for scorer in scorers)
        if safety is not None:
            self.differentiable &= safety.scorer.differentiable and safety.scorer.heads[0] == safety.head
        rule = None if safety is None else (safety.scorer.fingerprint, safety.head, safety.minimum, self.strength)
        parts = [(scorer.name, scorer.fingerprint) for scorer in scorers]
        self.fingerprint = fingerprint_of("blend", parts, self._weights, self._standards, rule)
        towers = (getattr(scorer, "tower", None) for scorer in scorers)
        self.tower: PictureFeatures | None = next((t for t in towers if isinstance(t, PictureFeatures)), None)

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that it is made of, that of the safety rule included."""
        return tuple(scorer for scorer, _ in self._sources())

    def _sufficient_strength(self, minimum: float) -> float:
        return _SURE * 2 * LIMIT * sum(abs(weight) for weight in self._weights) / minimum

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """Blend and parts. A picture that some part could not score has mask False and NaN.

        Raises NumericsError, naming scorer and picture, for a score that is not finite, and as the scorers do.
        """
        parts, masks, fingerprints = [], [], []
        for scorer, head in self._sources():
            scores = scorer.score(images, prompts).require_finite()
            column = scores.names.index(head)
            parts.append(scores.head(head))
            masks.append(scores.mask[:, column])
            fingerprints.append(scores.fingerprints[column])
        mask = torch.stack([torch.stack(masks).all(0), *masks], dim=1)
        values = torch.stack([self._combine(parts), *parts], dim=1)
        return Scores(
            values=torch.where(mask, values, torch.nan),
            names=self.heads,
            fingerprints=(self.fingerprint, *fingerprints),
            mask=mask,
        ).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The blend, B, differentiable in pixels. Raises UsageError, naming the part, when some part is not."""
        for scorer, head in self._sources():
            if not scorer.differentiable or scorer.heads[0] != head:
                raise UsageError(
                    f"the blend has no gradient, because its part {scorer.name!r} gives none for the head {head!r}: "
                    "leave it out, put that head first (main), or use a method that needs scores only (nft, sft)"
                )
        return self._combine([scorer.score_pixels(pixels, prompts) for scorer, _ in self._sources()])

    def _sources(self) -> list[tuple[Scorer, str]]:
        sources = [(scorer, scorer.heads[0]) for scorer in self._scorers]
        return sources if self._safety is None else [*sources, (self._safety.scorer, self._safety.head)]

    def _combine(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        total = torch.zeros_like(parts[0])
        for value, weight, standard in zip(parts, self._weights, self._standards, strict=False):
            total = total + weight * ((value - standard.mean) / max(standard.std, LEAST_STD)).clamp(-LIMIT, LIMIT)
        if self._safety is not None:
            total = total - self.strength * (self._safety.minimum - parts[-1]).clamp(min=0)
        return total


def standard_of(scores: Scores) -> Standard:
    """Mean and standard deviation of the first head of scores of the base model's pictures, masked ones left out.

    Raises UsageError with fewer than two scores, NumericsError for one that is not finite.
    """
    scores.require_finite()
    values = scores.values[scores.mask[:, 0], 0].double()
    if len(values) < 2:
        raise UsageError(
            f"{len(values)} scores of {scores.names[0]!r} to standardise by: at least two are needed; paint more "
            "pictures"
        )
    return Standard(mean=values.mean().item(), std=values.std().item(), fingerprint=scores.fingerprints[0])


def parse_reward(text: str) -> tuple[str, float]:
    """Split `NAME` or `NAME=WEIGHT`, the value of --reward: weight 1 unless given. NAME may be a folder.

    Raises UsageError when the name is empty or the weight is not a finite number above 0.
    """
    name, _, weight_text = text.rpartition("=") if "=" in text else (text, "", "1")
    try:
        weight = float(weight_text)
    except ValueError:
        weight = math.nan
    if not name.strip() or not (math.isfinite(weight) and weight > 0):
        raise UsageError(
            f"reward {text!r}: write NAME or NAME=WEIGHT with a weight above 0, such as clip=0.5 (a name that holds "
            "'=' needs its weight); in every scorer higher is better, so no weight is negative"
        )
    return name.strip(), weight


def _check(scorers: Sequence[Scorer], weights: Mapping[str, float], standards: Mapping[str, Standard]) -> None:
    names = [scorer.name for scorer in scorers]
    if not names or set(weights) != set(names):
        raise ConfigError(
            f"a blend of {', '.join(names) or 'nothing'} with weights for {', '.join(weights) or 'nothing'}: give one "
            "or more scorers and exactly one weight for each"
        )
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise ConfigError(
                f"weight {weight} of scorer {name!r}: it must be finite and above 0; leave the scorer out"
            )
    for scorer in scorers:
        standard = standards.get(scorer.name)
        if standard is None:
            raise UsageError(
                f"scorer {scorer.name!r} has no standard: measure mean and spread on the base model's pictures "
                "(standard_of)"
            )
        if standard.fingerprint != scorer.fingerprint:
            raise UsageError(
                f"scorer {scorer.name!r} is {scorer.fingerprint}, its standard was measured with "
                f"{standard.fingerprint}: measure it again with this scorer"
            )
