"""A diffusers pipeline folder as found on disk or on the hub: where it is, its class, its settings, its loading.

Not a backbone: it knows nothing of latents or weights to train.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from redraft.core.config import Config, build
from redraft.core.errors import DamagedError, RedraftError, UsageError
from redraft.models.builtin import PREFIX, builtin_folder

INDEX = "model_index.json"
SETTINGS = "redraft.json"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
SLICES = 64
SLICE_BYTES = 65_536


class PipelineSettings(Config):
    """What `redraft.json` beside `model_index.json` may hold; None means the family's default.

    steps: network calls of the default recipe. guidance_scale: 1 means none. size: edge of the pictures in pixels.
    max_sequence_length: T5 tokens of a Stable Diffusion 3 prompt (zeros when the pipeline has no T5).
    """

    steps: int | None = Field(default=None, ge=1, le=1000)
    guidance_scale: float | None = Field(default=None, ge=1)
    size: int | None = Field(default=None, ge=8)
    max_sequence_length: int | None = Field(default=None, ge=1, le=512)


def is_hub_id(name: str) -> bool:
    """Whether `name` could be a hub id (`owner/name`) and is not a folder here."""
    return not Path(name).exists() and HUB_ID.fullmatch(name) is not None


def class_name(name: str) -> str:
    """The pipeline class of a built-in model, folder or hub id, before any weight is read.

    Raises UsageError when there is no such folder, pipeline or id, DamagedError when model_index.json is not one.
    """
    return str(_hub_index(name)["_class_name"] if is_hub_id(name) else read_index(locate(name))["_class_name"])


def locate(name: str) -> Path:
    """The folder of a built-in model, folder or hub id (downloaded into the hub cache if need be).

    Raises UsageError when there is none.
    """
    if name.startswith(PREFIX):
        return builtin_folder(name)
    if is_hub_id(name):
        return _download(name)
    folder = Path(name)
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise UsageError(
            f"model folder {name!r} {what}: give a folder that holds {INDEX} (a diffusers pipeline), a hub id "
            "owner/name, builtin:sd or builtin:sd3"
        )
    return folder


def read_index(folder: Path) -> Mapping[str, Any]:
    """The content of model_index.json. Raises UsageError when it is missing, DamagedError when it is not valid."""
    path = folder / INDEX
    if not path.is_file():
        raise UsageError(
            f"model folder {str(folder)!r} has no {INDEX}: it is not a diffusers pipeline folder; save one with "
            "pipeline.save_pretrained(folder), or name the folder above this one"
        )
    content = _read_json(path)
    if not isinstance(content.get("_class_name"), str):
        raise DamagedError(f"{str(path)!r} names no pipeline class (_class_name): fetch or save the pipeline again")
    return content


def read_settings(folder: Path) -> PipelineSettings:
    """The settings in redraft.json, or defaults when it is absent. Raises ConfigError for a wrong key or value."""
    path = folder / SETTINGS
    return build(PipelineSettings, _read_json(path) if path.is_file() else {}, source=str(path))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedError(f"{str(path)!r} is not valid JSON ({error}): fetch or save the pipeline again") from error
    if not isinstance(content, dict):
        raise DamagedError(f"{str(path)!r} holds no JSON object: fetch or save the pipeline again")
    return content


def load_pipeline(pipeline_class: Any, folder: Path, *, dtype: Any) -> Any:
    """The pipeline of `folder` with every part in evaluation mode and frozen; a safety checker is left out.

    Raises DamagedError when its files cannot be read as that pipeline.
    """
    from safetensors import SafetensorError

    index = read_index(folder)
    absent = {name: None for name, value in index.items() if isinstance(value, list) and value[0] is None}
    if "safety_checker" in index:
        # Pictures are judged by scorers; the checker would cost 1.2 GB and answers with black pictures.
        absent |= {"safety_checker": None, "feature_extractor": None}
        absent |= {"requires_safety_checker": False}  # type: ignore[dict-item]
    try:
        with Quiet(), warnings.catch_warnings():
            # The pipeline's advice to the maintainers of its folder; it already acts on it.
            warnings.simplefilter("ignore", FutureWarning)
            pipeline = pipeline_class.from_pretrained(str(folder), dtype=dtype, local_files_only=True, **absent)
    except RedraftError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DamagedError(
            f"the pipeline in {str(folder)!r} cannot be read ({type(error).__name__}: {str(error).strip()[:300]}): a "
            "file is missing or damaged; fetch or save the pipeline again"
        ) from error
    for part in pipeline.components.values():
        if hasattr(part, "requires_grad_"):
            part.eval().requires_grad_(False)
    return pipeline


def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits from evenly spaced slices of the weight files of a folder (a part of a pipeline)."""
    paths = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    if not paths:
        raise DamagedError(f"{str(folder)!r} holds no weights (*.safetensors): fetch or save the pipeline again")
    digest = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for number in range(SLICES):
                file.seek(number * size // SLICES)
                digest.update(file.read(SLICE_BYTES))
    return digest.hexdigest()[:16]


class Quiet:
    """Within: no progress bars and only errors from diffusers and transformers; afterwards as it was before."""

    def __enter__(self) -> None:
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        modules = (diffusers_logging, transformers_logging)
        self._bars = [module for module in modules if module.is_progress_bar_enabled()]
        self._levels = [(module, module.get_verbosity()) for module in modules]
        for module in modules:
            module.disable_progress_bar()
            module.set_verbosity_error()

    def __exit__(self, *_: object) -> None:
        for module in self._bars:
            module.enable_progress_bar()
        for module, level in self._levels:
            module.set_verbosity(level)


def _hub_index(name: str) -> Mapping[str, Any]:
    from diffusers import DiffusionPipeline

    try:
        return dict(DiffusionPipeline.load_config(name))
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error


def _download(name: str) -> Path:
    from diffusers import DiffusionPipeline

    try:
        return Path(DiffusionPipeline.download(name))
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error


def _unreachable(name: str, error: Exception) -> UsageError:
    reason = str(error).strip().splitlines()[0][:200]
    return UsageError(
        f"model {name!r} is no folder here and could not be fetched from the hub ({type(error).__name__}: {reason}): "
        "check the spelling, connect to the network (and unset HF_HUB_OFFLINE), or download it once and give its folder"
    )
