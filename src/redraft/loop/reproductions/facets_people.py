"""Simulated people who set sliders as people do: some answer much, most little, and nobody touches every slider.

They see true facets (`world.raters`), with a bias of their own and a slip a slider. It paints and fits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from redraft.core.keys import Key
from redraft.core.records import FACETS
from redraft.rewards.facets_answers import SliderAnswer
from redraft.rewards.facets_config import HIGHEST, LOWEST, TEMPORAL
from redraft.world import Rater

CROWD = 60
SKIPPED = {
    "semantics": 0.05, "subject_detail": 0.2, "background_detail": 0.4, "coherence": 0.3, "aesthetics": 0.15,
    "safety": 0.35,
}  # fmt: skip
"""How often an average person leaves a slider untouched, by facet; people differ by a factor of their own."""
LEAVING = 0.1
"""Share of answers that break off: only the first sliders are set."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A rater with habits: patience (a factor on how often sliders are skipped) and activity (how much they answer)."""

    rater: Rater
    patience: float
    activity: float


def draw_crowd(count: int, *, key: Key) -> tuple[Person, ...]:
    """`count` people; a few of them give most of the answers."""
    rng = np.random.default_rng(key.entropy)
    return tuple(
        Person(rater=Rater.draw(rng), patience=float(rng.uniform(0.4, 1.6)), activity=float(rng.lognormal(sigma=1.0)))
        for _ in range(count)
    )


def ask_sliders(
    facts: np.ndarray, texts: Sequence[str], *, names: Sequence[Sequence[str]], crowd: Sequence[Person], key: Key,
    temporal: Sequence[float] = (),
) -> tuple[SliderAnswer, ...]:  # fmt: skip
    """One answer for each row of true facets N,6, by somebody of the crowd. names: of the pictures of each row.

    temporal: N, the true temporal coherence of clips; its slider is then shown too.
    """
    rng = np.random.default_rng(key.entropy)
    share = np.array([person.activity for person in crowd])
    who = rng.choice(len(crowd), size=len(facts), p=share / share.sum())
    answers = []
    for number, (row, text, shown) in enumerate(zip(facts, texts, names, strict=True)):
        person = crowd[who[number]]
        seen = person.rater.sliders(dict(zip(FACETS, row.tolist(), strict=True)), rng)
        if temporal:
            seen[TEMPORAL] = _slider(temporal[number] + person.rater.bias + rng.normal(0, person.rater.noise))
        answers.append(
            SliderAnswer(
                prompt=text, pictures=tuple(shown), sliders=_kept(seen, person, rng), rater=f"person {who[number]}"
            )
        )
    return tuple(answers)


def _kept(seen: dict[str, int], person: Person, rng: np.random.Generator) -> dict[str, int]:
    """The sliders that were touched; at least one, or there would be no answer."""
    touched = [name for name in seen if rng.random() >= min(0.95, SKIPPED.get(name, 0.1) * person.patience)]
    if rng.random() < LEAVING:
        touched = touched[: int(rng.integers(1, len(seen)))]
    touched = touched or [next(iter(seen))]
    return {name: seen[name] for name in touched}


def _slider(value: float) -> int:
    return int(np.clip(round(HIGHEST * value), LOWEST, HIGHEST))
