"""Two examinations side by side: checked to be alike, and reduced to paired values per prompt. It measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.examined import Examined
from redraft.evaluation.statistics import FloatArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Incumbent and candidate on the same prompts and noise, with the key and number of resamples of all intervals.

    Raises:
        UsageError: when prompts, groups, heads, roles or fingerprints of the two differ.
    """

    incumbent: Examined
    candidate: Examined
    key: Key
    resamples: int

    def __post_init__(self) -> None:
        before, after = self.incumbent, self.candidate
        if [prompt.id for prompt in before.prompts] != [prompt.id for prompt in after.prompts]:
            raise UsageError(
                f"incumbent and candidate were examined on {len(before.prompts)} and {len(after.prompts)} prompts that "
                "are not the same: a paired comparison needs the same prompts in the same order; examine both on one "
                "suite"
            )
        if not np.array_equal(before.group, after.group):
            raise UsageError(
                "incumbent and candidate have other pictures per prompt: paint both with the same noise and count"
            )
        names = [[head.name for head in examined.heads] for examined in (before, after)]
        if names[0] != names[1]:
            raise UsageError(f"scorer heads {names[0]} and {names[1]} differ: score both models with the same scorers")
        if before.feature_fingerprint != after.feature_fingerprint:
            raise _unlike("features", before.feature_fingerprint, after.feature_fingerprint)
        for first, second in zip(before.heads, after.heads, strict=True):
            if first.fingerprint != second.fingerprint:
                raise _unlike(first.name, first.fingerprint, second.fingerprint)
            if first.role != second.role:
                raise UsageError(
                    f"head {first.name} is {first.role} for one model and {second.role} for the other: name one role"
                )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task of every prompt."""
        return self.incumbent.tasks

    def per_prompt(
        self, before: FloatArray, after: FloatArray, *, name: str, masks: tuple[Mask | None, ...] = ()
    ) -> tuple[FloatArray, FloatArray]:
        """Means per prompt of both models over the pictures under all masks; NaN where a prompt has no such picture.

        Raises:
            NumericsError: when a value under the masks is not finite; `name` says whose.
        """
        mask = _all_of(len(before), masks)
        for values, model in ((before, self.incumbent.model), (after, self.candidate.model)):
            bad = np.flatnonzero(mask & ~np.isfinite(values))
            if len(bad):
                raise NumericsError(
                    f"{name} gave {values[bad[0]]} for picture {int(bad[0])} of {model}: scores must be finite; mask "
                    "what was not scored, or mend the scorer"
                )
        return self.incumbent.per_prompt(before, mask=mask), self.incumbent.per_prompt(after, mask=mask)

    def complete(self) -> Mask:
        """Which prompts have, for both models, a picture with a score of every head and of the oracle, if any."""
        group, count = self.incumbent.group, len(self.incumbent.prompts)
        heads = zip(self.incumbent.heads, self.candidate.heads, strict=True)
        masks = [(before.mask, after.mask) for before, after in heads]
        masks.append((self.incumbent.judged, self.candidate.judged))
        complete = np.bincount(group, minlength=count) > 0
        for parts in masks:
            complete &= np.bincount(group[_all_of(len(group), parts)], minlength=count) > 0
        return complete


def _all_of(count: int, masks: tuple[Mask | None, ...]) -> Mask:
    combined = np.ones(count, dtype=bool)
    for mask in masks:
        combined = combined if mask is None else combined & mask
    return combined


def _unlike(name: str, first: str, second: str) -> UsageError:
    return UsageError(
        f"{name} has the fingerprints {first!r} and {second!r}: scores of unlike scorers are never compared; score "
        "both models again with one version"
    )
