"""Would the ranking be the same with fewer prompts, or with other words? Measured on pictures that are judged already.

Not an interval of a score (see `rows`): this speaks of the order of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.agreement import correlate
from redraft.evaluation.statistics import FloatArray

DRAWS = 400
SIZES = (10, 20, 40, 80, 160, 320, 640, 1280)


@dataclass(frozen=True, kw_only=True)
class SizeLine:
    """With so many prompts, drawn at random: mean Kendall tau with the whole ranking, and how often the same winner."""

    prompts: int
    kendall: float
    same_winner: float


@dataclass(frozen=True, kw_only=True)
class WordingLine:
    """With prompts said in another way: Kendall tau with the ranking of the first way, and the models in order."""

    wording: str
    kendall: float
    order: tuple[str, ...]


def by_size(
    tables: Mapping[str, FloatArray],
    *,
    key: Key,
    good: Literal[1, -1] = 1,
    sizes: Sequence[int] = SIZES,
    draws: int = DRAWS,
) -> tuple[SizeLine, ...]:
    """How the ranking of models by their mean depends on the number of prompts.

    Args:
        tables: for each model P values; prompts that some model lacks (NaN) are left out.
        key: draws the prompts, without replacement; all models get the same.
        good: +1 when higher is better.
        sizes: numbers of prompts to try; those not below the number there are are left out.
        draws: of each size.

    Raises:
        UsageError: for fewer than two models, tables of unlike length, or fewer than two common prompts.
    """
    table = _common(tables)
    whole = good * table.mean(axis=1)
    rng = np.random.default_rng(key.entropy)
    lines = []
    for size in sizes:
        if size >= table.shape[1]:
            break
        taus, winners = np.empty(draws), np.empty(draws)
        for number in range(draws):
            chosen = rng.permutation(table.shape[1])[:size]
            part = good * table[:, chosen].mean(axis=1)
            taus[number] = kendall(part, whole)
            winners[number] = float(np.argmax(part) == np.argmax(whole))
        lines.append(SizeLine(prompts=size, kendall=float(taus.mean()), same_winner=float(winners.mean())))
    return tuple(lines)


def by_wording(values: Mapping[str, Mapping[str, float]], *, good: Literal[1, -1] = 1) -> tuple[WordingLine, ...]:
    """How the ranking depends on how prompts are said.

    Args:
        values: for each wording, the value of each model; the first wording is the one compared with.
        good: +1 when higher is better.

    Raises:
        UsageError: for fewer than two models, or wordings that have other models.
    """
    tables = list(values.values())
    if not tables or len(tables[0]) < 2 or any(set(table) != set(tables[0]) for table in tables):
        raise UsageError("a ranking needs at least 2 models, and every wording the same ones: judge all of them")
    models = list(tables[0])
    first = good * np.array([tables[0][model] for model in models])
    lines = []
    for wording, table in values.items():
        here = good * np.array([table[model] for model in models])
        order = tuple(models[index] for index in np.argsort(-here, kind="stable"))
        lines.append(WordingLine(wording=wording, kendall=kendall(here, first), order=order))
    return tuple(lines)


def kendall(first: FloatArray, second: FloatArray) -> float:
    """Kendall's tau-b; 0 where all values of a side are equal, for then there is no order."""
    value = correlate(first, second, kind="kendall")
    return value if np.isfinite(value) else 0.0


def _common(tables: Mapping[str, FloatArray]) -> FloatArray:
    lengths = {len(values) for values in tables.values()}
    if len(tables) < 2 or len(lengths) != 1:
        raise UsageError(f"{len(tables)} models with {sorted(lengths)} values: give at least 2, on the same prompts")
    table = np.stack(list(tables.values()))
    table = table[:, np.isfinite(table).all(axis=0)]
    if table.shape[1] < 2:
        raise UsageError("fewer than 2 prompts were judged for all models: judge more")
    return table
