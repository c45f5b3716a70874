"""VisionReward's checklist: yes/no answers about a picture, weighed and added (zai-org/VisionReward, 2412.21059).

The arithmetic and its files. It asks no model: answers come from a callable, or from a file written before. Upstream
counts a question that failed as "no"; here a picture without all its answers has no score.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import named_folder

QUESTIONS = "VisionReward_image_qa_select.txt"
WEIGHTS = "weight_select.json"
GATES: Mapping[int, tuple[int, ...]] = {0: (22, 23, 24, 28, 29), 1: (25, 26), 2: (27,)}
"""Question -> questions that count 0 unless it is answered yes, as published for the selected thirty: a body (and, as
published, harmfulness), a face, hands."""
_SELECTED = 30


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """Questions in order; the weight of the alignment, and of each question that is no gate; the intercept."""

    questions: tuple[str, ...]
    alignment_weight: float
    weights: tuple[float, ...]
    intercept: float

    def score(self, yes: torch.Tensor, alignment: torch.Tensor) -> torch.Tensor:
        """B float64: weights . answers (+1 yes, -1 no, 0 behind a closed gate) + weight * alignment + intercept.

        yes: B,Q bool in the order of the questions. alignment: B in 0..1, how well the picture fits its prompt. Raises
        UsageError for other shapes, or an alignment outside 0..1.
        """
        if yes.dtype != torch.bool or yes.ndim != 2 or yes.shape != (len(alignment), len(self.questions)):
            raise UsageError(
                f"answers of {yes.dtype} with shape {tuple(yes.shape)} and {len(alignment)} alignments: the checklist "
                f"takes bool B,{len(self.questions)} and B numbers"
            )
        if not bool(((alignment >= 0) & (alignment <= 1)).all()):
            raise UsageError(
                f"alignments from {alignment.min().item():.4g} to {alignment.max().item():.4g}: they are "
                "probabilities, 0..1"
            )
        answers = torch.where(yes, 1.0, -1.0).double()
        for gate, behind in GATES.items():
            answers[:, list(behind)] *= yes[:, [gate]].double()
        counted = [index for index in range(len(self.questions)) if index not in GATES]
        weights = torch.tensor(self.weights, dtype=torch.float64, device=answers.device)
        return answers[:, counted] @ weights + self.alignment_weight * alignment.double() + self.intercept


def read_checklist(folder: Path) -> Checklist:
    """Read QUESTIONS (one a line) and WEIGHTS (JSON: coef, alignment first, and intercept) of a folder.

    Raises UsageError when one is missing or they do not fit each other, DamagedError when one cannot be read.
    """
    for name in (QUESTIONS, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(
                f"folder {str(folder)!r} has no {name}: put VisionReward's {QUESTIONS} and {WEIGHTS} there; of the "
                "published pairs only these two fit each other"
            )
    try:
        questions = tuple(line.strip() for line in (folder / QUESTIONS).read_text(encoding="utf-8").splitlines())
        content = json.loads((folder / WEIGHTS).read_text(encoding="utf-8"))
        weights = tuple(float(value) for value in content["coef"])
        (intercept,) = (float(value) for value in content["intercept"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(
            f"the checklist in {folder.name!r} cannot be read ({type(error).__name__}: {error}): fetch its two files "
            "again"
        ) from error
    if len(questions) != _SELECTED or len(weights) != len(questions) - len(GATES) + 1 or not all(questions):
        raise UsageError(
            f"{len(questions)} questions and {len(weights)} weights: the selected checklist has {_SELECTED} questions, "
            f"{len(GATES)} of them gates, and {_SELECTED - len(GATES) + 1} weights; take {QUESTIONS} with {WEIGHTS}"
        )
    if not all(math.isfinite(value) for value in (*weights, intercept)):
        raise NumericsError(f"{WEIGHTS} holds NaN or infinity: fetch it again")
    return Checklist(questions=questions, alignment_weight=weights[0], weights=weights[1:], intercept=intercept)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers for B pictures. yes: B,Q bool; alignment: B in 0..1; known: B bool, False where a picture has none."""

    yes: torch.Tensor
    alignment: torch.Tensor
    known: torch.Tensor


Answer = Callable[[Images, Sequence[Prompt], Sequence[str]], Answers]
"""Pictures, their prompts and the questions to their answers: a vision-language model, a person, a file."""


def picture_hash(pixels: torch.Tensor) -> str:
    """16 hexadecimal digits of a picture 3,H,W in 0..1: of its size and its 8-bit values, whatever file they are in."""
    eight_bit = (pixels.detach() * 255).round().clamp(0, 255).to(torch.uint8).cpu().contiguous()
    head = f"{eight_bit.shape[-1]}x{eight_bit.shape[-2]} ".encode()
    return hashlib.sha256(head + eight_bit.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()[:16]


class AnswersFile:
    """Answers from JSON lines: {"picture": picture_hash, "prompt": text, "answers": [true, ...], "alignment": 0.7}."""

    def __init__(self, path: Path, *, questions: int) -> None:
        """Raises UsageError naming the line that cannot be used, or when the file is missing."""
        if not path.is_file():
            raise UsageError(
                f"answers {str(path)!r}: no such file; set answers in [scorers.vision-reward] to JSON lines with "
                "picture, prompt, answers and alignment"
            )
        self._rows: dict[tuple[str, str], tuple[list[bool], float]] = {}
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                picture, prompt, answers, alignment = _answers_of(json.loads(line), questions=questions)
            except (ValueError, TypeError, KeyError) as error:
                raise UsageError(
                    f"{path.name} line {number}: {type(error).__name__}: {error}; a line is an object with picture, "
                    f"prompt, answers ({questions} of true or false) and alignment (0..1)"
                ) from error
            self._rows[picture, prompt] = answers, alignment

    def __call__(self, images: Images, prompts: Sequence[Prompt], questions: Sequence[str]) -> Answers:
        """The answers; known is False for pictures that the file does not have with that prompt."""
        rows = [
            self._rows.get((picture_hash(pixels), prompt.text))
            for pixels, prompt in zip(images.pixels, prompts, strict=True)
        ]
        nothing = [False] * len(questions), 0.0
        filled = [row or nothing for row in rows]
        return Answers(
            yes=torch.tensor([answers for answers, _ in filled], dtype=torch.bool).reshape(len(rows), len(questions)),
            alignment=torch.tensor([alignment for _, alignment in filled], dtype=torch.float64),
            known=torch.tensor([row is not None for row in rows], dtype=torch.bool),
        )


def _answers_of(row: Any, *, questions: int) -> tuple[str, str, list[bool], float]:
    answers, alignment = row["answers"], float(row["alignment"])
    if len(answers) != questions or any(not isinstance(answer, bool) for answer in answers):
        raise ValueError(f"{len(answers)} answers, or others than true and false")
    if not 0 <= alignment <= 1:
        raise ValueError(f"alignment {alignment} is no probability")
    return str(row["picture"]), str(row["prompt"]), list(answers), alignment


class VisionRewardConfig(Config):
    """Options of the scorer `vision-reward`."""

    name: str = Field(default="vision-reward", min_length=1, description="name of the scorer and of its head")
    answers: str = Field(default="answers.jsonl", description="file of answers: a path, or a name in the folder")
    answered_by: str = Field(default="", description="who answered: part of the fingerprint")


class VisionRewardScorer:
    """One head, between -2.54 and 4.90 with the published weights. Not differentiable.

    Pictures without answers are masked; if none has answers, that is an error.
    """

    Config: ClassVar[type[BaseModel]] = VisionRewardConfig
    differentiable = False

    def __init__(self, checklist: Checklist, answer: Answer, *, answered_by: str, name: str = "vision-reward") -> None:
        """answered_by: names the model (and version) or people behind `answer`; other ones give unlike scores."""
        self.checklist, self.answer, self.name, self.heads = checklist, answer, name, (name,)
        self.fingerprint = fingerprint_of("vision-reward", checklist, answered_by)

    @classmethod
    def build(cls, config: VisionRewardConfig, context: ModelContext) -> VisionRewardScorer:
        """Read the checklist in `context.folder` and the file of answers; errors of both readers."""
        folder = named_folder(context.folder, scorer=config.name, holds="VisionReward's checklist and its answers")
        checklist = read_checklist(folder)
        answer = AnswersFile(folder / config.answers, questions=len(checklist.questions))
        return cls(checklist, answer, answered_by=config.answered_by, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures or when no picture has answers, NumericsError for NaN."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        answers = self.answer(images, prompts, self.checklist.questions)
        known = answers.known.bool()
        if len(prompts) and not bool(known.any()):
            raise UsageError(
                f"none of {len(prompts)} pictures has answers for {self.name!r}, the first is "
                f"{picture_hash(images.pixels[0])} for {prompts[0].text[:60]!r}: answer the checklist for these "
                "pictures and prompts first"
            )
        values = torch.zeros(len(prompts), 1)
        values[known, 0] = self.checklist.score(answers.yes[known], answers.alignment[known]).float().cpu()
        return Scores(
            values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=known[:, None].cpu()
        ).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Raises UsageError: answers have no gradient."""
        del pixels, prompts
        raise UsageError(
            f"scorer {self.name!r} has no gradient, because yes and no have none: use a method that needs scores only "
            "(nft, ddpo), or another reward"
        )
