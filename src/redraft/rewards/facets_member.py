"""A member of a facet model: a network on the CLIP's maps, and one on its concepts where it has any, facet by facet.

What one facet is made of may be a concept (how many things there are), another's not (how a picture is painted). Which
network is heard, and how far, is learned from pictures that both had not seen: stacking (Wolpert, Neural Networks 5,
1992; with weights from 0 to 1, Breiman, Machine Learning 24, 1996).
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import nn
from torch.nn.utils import skip_init

from redraft.core.keys import Key
from redraft.rewards.facets_features import PictureFeatures
from redraft.rewards.facets_layers import add_standard, draw_weights, dropped, keep_standard, standardised
from redraft.rewards.facets_network import FacetNetwork

_WIDTH = 64
_SHARES = 21  # from 0 to 1 that are tried
DROPOUT, DECAY = 0.05, 1.0
"""Of the network on concepts: so few inputs need less of either than maps do."""


class ConceptNetwork(nn.Module):
    """Logits B,K of K facets from concepts alone, by two hidden layers that each facet has to itself. Outputs begin at
    0. Where facets share the layers, the one that is told by many concepts together is told worse (docs/facets.md).
    """

    def __init__(self, *, concepts: int, facets: int, dropout: float = 0.0, key: Key | None = None) -> None:
        """concepts: C. key: of the weights (None: to load)."""
        super().__init__()
        self.dropout = dropout
        add_standard(self, "told", concepts)
        # Groups of a convolution over one place: as many networks as facets, side by side.
        # skip_init: torch's own start would draw from the global generator.
        wide = facets * _WIDTH
        self.first = skip_init(nn.Linear, concepts, wide)  # type: ignore[no-untyped-call]
        self.second = skip_init(nn.Conv1d, wide, wide, 1, groups=facets)  # type: ignore[no-untyped-call]
        self.output = skip_init(nn.Conv1d, wide, facets, 1, groups=facets)  # type: ignore[no-untyped-call]
        if key is not None:
            draw_weights(self, key)

    def standardise(self, features: PictureFeatures, text: torch.Tensor) -> None:  # noqa: ARG002 as the other's
        """Take mean and spread of all inputs from the pictures of the fit."""
        keep_standard(self, "told", features.concepts)

    def forward(
        self, features: PictureFeatures, text: torch.Tensor, *, key: Key | None = None,  # noqa: ARG002 as the other's
    ) -> torch.Tensor:  # fmt: skip
        """Logits B,K; the text is not read. key: draws what is dropped; None drops nothing."""
        hidden = functional.gelu(self.first(standardised(self, "told", features.concepts)))
        hidden = functional.gelu(self.second(dropped(hidden, "first", key, share=self.dropout)[..., None])[..., 0])
        logits: torch.Tensor = self.output(dropped(hidden, "second", key, share=self.dropout)[..., None])
        return logits[..., 0]


class FacetMember(nn.Module):
    """Logits B,K: (1 - share) of the network's and share of the concepts', facet by facet; the former where concepts
    are not known.
    """

    def __init__(self, network: FacetNetwork, told: ConceptNetwork | None, *, facets: int) -> None:
        super().__init__()
        self.network, self.told = network, told
        self.register_buffer("share", torch.zeros(facets))

    def forward(self, features: PictureFeatures, text: torch.Tensor) -> torch.Tensor:
        """Logits B,K."""
        seen: torch.Tensor = self.network(features, text)
        if self.told is None:
            return seen
        return torch.lerp(seen, self.told(features, text), self.get_buffer("share"))


def stacking_share(
    seen: torch.Tensor, told: torch.Tensor, targets: torch.Tensor, *, weight: torch.Tensor
) -> torch.Tensor:
    """K: the share of `told` in each facet with the least cross-entropy; 0 where nothing was answered.

    Args:
        seen, told: N,K logits of answers that neither network had seen.
        targets: N,K in 0..1.
        weight: N,K, 0 for sliders that were not set.
    """
    shares = torch.linspace(0, 1, _SHARES)
    losses = torch.stack([
        (weight * functional.binary_cross_entropy_with_logits(torch.lerp(seen, told, share), targets, reduction="none"))
        .sum(0)
        for share in shares.unbind()
    ])  # fmt: skip
    return shares[losses.argmin(0)]
