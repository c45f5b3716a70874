"""Counts rows as they pass, in constant memory: kinds, pairs, sides, and mean ratings by generator. Judges nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from redraft.core.feedback import Rating
from redraft.feedback.exchange.pairs import count_pairs
from redraft.feedback.exchange.rows import Fault, Row

MOST_MEANS = 1000
"""Different generators and questions at most whose means are kept, so that memory stays bounded."""


@dataclass(kw_only=True)
class Tally:
    """What passed. strict, tied: pairs, those within ranks too. first_wins: of `decided` pairs, those the first won."""

    rows: int = 0
    refused: int = 0
    faults: int = 0
    strict: int = 0
    tied: int = 0
    first_wins: int = 0
    decided: int = 0
    swapped: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    _sums: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row."""
        said = row.judgement
        self.rows += 1
        self.kinds[row.kind] += 1
        if isinstance(said, Rating):
            for name, value in said.values.items():
                self._add_mean(row.models[0] if row.models else "", name, value)
            return
        strict, tied = count_pairs(row)
        self.strict += strict
        self.tied += tied
        if row.sides is not None:
            self.swapped += row.sides.swapped
        if said.kind == "pair" and strict:
            self.decided += 1
            self.first_wins += said.answer[0] > said.answer[1]

    def add_fault(self, fault: Fault) -> None:
        """Count a fault and the rows that it cost."""
        self.faults += 1
        self.refused += fault.rows

    def _add_mean(self, model: str, name: str, value: float) -> None:
        sums = self._sums.get((model, name))
        if sums is None:
            if len(self._sums) >= MOST_MEANS:
                return
            sums = self._sums[model, name] = [0.0, 0.0]
        sums[0] += value
        sums[1] += 1

    def means(self) -> dict[str, dict[str, float]]:
        """The mean of each question by generator ("" for unknown)."""
        means: dict[str, dict[str, float]] = {}
        for (model, name), (total, count) in sorted(self._sums.items()):
            means.setdefault(model, {})[name] = total / count
        return means

    def one_sided(self) -> str:
        """ "first" or "second" when that side wins every one of twenty pairs or more, else an empty text."""
        if self.decided < 20 or 0 < self.first_wins < self.decided:
            return ""
        return "first" if self.first_wins else "second"

    def as_object(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rows": self.rows, "refused": self.refused, "kinds": dict(self.kinds),
            "pairs": {"strict": self.strict, "tied": self.tied, "first_wins": self.first_wins, "swapped": self.swapped},
            "means": self.means(),
        }  # fmt: skip
