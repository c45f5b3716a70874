"""Slider answers to fit facets to: the record, and the tensors a fit reads. It reads, fits and scores nothing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from redraft.core.errors import UsageError, unknown_name
from redraft.core.records import Prompt
from redraft.rewards.facets_config import CLIP_FACETS, HIGHEST, LOWEST
from redraft.rewards.fingerprints import hash_tensors


@dataclass(frozen=True, kw_only=True)
class SliderAnswer:
    """What one person set: whole numbers 0..10 by facet, about a picture (one name) or a clip (a name a frame).

    rater: pseudonym, "" for unknown. probability: in (0, 1], with which it was asked for. weight: what it counts
    besides, such as the rater's worth; above 0. Raises UsageError when a rule is broken.
    """

    prompt: str
    pictures: tuple[str, ...]
    sliders: Mapping[str, int]
    rater: str = ""
    probability: float = 1.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.pictures or not self.sliders:
            raise UsageError(
                f"an answer with {len(self.pictures)} pictures and {len(self.sliders)} sliders: give one picture, or "
                "the frames of a clip, and at least one slider; leave out answers that say nothing"
            )
        for facet, value in self.sliders.items():
            if isinstance(value, bool) or not isinstance(value, int) or not LOWEST <= value <= HIGHEST:
                raise UsageError(
                    f"slider {facet!r} = {value!r}: it takes whole numbers {LOWEST} to {HIGHEST}; leave out a slider "
                    "that was not touched"
                )
        early = [facet for facet in self.sliders if facet in CLIP_FACETS and len(self.pictures) == 1]
        if early:
            raise UsageError(f"slider {early[0]!r} about one picture: only a clip has it; give its frames, in order")
        if not (math.isfinite(self.probability) and 0 < self.probability <= 1):
            raise UsageError(
                f"probability {self.probability} of an answer: it must lie in (0, 1]; an answer that could not be "
                "asked for cannot be weighed"
            )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise UsageError(f"weight {self.weight} of an answer: it must be finite and above 0; leave the answer out")


@dataclass(frozen=True, kw_only=True)
class FacetAnswers:
    """N answers as tensors, on the CPU, for a fit of K facets.

    values N,K in 0..1 (slider / 10), mask N,K: True where the slider was set. probability N, weight N. rater N: row of
    `raters`. subject N: row of `subjects`, each the rows of its pictures, one for a still. prompt N: row of `prompts`.
    """

    facets: tuple[str, ...]
    values: torch.Tensor
    mask: torch.Tensor
    probability: torch.Tensor
    weight: torch.Tensor
    rater: torch.Tensor
    subject: torch.Tensor
    prompt: torch.Tensor
    raters: tuple[str, ...]
    subjects: tuple[tuple[int, ...], ...]
    prompts: tuple[Prompt, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def groups(self) -> tuple[str, ...]:
        """N: id of each answer's prompt, by which answers are held out together."""
        return tuple(self.prompts[row].id for row in self.prompt.tolist())

    @property
    def of_clips(self) -> torch.Tensor:
        """N: which are about clips."""
        clips = torch.tensor([len(rows) > 1 for rows in self.subjects], dtype=torch.bool)
        return clips[self.subject]

    def take(self, rows: torch.Tensor) -> FacetAnswers:
        """The answers `rows`; subjects, raters and prompts keep their numbers."""
        return FacetAnswers(
            facets=self.facets, values=self.values[rows], mask=self.mask[rows], probability=self.probability[rows],
            weight=self.weight[rows], rater=self.rater[rows], subject=self.subject[rows], prompt=self.prompt[rows],
            raters=self.raters, subjects=self.subjects, prompts=self.prompts,
        )  # fmt: skip

    @property
    def data_hash(self) -> str:
        """Hash of all but the pictures."""
        names = hashlib.sha256(repr((self.facets, self.raters, self.subjects, self.prompts)).encode()).digest()
        return hash_tensors({
            "values": torch.where(self.mask, self.values, 0.0), "mask": self.mask, "probability": self.probability,
            "weight": self.weight, "rater": self.rater, "subject": self.subject, "prompt": self.prompt,
            "names": torch.tensor(list(names), dtype=torch.uint8),
        })  # fmt: skip


def facet_answers(
    answers: Sequence[SliderAnswer], *, facets: tuple[str, ...], pictures: Mapping[str, int]
) -> FacetAnswers:
    """The tensors of answers; `pictures` gives the row of each picture's name.

    Raises UsageError for no answer, and for a slider that is none of `facets`.
    """
    if not answers:
        raise UsageError("no slider answers: there is nothing to fit to; ask people first")
    values, mask = torch.zeros(len(answers), len(facets)), torch.zeros(len(answers), len(facets), dtype=torch.bool)
    raters: dict[str, int] = {}
    prompts: dict[str, int] = {}
    subjects: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int, int]] = []
    for number, answer in enumerate(answers):
        for facet, value in answer.sliders.items():
            if facet not in facets:
                raise unknown_name("slider", facet, facets)
            column = facets.index(facet)
            values[number, column], mask[number, column] = (value - LOWEST) / (HIGHEST - LOWEST), True
        shown = tuple(pictures[name] for name in answer.pictures)
        rows.append((
            raters.setdefault(answer.rater or f"\0unknown {number}", len(raters)),
            subjects.setdefault(shown, len(subjects)),
            prompts.setdefault(answer.prompt, len(prompts)),
        ))  # fmt: skip
    rater, subject, prompt = (torch.tensor(column) for column in zip(*rows, strict=True))
    return FacetAnswers(
        facets=facets, values=values, mask=mask, rater=rater, subject=subject, prompt=prompt,
        probability=torch.tensor([answer.probability for answer in answers]),
        weight=torch.tensor([answer.weight for answer in answers]), raters=tuple(raters),
        subjects=tuple(subjects), prompts=tuple(Prompt(text=text) for text in prompts),
    )  # fmt: skip
