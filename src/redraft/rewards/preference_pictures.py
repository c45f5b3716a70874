"""Pictures by row number, as a network's inputs, for fits: from memory, from files or by name. It scores nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from redraft.rewards.picture_files import read_picture
from redraft.rewards.pixels import PicturePreprocessing


class Pictures(Protocol):
    """Pictures by row number, as a network's inputs."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def inputs(self, rows: torch.Tensor, preprocessing: PicturePreprocessing) -> torch.Tensor:
        """B,3,height,width: the rows after the reference preprocessing."""
        ...


@dataclass(frozen=True, kw_only=True)
class PixelPictures:
    """Pictures in memory, all of one size: pixels N,3,H,W, uint8 or floats in 0..1."""

    pixels: torch.Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def inputs(self, rows: torch.Tensor, preprocessing: PicturePreprocessing) -> torch.Tensor:
        """The rows after the reference preprocessing."""
        chosen = self.pixels[rows]
        return preprocessing.reference(chosen.float() / 255 if chosen.dtype == torch.uint8 else chosen)


@dataclass(frozen=True, kw_only=True)
class FilePictures:
    """Pictures in files, of any sizes, read when they are asked for. Errors as `read_picture` raises them."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def inputs(self, rows: torch.Tensor, preprocessing: PicturePreprocessing) -> torch.Tensor:
        """The rows after the reference preprocessing."""
        return _prepared(self, rows, preprocessing)

    def picture(self, row: int) -> torch.Tensor:
        """3,H,W in 0..1."""
        return read_picture(self.paths[row])


@dataclass(frozen=True, kw_only=True)
class NamedPictures:
    """Pictures of any sizes that `read` opens by name, as 3,H,W in 0..1, when they are asked for."""

    names: Sequence[str]
    read: Callable[[str], torch.Tensor]

    def __len__(self) -> int:
        return len(self.names)

    def inputs(self, rows: torch.Tensor, preprocessing: PicturePreprocessing) -> torch.Tensor:
        """The rows after the reference preprocessing."""
        return _prepared(self, rows, preprocessing)

    def picture(self, row: int) -> torch.Tensor:
        """3,H,W in 0..1."""
        return self.read(self.names[row])


OpenedPictures = FilePictures | NamedPictures
"""Pictures that are opened one by one."""


def _prepared(pictures: OpenedPictures, rows: torch.Tensor, preprocessing: PicturePreprocessing) -> torch.Tensor:
    return torch.cat([preprocessing.reference(pictures.picture(row)[None]) for row in rows.tolist()])
