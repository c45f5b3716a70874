"""Which facets are asked about and how a model of them is fitted, as configuration. Light: no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, field_validator

from redraft.core.config import Config
from redraft.core.records import FACETS

TEMPORAL = "temporal_coherence"
CLIP_FACETS = (TEMPORAL,)
"""Facets that only a clip has; on still pictures their slider is not shown and their score is masked."""
LOWEST, HIGHEST = 0, 10
LARGEST_WEIGHT = 20.0
"""An answer counts at most this often for another in the fit, however improbable it was that it would be asked for."""
MOST_VIEWS = 16
"""Of one picture; which they are, `facets_features` says."""
ALARM = 0.6
"""Correlation of two facets from which on they are one facet with two names."""


@dataclass(frozen=True, kw_only=True)
class Slider:
    """One slider of the form: whole numbers `lowest` to `highest`, which may stay untouched. clips: only for clips."""

    facet: str
    lowest: int
    highest: int
    clips: bool


class FacetFitConfig(Config):
    """How facet heads are fitted. The defaults suit some thousand answers on the built-in CLIP."""

    facets: tuple[str, ...] = Field(default=FACETS, description="the sliders: the six, and any more")
    members: int = Field(default=6, ge=2, le=16, description="of the ensemble; each leaves out its share of prompts")
    passes: int = Field(default=12, ge=1, description="over the answers, for each member")
    concept_passes: int = Field(
        default=40, ge=0, description="over the answers, for the network on the CLIP's concepts; 0: they are not read"
    )
    views: int = Field(
        default=MOST_VIEWS,
        ge=1,
        le=MOST_VIEWS,
        description="of a picture, some pixels apart, over which its concepts are averaged",
    )
    batch: int = Field(default=64, ge=1, description="answers a step")
    learning_rate: float = Field(default=2e-3, gt=0, description="of adamw, the highest of the schedule")
    decay: float = Field(default=0.5, ge=0, description="weight decay of adamw")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="of features and of the hidden layer")
    width: int = Field(default=64, ge=4, description="channels of the network on the CLIP's maps")
    mirrored: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="share of pictures the network on maps is shown mirrored, where only semantics is not learned",
    )
    largest_weight: float = Field(default=LARGEST_WEIGHT, ge=1, description="of an answer that was improbable")
    shrink: bool = Field(default=True, description="take each person's own bias, shrunken, off the answers")
    alarm: float = Field(default=ALARM, gt=0, le=1, description="correlation of two facets that raises the alarm")

    @field_validator("facets")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or any(not name.strip() for name in names):
            raise ValueError("facets must have names of their own, none of them empty")
        missing = [name for name in FACETS if name not in names]
        if missing:
            raise ValueError(f"{missing[0]} is missing: the six of the blend must be there, more may be added")
        return names

    @property
    def ordered(self) -> tuple[str, ...]:
        """All of them, those of pictures first: the order of heads."""
        return (*self.picture_facets, *self.clip_facets)

    @property
    def picture_facets(self) -> tuple[str, ...]:
        """Those that a still picture has."""
        return tuple(name for name in self.facets if name not in CLIP_FACETS)

    @property
    def clip_facets(self) -> tuple[str, ...]:
        """Those that only a clip has."""
        return tuple(name for name in self.facets if name in CLIP_FACETS)


def sliders(facets: tuple[str, ...], *, clips: bool) -> tuple[Slider, ...]:
    """The sliders of the form for a still picture, or for a clip: what the list of facets says, no more."""
    every = (Slider(facet=name, lowest=LOWEST, highest=HIGHEST, clips=name in CLIP_FACETS) for name in facets)
    return tuple(slider for slider in every if clips or not slider.clips)
