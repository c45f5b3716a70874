"""FID, KID and CLIP-FD: how far the pictures of a model are from reference pictures, by features, in float64.

Arithmetic is in `metrics`. These distances speak of sets, never of single pictures, and do not follow what people
prefer; they fall with the number of pictures, so only equal numbers compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.features import (
    Extractor,
    features_of_folder,
    features_of_renders,
    judgement_of,
    open_extractor,
)
from redraft.evaluation.benchmarks.rows import require_alike
from redraft.evaluation.clusters import jackknife
from redraft.evaluation.metrics import (
    Moments,
    frechet_of_moments,
    frechet_with_root,
    kernel_distances,
    kernel_subsets,
    moments,
    rank_note,
    square_root,
)
from redraft.evaluation.statistics import FloatArray, Interval
from redraft.evaluation.suites import SuiteContext, WorldSuite, WorldSuiteConfig

if TYPE_CHECKING:
    from redraft.core.tensors import Images

BLOCKS = 20
_Distances = Callable[[FloatArray, NDArray[np.bool_]], FloatArray]
"""S distances to the reference, of features N,D less those that masks S,N leave out."""


class DistributionConfig(Config):
    """Options of the suites `clip-fd` and `fid`."""

    features: str = Field(default="clip", description="scorer whose features are compared, or 'inception'")
    reference: str = Field(default="", description="folder of reference pictures; empty: renders of the picture world")
    references: int = Field(default=1024, ge=2, description="how many renders, where there is no folder")
    images_per_prompt: int = Field(default=1, ge=1, description="pictures of each prompt")


class FidConfig(DistributionConfig):
    """Options of the suite `fid`: the same, with the Inception network."""

    features: str = Field(default="inception", description="'inception', or a scorer whose features are compared")


class ClipFrechetBenchmark:
    """Frechet distance (unit: squared distance of features) and kernel distance to reference pictures; lower is better.

    Without prompts and without a reference folder: the examination of the picture world against its true renders.
    Intervals are by a block jackknife over prompts, for a bootstrap would repeat pictures and so raise the distance.
    They are given these references: the chance that others were drawn is not in them, and counts where they are few.
    """

    name = "clip-fd"
    Config: ClassVar[type[BaseModel]] = DistributionConfig

    def __init__(
        self, prompts: Sequence[Prompt], *, extractor: Extractor, reference: FloatArray, images_per_prompt: int = 1
    ) -> None:
        self.prompts, self.images_per_prompt = tuple(prompts), images_per_prompt
        self.extractor, self.reference = extractor, reference
        self.title = f"Distance to {len(reference):,} reference pictures, by features"
        self.fingerprint = fingerprint_of(
            self.name, extractor.fingerprint, len(reference), sha256(np.round(reference, 4).tobytes()).hexdigest(),
            *(prompt.id for prompt in self.prompts),
        )  # fmt: skip

    @classmethod
    def build(cls, config: DistributionConfig, context: SuiteContext) -> ClipFrechetBenchmark:
        """Open the extractor and take the features of the reference pictures.

        Raises UsageError for prompts that are not of the picture world without a reference folder.
        """
        extractor = open_extractor(config.features, context)
        prompts = context.prompts or WorldSuite(WorldSuiteConfig()).prompts(context.key)
        if config.reference:
            reference = features_of_folder(extractor, Path(config.reference))
        elif context.prompts:
            raise UsageError(
                "a distance needs reference pictures: name their folder with --set reference=FOLDER (only the picture "
                "world can render its own)"
            )
        else:
            seed = context.key.child("references").entropy
            reference = features_of_renders(extractor, prompts, count=config.references, seed=seed)
        return cls(prompts, extractor=extractor, reference=reference, images_per_prompt=config.images_per_prompt)

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:  # noqa: ARG002
        """The features of each picture; prompts do not matter."""
        return judgement_of(self.extractor, images)

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """frechet, then kernel. Raises UsageError when features or dimensions differ."""
        if against is not None:
            require_alike(judged, against, head=judged.names[0])
        if len(judged.names) != self.reference.shape[1]:
            raise UsageError(
                f"features of {len(judged.names)} dimensions, the reference has {self.reference.shape[1]}: use one "
                "extractor for both"
            )
        return (self._frechet(judged, key, against), self._kernel(judged, key, against))

    def self_test(self) -> tuple[Check, ...]:
        """Closed forms of the distances."""
        return (*closed_forms(), *_extractor_checks(self.extractor))

    def _frechet(self, judged: Judged, key: Key, against: Judged | None) -> Row:
        reference = moments(self.reference)
        root = square_root(reference.covariance)
        note = rank_note([len(judged.values), len(self.reference)], self.reference.shape[1])

        def distances(features: FloatArray, kept: NDArray[np.bool_]) -> FloatArray:
            return np.array([frechet_with_root(reference, moments(features[rows]), root=root) for rows in kept])

        return self._row("frechet", judged, distances=distances, key=key, against=against, note=note)

    def _kernel(self, judged: Judged, key: Key, against: Judged | None) -> Row:
        row = self._row(
            "kernel",
            judged,
            distances=lambda features, kept: kernel_distances(features, self.reference, kept=kept),
            key=key,
            against=against,
            note="unbiased for references of other prompts, so it may be a little below 0",
        )
        subsets = kernel_subsets(judged.values, self.reference, key=key.child("subsets"))
        details = {"mean of 100 subsets": float(subsets.mean()), "std of subsets": float(subsets.std())}
        return Row(**{**vars(row), "details": details})

    def _row(
        self, name: str, judged: Judged, *, distances: _Distances, key: Key, against: Judged | None, note: str
    ) -> Row:
        def values(kept: NDArray[np.bool_]) -> FloatArray:
            return distances(judged.values, kept[:, judged.group])

        difference: Interval | None = None
        if against is not None:
            other = against

            def changes(kept: NDArray[np.bool_]) -> FloatArray:
                return values(kept) - distances(other.values, kept[:, other.group])

            units = _painted(judged) & _painted(other)
            difference = jackknife(changes, units=units, key=key.child(name), blocks=BLOCKS)
        return Row(
            name=name,
            interval=jackknife(values, units=_painted(judged), key=key.child(name), blocks=BLOCKS),
            unit="distance",
            good=-1,
            fingerprint=fingerprint_of(self.fingerprint, name),
            difference=difference,
            note=note,
        )


class FidBenchmark(ClipFrechetBenchmark):
    """The same distances by the Inception network of the published FID (arXiv 1706.08500)."""

    name = "fid"
    Config: ClassVar[type[BaseModel]] = FidConfig


def closed_forms() -> tuple[Check, ...]:
    """Frechet distances of Gaussians that are known in closed form."""

    def gaussian(mean: Sequence[float], covariance: Sequence[Sequence[float]]) -> Moments:
        return Moments(mean=np.array(mean), covariance=np.array(covariance), count=1000)

    unit = [[1.0, 0.0], [0.0, 1.0]]
    cases = (
        ("mean shift (3,4)", gaussian([0, 0], unit), gaussian([3, 4], unit), 25.0),
        ("N(0,1) and N(0,4)", gaussian([0], [[1]]), gaussian([0], [[4]]), 1.0),
        ("N(0,1) and N(1,1)", gaussian([0], [[1]]), gaussian([1], [[1]]), 1.0),
        ("diag(1,4) and diag(9,16)", gaussian([0, 0], [[1, 0], [0, 4]]), gaussian([0, 0], [[9, 0], [0, 16]]), 8.0),
        ("covariances that do not commute", gaussian([0, 0], [[2, 1], [1, 2]]), gaussian([0, 0], [[1, 0], [0, 4]]),
         0.7712204476543398),
    )  # fmt: skip
    return tuple(close(f"frechet: {name}", frechet_of_moments(a, b), expected) for name, a, b, expected in cases)


def _extractor_checks(extractor: Extractor) -> tuple[Check, ...]:
    import torch

    from redraft.core.tensors import Images

    ramp = torch.linspace(0, 1, 64).expand(64, 64)
    pictures = torch.stack([torch.stack([ramp, ramp.T, 1 - ramp]), torch.stack([ramp.T, ramp, ramp]) / 2])
    features = judgement_of(extractor, Images(pixels=pictures)).scores.values
    again = judgement_of(extractor, Images(pixels=pictures)).scores.values
    steady = bool(torch.isfinite(features).all()) and torch.equal(features, again)
    apart = bool((features[0] - features[1]).abs().max() > 0)
    return (
        Check(
            name="features are finite, the same twice, and tell two pictures apart",
            expected="yes",
            found="yes" if steady and apart else "no",
            passed=steady and apart,
        ),
    )


def _painted(judged: Judged) -> NDArray[np.bool_]:
    return np.bincount(judged.group, minlength=len(judged.prompts)) > 0
