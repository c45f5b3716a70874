"""Named randomness: every draw in Redraft comes from a `Key`. Not a stateful generator: the same key draws the same.

Noise is drawn on the CPU in float32, so that it is the same on every device and for every batch split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Key:
    """A seed and a path of names. `key.child("noise", 3)` is another key, independent of its siblings."""

    seed: int
    path: tuple[str | int, ...] = ()

    def child(self, *names: str | int) -> Key:
        """Return the key with `names` appended to its path."""
        return Key(seed=self.seed, path=(*self.path, *names))

    @property
    def entropy(self) -> int:
        """A 63-bit integer that depends on seed and path alone; seeds numpy's generators in the picture world."""
        text = repr((self.seed, self.path)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1

    def _generator(self) -> torch.Generator:
        import torch

        return torch.Generator(device="cpu").manual_seed(self.entropy)

    def normal(self, shape: Sequence[int]) -> torch.Tensor:
        """Standard normal draws, float32 on the CPU, of the given shape."""
        import torch

        return torch.randn(tuple(shape), generator=self._generator(), dtype=torch.float32)

    def normal_each(self, indices: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
        """One draw of `shape` for each index, from its own child key: B,*shape, whatever the batch split is."""
        import torch

        return torch.stack([self.child(int(index)).normal(shape) for index in indices])

    def uniform(self, shape: Sequence[int]) -> torch.Tensor:
        """Uniform draws in [0, 1), float32 on the CPU."""
        import torch

        return torch.rand(tuple(shape), generator=self._generator(), dtype=torch.float32)

    def integers(self, low: int, high: int, *, shape: Sequence[int]) -> torch.Tensor:
        """Uniform integers in [low, high), int64 on the CPU."""
        import torch

        return torch.randint(low, high, tuple(shape), generator=self._generator())

    def permutation(self, count: int) -> torch.Tensor:
        """A random order of range(count), int64 on the CPU."""
        import torch

        return torch.randperm(count, generator=self._generator())
