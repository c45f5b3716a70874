"""The network of facet heads: a small convolutional probe on a CLIP's maps, told the prompt. It neither reads pictures
nor fits itself.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import nn
from torch.nn.utils import skip_init

from redraft.core.keys import Key
from redraft.rewards.facets_features import PictureFeatures
from redraft.rewards.feature_heads import head_inputs, input_width

_HIDDEN = 192
_POOLED = 4  # the maps are read at this many places along each side
_WIDE, _GIST = 256, 96  # layers of the path that reads vectors alone
_LEAST_VARIANCE = 1e-4  # of the largest: directions of the state below it are not blown up
_QUERIES = 2  # places that are looked for, wherever they are
_LIMIT = 6.0  # standard deviations beyond which an input says no more
_LEAST_SPREAD = 1e-4
_TURN = 0.5  # how much the prompt may turn a channel up or down


class FacetNetwork(nn.Module):
    """Logits B,K of K facets from PictureFeatures and text features B,D.

    All facets share what they see; each has an output row of its own that begins at 0, so a facet nobody rated stays at
    probability 0.5. Inputs are standardised by buffers.
    """

    def __init__(
        self, *, channels: int, dimension: int, state: int, energies: int, grid: int, facets: int, width: int,
        dropout: float = 0.0, key: Key | None = None,
    ) -> None:  # fmt: skip
        """channels, grid: of the maps; dimension: of pooled and text features; state: what is read of that before the
        projection. key: of the weights (None: to load).
        """
        super().__init__()
        self.dimension, self.state, self.dropout = dimension, state, dropout
        self.side = min(_POOLED, grid)
        vector = input_width(dimension, inputs="alignment") + energies + state
        for name, size in (("map", channels), ("vector", vector), ("text", dimension)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        if state:
            self.register_buffer("state_axes", torch.eye(state))
        # skip_init: torch's own start would draw from the global generator.
        self.seen = skip_init(nn.Conv2d, channels + dimension, width, 1)  # type: ignore[no-untyped-call]
        self.near = skip_init(nn.Conv2d, width, width, 3, padding=1)  # type: ignore[no-untyped-call]
        self.asked = skip_init(nn.Linear, dimension, width)  # type: ignore[no-untyped-call]
        self.far = skip_init(nn.Conv2d, width, width, 3, padding=1)  # type: ignore[no-untyped-call]
        self.look = skip_init(nn.Conv2d, width, _QUERIES, 1)  # type: ignore[no-untyped-call]
        pooled = width * (self.side**2 + 4 + _QUERIES)
        if state:
            self.broad = skip_init(nn.Linear, vector, _WIDE)  # type: ignore[no-untyped-call]
            self.gist = skip_init(nn.Linear, _WIDE, _GIST)  # type: ignore[no-untyped-call]
            pooled += _GIST
        self.hidden = skip_init(nn.Linear, pooled + vector, _HIDDEN)  # type: ignore[no-untyped-call]
        self.output = skip_init(nn.Linear, _HIDDEN, facets)  # type: ignore[no-untyped-call]
        if key is not None:
            self._draw(key)

    def _draw(self, key: Key) -> None:
        """Kaiming's normal weights for all but the output, which begins at 0."""
        with torch.no_grad():
            for name, value in self.named_parameters():
                if name.endswith("bias") or name.startswith("output"):
                    value.zero_()
                else:
                    inputs = math.prod(value.shape[1:])
                    value.copy_(key.child(name).normal(value.shape) * math.sqrt(1 / inputs))

    def standardise(self, features: PictureFeatures, text: torch.Tensor) -> None:
        """Take mean and spread of all inputs from the pictures of the fit and their prompts' features B,D."""
        maps = features.maps.float()
        self._keep("map", maps.mean((0, 2, 3)), maps.std((0, 2, 3)))
        if self.state:
            self.get_buffer("state_axes").copy_(_principal_axes(features.state[:, : self.state]))
        vector = self._vector(features, text)
        self._keep("vector", vector.mean(0), vector.std(0))
        self._keep("text", text.mean(0), text.std(0))

    def _keep(self, name: str, mean: torch.Tensor, spread: torch.Tensor) -> None:
        self.get_buffer(f"{name}_mean").copy_(mean)
        self.get_buffer(f"{name}_std").copy_(spread.clamp(min=_LEAST_SPREAD))

    def _vector(self, features: PictureFeatures, text: torch.Tensor) -> torch.Tensor:
        pair = head_inputs(features.pooled, text, inputs="alignment")
        if not self.state:
            return torch.cat([pair, features.energies], dim=-1)
        # Along its principal axes: what is small in the state, such as the room left to the border, is heard too.
        return torch.cat([pair, features.energies, features.state @ self.get_buffer("state_axes")], dim=-1)

    def _standard(self, name: str, values: torch.Tensor) -> torch.Tensor:
        shape = (-1, 1, 1) if values.ndim == 4 else (-1,)
        mean, spread = self.get_buffer(f"{name}_mean").view(shape), self.get_buffer(f"{name}_std").view(shape)
        return ((values - mean) / spread).clamp(-_LIMIT, _LIMIT)

    def forward(self, features: PictureFeatures, text: torch.Tensor, *, key: Key | None = None) -> torch.Tensor:
        """Logits B,K. key: draws what is dropped; None drops nothing."""
        maps = self._standard("map", features.maps.float())
        asked = self._standard("text", text)
        vector = self._standard("vector", self._vector(features, text))
        # Where in the picture is what the prompt speaks of: the product in the space that CLIP shares with texts.
        maps = torch.cat([maps, maps[:, -self.dimension :] * asked[..., None, None]], dim=1)
        single = functional.gelu(self.seen(self._dropped(maps, "maps", key, share=self.dropout / 2)))
        seen = single + functional.gelu(self.near(single))
        seen = seen * (1 + _TURN * torch.tanh(self.asked(asked)))[..., None, None]
        places = self.look(seen).flatten(2).softmax(-1)
        found = torch.einsum("bqp,bcp->bqc", places, seen.flatten(2)).flatten(1)
        seen = functional.gelu(self.far(seen))
        flat = torch.cat([
            functional.adaptive_max_pool2d(seen, self.side).flatten(1),
            *(maps.amax((2, 3)) for maps in (seen, single)), *(maps.mean((2, 3)) for maps in (seen, single)),
            found, vector, *([functional.gelu(self.gist(functional.gelu(self.broad(vector))))] if self.state else []),
        ], 1)  # fmt: skip
        hidden = functional.gelu(self.hidden(self._dropped(flat, "flat", key, share=self.dropout)))
        logits: torch.Tensor = self.output(self._dropped(hidden, "hidden", key, share=self.dropout))
        return logits

    def _dropped(self, values: torch.Tensor, name: str, key: Key | None, *, share: float) -> torch.Tensor:
        """Values with whole channels (maps) or single numbers dropped, the others scaled up."""
        if key is None or share == 0:
            return values
        shape = values.shape[:2]
        kept = (key.child(name).uniform(shape) >= share).to(values) / (1 - share)
        return values * (kept[..., None, None] if values.ndim == 4 else kept)


def _principal_axes(state: torch.Tensor) -> torch.Tensor:
    """W,W of states B,W: its columns are the principal axes, scaled so that the states have variance 1 along each."""
    centred = (state - state.mean(0)).double()
    variance, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    floor = (variance[-1] * _LEAST_VARIANCE).clamp(min=_LEAST_SPREAD**2)
    scaled: torch.Tensor = (axes / (variance.clamp(min=0) + floor).sqrt()).float()
    return scaled


def network_like(
    features: PictureFeatures, *, facets: int, width: int, dropout: float = 0.0, key: Key | None = None
) -> FacetNetwork:
    """A network for features of these shapes."""
    return FacetNetwork(
        channels=features.maps.shape[1], dimension=features.pooled.shape[1], state=features.state.shape[1],
        energies=features.energies.shape[1], grid=features.maps.shape[-1], facets=facets, width=width, dropout=dropout,
        key=key,
    )  # fmt: skip
