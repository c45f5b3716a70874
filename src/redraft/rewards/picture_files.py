"""The one door for picture files: bytes from anywhere to pixels in 0..1, or a message that says what is wrong.

Nothing is repaired in silence: what cannot become RGB without a choice (CMYK, transparency, 16 bits, several frames) is
refused with the way out. The size is read and judged before anything is decoded.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
LARGEST_FILE = 64 * 2**20
LARGEST_PICTURE = 8192 * 4096
"""Pixels; decoded they take 400 MB in float32."""
SMALLEST_SIDE = 8
LONGEST_TO_SHORTEST = 20
"""Sides of a picture may differ by this factor; a sliver would become millions of pixels wide when it is resized."""
WAITING_BATCHES = 4
"""Pictures of different sizes cannot share a batch; at most this many batches of them wait for company."""
File = Path | tuple[Path, ...]
"""Of a picture, or those of the frames of a clip, in order."""
_AS_THEY_ARE = ("RGB", "L", "1", "P")
_WITH_ALPHA = ("RGBA", "LA", "PA")


def read_picture(source: Path | bytes, *, name: str = "") -> torch.Tensor:
    """A picture 3,H,W float32 in 0..1, turned upright by its EXIF orientation; grey and palette become RGB.

    name: of bytes, for messages. Raises UsageError for whatever is not one plain still picture: missing, empty, too
    large, a decompression bomb, too small, a sliver, of another format, damaged, cut off, animated, CMYK,
    16 bits, transparent.
    """
    from PIL import Image, ImageOps

    label, content = _content(source, name=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower, and judged below
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                _judge(picture, label=label)
                picture.load()
                _refuse_transparency(picture, label=label)
                upright = ImageOps.exif_transpose(picture)
                values = np.asarray(upright.convert("RGB"), dtype=np.uint8)
    except UsageError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UsageError(
            f"{label} is no picture in {', '.join(FORMATS)}: it begins with {content[:16]!r}; look at what wrote it"
        ) from error
    except Image.DecompressionBombError as error:  # Pillow's own limit, which is higher: it gives no size
        raise UsageError(
            f"{label} is refused as a decompression bomb: at most {LARGEST_PICTURE} pixels are decoded; make it smaller"
        ) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, ...
        raise UsageError(
            f"{label} is damaged or cut off ({type(error).__name__}: {str(error)[:120]}): write or fetch it again"
        ) from error
    return torch.from_numpy(values.copy()).permute(2, 0, 1).float() / 255


def _content(source: Path | bytes, *, name: str) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        label, content = f"picture {name!r}" if name else "the picture", source
        size = len(content)
    else:
        label = f"picture {str(source)!r}"
        if not source.is_file():
            what = "is a folder" if source.is_dir() else "is no file"
            raise UsageError(f"{label} {what}: give the path of a picture file")
        size = source.stat().st_size
        content = b""
    if size > LARGEST_FILE:
        raise UsageError(f"{label} has {size} bytes, at most {LARGEST_FILE} are read: make it smaller")
    if not isinstance(source, bytes):
        try:
            content = source.read_bytes()
        except OSError as error:
            raise UsageError(f"{label} cannot be read ({error.strerror or error}): check its permissions") from error
    if not content:
        raise UsageError(f"{label} is empty (0 bytes): write or fetch it again")
    return label, content


def _judge(picture: Any, *, label: str) -> None:
    """Refuse by what the header tells, before a pixel is decoded."""
    width, height = picture.size
    if width * height > LARGEST_PICTURE:
        raise UsageError(
            f"{label} has {width} x {height} pixels, at most {LARGEST_PICTURE} are decoded (a small file of many is a "
            "decompression bomb): make it smaller"
        )
    if min(width, height) < SMALLEST_SIDE or max(width, height) > LONGEST_TO_SHORTEST * min(width, height):
        raise UsageError(
            f"{label} has {width} x {height} pixels: sides must have at least {SMALLEST_SIDE} and differ by a factor "
            f"of {LONGEST_TO_SHORTEST} at most; no score of it would mean anything"
        )
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise UsageError(f"{label} has {frames} frames: scorers read one still picture; save the frame you mean")
    if picture.mode not in (*_AS_THEY_ARE, *_WITH_ALPHA):
        raise UsageError(
            f"{label} has the colours {picture.mode!r}: RGB, grey or a palette of 8 bits is read; convert it to RGB "
            "first, with the colour profile or scale that is meant"
        )


def _refuse_transparency(picture: Any, *, label: str) -> None:
    """A picture may have an alpha channel if it hides nothing."""
    if picture.mode not in _WITH_ALPHA and "transparency" not in picture.info:
        return
    lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    if lowest < 255:
        raise UsageError(
            f"{label} is transparent in places: what is seen there depends on the background; put it on one and save "
            "it without transparency"
        )


@dataclass(frozen=True, kw_only=True)
class FileScores:
    """Scores of files in their order, masked where `failures` (index, message) says why there is none."""

    scores: Scores
    failures: tuple[tuple[int, str], ...]


def score_files(scorer: Scorer, files: Sequence[File], prompts: Sequence[Prompt], *, batch: int = 32) -> FileScores:
    """Score picture files, `batch` at once at most. One that cannot be read, or that the scorer refuses, loses its own
    score only. Clips go as B,T,3,H,W to a scorer that takes them.

    Raises UsageError unless there is one prompt a file, or when not one file has a score (naming the first reason).
    """
    if len(files) != len(prompts):
        raise UsageError(f"{len(files)} picture files for {len(prompts)} prompts: give one prompt a file")
    values = torch.zeros(len(files), len(scorer.heads))
    mask = torch.zeros(len(files), len(scorer.heads), dtype=torch.bool)
    failures: list[tuple[int, str]] = []
    waiting: dict[tuple[int, ...], list[tuple[int, torch.Tensor]]] = {}

    def judge(group: list[tuple[int, torch.Tensor]]) -> None:
        indices = [index for index, _ in group]
        pictures = Images(pixels=torch.stack([pixels for _, pixels in group]))
        try:
            found = scorer.score(pictures, [prompts[index] for index in indices])
        except UsageError as error:
            if len(group) > 1:  # which of them it is about
                for one in group:
                    judge([one])
            else:
                failures.append((indices[0], f"{_named(files[indices[0]])}: {error}"))
            return
        values[indices], mask[indices] = found.values.cpu(), found.mask.cpu()

    for index, file in enumerate(files):
        try:
            pixels = _read(file)
        except UsageError as error:
            failures.append((index, str(error)))
            continue
        group = waiting.setdefault(tuple(pixels.shape), [])
        group.append((index, pixels))
        if len(group) == batch:
            judge(waiting.pop(tuple(pixels.shape)))
        elif sum(map(len, waiting.values())) >= WAITING_BATCHES * batch:  # many sizes: do not hold them all
            judge(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
    for group in waiting.values():
        judge(group)
    failures.sort()
    if failures and len(failures) == len(files):
        raise UsageError(f"none of {len(files)} picture files could be scored; the first: {failures[0][1]}")
    fingerprints = (scorer.fingerprint,) * len(scorer.heads)
    return FileScores(
        scores=Scores(values=values, names=tuple(scorer.heads), fingerprints=fingerprints, mask=mask),
        failures=tuple(failures),
    )


def _read(file: File) -> torch.Tensor:
    """3,H,W of a picture, T,3,H,W of a clip."""
    if isinstance(file, Path):
        return read_picture(file)
    frames = [read_picture(frame) for frame in file]
    other = [frame for frame, pixels in zip(file, frames, strict=True) if pixels.shape != frames[0].shape]
    if other:
        raise UsageError(f"{_named(file)}: {str(other[0])!r} is of another size; frames of a clip must be alike")
    return torch.stack(frames)


def _named(file: File) -> str:
    return f"picture {str(file)!r}" if isinstance(file, Path) else f"clip {str(file[0])!r} to {str(file[-1])!r}"
