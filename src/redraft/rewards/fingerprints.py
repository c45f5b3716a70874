"""Names for exact versions of scorers: hashes of weights and settings. Not a checksum of files, whose form may change.

Scores of unlike fingerprints must not be compared: `require_like` refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from redraft.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from redraft.core.tensors import Scores

DIGITS = 16


def fingerprint_of(*parts: object) -> str:
    """16 hexadecimal digits of the representations of `parts`, in order."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:DIGITS]


def hash_tensors(tensors: Mapping[str, torch.Tensor], *, rounded: bool = False) -> str:
    """16 hexadecimal digits of names, shapes, types and bytes, whatever the order of the mapping.

    rounded: hash the values as half precision, so that weights are equal to themselves after a save in half precision.
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        if rounded and value.is_floating_point():
            value = value.to(torch.float16)
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:DIGITS]


def require_like(first: Scores, second: Scores, *, head: str) -> None:
    """Raise UsageError unless both hold scores of `head` by the same version of the scorer."""
    found = []
    for scores in (first, second):
        if head not in scores.names:
            raise UsageError(f"scores of {', '.join(scores.names)} lack the head {head!r}: score with it first")
        found.append(scores.fingerprints[scores.names.index(head)])
    if found[0] != found[1]:
        raise UsageError(
            f"scores of {head!r} have the fingerprints {found[0]} and {found[1]}: other weights, preprocessing or "
            "number format give other scales, so they cannot be compared; score both sets of pictures with one scorer"
        )
