"""Pairs: ranks taken apart into them, and sides drawn by a coin where a format stores the winner first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from redraft.core.feedback import Preference, Rating
from redraft.core.keys import Key
from redraft.feedback.exchange.rows import Row, Sides, flipped


def as_pairs(row: Row) -> Sequence[Row]:
    """Every two pictures of ranks as a pair, in the order shown; equal ranks are ties. Other rows as they are."""
    said = row.judgement
    if isinstance(said, Rating) or said.kind != "ranks":
        return (row,)
    models = row.models or ("",) * len(said.pictures)
    shown = list(zip(said.pictures, said.answer, models, strict=True))
    pairs = []
    for (one, first, one_model), (two, second, two_model) in combinations(shown, 2):
        answer = (0.5, 0.5) if first == second else (float(first < second), float(second < first))
        judgement = Preference(
            prompt=said.prompt, pictures=(one, two), kind="pair", answer=answer, rater=said.rater, weight=said.weight
        )
        both = (one_model, two_model) if row.models else ()
        pairs.append(Row(judgement=judgement, format=row.format, item=row.item, models=both))
    return pairs


def count_pairs(row: Row) -> tuple[int, int]:
    """How many strict pairs and ties a judgement holds."""
    said = row.judgement
    if isinstance(said, Rating) or said.kind not in ("pair", "choice", "ranks"):
        return 0, 0
    if said.kind == "choice":
        return len(said.answer) - 1, 0
    if said.kind == "pair":
        tied = int(said.answer[0] == said.answer[1])
        return 1 - tied, tied
    ties = sum(one == two for one, two in combinations(said.answer, 2))
    count = len(said.answer)
    return count * (count - 1) // 2 - ties, ties


def with_drawn_sides(row: Row, key: Key, *, number: int) -> Row:
    """The pair as it stands or the other way round, by the coin Key(seed).child("sides", number); this is recorded.

    For formats that always store the winner first: a model would learn the side instead of the picture.
    """
    assert isinstance(row.judgement, Preference)
    swapped = bool(Key(seed=key.seed).child("sides", number).entropy & 1)
    drawn = replace(row, sides=Sides(seed=key.seed, number=number, swapped=swapped))
    return replace(drawn, judgement=flipped(row.judgement), models=row.models[::-1]) if swapped else drawn
