"""The format of a checkpoint: bytes to denoiser weights and back. Not a store: no file is opened here.

Safetensors with one metadata entry "redraft", a JSON object: format version, kind, rank, alpha, targets, base, its
fingerprint, bank of negative texts (soft tokens), and a SHA-256 over the tensors, so that a flipped bit is found.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from redraft.core.errors import DamagedError, UsageError
from redraft.models.weights import DenoiserWeights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

VERSION = 1
ENTRY = "redraft"
WAY_OUT = "restore it from a backup, or go on from another checkpoint"


def encode(weights: DenoiserWeights) -> bytes:
    """The bytes of a checkpoint: the same weights give the same bytes."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.parameters.items()}
    header = {
        "version": VERSION,
        "kind": weights.kind,
        "rank": weights.rank,
        "alpha": weights.alpha,
        "targets": list(weights.targets),
        "guidance_bank": weights.guidance_bank,
        "base": weights.base,
        "base_fingerprint": weights.base_fingerprint,
        "sha256": _digest(tensors),
    }
    return bytes(save(tensors, metadata={ENTRY: json.dumps(header, sort_keys=True)}))


def decode(content: bytes) -> DenoiserWeights:
    """The weights in a checkpoint's bytes.

    Raises DamagedError when they are no safetensors or not as they were written, UsageError when they are safetensors
    that Redraft did not write or of a later version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedError(f"these {len(content)} bytes are no checkpoint ({error}): {WAY_OUT}") from error
    if ENTRY not in metadata:
        raise UsageError(
            f"these safetensors hold {len(tensors)} tensors but were not written by Redraft: give a checkpoint, or for "
            "a LoRA of another tool open the model with diffusers, load and fuse it, and save the pipeline as a folder"
        )
    return _weights(_header(metadata[ENTRY], tensors), tensors)


def _header(text: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    try:
        header = json.loads(text)
        version, digest = header["version"], header["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"the checkpoint's header cannot be read ({error}): {WAY_OUT}") from error
    if version != VERSION:
        raise UsageError(
            f"the checkpoint has format version {version}, this Redraft reads {VERSION}: install the Redraft that "
            "wrote it"
        )
    if digest != _digest(tensors):
        raise DamagedError(f"the checkpoint's tensors do not match their SHA-256 {digest[:16]}: {WAY_OUT}")
    return dict(header)


def _weights(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> DenoiserWeights:
    try:
        return DenoiserWeights(
            kind=header["kind"],
            parameters=tensors,
            base=str(header["base"]),
            base_fingerprint=str(header["base_fingerprint"]),
            rank=int(header["rank"]),
            alpha=float(header["alpha"]),
            targets=tuple(header["targets"]),
            guidance_bank=header.get("guidance_bank", "positive"),  # absent before there were soft tokens
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"the checkpoint's header lacks {error}: {WAY_OUT}") from error


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
