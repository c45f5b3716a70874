"""From pictures to the input of a CLIP image tower, twice: the reference way and a differentiable one.

Reference: 8-bit values, Pillow, bicubic, shortest side, centre crop, as transformers' CLIPImageProcessorPil does.
Differentiable: the same on tensors with antialiasing. No network here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as functional

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.records import Prompt

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
PIXEL_BOUND = 2.0 / 255
"""Most that the two preprocessings differ, before normalisation: 8-bit rounding, three times where they resize."""
BICUBIC = 3
_OUT_OF_RANGE = 1e-4


def check_pictures(pixels: torch.Tensor, prompts: Sequence[Prompt], *, scorer: str) -> None:
    """Raise UsageError unless pixels are floating B,3,H,W in 0..1, one per prompt; NumericsError for NaN in them."""
    if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
        raise UsageError(
            f"pictures of {pixels.dtype} with shape {tuple(pixels.shape)}: scorer {scorer!r} takes floating B,3,H,W in "
            "0..1; divide 8-bit values by 255 and put the three colours second"
        )
    if len(pixels) != len(prompts):
        raise UsageError(
            f"{len(pixels)} pictures for {len(prompts)} prompts: scorer {scorer!r} needs one prompt per picture"
        )
    values = pixels.detach()
    if not values.numel():
        return
    # One pass over the pictures: NaN comes through both.
    low, high = (float(value) for value in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        row = int((~torch.isfinite(values).flatten(1).all(1)).nonzero()[0])
        raise NumericsError(
            f"picture {row} holds NaN or infinity: scorer {scorer!r} was stopped before it gave a score; look at the "
            "sampler that made it"
        )
    if low < -_OUT_OF_RANGE or high > 1 + _OUT_OF_RANGE:
        raise UsageError(
            f"pictures with values from {low:.4g} to {high:.4g}: scorer {scorer!r} takes 0..1; rescale -1..1 by "
            "x / 2 + 0.5, 0..255 by x / 255, and clamp"
        )


class PicturePreprocessing(Protocol):
    """From pictures B,3,H,W in 0..1 to what a network takes. Its repr is part of fingerprints: settings, no state."""

    def reference(self, pixels: torch.Tensor) -> torch.Tensor:
        """As the published scores were made. No gradient."""
        ...

    def differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """The same within a stated bound, with a gradient."""
        ...


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Shortest side to `resize` pixels, then the central `crop` x `crop`, then (x - mean) / std per colour."""

    resize: int
    crop: int
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD

    def __post_init__(self) -> None:
        if not 0 < self.crop <= self.resize or min(self.std) <= 0:
            raise UsageError(
                f"preprocessing with shortest side {self.resize}, crop {self.crop} and std {self.std}: the crop must "
                "fit into the resized picture and every std be above 0; mend preprocessor_config.json"
            )

    def reference(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,3,H,W in 0..1 to B,3,crop,crop, through 8-bit values and Pillow. No gradient."""
        from PIL import Image

        height, width = pixels.shape[-2:]
        levels = (pixels.detach() * 255).round_().clamp_(0, 255).float()
        size = self._resized(height, width)
        if size != (height, width):
            # Colour by colour: Pillow treats them alike, and the planes lie as they are wanted.
            planes = levels.to(torch.uint8).flatten(0, 1).cpu().numpy()
            resized = np.empty((len(planes), *size), dtype=np.uint8)
            for index, plane in enumerate(planes):
                resized[index] = Image.fromarray(plane).resize(size[::-1], Image.Resampling.BICUBIC)
            levels = torch.from_numpy(resized).reshape(-1, 3, *size).to(pixels.device).float()
        return self._cropped(levels.div_(255))

    def differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """The same on tensors, within PIXEL_BOUND before normalisation; keeps the gradient."""
        size = self._resized(int(pixels.shape[-2]), int(pixels.shape[-1]))
        if size != tuple(pixels.shape[-2:]):
            # Pillow resizes along rows, then along columns, and clips bicubic's overshoot after each.
            for stage in ((int(pixels.shape[-2]), size[1]), size):
                pixels = functional.interpolate(pixels, stage, mode="bicubic", antialias=True, align_corners=False)
                pixels = pixels.clamp(0, 1)
        return self._cropped(pixels)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def _cropped(self, pixels: torch.Tensor) -> torch.Tensor:
        top, left = (pixels.shape[-2] - self.crop) // 2, (pixels.shape[-1] - self.crop) // 2
        crop = pixels[..., top : top + self.crop, left : left + self.crop]
        mean, std = crop.new_tensor(self.mean), crop.new_tensor(self.std)
        return (crop - mean[:, None, None]) / std[:, None, None]


def read_preprocessing(folder: Path, *, image_size: int) -> Preprocessing:
    """The preprocessing of a CLIP folder; without a file, OpenAI's with the model's own image size.

    Raises UsageError for one that is not CLIP's (not bicubic, no crop), DamagedError for a file that is not JSON.
    """
    found = [
        path for name in ("preprocessor_config.json", "processor_config.json") if (path := folder / name).is_file()
    ]
    if not found:
        return Preprocessing(resize=image_size, crop=image_size)
    try:
        values: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
        values = values.get("image_processor", values)
        resize, crop = _edge(values.get("size"), image_size), _edge(values.get("crop_size"), image_size)
        mean, std = values.get("image_mean") or OPENAI_MEAN, values.get("image_std") or OPENAI_STD
        settings = Preprocessing(resize=resize, crop=crop, mean=_three(mean), std=_three(std))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DamagedError(f"{found[0].name} of the CLIP folder cannot be read ({error}): fetch it again") from error
    switches = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
    off = [name for name in switches if values.get(name) is False]
    if off or values.get("resample", BICUBIC) != BICUBIC or crop != image_size:
        raise UsageError(
            f"{found[0].name}: {', '.join(off) or 'nothing'} switched off, resample {values.get('resample', BICUBIC)}, "
            f"crop {crop}: a CLIP of {image_size} pixels is fed by bicubic resizing (3), a centre crop of {image_size} "
            "and normalisation; use a folder saved with its CLIPImageProcessor"
        )
    return settings


def _edge(value: Any, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, dict):
        if "shortest_edge" not in value and value["height"] != value["width"]:
            raise ValueError(f"size {value} is neither a shortest edge nor a square")
        return int(value["shortest_edge"] if "shortest_edge" in value else value["height"])
    return int(value)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
