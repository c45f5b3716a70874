"""Simulated people: they see true facets and answer as people do, with tastes, moods and slips.

A rater turns facets into thumbs, stars, choices and sliders. It never looks at pixels and knows no request;
what the answers are used for is none of its business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.records import FACETS

Choice = Literal[0, 1, "tie"]

SLIDER_MAXIMUM = 10

# What people care about on average, in the order of FACETS; every rater has a version of their own.
_CARES = (3.0, 1.0, 0.7, 1.0, 1.0, 1.5)
_TASTE = 6.0  # concentration of the tastes about the average: higher is more alike
_STEEPNESS = 10.0
# The quality that half of all people like. Right but noisy pictures then get about 85 % thumbs up and wrong ones about
# 40 %, so that the pictures of a fair base model, a little more than half of them right, get about 65 %.
_MIDDLE = 0.71
_TIE = 0.03  # difference of quality below which a rater sees none


@dataclass(frozen=True, kw_only=True)
class Rater:
    """One simulated person.

    `bias` (about -0.1..0.1) shifts every quality that this person perceives; `noise` (0 or more) is the standard
    deviation of a slip per answer, in units of quality; `weights` say how much each facet of
    `FACETS` counts, 0 or more, in proportion.

    Raises:
        UsageError: when the noise is negative, or weights are missing, unknown, negative or all zero.
    """

    bias: float
    noise: float
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.noise < 0:
            raise UsageError(f"noise {self.noise} of a rater is negative: give 0 or more")
        values = list(self.weights.values())
        if set(self.weights) != set(FACETS) or min(values) < 0 or sum(values) <= 0:
            raise UsageError(
                f"weights {dict(self.weights)} of a rater: name each of {', '.join(FACETS)} with 0 or more"
            )

    @classmethod
    def draw(cls, rng: np.random.Generator, *, bias: float = 0.05, noise: float = 0.06) -> "Rater":
        """Draw a person; `bias` and `noise` are the usual sizes of theirs, 0 or more."""
        cares = np.array(_CARES)
        tastes = rng.dirichlet(_TASTE * cares)
        weights = {name: float(taste) for name, taste in zip(FACETS, tastes, strict=True)}
        return cls(bias=float(rng.normal(0, bias)), noise=float(noise * rng.uniform(0.5, 1.5)), weights=weights)

    def quality(self, facets: Mapping[str, float]) -> float:
        """How good this person finds a picture on a calm day: weighted mean of the facets plus the bias, about 0..1.

        Raises:
            UsageError: when a facet is missing.
        """
        missing = [name for name in FACETS if name not in facets]
        if missing:
            raise UsageError(
                f"facets without {', '.join(missing)}: a rater needs each of {', '.join(FACETS)}; measure them all"
            )
        total = sum(self.weights.values())
        return sum(weight * facets[name] for name, weight in self.weights.items()) / total + self.bias

    def thumbs(self, facets: Mapping[str, float], rng: np.random.Generator) -> bool:
        """Thumbs up (True) or down: a coin whose odds rise with the quality."""
        return bool(rng.random() < self.approval(facets, slip=self._slip(rng)))

    def approval(self, facets: Mapping[str, float], *, slip: float = 0.0) -> float:
        """Probability of a thumbs up, 0..1, given this answer's slip in units of quality."""
        return float(1 / (1 + np.exp(-_STEEPNESS * (self.quality(facets) + slip - _MIDDLE))))

    def stars(self, facets: Mapping[str, float], rng: np.random.Generator) -> int:
        """1 to 5 stars."""
        return 1 + int(np.clip(round(4 * self.approval(facets, slip=self._slip(rng))), 0, 4))

    def choose(self, first: Mapping[str, float], second: Mapping[str, float], *, rng: np.random.Generator) -> Choice:
        """0 when the first picture is better, 1 when the second is, "tie" when this person sees no difference."""
        difference = self.quality(first) - self.quality(second) + self._slip(rng) - self._slip(rng)
        if abs(difference) < _TIE:
            return "tie"
        return 0 if difference > 0 else 1

    def sliders(self, facets: Mapping[str, float], rng: np.random.Generator) -> dict[str, int]:
        """One slider per facet, 0..10, each with the bias and a slip of its own."""
        self.quality(facets)  # raises when a facet is missing
        seen = {name: facets[name] + self.bias + self._slip(rng) for name in FACETS}
        return {name: int(np.clip(round(SLIDER_MAXIMUM * value), 0, SLIDER_MAXIMUM)) for name, value in seen.items()}

    def _slip(self, rng: np.random.Generator) -> float:
        return float(rng.normal(0, self.noise)) if self.noise > 0 else 0.0
