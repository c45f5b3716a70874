"""Writes trained weights for other programs: a LoRA that diffusers loads, or a whole pipeline folder.

Not a checkpoint (`models.checkpoints`): what is exported carries no lineage and is not read back by Redraft's store.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from redraft.core.errors import StorageError, UsageError
from redraft.core.tensors import Parameters
from redraft.models.folder import SETTINGS, Quiet
from redraft.models.weights import DenoiserWeights

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone

LORA_FILE = "pytorch_lora_weights.safetensors"


def export_lora(backbone: PipelineBackbone, folder: Path, *, parameters: Parameters | None = None) -> Path:
    """Write `folder`/pytorch_lora_weights.safetensors, which `pipeline.load_lora_weights(folder)` of diffusers reads.

    `parameters` default to the backbone's own. Alpha is kept in the file's metadata, which diffusers reads. Programs
    that know only the tensors take alpha = rank for granted: train with alpha = rank for them. Returns the file.
    Raises UsageError when no LoRA is attached, StorageError when the disk refuses.
    """
    weights = backbone.weights(parameters)
    _refuse_tokens(weights)
    if weights.kind != "lora":
        raise UsageError(f"the weights of {backbone.base!r} are full weights, not a LoRA: use export_pipeline")
    from peft.utils import get_peft_model_state_dict

    from redraft.models.lora import ADAPTER

    # Only a call to PEFT knows how the names in a file follow from those of the module.
    tensors = get_peft_model_state_dict(
        backbone.denoiser, state_dict=dict(weights.parameters), adapter_name=ADAPTER, save_embedding_layers=False
    )
    metadata = backbone.denoiser.peft_config[ADAPTER].to_dict()
    metadata["target_modules"] = sorted(weights.targets)  # a set there, in no fixed order
    part = backbone.part_name
    with _written(folder, replace=False) as partial:
        backbone.pipeline.save_lora_weights(
            str(partial), **{f"{part}_lora_layers": tensors, f"{part}_lora_adapter_metadata": metadata}
        )
    return folder / LORA_FILE


def export_pipeline(backbone: PipelineBackbone, folder: Path, *, parameters: Parameters | None = None) -> Path:
    """Write the whole pipeline, trained weights merged in, as a diffusers folder (with redraft.json). Returns it.

    Works for full weights and for a LoRA. A safety checker of the base folder is not part of it. Raises UsageError for
    soft tokens or when `folder` is there and not empty, StorageError when the disk refuses.
    """
    if backbone.trainable():
        _refuse_tokens(backbone.weights())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"export folder {str(folder)!r} is not empty: give a new one")
    with backbone.merged(parameters), _written(folder, replace=True) as partial:
        with Quiet():
            backbone.pipeline.save_pretrained(str(partial), safe_serialization=True)
        settings = {name: value for name, value in asdict(backbone.sampling).items() if name != "dtype" and value}
        (partial / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")
    return folder


def _refuse_tokens(weights: DenoiserWeights) -> None:
    if weights.kind == "tokens":
        raise UsageError(
            f"the weights of {weights.base!r} are soft tokens, which no pipeline of diffusers reads: keep the "
            "checkpoint, which Redraft paints with, or train a LoRA to export"
        )


@contextmanager
def _written(folder: Path, *, replace: bool) -> Iterator[Path]:
    """A folder to write into; its files reach `folder` only when all of them are written and synchronised."""
    folder = folder.resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        for path in partial.rglob("*"):
            if path.is_file():
                _synchronise(path)
        if replace:
            folder.mkdir(exist_ok=True)
            partial.replace(folder)
        else:
            folder.mkdir(exist_ok=True)
            for path in partial.iterdir():
                path.replace(folder / path.name)
    except OSError as error:
        raise StorageError(
            f"cannot write to {str(folder)!r} ({error}): free some space or give a folder that may be written"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _synchronise(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
