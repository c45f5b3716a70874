"""The files of heads: `*.safetensors` with the weights, `*.json` with the card that says what they are. No scoring."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from redraft.core.config import Config
from redraft.core.errors import DamagedError, NumericsError, StorageError, UsageError

if TYPE_CHECKING:
    import torch

Output = Literal["value", "probability"]
Inputs = Literal["image", "alignment"]


class HeadEntry(Config):
    """One head. value: any number; probability: 0..1. Higher is better in both."""

    name: str = Field(min_length=1)
    output: Output


class HeadCard(Config):
    """What stands in the JSON file.

    clip: identity of the CLIP whose features the heads read. clip_folder: as `scorer_folders.stored_place` names it; ""
    for the one that ships, and for heads that lie in it. hidden: width of the hidden layer, 0 for linear heads.
    tune_layers: how many of the CLIP's last image layers were trained too (their weights are in the file).
    sha256: of the weights file. data_hash: of the ratings fitted to.
    """

    format: Literal[1] = 1
    clip: str
    clip_folder: str = ""
    heads: tuple[HeadEntry, ...] = Field(min_length=1)
    inputs: Inputs = "image"
    hidden: int = Field(default=0, ge=0)
    tune_layers: int = Field(default=0, ge=0)
    metrics: dict[str, float] = Field(default_factory=dict)
    data_hash: str = ""
    seed: int = 0
    sha256: str = ""


def write_head_files(
    tensors: Mapping[str, torch.Tensor], card: HeadCard, *, weights_path: Path, card_path: Path
) -> HeadCard:
    """Write both files, each whole or not at all; the card last. Returns the card as written, with its sha256.

    Raises NumericsError for weights that are not finite, StorageError when the disk refuses.
    """
    from safetensors.torch import save

    _require_finite(tensors, source=weights_path.name)
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    card = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    write_whole(weights_path, content)
    write_whole(card_path, (card.model_dump_json(indent=2) + "\n").encode())
    return card


def read_head_files(*, weights_path: Path, card_path: Path) -> tuple[dict[str, torch.Tensor], HeadCard]:
    """Read both files.

    Raises UsageError when one is missing, DamagedError when the card or the weights cannot be read or do not match,
    NumericsError for NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    for path in (card_path, weights_path):
        if not path.is_file():
            raise UsageError(
                f"folder {str(path.parent)!r} has no {path.name}: give a folder with {card_path.name} and "
                f"{weights_path.name}, as written when heads are fitted"
            )
    try:
        card = HeadCard.model_validate_json(card_path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedError(
            f"{card_path.name} is not a card of heads ({where} {first['msg']}): fit them again"
        ) from error
    content = weights_path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise DamagedError(
            f"{weights_path.name} has the hash {found[:12]}, its card {card_path.name} says "
            f"{card.sha256[:12] or 'nothing'}: the files are damaged or of two fits; fit or fetch them again"
        )
    try:
        tensors: dict[str, torch.Tensor] = load(content)
    except (SafetensorError, ValueError) as error:
        raise DamagedError(f"{weights_path.name} is not a safetensors file ({error}): fit or fetch it again") from error
    _require_finite(tensors, source=weights_path.name)
    return tensors, card


def write_whole(path: Path, content: bytes) -> None:
    """Write, sync, rename: nobody ever sees half a file. Raises StorageError when the disk refuses."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(
            f"{path.name} ({len(content)} bytes) could not be written ({error.strerror or error}): make room or choose "
            "another folder; what stood there before is unchanged"
        ) from error


def _require_finite(tensors: Mapping[str, torch.Tensor], *, source: str) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise NumericsError(f"the weight {name} of {source} holds NaN or infinity: fit the heads again")
