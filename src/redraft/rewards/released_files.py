"""Released weights in a folder: which file is which reward, and how it is read. It knows no network's layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.core.errors import DamagedError, NumericsError, UsageError

if TYPE_CHECKING:
    import torch

WEIGHT_FORMATS = (".safetensors", ".pt", ".pth", ".bin")

RELEASED: Mapping[str, tuple[str, str]] = {
    "hpc.pt": ("hps", "v1"),
    "HPS_v2.pt": ("hps", "v2"),
    "HPS_v2_compressed.pt": ("hps", "v2"),
    "HPS_v2.1_compressed.pt": ("hps", "v2.1"),
    "ImageReward.pt": ("image-reward", ""),
    "sac+logos+ava1-l14-linearMSE.pth": ("aesthetic-v2", ""),
    "ava+logos-l14-linearMSE.pth": ("aesthetic-v2", ""),
    "ava+logos-l14-reluMSE.pth": ("aesthetic-v2", ""),
    "clip_ViT-L-14_openai_binary_nsfw_head.pth": ("safety-laion", ""),
    "clip_ViT-B-32_openai_binary_nsfw_head.pth": ("safety-laion", ""),
}
"""Name of a released file -> (scorer that reads it, its version where the file does not say)."""


def recognise(folder: Path) -> str | None:
    """The scorer whose released weights are in the folder, or None.

    Raises UsageError when there are those of several scorers.
    """
    found = sorted({scorer for name, (scorer, _) in RELEASED.items() if (folder / name).is_file()})
    if len(found) > 1:
        raise UsageError(
            f"folder {str(folder)!r} holds the weights of {' and '.join(found)}: name the one that is meant, with "
            f"folder = {str(folder)!r} in the table [scorers.{found[0]}]"
        )
    return found[0] if found else None


def find_weights(place: str | Path, *, scorer: str, given: str = "", beside_a_model: bool = False) -> Path:
    """The weights file of a scorer: `given` (in the folder, or a path), a released name, or the only one there.

    beside_a_model: the folder holds a model's own weights too, so an unknown name is not taken for the scorer's.
    Raises UsageError when there is none, or several.
    """
    folder = Path(place)
    if not str(place) or not folder.is_dir():
        raise UsageError(
            f"{scorer} needs a folder, {str(place)!r} is none: set folder = '...' in [scorers.{scorer}] to where its "
            "released files are; nothing is downloaded"
        )
    if given:
        if not (folder / given).is_file():
            raise UsageError(f"{scorer}: no file {given!r} in {str(folder)!r}: mend `weights` in [scorers.{scorer}]")
        return folder / given
    named = [folder / name for name, (owner, _) in RELEASED.items() if owner == scorer and (folder / name).is_file()]
    others = sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_FORMATS and path.is_file())
    found = named or ([] if beside_a_model else others)
    if len(found) != 1:
        what = (
            f"{len(found)} weights files ({', '.join(path.name for path in found)})" if found else "none of its weights"
        )
        wanted = ", ".join(name for name, (owner, _) in RELEASED.items() if owner == scorer)
        raise UsageError(
            f"{scorer}: folder {str(folder)!r} holds {what}: put the released one there ({wanted}), or name it as "
            f"`weights` in [scorers.{scorer}]"
        )
    return found[0]


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file; what wraps them (`state_dict`, "module." before names) is taken off.

    No code in the file is run. Raises DamagedError when it cannot be read or holds other things than tensors,
    NumericsError for NaN or infinity.
    """
    import torch

    try:
        content = _read(path)
        if isinstance(content.get("state_dict"), Mapping):
            content = content["state_dict"]
        other = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
        if other or not content:
            raise ValueError(f"{other[0]!r} is no tensor" if other else "it is empty")
    except Exception as error:  # unpickling a damaged file raises nearly anything
        raise DamagedError(
            f"weights {path.name!r} cannot be read ({type(error).__name__}: {str(error)[:200]}): it must hold named "
            "tensors (a state dict in .pt, .pth, .bin or .safetensors); fetch it again"
        ) from error
    if all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): value for name, value in content.items()}
    for name, value in content.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise NumericsError(f"the weight {name} of {path.name!r} holds NaN or infinity: fetch the file again")
    return dict(content)


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors: Mapping[str, Any] = load_file(path)
        return tensors
    import torch

    state: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def require_layout(
    state: Mapping[str, Any], expected: Collection[str], *, ignored: Sequence[str] = (), source: str, layout: str
) -> None:
    """Raise UsageError naming the missing keys unless `state` has the expected ones and no others.

    ignored: beginnings of names that may be there and are not used.
    """
    missing = [name for name in expected if name not in state]
    foreign = [name for name in state if name not in expected and not name.startswith(tuple(ignored))]
    if not missing and not foreign:
        return
    parts = []
    if missing:
        parts.append(f"it lacks {_some(missing)}")
    if foreign:
        parts.append(f"it has {_some(foreign)}, which do not belong there")
    raise UsageError(
        f"{source} is not in the layout of {layout}: {'; '.join(parts)}. Give the file as it was released, or choose "
        "the scorer that it belongs to"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
