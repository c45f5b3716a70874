"""The files of a facet model: `facets.safetensors` and `card.json`, which says what it is and how good. No scoring."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from redraft.core.config import Config
from redraft.core.errors import DamagedError, UsageError
from redraft.rewards.facets_config import MOST_VIEWS
from redraft.rewards.head_files import write_whole

if TYPE_CHECKING:
    import torch

CARD = "card.json"
WEIGHTS = "facets.safetensors"


class FacetBin(Config):
    """One point of a reliability curve."""

    predicted: float
    answered: float
    count: int


class FacetAlarm(Config):
    """Two facets that say nearly the same, in the answers ("labels") or in what the model predicts ("predictions")."""

    first: str
    second: str
    correlation: float
    of: Literal["labels", "predictions"]


class FacetStandard(Config):
    """Mean and deviation of a facet over the pictures it was fitted on, improbable answers counting more."""

    mean: float
    std: float = Field(ge=0)


class FacetCard(Config):
    """What stands in card.json.

    clip: identity of the CLIP; clip_folder: see `scorer_folders.stored_place`, "" for the one that ships. facets: those
    of pictures, then those of clips. concepts: identity of the CLIP's concepts, "" where they were not read; views:
    over which they were averaged; shares: how far they tell each facet of pictures. rated: which have answers at all.
    constant: those whose answers are all the same; their mean is what the model says of every picture.
    scale: (slope, shift) of each facet's calibration. labels, predictions: correlations of the facets, None where
    undefined. metrics are of answers that a member had left out: `FACET/r2` against the answers (whose noise no model
    explains), `FACET/ece`, `FACET/count`; `raters/spread` and `raters/slip` are the deviations of people's bias and of
    their slips.
    """

    kind: Literal["facets"] = "facets"
    format: Literal[1] = 1
    clip: str
    clip_folder: str = ""
    picture_facets: tuple[str, ...]
    clip_facets: tuple[str, ...] = ()
    rated: tuple[bool, ...]
    constant: tuple[str, ...] = ()
    scale: tuple[tuple[float, float], ...]
    members: int = Field(ge=2)
    width: int = Field(ge=1)
    channels: int = Field(ge=1)
    state: int = Field(ge=1)
    concepts: str = ""
    views: int = Field(default=1, ge=1, le=MOST_VIEWS)
    shares: tuple[float, ...]
    energies: int = Field(ge=0)
    grid: int = Field(ge=1)
    standards: dict[str, FacetStandard]
    labels: tuple[tuple[float | None, ...], ...]
    predictions: tuple[tuple[float | None, ...], ...]
    alarm: float
    alarms: tuple[FacetAlarm, ...] = ()
    reliability: dict[str, tuple[FacetBin, ...]] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    data_hash: str = ""
    seed: int = 0
    sha256: str = ""

    @property
    def facets(self) -> tuple[str, ...]:
        """All of them, in order."""
        return (*self.picture_facets, *self.clip_facets)


def write_facet_files(tensors: Mapping[str, torch.Tensor], card: FacetCard, *, folder: Path) -> FacetCard:
    """Write both files, each whole or not at all, the card last. Returns the card as written. Raises StorageError."""
    from safetensors.torch import save

    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    card = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    write_whole(folder / WEIGHTS, content)
    write_whole(folder / CARD, (card.model_dump_json(indent=2) + "\n").encode())
    return card


def read_facet_files(folder: Path) -> tuple[dict[str, torch.Tensor], FacetCard]:
    """Read both files.

    Raises UsageError when one is missing, DamagedError when the card is none or the weights are not those it tells of.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(
                f"folder {str(folder)!r} has no {name}: give one that `redraft reward fit --kind facets` wrote"
            )
    try:
        card = FacetCard.model_validate_json((folder / CARD).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedError(f"{CARD} is not a card of facets ({where} {first['msg']}): fit them again") from error
    content = (folder / WEIGHTS).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise DamagedError(
            f"{WEIGHTS} has the hash {found[:12]}, its {CARD} says {card.sha256[:12] or 'nothing'}: the files are "
            "damaged or of two fits; fit or fetch them again"
        )
    try:
        tensors: dict[str, torch.Tensor] = load(content)
    except (SafetensorError, ValueError) as error:
        raise DamagedError(f"{WEIGHTS} is not a safetensors file ({error}): fit or fetch it again") from error
    bad = [name for name, value in tensors.items() if not bool(value.isfinite().all())]
    if bad:
        raise DamagedError(f"the weight {bad[0]} of {WEIGHTS} holds NaN or infinity: fit the facets again")
    return tensors, card
