"""Preference sampling: which of a model's own pictures to train on, by several scores at once. Pure; no model, no loss.

RSIDiff (arXiv 2502.09963, section 3.3) keeps 300 of 5,000 pictures by text alignment, aesthetics and human preference
together, and does not say how the three are combined. `rank_intersection` is our reading: good in every score, best on
average. The alternatives are there to be compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Scores

PreferenceRule = Literal["rank_intersection", "mean_rank", "min_rank", "zsum", "pareto", "random"]

_FLOOR_STEP = 0.05


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The rows kept, best first, and the floor that the last of them needed (0 for rules without a floor)."""

    rows: tuple[int, ...]
    floor: float


def sample_preferred(
    values: torch.Tensor,
    group: torch.Tensor,
    *,
    rule: PreferenceRule,
    keep: int,
    key: Key,
    floor: float = 0.5,
    lowest_floor: float = 0.0,
    at_most_per_group: int = 1,
) -> Sampled:
    """`keep` of B pictures by their K scores, values B,K, higher is better; at most so many of one group B.

    rank_intersection: only pictures whose percentile rank is at least `floor` in every score, by mean rank. While these
    are too few, the floor falls by 0.05, not below `lowest_floor`.
    mean_rank, min_rank: by the mean or the least of the percentile ranks. zsum: by the sum of standardised scores.
    pareto: front by front of pictures that no other beats in every score, by mean rank within a front.
    random: whatever the scores are. Pictures with a score that is not finite are rejected by every rule; of equal
    pictures the earlier one comes first.

    Raises UsageError when fewer than `keep` pictures survive, ConfigError for options out of range.
    """
    if keep < 1 or at_most_per_group < 1 or not 0 <= lowest_floor <= floor <= 1:
        raise ConfigError(
            f"keep={keep}, at_most_per_group={at_most_per_group}, floor={floor}, lowest_floor={lowest_floor}: at least "
            "one picture must be kept, and 0 <= lowest_floor <= floor <= 1 must hold"
        )
    sound = torch.isfinite(values).all(dim=1).nonzero().flatten()
    scores = values[sound].to(torch.float64)
    ranks = percentile_ranks(scores)
    # Rounded, so that equal pictures are equal and the earlier one comes first.
    goodness = _goodness(scores, ranks, rule=rule, key=key).round(decimals=12)
    order = torch.argsort(goodness, descending=True, stable=True)
    floors = _floors(floor, lowest_floor) if rule == "rank_intersection" else (0.0,)
    least = ranks.amin(dim=1)
    survivors: list[int] = []
    for present in floors:
        # Ranks are fractions; a rank that equals the floor must not miss it by rounding.
        passing = order[least[order] >= present - 1e-9]
        survivors = _at_most(sound[passing].tolist(), group, limit=at_most_per_group)
        if len(survivors) >= keep:
            return Sampled(rows=tuple(survivors[:keep]), floor=present)
    raise UsageError(
        f"{len(survivors)} of {len(values)} pictures survive preference sampling and {keep} were asked for (rule "
        f"{rule}, {len(sound)} with finite scores, at most {at_most_per_group} of a prompt, floor {floors[-1]:g}): "
        "paint more pictures, keep fewer, or lower the floor"
    )


def require_scores(scores: Scores, heads: tuple[str, ...] | None) -> torch.Tensor:
    """The values B,K of the named heads (all for None); NaN where a picture was not scored.

    Raises UsageError for a head that is not there.
    """
    chosen = scores.names if heads is None else heads
    missing = [name for name in chosen if name not in scores.names]
    if missing:
        raise UsageError(
            f"the pictures have no score {missing[0]!r}: they have {', '.join(scores.names)}; name some of these, or "
            "add that scorer to the reward"
        )
    columns = [scores.names.index(name) for name in chosen]
    return torch.where(scores.mask, scores.values, torch.nan)[:, columns]


def percentile_ranks(values: torch.Tensor) -> torch.Tensor:
    """Rank of each of B pictures in each of K scores, B,K float64: 0 the worst, 1 the best, the middle rank on ties."""
    count = len(values)
    ranks = torch.ones_like(values, dtype=torch.float64)
    if count < 2:
        return ranks
    for column in range(values.shape[1]):
        scores = values[:, column].contiguous()
        ordered = scores.sort().values
        below = torch.searchsorted(ordered, scores, right=False)
        not_above = torch.searchsorted(ordered, scores, right=True)
        ranks[:, column] = (below + not_above - 1).to(torch.float64) / 2 / (count - 1)
    return ranks


def pareto_fronts(values: torch.Tensor) -> torch.Tensor:
    """Which front each of B pictures is on, B: 0 if no picture is as good in all K scores and better in one, and so on
    without those."""
    # [i, j]: j is nowhere worse than i and somewhere better.
    dominated = torch.ones(len(values), len(values), dtype=torch.bool, device=values.device)
    better = torch.zeros_like(dominated)
    for scores in values.T:
        dominated &= scores[None, :] >= scores[:, None]
        better |= scores[None, :] > scores[:, None]
    dominated &= better
    front = torch.full((len(values),), -1, dtype=torch.long, device=values.device)
    number = 0
    while bool((front < 0).any()):
        left = front < 0
        front[left & ~(dominated & left[None, :]).any(dim=1)] = number
        number += 1
    return front


def _goodness(scores: torch.Tensor, ranks: torch.Tensor, *, rule: PreferenceRule, key: Key) -> torch.Tensor:
    """One number a picture, B; pictures are taken from the highest down."""
    mean_rank = ranks.mean(dim=1)
    if rule == "min_rank":
        # A mean rank is at most 1, so a millionth of it decides between equal least ranks and nothing else.
        return ranks.amin(dim=1) + 1e-6 * mean_rank
    if rule == "zsum":
        deviation = scores.std(dim=0, unbiased=False)
        centred = scores - scores.mean(dim=0)
        return torch.where(deviation > 0, centred / deviation.where(deviation > 0, 1.0), 0.0).sum(dim=1)
    if rule == "pareto":
        return mean_rank / 2 - pareto_fronts(scores)
    if rule == "random":
        return key.child("random").permutation(len(scores)).to(mean_rank)
    return mean_rank


def _floors(first: float, last: float) -> tuple[float, ...]:
    falls = int((first - last) / _FLOOR_STEP + 1e-9)
    floors = [first - step * _FLOOR_STEP for step in range(falls + 1)]
    return tuple(floors) if floors[-1] - last < 1e-9 else (*floors, last)


def _at_most(rows: list[int], group: torch.Tensor, *, limit: int) -> list[int]:
    taken: dict[int, int] = {}
    kept = []
    for row in rows:
        name = int(group[row])
        if taken.get(name, 0) < limit:
            taken[name] = taken.get(name, 0) + 1
            kept.append(row)
    return kept
