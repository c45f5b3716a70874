"""Judges painted pictures in the engine process: the three terms of the confidence, and an embedding. Asks nobody.

CLIP and the aesthetic score are calibrated by the scores of the model's own pictures. A built-in model brings that
calibration; for another one the first pictures it serves are gathered, and have no confidence until there are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from redraft.core import plugins
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext, Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.calibrate import (
    LEAST_SAMPLE,
    Calibration,
    calibrate,
    load_calibrations,
    save_calibrations,
)
from redraft.rewards.clip_similarity import ClipSimilarityConfig, ClipSimilarityScorer
from redraft.rewards.confidence import TERMS, confidence
from redraft.rewards.heads import SAFETY
from redraft.studio.engine.messages import Judgement
from redraft.studio.engine.settings import EngineSettings

CALIBRATED = ("clip", "aesthetic")


class Judge:
    """The judges of one base model. place: the file where a gathered calibration is kept. shipped: one to begin with.

    Raises what the scorers raise when they are opened, and DamagedError for a calibration that cannot be read.
    """

    def __init__(self, settings: EngineSettings, *, place: Path, shipped: Path | None) -> None:
        folder = settings.clip or str(Path(str(files("redraft"))) / "builtin" / "clip")
        context = ModelContext(folder=folder, device=settings.device)
        self._clip = ClipSimilarityScorer.build(ClipSimilarityConfig(), context)
        self._aesthetic = _opened(settings.aesthetic, settings.aesthetic_folder or folder, device=settings.device)
        same = (settings.safety, settings.safety_folder) == (settings.aesthetic, settings.aesthetic_folder)
        self._safety = (
            self._aesthetic
            if same
            else _opened(settings.safety, settings.safety_folder or folder, device=settings.device)
        )
        self._place = place
        self._gathered: dict[str, list[float]] = {name: [] for name in CALIBRATED}
        self._calibrations = self._found(place) or (self._found(shipped) if shipped is not None else {})

    @property
    def calibrated(self) -> bool:
        """Whether pictures get a confidence."""
        return bool(self._calibrations)

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> list[Judgement]:
        """One judgement a picture, B,3,H,W as it is shown."""
        features, raw, unsafe = self._scored(images, prompts)
        embeddings = features.float().cpu().numpy().astype("<f4")
        fingerprints = {
            "embedding": self._clip.tower.fingerprint,
            "clip": self._clip.fingerprint,
            "aesthetic": self._aesthetic.fingerprint,
            "unsafe": self._safety.fingerprint,
        }
        if not self.calibrated:
            self._gather(raw)
            return [
                Judgement(
                    reason="not_calibrated",
                    unsafe=float(chance),
                    fingerprints=fingerprints,
                    embedding=embedding.tobytes(),
                )
                for chance, embedding in zip(unsafe, embeddings, strict=True)
            ]
        found = confidence(**self._calibrated(raw), unsafe=unsafe)
        return [
            Judgement(
                confidence=float(found.value[row]),
                weakest=found.weakest[row],
                reason=found.reasons[row] or "",
                terms={name: float(value) for name, value in zip(TERMS, found.terms[row], strict=True)},
                unsafe=float(unsafe[row]),
                fingerprints=fingerprints,
                embedding=embeddings[row].tobytes(),
            )
            for row in range(len(images))
        ]

    def unsafe(self, images: Images, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The unsafe probabilities B alone."""
        return 1 - self._safety.score(images, prompts).head(SAFETY).cpu()

    def terms(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """The calibrated terms B,3, for self-critique. Raises UsageError while there is no calibration."""
        if not self.calibrated:
            raise UsageError(
                f"self-critique needs a calibrated confidence: paint {LEAST_SAMPLE} pictures with this model, or put a "
                "calibration into the workspace (docs/serving.md)"
            )
        _, raw, unsafe = self._scored(images, prompts)
        values = confidence(**self._calibrated(raw), unsafe=unsafe).terms
        names = (self._clip.fingerprint, self._aesthetic.fingerprint, self._safety.fingerprint)
        return Scores(values=values, names=TERMS, fingerprints=names, mask=torch.ones_like(values, dtype=torch.bool))

    def _scored(
        self, images: Images, prompts: Sequence[Prompt]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """CLIP features B,D; raw scores B by term; unsafe probabilities B."""
        features = self._clip.image_features(images)
        cosine = (features * self._clip.tower.text_features(prompts)).sum(-1).cpu()
        scores = self._aesthetic.score(images, prompts)
        aesthetic = scores.head(_aesthetic_head(scores.names)).cpu()
        safety = scores if self._safety is self._aesthetic else self._safety.score(images, prompts)
        return features, {"clip": cosine, "aesthetic": aesthetic}, 1 - safety.head(SAFETY).cpu()

    def _calibrated(self, raw: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        names = self._names()
        return {name: self._calibrations[name](raw[name], fingerprint=names[name]) for name in CALIBRATED}

    def _names(self) -> dict[str, str]:
        return {"clip": self._clip.fingerprint, "aesthetic": self._aesthetic.fingerprint}

    def _found(self, place: Path) -> dict[str, Calibration]:
        """The calibrations in a file, or none where they are of other judges."""
        if not place.is_file():
            return {}
        found, names = load_calibrations(place), self._names()
        fits = all(name in found and found[name].fingerprint == names[name] for name in CALIBRATED)
        return {name: found[name] for name in CALIBRATED} if fits else {}

    def _gather(self, raw: dict[str, torch.Tensor]) -> None:
        for name, values in raw.items():
            self._gathered[name] += [value for value in values.tolist() if value == value]
        if min(map(len, self._gathered.values())) >= LEAST_SAMPLE:
            names = self._names()
            self._calibrations = {
                name: calibrate(torch.tensor(values), fingerprint=names[name])
                for name, values in self._gathered.items()
            }
            self._place.parent.mkdir(parents=True, exist_ok=True)
            save_calibrations(self._place, self._calibrations)


def _aesthetic_head(names: Sequence[str]) -> str:
    return "aesthetics" if "aesthetics" in names else names[0]


def _opened(name: str, folder: str, *, device: str) -> Scorer:
    chosen: Any = plugins.load("scorer", name)
    scorer: Scorer = chosen.build(chosen.Config(), ModelContext(folder=folder, device=device))
    return scorer
