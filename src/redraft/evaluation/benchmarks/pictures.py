"""Pictures of a folder, for models that are not ours: whatever made them, they are judged like any other.

Reading only; folders are laid out as the benchmarks' own tools write them.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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


@runtime_checkable
class Filed(Protocol):
    """A benchmark that names the files of its pictures: for each prompt paths below the folder, without ending, the
    best first. One without names them by the places of its prompts.
    """

    file_stems: Sequence[Sequence[str]]


class PictureFolder:
    """A painter that reads `NNNNN.png` (one picture a prompt) or `NNNNN/samples/NNNN.png` (GenEval's layout).

    NNNNN is the place of the prompt in the published list, from 00000, also where only some of the list are judged; HPS
    v2's layout is `STYLE/NNNNN.jpg`, places counted within the style. `TEXT_NNNNNN.png` in the folder or in its
    `samples` (T2I-CompBench's layout) belong to the prompt of that text, in the order of their numbers. A picture that
    is not there is missing in the coverage.

    Raises:
        UsageError: when the folder has no picture of the benchmark at all, or the metadata.jsonl that GenEval's tool
            lays beside the pictures of a prompt is of another prompt.
    """

    def __init__(self, folder: Path, benchmark: Benchmark) -> None:
        _require_same_prompts(folder, benchmark)
        by_text = _by_text(folder)
        self._files = {
            (place, index): path
            for place, (prompt, stems) in enumerate(zip(benchmark.prompts, _stems(benchmark), strict=True))
            for index in range(benchmark.images_per_prompt)
            if (path := _find([folder / stem for stem in stems], index, named=by_text.get(prompt.text, []))) is not None
        }
        if not self._files:
            raise UsageError(
                f"{str(folder)!r} has no picture for {benchmark.name}: name them 00000.png, 00001.png and so on, by "
                "the place of the prompt (or 00000/samples/0000.png for several pictures a prompt)"
            )
        read = set(self._files.values())
        # GenEval's own tool lays a sheet of all pictures of a prompt beside them.
        self.unread = tuple(path for path in picture_files(folder) if path not in read and path.stem != "grid")
        """Pictures of the folder that belong to nothing that is judged."""

    def __call__(self, wanted: Sequence[Order]) -> list[torch.Tensor | None]:
        """The pictures of these orders, None where there is no file."""
        files = [self._files.get((order.prompt_number, order.index)) for order in wanted]
        return [None if path is None else read_picture(path) for path in files]

    def source(self, order: Order) -> str:
        """16 hexadecimal digits of the file of this order, "" where there is none or it cannot be read."""
        path = self._files.get((order.prompt_number, order.index))
        try:
            return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        except OSError:
            return ""  # reading it as a picture tells why

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


def _stems(benchmark: Benchmark) -> Sequence[Sequence[str]]:
    if isinstance(benchmark, Filed):
        return benchmark.file_stems
    return [(f"{place:05d}",) for place in range(len(benchmark.prompts))]


def _require_same_prompts(folder: Path, benchmark: Benchmark) -> None:
    for prompt, stems in zip(benchmark.prompts, _stems(benchmark), strict=True):
        for path in (folder / stem / "metadata.jsonl" for stem in stems):
            said = _prompt_said(path)
            if said is not None and said.strip() != prompt.text.strip():
                raise UsageError(
                    f"{path} says that the pictures beside it are of {said!r}, where {benchmark.name} has "
                    f"{prompt.text!r}: they were painted from another list; give that list by --data"
                )


def _prompt_said(path: Path) -> str | None:
    try:
        with open(path, encoding="utf-8-sig") as file:
            said = json.loads(file.readline())["prompt"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # It is not needed, and need not be GenEval's.
    return said if isinstance(said, str) else None


def _by_text(folder: Path) -> dict[str, list[Path]]:
    """Files named `TEXT_NNNNNN` by their text, each text's in the order of the numbers."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for place in (folder, folder / "samples"):
        for path in place.iterdir() if place.is_dir() else ():
            text, _, number = path.stem.rpartition("_")
            if text and number.isdecimal() and path.suffix.lower() in ENDINGS:
                found.setdefault(text, []).append((int(number), path))
    return {text: [path for _, path in sorted(files)] for text, files in found.items()}


def _find(stems: Sequence[Path], index: int, *, named: Sequence[Path]) -> Path | None:
    """The picture of this index by its stem, else by its text."""
    for stem in stems:
        options = [stem / "samples" / f"{index:04d}", stem / "samples" / f"{index:05d}"]
        if index == 0:
            options.append(stem)
        for option in options:
            for ending in ENDINGS:
                path = option.with_name(option.name + ending)
                if path.is_file():
                    return path
    return named[index] if index < len(named) else None
