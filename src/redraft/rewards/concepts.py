"""What a CLIP was taught besides captions, as named numbers: read-outs of its state, kept beside its weights.

A CLIP that had to tell how many things there are, where and of what colours, by linear heads on its state and on some
units that look at it, need not be asked for these again by who fits a model on few answers, in the manner of concept
bottlenecks (Koh et al., 2007.04612). A folder without the file has none. Nothing is trained here; concepts judge
nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as functional

from redraft.core.errors import DamagedError
from redraft.rewards.fingerprints import hash_tensors
from redraft.rewards.head_files import write_whole

CONCEPTS = "concepts.safetensors"
Kind = Literal["number", "yes", "one_of"]
"""number: as it is; yes: a probability of its own; one_of: probabilities that sum to 1 over the group."""
_TENSORS = ("weight", "bias", "units_weight", "units_bias")


@dataclass(frozen=True, kw_only=True)
class ConceptGroup:
    """`size` numbers that are told together."""

    name: str
    size: int
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Concepts:
    """Of a state of width W and U units that look at it (units_weight U,W; units_bias U; GELU): weight C,W+U and bias C
    of all groups, in order.
    """

    groups: tuple[ConceptGroup, ...]
    weight: torch.Tensor
    bias: torch.Tensor
    units_weight: torch.Tensor
    units_bias: torch.Tensor

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """As they are kept."""
        return {name: getattr(self, name).contiguous() for name in _TENSORS}

    def __len__(self) -> int:
        return len(self.bias)

    @property
    def identity(self) -> str:
        """Hash of the numbers in half precision; it tells which models were fitted on them."""
        return hash_tensors(self.tensors, rounded=True)

    def __call__(self, state: torch.Tensor) -> torch.Tensor:
        """B,C of states B,W; keeps the gradient."""
        units = functional.gelu(functional.linear(state, self.units_weight.to(state), self.units_bias.to(state)))
        values = functional.linear(torch.cat([state, units], -1), self.weight.to(state), self.bias.to(state))
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
    write_whole(folder / CONCEPTS, save(concepts.tensors, metadata={"clip": clip, "groups": groups}))


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
            found = {name: file.get_tensor(name).float() for name in _TENSORS}
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
    units = len(found["units_bias"])
    wanted = {
        "weight": (count, width + units),
        "bias": (count,),
        "units_weight": (units, width),
        "units_bias": (units,),
    }
    for name, shape in wanted.items():
        if tuple(found[name].shape) != shape:
            raise DamagedError(
                f"{CONCEPTS} of the CLIP folder {folder.name!r} holds {name} {tuple(found[name].shape)} where {count} "
                f"concepts of a state of {width} by {units} units have {shape}: fetch it again, or delete it to go "
                "without"
            )
    return Concepts(groups=groups, **found)


def _kind(found: str) -> Kind:
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        if found == kind:
            return kind
    raise ValueError(f"a concept of kind {found!r}: it must be one of {', '.join(kinds)}")
