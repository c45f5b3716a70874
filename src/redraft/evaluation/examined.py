"""What one model gave on a suite: arrays, one row per picture. The loop makes it, `compare` reads it.

It measures nothing.

Shape letters: P prompts  N pictures  D feature dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.statistics import FloatArray, IntArray

REWARD = "reward: "
"""What stands before the name of the reward that was trained, where it is a head of an examination."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """One head of one scorer on all pictures: values N, higher is better. mask N is True where scored (None: all).

    `role` says whether post-training optimised this head ("trained") or never saw it ("unseen"); `independent` whether
    it sees pictures by another network than the trained reward.
    """

    name: str
    role: Literal["trained", "unseen"]
    fingerprint: str
    values: FloatArray
    mask: NDArray[np.bool_] | None = None
    unit: str = "score"
    independent: bool = True


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What one model gave: P prompts, N >= P pictures; picture n belongs to prompt group[n].

    `verdicts` N: 1 where the oracle found everything asked for, 0 where not; `judged` N: where it could read the prompt
    (None: all); `clauses` N: share of the clauses that hold. `features` N,D; `saturation` N,2 of `metrics.saturation`.
    Whatever is None was not measured and gives no row.

    Raises:
        UsageError: when lengths do not fit, a group is out of range, or two heads have one name.
    """

    model: str
    prompts: tuple[Prompt, ...]
    group: IntArray
    heads: tuple[Head, ...] = ()
    verdicts: FloatArray | None = None
    judged: NDArray[np.bool_] | None = None
    clauses: FloatArray | None = None
    features: NDArray[np.floating] | None = None
    feature_fingerprint: str = ""
    saturation: FloatArray | None = None

    def __post_init__(self) -> None:
        pictures = len(self.group)
        if not len(self.prompts):
            raise UsageError(f"{self.model} was examined on 0 prompts: give at least 2")
        if pictures and (self.group.min() < 0 or self.group.max() >= len(self.prompts)):
            raise UsageError(
                f"group runs from {self.group.min()} to {self.group.max()} for {len(self.prompts)} prompts: every "
                f"entry must be the index of a prompt, 0..{len(self.prompts) - 1}"
            )
        names = [head.name for head in self.heads]
        if len(set(names)) < len(names):
            raise UsageError(f"heads {', '.join(names)}: two have the same name; name each head once")
        self._check_lengths(pictures)

    def _check_lengths(self, pictures: int) -> None:
        rows: dict[str, NDArray[Any]] = {f"head {head.name}": head.values for head in self.heads}
        rows |= {f"mask of head {head.name}": head.mask for head in self.heads if head.mask is not None}
        for name in ("verdicts", "judged", "clauses", "features", "saturation"):
            if getattr(self, name) is not None:
                rows[name] = getattr(self, name)
        for name, values in rows.items():
            if len(values) != pictures:
                raise UsageError(f"{name} has {len(values)} rows for {pictures} pictures: give one row per picture")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task of every prompt: its tag `task:NAME`, or 'prompts' for prompts without one."""
        return tuple(prompt.tag("task") or "prompts" for prompt in self.prompts)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of every head, and of the feature extractor as `features`."""
        features = {"features": self.feature_fingerprint} if self.feature_fingerprint else {}
        return {head.name: head.fingerprint for head in self.heads} | features

    def per_prompt(self, values: FloatArray, *, mask: NDArray[np.bool_] | None = None) -> FloatArray:
        """Mean over the pictures of each prompt of values N: P, NaN for prompts without a picture under the mask."""
        chosen = np.ones(len(self.group), dtype=bool) if mask is None else mask
        counts = np.bincount(self.group[chosen], minlength=len(self.prompts))
        sums = np.bincount(self.group[chosen], weights=values[chosen], minlength=len(self.prompts))
        means: FloatArray = np.full(len(self.prompts), np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means
