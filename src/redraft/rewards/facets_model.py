"""A model of facets: an ensemble on a CLIP, its calibration, and what it predicts. It neither fits nor blends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from redraft.core.records import Prompt
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.facets_clips import clip_features
from redraft.rewards.facets_features import PictureFeatures, picture_features
from redraft.rewards.facets_member import FacetMember
from redraft.rewards.feature_heads import FeatureHeads


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Of B pictures or clips and K facets: mean B,K calibrated 0..1; spread B,K over the ensemble; mask B,K.

    mask is False for facets that only clips have, on stills, and for those nobody rated.
    """

    mean: torch.Tensor
    spread: torch.Tensor
    mask: torch.Tensor


class FacetModel:
    """Members on one CLIP for picture facets, and heads on steps between frames for facets of clips."""

    def __init__(
        self,
        tower: ClipTower,
        members: Sequence[FacetMember],
        *,
        picture_facets: tuple[str, ...],
        clip_heads: Sequence[FeatureHeads] = (),
        clip_facets: tuple[str, ...] = (),
        scale: torch.Tensor,
        rated: torch.Tensor,
        views: int = 1,
    ) -> None:
        """scale K,2: slope and shift of each facet's calibration, pictures' before clips'. rated K: has answers. views:
        of a picture, over which its concepts are averaged.
        """
        self.tower, self.members, self.clip_heads = tower, tuple(members), tuple(clip_heads)
        self.picture_facets, self.clip_facets = picture_facets, clip_facets
        self.facets = (*picture_facets, *clip_facets)
        self.scale, self.rated, self.views = scale, rated, views
        for network in (*self.members, *self.clip_heads):
            network.to(tower.device).eval().requires_grad_(False)

    def predict(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> Predicted:
        """Of pixels B,3,H,W or clips B,T,3,H,W in 0..1, by the reference preprocessing. No gradient."""
        count = 1 if pixels.ndim == 4 else pixels.shape[1]
        size = max(1, self.tower.batch // count)
        with torch.no_grad():
            parts = []
            for start, part in zip(range(0, len(pixels), size), torch.split(pixels, size), strict=True):
                inputs = self.tower.preprocessing.reference(part.flatten(0, part.ndim - 4))
                parts.append(self._predicted(inputs, prompts[start : start + size], count))
        return Predicted(
            mean=torch.cat([part.mean for part in parts]), spread=torch.cat([part.spread for part in parts]),
            mask=torch.cat([part.mask for part in parts]),
        )  # fmt: skip

    def predict_differentiable(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> Predicted:
        """The same by the differentiable preprocessing, all at once."""
        count = 1 if pixels.ndim == 4 else pixels.shape[1]
        flat = pixels.flatten(0, pixels.ndim - 4)
        return self._predicted(self.tower.preprocessing.differentiable(flat), prompts, count)

    def _predicted(self, inputs: torch.Tensor, prompts: Sequence[Prompt], count: int) -> Predicted:
        features = picture_features(self.tower, inputs, views=self.views)
        text = self.tower.text_features(prompts).repeat_interleave(count, 0)
        logits = torch.stack([member(features, text) for member in self.members])
        # A clip is as good in a facet of pictures as its frames are on average.
        logits = logits.reshape(len(logits), -1, count, *logits.shape[2:]).mean(2)
        if self.clip_facets:
            logits = torch.cat([logits, self._clip_logits(features, count, like=logits)], dim=-1)
        mask = self.rated.to(logits.device).expand(logits.shape[1:]).clone()
        mask[:, len(self.picture_facets) :] &= count > 1
        slope, shift = self.scale.to(logits).unbind(-1)
        return Predicted(
            mean=torch.sigmoid(slope * logits.mean(0) + shift),
            spread=torch.sigmoid(slope * logits + shift).std(0),
            mask=mask,
        )

    def _clip_logits(self, features: PictureFeatures, count: int, *, like: torch.Tensor) -> torch.Tensor:
        """members,B,K of facets of clips; zeros for stills and where there are no heads."""
        if count == 1 or not self.clip_heads:
            return like.new_zeros(*like.shape[:2], len(self.clip_facets))
        told = clip_features(features, count=count)
        return torch.stack([heads(told) for heads in self.clip_heads])
