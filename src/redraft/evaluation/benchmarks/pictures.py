"""Pictures of a folder, for models that are not ours: whatever made them, they are judged like any other.

Reading only; folders are laid out as the benchmarks' own tools write them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from redraft.core.errors import UsageError
from redraft.evaluation.benchmarks.benchmark import Benchmark
from redraft.evaluation.benchmarks.runner import Order

if TYPE_CHECKING:
    import torch
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LARGEST = 64_000_000
"""Pixels of a picture; more is taken for a decompression bomb."""


class PictureFolder:
    """A painter that reads `NNNNN.png` (one picture a prompt) or `NNNNN/samples/NNNN.png` (GenEval's layout).

    NNNNN is the place of the prompt in the benchmark, from 00000. HPS v2's layout, `STYLE/NNNNN.jpg` with places
    counted within the style, is read where a prompt has a tag `style:NAME` and the folder that subfolder. A picture
    that is not there is missing in the coverage.

    Raises:
        UsageError: when the folder has no picture of the benchmark at all.
    """

    def __init__(self, folder: Path, benchmark: Benchmark) -> None:
        self._files = {
            (place, index): path
            for place, names in enumerate(_names(benchmark, folder))
            for index in range(benchmark.images_per_prompt)
            if (path := _find(names, index)) is not None
        }
        if not self._files:
            raise UsageError(
                f"{str(folder)!r} has no picture for {benchmark.name}: name them 00000.png, 00001.png and so on, by "
                "the place of the prompt (or 00000/samples/0000.png for several pictures a prompt)"
            )

    def __call__(self, wanted: Sequence[Order]) -> list[torch.Tensor | None]:
        """The pictures of these orders, None where there is no file."""
        files = [self._files.get((order.prompt_number, order.index)) for order in wanted]
        return [None if path is None else read_picture(path) for path in files]

    @property
    def found(self) -> int:
        """How many pictures are there."""
        return len(self._files)


def picture_files(folder: Path) -> tuple[Path, ...]:
    """All pictures below a folder, by name. Raises UsageError when there is none."""
    found = tuple(
        sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
        if folder.is_dir()
        else ()
    )
    if not found:
        raise UsageError(f"{str(folder)!r} has no picture ({', '.join(ENDINGS)}): name a folder that holds some")
    return found


def read_picture(path: Path) -> torch.Tensor:
    """A picture as 3,H,W float in 0..1: turned as its EXIF says, transparent parts on white, the first frame of many.

    Raises UsageError when it is no picture that can be read, or has more than 64 million pixels.
    """
    import torch
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is below, and lower
            with Image.open(path) as opened:
                if opened.width * opened.height > LARGEST:
                    raise UsageError(
                        f"{path} has {opened.width} x {opened.height} pixels: at most {LARGEST:,} are read; shrink it"
                    )
                picture = ImageOps.exif_transpose(opened)
                if picture.has_transparency_data:
                    layer = picture.convert("RGBA")
                    picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
                pixels = np.asarray(_eight_bits(picture).convert("RGB"), dtype=np.float32) / 255
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is no picture that can be read ({error}): mend or remove it") from error
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit greyscale scaled to 8 bits; Pillow's own conversion would cut it off at 255."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture, dtype=np.float64)
    return Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8))


def _names(benchmark: Benchmark, folder: Path) -> list[list[Path]]:
    """For each prompt, where its pictures may be, without ending; several candidates, the first that is there wins."""
    places: dict[str, int] = {}
    names = []
    for number, prompt in enumerate(benchmark.prompts):
        candidates = [folder / f"{number:05d}"]
        style = prompt.tag("style")
        if style is not None:
            within = places.get(style, 0)
            places[style] = within + 1
            candidates.insert(0, folder / style / f"{within:05d}")
        names.append(candidates)
    return names


def _find(candidates: Sequence[Path], index: int) -> Path | None:
    for stem in candidates:
        options = [stem / "samples" / f"{index:04d}", stem / "samples" / f"{index:05d}"]
        if index == 0:
            options.append(stem)
        for option in options:
            for ending in ENDINGS:
                path = option.with_name(option.name + ending)
                if path.is_file():
                    return path
    return None
