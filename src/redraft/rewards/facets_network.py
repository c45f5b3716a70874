"""The network of facet heads: a small convolutional probe on a CLIP's maps, told the prompt. It neither reads pictures
nor fits itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import nn
from torch.nn.utils import skip_init

from redraft.core.keys import Key
from redraft.rewards.facets_features import PictureFeatures
from redraft.rewards.facets_layers import add_standard, draw_weights, dropped, keep_standard, standardised
from redraft.rewards.feature_heads import head_inputs, input_width

_HIDDEN = 192
_POOLED = 4  # the maps are read at this many places along each side
_WIDE, _GIST = 256, 96  # layers of the path that reads vectors alone
_LEAST_VARIANCE = 1e-4  # of the largest: directions of the state below it are not blown up
_QUERIES = 2  # places that are looked for, wherever they are
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
        self.dimension, self.dropout = dimension, dropout
        self.side = min(_POOLED, grid)
        vector = input_width(dimension, inputs="alignment") + energies + state
        for name, size in (("map", channels), ("vector", vector), ("text", dimension)):
            add_standard(self, name, size)
        self.register_buffer("state_axes", torch.eye(state))
        # skip_init: torch's own start would draw from the global generator.
        self.seen = skip_init(nn.Conv2d, channels + dimension, width, 1)  # type: ignore[no-untyped-call]
        self.near = skip_init(nn.Conv2d, width, width, 3, padding=1)  # type: ignore[no-untyped-call]
        self.asked = skip_init(nn.Linear, dimension, width)  # type: ignore[no-untyped-call]
        self.far = skip_init(nn.Conv2d, width, width, 3, padding=1)  # type: ignore[no-untyped-call]
        self.look = skip_init(nn.Conv2d, width, _QUERIES, 1)  # type: ignore[no-untyped-call]
        self.broad = skip_init(nn.Linear, vector, _WIDE)  # type: ignore[no-untyped-call]
        self.gist = skip_init(nn.Linear, _WIDE, _GIST)  # type: ignore[no-untyped-call]
        pooled = width * (self.side**2 + 4 + _QUERIES) + _GIST
        self.hidden = skip_init(nn.Linear, pooled + vector, _HIDDEN)  # type: ignore[no-untyped-call]
        self.output = skip_init(nn.Linear, _HIDDEN, facets)  # type: ignore[no-untyped-call]
        if key is not None:
            draw_weights(self, key)

    def standardise(self, features: PictureFeatures, text: torch.Tensor) -> None:
        """Take mean and spread of all inputs from the pictures of the fit and their prompts' features B,D."""
        keep_standard(self, "map", features.maps.float())
        self.get_buffer("state_axes").copy_(_principal_axes(features.state))
        keep_standard(self, "vector", self._vector(features, text))
        keep_standard(self, "text", text)

    def _vector(self, features: PictureFeatures, text: torch.Tensor) -> torch.Tensor:
        pair = head_inputs(features.pooled, text, inputs="alignment")
        # Along its principal axes: what is small in the state, such as the room left to the border, is heard too.
        return torch.cat([pair, features.energies, features.state @ self.get_buffer("state_axes")], dim=-1)

    def forward(self, features: PictureFeatures, text: torch.Tensor, *, key: Key | None = None) -> torch.Tensor:
        """Logits B,K. key: draws what is dropped; None drops nothing."""
        maps = standardised(self, "map", features.maps.float())
        asked = standardised(self, "text", text)
        vector = standardised(self, "vector", self._vector(features, text))
        # Where in the picture is what the prompt speaks of: the product in the space that CLIP shares with texts.
        maps = torch.cat([maps, maps[:, -self.dimension :] * asked[..., None, None]], dim=1)
        single = functional.gelu(self.seen(dropped(maps, "maps", key, share=self.dropout / 2)))
        seen = single + functional.gelu(self.near(single))
        seen = seen * (1 + _TURN * torch.tanh(self.asked(asked)))[..., None, None]
        places = self.look(seen).flatten(2).softmax(-1)
        found = torch.einsum("bqp,bcp->bqc", places, seen.flatten(2)).flatten(1)
        seen = functional.gelu(self.far(seen))
        flat = torch.cat([
            functional.adaptive_max_pool2d(seen, self.side).flatten(1),
            *(maps.amax((2, 3)) for maps in (seen, single)), *(maps.mean((2, 3)) for maps in (seen, single)),
            found, vector, functional.gelu(self.gist(functional.gelu(self.broad(vector)))),
        ], 1)  # fmt: skip
        hidden = functional.gelu(self.hidden(dropped(flat, "flat", key, share=self.dropout)))
        logits: torch.Tensor = self.output(dropped(hidden, "hidden", key, share=self.dropout))
        return logits


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
