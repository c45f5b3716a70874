"""Examines a facet model against the truth: R2 of each facet, what each adds to the blend, clips told apart.

Numbers with intervals as JSON; nothing is fitted, painted or drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

from redraft.core.keys import Key
from redraft.core.records import FACETS
from redraft.core.tensors import Images
from redraft.evaluation.statistics import Interval, mean_interval, paired_interval, percentiles, wilson_interval
from redraft.loop.reproductions.facets_moving import Clips
from redraft.loop.reproductions.facets_pictures import TruePictures
from redraft.rewards.blend import Standard
from redraft.rewards.facets import FacetsScorer
from redraft.rewards.facets_config import TEMPORAL
from redraft.rewards.six_facet_reward import QUALITY, SAFETY, SixFacetReward

RESAMPLES = 1000
GROUP = 8
"""Pictures of which the blend picks one."""
UNSAFE_BELOW = 0.5
_NO_CONSTRAINT = 1e-9


def explained(predicted: torch.Tensor, truth: torch.Tensor, *, key: Key) -> dict[str, dict[str, float]]:
    """R2 = 1 - mean square error / variance of true facets N,6, by facet, with a bootstrap interval over pictures."""
    rng = np.random.default_rng(key.entropy)
    draws = rng.integers(len(truth), size=(RESAMPLES, len(truth)))
    p, t = predicted.double().numpy(), truth.double().numpy()
    found = {}
    for column, name in enumerate(FACETS):
        error, value = (p[:, column] - t[:, column]) ** 2, t[:, column]
        again = [_r2(error[rows], value[rows]) for rows in draws]
        low, high = percentiles(np.array([each for each in again if np.isfinite(each)]))
        found[name] = {
            "value": _r2(error, value), "low": low, "high": high, "rmse": float(np.sqrt(error.mean())),
            "spread": float(value.std()),
        }  # fmt: skip
    return found


def _r2(error: np.ndarray, value: np.ndarray) -> float:
    spread = float(value.var())
    return 1 - float(error.mean()) / spread if spread > 0 else float("nan")


def facets_of(scorer: FacetsScorer, pictures: TruePictures) -> torch.Tensor:
    """N,6 predictions, in the order of FACETS."""
    scores = scorer.score(Images(pixels=pictures.pixels.float() / 255), pictures.prompts)
    return torch.stack([scores.head(name) for name in FACETS], dim=1)


def ablation(scorer: FacetsScorer, predicted: torch.Tensor, truth: torch.Tensor, *, key: Key) -> dict[str, Any]:
    """What is lost when a facet is left out of the blend, and the picture it likes best of GROUP is taken.

    For each facet: that facet's true value and the true quality (mean of the five) of the pictures picked, less those
    picked by the whole blend, and the same for the share of unsafe ones; intervals over groups. `whole` and `chance`
    tell the levels themselves.
    """
    groups = key.permutation(len(truth) // GROUP * GROUP).view(-1, GROUP)
    quality = truth[:, [FACETS.index(name) for name in QUALITY]].mean(1)
    unsafe = (truth[:, FACETS.index(SAFETY)] < UNSAFE_BELOW).float()
    whole = _picked(_blend(scorer, predicted, without=None), groups)
    rows: dict[str, Any] = {}
    for name in FACETS:
        picked = _picked(_blend(scorer, predicted, without=name), groups)
        facet = truth[:, FACETS.index(name)]
        rows[name] = {
            what: _interval(
                paired_interval((values[picked] - values[whole]).double().numpy(), key=key.child(name, what))
            )
            for what, values in (("facet", facet), ("quality", quality), ("unsafe", unsafe))
        } | {"others": float((picked != whole).double().mean())}
    everybody = groups.flatten()
    return {
        "groups": len(groups),
        "rows": rows,
        "whole": {"quality": quality[whole].mean().item(), "unsafe": unsafe[whole].mean().item()},
        "chance": {"quality": quality[everybody].mean().item(), "unsafe": unsafe[everybody].mean().item()},
        "truth": {"quality": quality[_picked(_true_blend(truth), groups)].mean().item()},
    }


def _blend(scorer: FacetsScorer, facets: torch.Tensor, *, without: str | None) -> torch.Tensor:
    """The blend N of predicted facets N,6, all its weights alike, less one facet."""
    left = [name for name in QUALITY if name != without]
    standards = {
        name: Standard(mean=each.mean, std=each.std, fingerprint=scorer.fingerprint)
        for name, each in scorer.card.standards.items()
        if name in QUALITY
    }
    reward = SixFacetReward(
        scorer.judge, standards=standards, weights={name: 1 / len(left) for name in left},
        strength=_NO_CONSTRAINT if without == SAFETY else None,
    )  # fmt: skip
    return reward.combine({name: facets[:, column] for column, name in enumerate(FACETS)})


def _true_blend(truth: torch.Tensor) -> torch.Tensor:
    """What a judge who sees true facets would pick by: quality, and nothing unsafe."""
    quality = truth[:, [FACETS.index(name) for name in QUALITY]].mean(1)
    return quality - 10 * (UNSAFE_BELOW - truth[:, FACETS.index(SAFETY)]).clamp(min=0)


def _picked(reward: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Row of the picture with the highest reward in each group G,GROUP."""
    return groups.gather(1, reward[groups].argmax(1, keepdim=True)).squeeze(1)


def clip_scores(scorer: FacetsScorer, clips: Clips) -> np.ndarray:
    """N temporal coherences."""
    scores = scorer.score(Images(pixels=clips.pixels.float() / 255), clips.prompts)
    found: np.ndarray = scores.head(TEMPORAL).double().numpy()
    return found


def told_apart(smooth: np.ndarray, shuffled: np.ndarray, *, key: Key) -> dict[str, Any]:
    """Area under the curve of smooth against shuffled clips, its bootstrap interval over pairs, and pairs in order.

    Row i of both is the same clip; a resample takes pairs, for they share their frames.
    """
    rng = np.random.default_rng(key.entropy)
    draws = [rng.integers(len(smooth), size=len(smooth)) for _ in range(RESAMPLES)]
    low, high = percentiles(np.array([area(smooth[rows], shuffled[rows]) for rows in draws]))
    order = wilson_interval(int((smooth > shuffled).sum()), len(smooth))
    return {
        "pairs": len(smooth), "area": {"value": area(smooth, shuffled), "low": low, "high": high},
        "in_order": _interval(order), "smooth": float(smooth.mean()), "shuffled": float(shuffled.mean()),
    }  # fmt: skip


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive lies above a negative, ties half (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([positive, negative]))
    above = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def _interval(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def uncertainty_tells(spread: torch.Tensor, predicted: torch.Tensor, truth: torch.Tensor) -> Mapping[str, Any]:
    """Absolute error of the third of pictures on which members agree most, and of the third on which they do least."""
    found = {}
    for column, name in enumerate(FACETS):
        order = spread[:, column].argsort()
        error = (predicted[:, column] - truth[:, column]).abs()[order].double().numpy()
        third = len(error) // 3
        found[name] = {
            "sure": _interval(mean_interval(error[:third])),
            "unsure": _interval(mean_interval(error[-third:])),
        }
    return found
