"""Slider answers to fit facets to: the record, its file, and the tensors a fit reads. It fits and scores nothing.

A line of the file, whose names of pictures are paths from its folder:

    {"prompt": "a red star", "picture": "a.png", "sliders": {"semantics": 8, "safety": 10}, "rater": "anna",
     "probability": 0.2}

`frames` in place of `picture` names the frames of a clip, in order. Sliders that were not touched are left out.
`probability` is the chance with which this answer was asked for; 1 where every picture is asked about.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from redraft.core.errors import UsageError, unknown_name
from redraft.core.records import Prompt
from redraft.rewards.facets_config import CLIP_FACETS, HIGHEST, LOWEST
from redraft.rewards.fingerprints import hash_tensors
from redraft.rewards.preference_pictures import FilePictures

_NEEDED = ("prompt", "sliders")
_KEYS = (*_NEEDED, "picture", "frames", "rater", "probability")


@dataclass(frozen=True, kw_only=True)
class SliderAnswer:
    """What one person set: whole numbers 0..10 by facet, about a picture (one name) or a clip (a name a frame).

    rater: pseudonym, "" for unknown. probability: in (0, 1], with which it was asked for.
    Raises UsageError when a rule is broken.
    """

    prompt: str
    pictures: tuple[str, ...]
    sliders: Mapping[str, int]
    rater: str = ""
    probability: float = 1.0

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


@dataclass(frozen=True, kw_only=True)
class FacetAnswers:
    """N answers as tensors, on the CPU, for a fit of K facets.

    values N,K in 0..1 (slider / 10), mask N,K: True where the slider was set. probability N. rater N: row of `raters`.
    subject N: row of `subjects`, each the rows of its pictures, one for a still. prompt N: row of `prompts`.
    """

    facets: tuple[str, ...]
    values: torch.Tensor
    mask: torch.Tensor
    probability: torch.Tensor
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
            rater=self.rater[rows], subject=self.subject[rows], prompt=self.prompt[rows], raters=self.raters,
            subjects=self.subjects, prompts=self.prompts,
        )  # fmt: skip

    @property
    def data_hash(self) -> str:
        """Hash of all but the pictures."""
        names = hashlib.sha256(repr((self.facets, self.raters, self.subjects, self.prompts)).encode()).digest()
        return hash_tensors({
            "values": torch.where(self.mask, self.values, 0.0), "mask": self.mask, "probability": self.probability,
            "rater": self.rater, "subject": self.subject, "prompt": self.prompt,
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
        probability=torch.tensor([answer.probability for answer in answers]), raters=tuple(raters),
        subjects=tuple(subjects), prompts=tuple(Prompt(text=text) for text in prompts),
    )  # fmt: skip


def read_slider_answers(path: Path) -> tuple[SliderAnswer, ...]:
    """The answers of a JSONL file, in order.

    Raises UsageError, naming file, line, rule and way out, when the file cannot be read or is empty, or for the first
    line that is no answer; nothing is left out in silence.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"answers {str(path)!r} cannot be read ({error}): give a UTF-8 JSONL file") from error
    found = [_answer(line, where=f"{path} line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise UsageError(f"{path} holds no answer: give one JSON object a line, with {', '.join(_NEEDED)} and picture")
    return tuple(found)


def slider_pictures(answers: Sequence[SliderAnswer], *, folder: Path) -> tuple[FilePictures, dict[str, int]]:
    """The distinct pictures of the answers, and the row of each name. Raises UsageError for one that is missing."""
    names = list(dict.fromkeys(name for answer in answers for name in answer.pictures))
    paths = [folder / name for name in names]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(paths)} pictures are missing, {missing[0]!r} first: names of pictures are paths "
            "from the folder of the answers"
        )
    return FilePictures(paths=paths), {name: row for row, name in enumerate(names)}


def _answer(line: str, *, where: str) -> SliderAnswer:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is no JSON ({error}): give one JSON object a line") from error
    wrong = _wrong(row)
    if wrong:
        raise UsageError(f"{where} {wrong}")
    shown = tuple(row["frames"]) if "frames" in row else (row["picture"],)
    try:
        return SliderAnswer(
            prompt=row["prompt"], pictures=shown, sliders=row["sliders"], rater=row.get("rater", ""),
            probability=float(row.get("probability", 1.0)),
        )  # fmt: skip
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _wrong(row: Any) -> str:
    """Which rule of a line is broken; empty for none."""
    if not isinstance(row, dict):
        return f"is a JSON {type(row).__name__}: give an object with {', '.join(_NEEDED)} and picture"
    missing, unknown = [key for key in _NEEDED if key not in row], [key for key in row if key not in _KEYS]
    if missing or unknown or ("picture" in row) == ("frames" in row):
        what = f"lacks {missing[0]!r}" if missing else f"has the unknown key {unknown[0]!r}" if unknown else ""
        return (
            f"{what or 'must name either a picture or frames'}: an answer has prompt, sliders and picture (or frames), "
            "and may have rater and probability"
        )
    shown = row.get("frames", [row.get("picture")])
    texts = [row["prompt"], row.get("rater", ""), *(shown if isinstance(shown, list) else [None])]
    if not all(isinstance(text, str) for text in texts) or not all(texts[2:]) or ("frames" in row and len(shown) < 2):
        return "is wrong: prompt, rater and picture must be texts, and frames a list of two texts or more"
    probability = row.get("probability", 1.0)
    if (
        not isinstance(row["sliders"], dict)
        or isinstance(probability, bool)
        or not isinstance(probability, int | float)
    ):
        return "is wrong: sliders must be an object of whole numbers by facet, and probability a number"
    return ""
