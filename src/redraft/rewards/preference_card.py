"""The card of a preference model: `card.json` in its folder, with what no weight of the CLIP holds. No scoring."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from redraft.core.config import Config
from redraft.core.errors import DamagedError, UsageError

CARD = "card.json"
WEIGHTS = "model.safetensors"


class PreferenceCard(Config):
    """What stands in the file.

    parent: identity of the CLIP that was tuned. tie: the parameter of the model of ties. offset: the score at which a
    single picture is as likely liked as not. tie_threshold: see `preference_accuracy.tie_aware_accuracy`.
    metrics: on held-out prompts. passes: passes of the kept weights, 0 for those of the start. sha256: of the weights.
    """

    kind: Literal["preference"] = "preference"
    format: Literal[1] = 1
    parent: str
    image_layers: int = Field(ge=-1)
    text_layers: int = Field(ge=-1)
    ties: Literal["none", "rao-kupper", "davidson"]
    tie: float
    offset: float
    tie_threshold: float = Field(ge=0, le=1)
    metrics: dict[str, float] = Field(default_factory=dict)
    data_hash: str = ""
    seed: int = 0
    passes: int = Field(default=0, ge=0)
    sha256: str = ""


def read_card(folder: Path) -> PreferenceCard:
    """The card of a preference model, after its weights were held against it.

    Raises UsageError when card or weights are missing, DamagedError when the card is none or the weights are others.
    """
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(
                f"folder {str(folder)!r} has no {name}: give one that `redraft reward fit --kind preference` wrote"
            )
    try:
        card = PreferenceCard.model_validate_json((folder / CARD).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedError(
            f"{CARD} is not a card of a preference model ({where} {first['msg']}): fit it again"
        ) from error
    found = hash_file(folder / WEIGHTS)
    if found != card.sha256:
        raise DamagedError(
            f"{WEIGHTS} has the hash {found[:12]}, its {CARD} says {card.sha256[:12] or 'nothing'}: the files are "
            "damaged or of two fits; fit or fetch them again"
        )
    return card


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
