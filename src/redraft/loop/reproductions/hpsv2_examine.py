"""Examines a preference model: does it foresee choices of people and of a model family that it never saw?

Numbers with intervals as JSON; nothing is fitted, painted or drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.tensors import Images
from redraft.evaluation.statistics import Interval, bootstrap_means, mean_interval, paired_interval, percentiles
from redraft.loop.reproductions.hpsv2_people import (
    Chosen,
    agreements,
    average_taste,
    other_person,
    per_prompt,
    setting_means,
    win_rates,
)
from redraft.loop.reproductions.hpsv2_pictures import Album

OURS, START = "preference model", "clip"
"""What is examined, and the CLIP that it started from."""
CEILING, PERSON = "average taste", "another person"
RESAMPLES = 1000


def score_album(scorer: Scorer, album: Album) -> torch.Tensor:
    """N,K: the first head."""
    found = []
    for prompt, shown in zip(album.prompts, album.pixels, strict=True):
        values = scorer.score(Images(pixels=shown.float() / 255), [prompt] * len(shown)).values
        found.append(values[:, 0].float())
    return torch.stack(found)


def accuracies(scores: Mapping[str, torch.Tensor], album: Album, chosen: Chosen, *, key: Key) -> dict[str, Any]:
    """Accuracy of each score on strict choices, of a person, of all taste; `gain`: over START on the same choices.

    lead: that of OURS over the score, likewise. The unit of the intervals is the prompt, which all count alike;
    `pooled` counts choices alike. `scores` must hold OURS and START.
    """
    agreed = {name: agreements(values, chosen) for name, values in scores.items()}
    agreed[PERSON] = other_person(chosen)
    agreed[CEILING] = agreements(average_taste(album, key=key), chosen)
    ours, start = (per_prompt(agreed[name], chosen) for name in (OURS, START))
    rows = {}
    for name, values in agreed.items():
        own = per_prompt(values, chosen)
        rows[name] = {
            **_row(mean_interval(own)), "pooled": values.mean().item(),
            "gain": _row(paired_interval(own - start, key=key.child("gain", name))),
            "lead": _row(paired_interval(ours - own, key=key.child("lead", name))),
        }  # fmt: skip
    return {"choices": len(chosen), "strict": int(chosen.strict.sum()), "prompts": len(start), "rows": rows}


def rankings(
    scores: Mapping[str, torch.Tensor], album: Album, chosen: Chosen, *, names: tuple[str, ...], key: Key
) -> dict[str, Any]:
    """Rank correlation of the generators' mean scores with how often people chose them; intervals over prompts."""
    count = len(names)
    found: dict[str, Any] = {
        "generators": list(names),
        "win_rate": win_rates(chosen, album.setting, count=count).tolist(),
        "correlation": {},
    }
    for name, values in scores.items():
        found["correlation"][name] = _correlated(values, album, chosen, count=count, key=key.child(name))
    return found


def _correlated(values: torch.Tensor, album: Album, chosen: Chosen, *, count: int, key: Key) -> dict[str, float]:
    rng = np.random.default_rng(key.entropy)
    groups = [np.flatnonzero(chosen.prompt.numpy() == prompt) for prompt in range(len(album.prompts))]

    def correlation(rows: torch.Tensor) -> float:
        part = Chosen(**{name: getattr(chosen, name)[rows] for name in Chosen.__dataclass_fields__})
        means = setting_means(values, part, album.setting, count=count)
        return float(spearmanr(means.numpy(), win_rates(part, album.setting, count=count).numpy()).statistic)

    draws = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(groups), len(groups))
        draws.append(correlation(torch.from_numpy(np.concatenate([groups[number] for number in drawn]))))
    low, high = percentiles(np.array([draw for draw in draws if np.isfinite(draw)]))
    return {"value": correlation(torch.arange(len(chosen))), "low": low, "high": high}


def training_curve(scores: Mapping[str, torch.Tensor], *, steps: tuple[int, ...], key: Key) -> dict[str, Any]:
    """Mean score at each checkpoint, and the gain over the one before, paired by prompt and noise. scores: N,steps."""
    found: dict[str, Any] = {"steps": list(steps), "rows": {}}
    for name, values in scores.items():
        columns = values.double().numpy()
        means = [_row(mean_interval(columns[:, column])) for column in range(len(steps))]
        gains = []
        for column in range(1, len(steps)):
            step = columns[:, column] - columns[:, column - 1]
            gains.append(_row(paired_interval(step, key=key.child(name, column))))
        draws = bootstrap_means(columns, key=key.child(name), resamples=RESAMPLES)
        ranks = np.array([spearmanr(steps, draw).statistic for draw in draws])
        low, high = percentiles(ranks)
        whole = float(spearmanr(steps, columns.mean(axis=0)).statistic)
        found["rows"][name] = {
            "means": means,
            "gains": gains,
            "correlation": {"value": whole, "low": low, "high": high},
        }
    return found


def _row(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}
