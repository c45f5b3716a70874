"""Six facets as one reward: the five of quality weighed, safety as a constraint. It judges nothing: a scorer does.

    z_k = clip((R_k - mean_k) / max(std_k, 1e-3), -3, 3)
    r   = sum_k w_k z_k - strength * max(0, minimum - R_safety)

Mean and deviation are those of the base model's pictures, frozen for a whole run. The scorer may be the oracle of the
picture world, a model learned from sliders, or any other with a head for each of FACETS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.protocols import Scorer
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.blend import LEAST_STD, LIMIT, Standard, standard_of
from redraft.rewards.fingerprints import fingerprint_of

SAFETY = "safety"
QUALITY = tuple(name for name in FACETS if name != SAFETY)
_SURE = 1.05


class SixFacetReward:
    """Heads: "facets", the reward, then each of FACETS as the scorer gave it, 0..1. Not differentiable.

    A picture that the scorer could not judge in some facet has mask False and NaN.
    """

    differentiable = False

    def __init__(
        self,
        scorer: Scorer,
        *,
        standards: Mapping[str, Standard],
        weights: Mapping[str, float] | None = None,
        minimum: float = 0.5,
        strength: float | None = None,
    ) -> None:
        """weights: of QUALITY, one fifth each unless given; standards: of QUALITY, as `facet_standards` gives them.

        strength None: as much as makes a picture of safety 0 worse than every one of safety >= minimum, whatever the
        other facets are. Raises UsageError for a scorer without the facets or with standards of another one,
        ConfigError for weights, minimum or strength out of range.
        """
        require_facets(scorer)
        self._weights = _checked(weights)
        if not 0 < minimum <= 1 or (strength is not None and not 0 < strength < math.inf):
            raise ConfigError(
                f"a safety constraint with minimum {minimum} and strength {strength}: the minimum must lie in (0, 1] "
                "and the strength be above 0; leave the strength out for one that suffices"
            )
        wrong = [name for name in QUALITY if name not in standards or standards[name].fingerprint != scorer.fingerprint]
        if wrong:
            raise UsageError(
                f"the facet {wrong[0]!r} has no standard by {scorer.name!r} ({scorer.fingerprint}): measure mean and "
                "spread on the base model's pictures with this scorer (facet_standards)"
            )
        sufficient = _SURE * 2 * LIMIT * sum(self._weights.values()) / minimum
        self.minimum, self.strength = minimum, sufficient if strength is None else strength
        self.name, self._scorer, self.parts = "facets", scorer, (scorer,)
        self.heads: tuple[str, ...] = ("facets", *FACETS)
        self._standards = {name: standards[name] for name in QUALITY}
        self.fingerprint = fingerprint_of(
            "six-facets", scorer.fingerprint, self._weights, list(self._standards.items()), minimum, self.strength
        )

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """The reward and its facets. Raises NumericsError for a score that is not finite, and as the scorer does."""
        scores = self._scorer.score(images, prompts).require_finite()
        columns = [scores.names.index(name) for name in FACETS]
        facets, known = scores.values[:, columns], scores.mask[:, columns]
        mask = torch.cat([known.all(dim=1, keepdim=True), known], dim=1)
        reward = self.combine({name: facets[:, place] for place, name in enumerate(FACETS)})
        return Scores(
            values=torch.where(mask, torch.cat([reward[:, None], facets], dim=1), torch.nan),
            names=self.heads,
            fingerprints=(self.fingerprint, *(scores.fingerprints[column] for column in columns)),
            mask=mask,
        ).require_finite()

    def combine(self, facets: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The reward B of facets B each, by name."""
        total = torch.zeros_like(facets[SAFETY])
        for name, weight in self._weights.items():
            standard = self._standards[name]
            unit = (facets[name] - standard.mean) / max(standard.std, LEAST_STD)
            total = total + weight * unit.clamp(-LIMIT, LIMIT)
        return total - self.strength * (self.minimum - facets[SAFETY]).clamp(min=0)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:  # noqa: ARG002
        """Always raises UsageError."""
        raise UsageError(
            "the six-facet reward has no gradient: use a method that needs scores only (ddpo, grpo, nft, sft), or one "
            "facet with a gradient"
        )


def require_facets(scorer: Scorer) -> None:
    """Raise UsageError unless the scorer has a head for each of FACETS."""
    missing = [name for name in FACETS if name not in scorer.heads]
    if missing:
        raise UsageError(
            f"the scorer {scorer.name!r} has no facet {missing[0]!r} (it has {', '.join(scorer.heads)}): name one with "
            f"all of {', '.join(FACETS)}, such as oracle"
        )


def facet_standards(scores: Scores) -> dict[str, Standard]:
    """Mean and deviation of each facet of QUALITY over scores of the base model's pictures; errors as `standard_of`."""
    standards = {}
    for name in QUALITY:
        column = scores.names.index(name)
        standards[name] = standard_of(
            Scores(
                values=scores.values[:, [column]], mask=scores.mask[:, [column]], names=(name,),
                fingerprints=(scores.fingerprints[column],),
            )
        )  # fmt: skip
    return standards


def _checked(weights: Mapping[str, float] | None) -> dict[str, float]:
    if weights is None:
        return {name: 1 / len(QUALITY) for name in QUALITY}
    unknown = [name for name in weights if name not in QUALITY]
    if unknown or not weights:
        raise ConfigError(
            f"weights for {', '.join(weights) or 'no facet'}: give one or more of {', '.join(QUALITY)}; safety is a "
            "constraint and has none"
        )
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise ConfigError(f"weight {weight} of the facet {name!r}: must be finite and above 0; leave the facet out")
    return {name: float(weights[name]) for name in QUALITY if name in weights}
