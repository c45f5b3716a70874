"""Choices and ratings as numbers to fit to: which entries, pictures of a prompt, were compared, and with what outcome.

Made from `core.feedback.Preference`. It loads no network and does not know how scores are made.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from redraft.core.errors import UsageError
from redraft.core.feedback import STARS, Preference
from redraft.core.records import Prompt
from redraft.rewards.fingerprints import hash_tensors


@dataclass(frozen=True, kw_only=True)
class PreferenceData:
    """E entries, P pairs of entries of one prompt, Q ratings of one entry. All tensors on the CPU.

    prompts: the distinct ones. entry_prompt, entry_picture: E, rows of `prompts` and of the pictures.
    pairs: P,2 rows of entries in the order shown. outcome: P,3 shares of (first better, second better, tie).
    points: Q rows of entries. label: Q in 0..1. pair_weight P, point_weight Q: above 0.
    pair_rater, point_rater: pseudonyms. pair_answer, point_answer: P and Q, the number of the answer that each was made
    of; of a pair made of two ratings, that of the first.
    """

    prompts: tuple[Prompt, ...]
    entry_prompt: torch.Tensor
    entry_picture: torch.Tensor
    pairs: torch.Tensor
    outcome: torch.Tensor
    pair_weight: torch.Tensor
    points: torch.Tensor
    label: torch.Tensor
    point_weight: torch.Tensor
    pair_answer: torch.Tensor
    point_answer: torch.Tensor
    pair_rater: tuple[str, ...] = ()
    point_rater: tuple[str, ...] = ()

    @property
    def pair_prompt(self) -> torch.Tensor:
        """P: the row of `prompts` of each pair."""
        return self.entry_prompt[self.pairs[:, 0]]

    @property
    def data_hash(self) -> str:
        """Hash of the answers and texts; that of the pictures stands beside it."""
        text = hashlib.sha256("\0".join(prompt.id for prompt in self.prompts).encode()).digest()
        return hash_tensors({
            "entries": torch.stack([self.entry_prompt, self.entry_picture]), "pairs": self.pairs,
            "outcome": self.outcome, "pair_weight": self.pair_weight, "points": self.points, "label": self.label,
            "point_weight": self.point_weight, "prompts": torch.tensor(list(text), dtype=torch.uint8),
        })  # fmt: skip

    def of_prompts(self, rows: torch.Tensor) -> PreferenceData:
        """The pairs and points of these rows of `prompts`; entries and prompts keep their numbers."""
        kept = torch.zeros(len(self.prompts), dtype=torch.bool)
        kept[rows] = True
        pair, point = kept[self.pair_prompt], kept[self.entry_prompt[self.points]]
        return self._filtered(pair, point)

    def of_rater(self, rater: str) -> PreferenceData:
        """The answers of one person. Raises UsageError when there is none."""
        pair = torch.tensor([name == rater for name in self.pair_rater], dtype=torch.bool)
        point = torch.tensor([name == rater for name in self.point_rater], dtype=torch.bool)
        if not bool(pair.any()) and not bool(point.any()):
            known = sorted({*self.pair_rater, *self.point_rater} - {""})
            raise UsageError(
                f"no answer of the rater {rater!r} among {len(pair) + len(point)}: there are {len(known)} raters"
                + (f", {', '.join(known[:5])} first" if known else "")
            )
        return self._filtered(pair, point)

    def _filtered(self, pair: torch.Tensor, point: torch.Tensor) -> PreferenceData:
        return PreferenceData(
            prompts=self.prompts, entry_prompt=self.entry_prompt, entry_picture=self.entry_picture,
            pairs=self.pairs[pair], outcome=self.outcome[pair], pair_weight=self.pair_weight[pair],
            points=self.points[point], label=self.label[point], point_weight=self.point_weight[point],
            pair_answer=self.pair_answer[pair], point_answer=self.point_answer[point],
            pair_rater=tuple(name for name, keep in zip(self.pair_rater, pair.tolist(), strict=True) if keep),
            point_rater=tuple(name for name, keep in zip(self.point_rater, point.tolist(), strict=True) if keep),
        )  # fmt: skip


def preference_data(records: Sequence[Preference], *, pictures: Mapping[str, int]) -> PreferenceData:
    """Answers as pairs and points; `pictures` gives the row of each picture's name.

    pair: one pair, (0.5, 0.5) a tie. choice: the chosen picture beats each other one. ranks: every pair of the ranked
    pictures, equal ranks a tie. stars and thumbs: points with the label (stars - 1) / 4 or thumb, and besides a pair
    for any two pictures of one prompt that the same known rater rated unlike. Raises UsageError for no answers or a
    picture without a row.
    """
    if not records:
        raise UsageError("no answers to fit to: give at least two choices or ratings")
    builder = _Builder(pictures)
    for number, record in enumerate(records):
        builder.add(record, number=number)
    builder.pair_ratings()
    return builder.data()


class _Builder:
    def __init__(self, pictures: Mapping[str, int]) -> None:
        self._pictures = pictures
        self._prompts: dict[str, int] = {}
        self._entries: dict[tuple[int, int], int] = {}
        self._pairs: list[tuple[int, int, tuple[float, float, float], float, str, int]] = []
        self._points: list[tuple[int, float, float, str, int]] = []
        self._rated: defaultdict[tuple[int, str], dict[int, tuple[float, float, int]]] = defaultdict(dict)

    def add(self, record: Preference, *, number: int) -> None:
        prompt = self._prompts.setdefault(record.prompt, len(self._prompts))
        entries = [self._entry(prompt, name) for name in record.pictures]
        match record.kind:
            case "pair":
                first, second = record.answer
                outcome = (0.0, 0.0, 1.0) if first == second else (first, second, 0.0)
                self._pairs.append((entries[0], entries[1], outcome, record.weight, record.rater, number))
            case "choice":
                chosen = list(zip(entries, record.answer, strict=True))
                self._pair_all(chosen, weight=record.weight, rater=record.rater, ties=False, number=number)
            case "ranks":
                ranked = list(zip(entries, (-rank for rank in record.answer), strict=True))
                self._pair_all(ranked, weight=record.weight, rater=record.rater, ties=True, number=number)
            case _:
                top = STARS if record.kind == "stars" else 1
                bottom = 1 if record.kind == "stars" else 0
                for entry, answer in zip(entries, record.answer, strict=True):
                    label = (answer - bottom) / (top - bottom)
                    self._points.append((entry, label, record.weight, record.rater, number))
                    if record.rater:
                        self._rated[prompt, record.rater][entry] = (label, record.weight, number)

    def pair_ratings(self) -> None:
        """Pairs of what one rater rated unlike. Equal stars say little: their steps are coarse, so they give none."""
        for (_, rater), rated in self._rated.items():
            weight = sum(weight for _, weight, _ in rated.values()) / len(rated)
            for (one, (liked, _, number)), (two, (other, _, _)) in combinations(rated.items(), 2):
                self._pair_all([(one, liked), (two, other)], weight=weight, rater=rater, ties=False, number=number)

    def _pair_all(
        self, values: Sequence[tuple[int, float]], *, weight: float, rater: str, ties: bool, number: int
    ) -> None:
        for (first, one), (second, two) in combinations(values, 2):
            outcome = (float(one > two), float(two > one), float(one == two))
            if ties or one != two:
                self._pairs.append((first, second, outcome, weight, rater, number))

    def _entry(self, prompt: int, name: str) -> int:
        if name not in self._pictures:
            raise UsageError(f"the picture {name!r} of an answer is not among the pictures given: add it")
        return self._entries.setdefault((prompt, self._pictures[name]), len(self._entries))

    def data(self) -> PreferenceData:
        entries = torch.tensor(list(self._entries), dtype=torch.long).reshape(-1, 2)
        return PreferenceData(
            prompts=tuple(Prompt(text=text) for text in self._prompts),
            entry_prompt=entries[:, 0], entry_picture=entries[:, 1],
            pairs=torch.tensor([row[:2] for row in self._pairs], dtype=torch.long).reshape(-1, 2),
            outcome=torch.tensor([row[2] for row in self._pairs]).reshape(-1, 3),
            pair_weight=torch.tensor([row[3] for row in self._pairs]),
            points=torch.tensor([row[0] for row in self._points], dtype=torch.long),
            label=torch.tensor([row[1] for row in self._points]),
            point_weight=torch.tensor([row[2] for row in self._points]),
            pair_answer=torch.tensor([row[5] for row in self._pairs], dtype=torch.long),
            point_answer=torch.tensor([row[4] for row in self._points], dtype=torch.long),
            pair_rater=tuple(row[4] for row in self._pairs),
            point_rater=tuple(row[3] for row in self._points),
        )  # fmt: skip


def prompt_weights(data: PreferenceData) -> torch.Tensor:
    """P: each pair's weight over the weight of all pairs of its prompt, so that every prompt counts alike (PickScore).

    A prompt whose rows are all given twice counts as before.
    """
    total = torch.zeros(len(data.prompts)).index_add_(0, data.pair_prompt, data.pair_weight)
    return data.pair_weight / total[data.pair_prompt]
