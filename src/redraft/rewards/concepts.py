"""What a CLIP was taught besides captions, as named numbers: linear read-outs of its state, kept beside its weights.

A CLIP that had to tell through linear heads how many things there are, where and of what colours, has a direction for
each of these. Who fits a model on few answers need not find them again, in the manner of concept bottlenecks (Koh et
al., 2007.04612). A folder without the file has none. Nothing is trained here, and concepts judge nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from redraft.core.errors import DamagedError
from redraft.rewards.fingerprints import hash_tensors
from redraft.rewards.head_files import write_whole

CONCEPTS = "concepts.safetensors"
Kind = Literal["number", "yes", "one_of"]
"""number: as it is; yes: a probability of its own; one_of: probabilities that sum to 1 over the group."""


@dataclass(frozen=True, kw_only=True)
class ConceptGroup:
    """`size` numbers that are told together."""

    name: str
    size: int
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Concepts:
    """Of a state of width W: weight C,W and bias C of all groups, in order."""

    groups: tuple[ConceptGroup, ...]
    weight: torch.Tensor
    bias: torch.Tensor

    def __len__(self) -> int:
        return len(self.bias)

    @property
    def identity(self) -> str:
        """Hash of the numbers in half precision; it tells which models were fitted on them."""
        return hash_tensors({"weight": self.weight, "bias": self.bias}, rounded=True)

    def __call__(self, state: torch.Tensor) -> torch.Tensor:
        """B,C of states B,W; keeps the gradient."""
        values = state @ self.weight.to(state).T + self.bias.to(state)
        parts = torch.split(values, [group.size for group in self.groups], dim=-1)
        return torch.cat([_as(group.kind, part) for group, part in zip(self.groups, parts, strict=True)], dim=-1)


def _as(kind: Kind, values: torch.Tensor) -> torch.Tensor:
    if kind == "one_of":
        return values.softmax(-1)
    return values.sigmoid() if kind == "yes" else values


def write_concepts(concepts: Concepts, *, folder: Path, clip: str) -> None:
    """Write the file, whole or not at all. clip: identity of the CLIP (`ClipTower`). Raises StorageError."""
    from safetensors.torch import save

    groups = json.dumps([[group.name, group.size, group.kind] for group in concepts.groups])
    tensors = {"weight": concepts.weight.contiguous(), "bias": concepts.bias.contiguous()}
    write_whole(folder / CONCEPTS, save(tensors, metadata={"clip": clip, "groups": groups}))


def read_concepts(folder: Path, *, clip: str, width: int) -> Concepts | None:
    """Those of a CLIP folder, None where it has none. width: W.

    Raises DamagedError for a file that cannot be read, is of another CLIP or of another width.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / CONCEPTS
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        groups = tuple(
            ConceptGroup(name=str(name), size=int(size), kind=_kind(kind))
            for name, size, kind in json.loads(metadata["groups"])
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"{CONCEPTS} of the CLIP folder {folder.name!r} cannot be read ({type(error).__name__}: {error}): fetch "
            "it again, or delete it to go without"
        ) from error
    if metadata.get("clip") != clip:
        raise DamagedError(
            f"{CONCEPTS} tells of the CLIP {metadata.get('clip')}, its folder {folder.name!r} holds {clip}: fetch both "
            "again, or delete it to go without"
        )
    count = sum(group.size for group in groups)
    if tuple(weight.shape) != (count, width) or tuple(bias.shape) != (count,):
        raise DamagedError(
            f"{CONCEPTS} of the CLIP folder {folder.name!r} holds a weight {tuple(weight.shape)} for {count} concepts "
            f"of a state of {width}: fetch it again, or delete it to go without"
        )
    return Concepts(groups=groups, weight=weight.float(), bias=bias.float())


def _kind(found: str) -> Kind:
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        if found == kind:
            return kind
    raise ValueError(f"a concept of kind {found!r}: it must be one of {', '.join(kinds)}")
