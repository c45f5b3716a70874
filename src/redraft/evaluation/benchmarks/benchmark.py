"""The contract of a benchmark: what it asks for, how pictures are judged, and which numbers come out.

Not the runner (`runner`), which calls these parts, and not the page (`leaderboard`). A suite plug-in (entry point
`redraft.suites`) is a class with `Config` and `build(config, context: SuiteContext)` that gives a `Benchmark`.

Shape letters: P prompts  N pictures  K heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.statistics import FloatArray, IntArray, Interval

if TYPE_CHECKING:
    from redraft.core.tensors import Images, Scores


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a judge says of B pictures: scores B,K, and for each picture why, in words ("" for nothing to say).

    A picture that the judge could not judge has mask False; it is then missing in the coverage, never counted as 0.
    """

    scores: Scores
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All judged pictures of one model: picture n belongs to prompt group[n]; values N,K float64; mask N,K.

    `images_per_prompt` is how many pictures every prompt should have: what is missing shows in `coverage`.

    Raises:
        UsageError: when lengths do not fit.
        NumericsError: when a value under the mask is not finite.
    """

    model: str
    prompts: tuple[Prompt, ...]
    images_per_prompt: int
    group: IntArray
    names: tuple[str, ...]
    fingerprints: tuple[str, ...]
    values: FloatArray
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.group), len(self.names))
        if self.values.shape != shape or self.mask.shape != shape or len(self.fingerprints) != len(self.names):
            raise UsageError(
                f"{self.model}: values {self.values.shape}, mask {self.mask.shape} and {len(self.fingerprints)} "
                f"fingerprints for {shape[0]} pictures and {shape[1]} heads: give one row a picture, one column a head"
            )
        bad = np.argwhere(self.mask & ~np.isfinite(self.values))
        if len(bad):
            picture, head = (int(index) for index in bad[0])
            raise NumericsError(
                f"{self.names[head]} gave {self.values[picture, head]} for picture {picture} of {self.model}: scores "
                "must be finite; mask what could not be judged, or mend the judge"
            )

    def column(self, head: str) -> tuple[FloatArray, NDArray[np.bool_], str]:
        """Values N, mask N and fingerprint of the head. Raises UsageError when there is none of that name."""
        if head not in self.names:
            raise UsageError(f"{self.model} was judged by {', '.join(self.names)}, not by {head!r}: judge it with that")
        index = self.names.index(head)
        return self.values[:, index], self.mask[:, index], self.fingerprints[index]

    def per_prompt(self, head: str) -> FloatArray:
        """Mean of a head over the pictures of each prompt: P, NaN for prompts without a judged picture."""
        values, mask, _ = self.column(head)
        count = len(self.prompts)
        numbers = np.bincount(self.group[mask], minlength=count)
        sums = np.bincount(self.group[mask], weights=values[mask], minlength=count)
        means: FloatArray = np.full(count, np.nan)
        np.divide(sums, numbers, out=means, where=numbers > 0)
        return means

    @property
    def coverage(self) -> Coverage:
        """How much of what was asked for was really judged, by all heads."""
        whole = self.mask.all(axis=1)
        per_prompt = np.bincount(self.group[whole], minlength=len(self.prompts))
        return Coverage(
            prompts=len(self.prompts),
            complete=int((per_prompt >= self.images_per_prompt).sum()),
            pictures=len(self.prompts) * self.images_per_prompt,
            judged=int(whole.sum()),
        )

    def only(self, prompts: NDArray[np.bool_]) -> Judged:
        """The same with the pictures of the chosen prompts (mask P) only; prompts keep their places."""
        kept = prompts[self.group]
        return replace(self, group=self.group[kept], values=self.values[kept], mask=self.mask[kept])


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Prompts and pictures that were asked for, and how many were judged completely."""

    prompts: int
    complete: int
    pictures: int
    judged: int

    @property
    def line(self) -> str:
        """One line for people; every table of a benchmark shows it."""
        share = 100 * self.judged / self.pictures if self.pictures else 0.0
        line = f"{self.judged:,} of {self.pictures:,} pictures judged ({share:.1f} %)"
        if self.judged == self.pictures:
            return f"{line}, all {self.prompts:,} prompts complete"
        return f"{line}: {self.prompts - self.complete:,} of {self.prompts:,} prompts lack pictures"


Unit = Literal["share", "score", "distance", "ratio"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of a model on a benchmark, with its 95 % interval.

    fingerprint: of everything that made the number but the model: judge, preprocessing, thresholds, prompts.
    difference: to the model that it was compared with, on the same prompts, with a paired interval; None: not compared.
    per_prompt: P values that the number is made of (NaN: not judged), for win rates; None where it is no mean.
    good: +1 when higher is better. details: further figures, such as the spread over groups.
    """

    name: str
    interval: Interval
    unit: Unit
    fingerprint: str
    good: Literal[1, -1] = 1
    difference: Interval | None = None
    per_prompt: FloatArray | None = None
    details: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of a self-test: a known input, what must come out, and what did."""

    name: str
    expected: str
    found: str
    passed: bool


@runtime_checkable
class Benchmark(Protocol):
    """A benchmark. `prompts` in the order in which they are judged; picture k of each prompt for k < images_per_prompt.

    fingerprint: of everything that decides its numbers besides the pictures (see `fingerprint_of`).
    """

    name: str
    title: str
    prompts: tuple[Prompt, ...]
    images_per_prompt: int
    fingerprint: str

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """Judge B pictures of one size, each of its prompt. The same pictures always get the same judgement."""
        ...

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """The numbers, that by which models are ranked first; with `against`, each with its paired difference."""
        ...

    def self_test(self) -> tuple[Check, ...]:
        """Known inputs through the judge and the arithmetic: what fails here makes every number worthless."""
        ...


def fingerprint_of(*parts: object) -> str:
    """16 hexadecimal digits of the texts of `parts`, in order."""
    import hashlib

    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:16]


def close(name: str, found: float, expected: float, *, tolerance: float = 1e-6) -> Check:
    """A check of one number."""
    return Check(
        name=name, expected=f"{expected:.9g}", found=f"{found:.9g}", passed=bool(abs(found - expected) <= tolerance)
    )
