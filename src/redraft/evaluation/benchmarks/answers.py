"""Who answers yes-or-no questions about pictures: a scorer that reads questions, or a file of given answers.

No question is made here, and no answer guessed: where there is none, the picture counts as not judged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import fingerprint_of
from redraft.evaluation.benchmarks.dpg_rules import Item
from redraft.evaluation.benchmarks.pictures import read_picture

if TYPE_CHECKING:
    import torch

    from redraft.core.protocols import Scorer

YES, NO = "yes", "no"


class Answerer(Protocol):
    """Anything that answers the questions of an item about a picture; fingerprint: of all that decides its answers."""

    fingerprint: str

    def answer(self, picture: torch.Tensor, item: Item) -> Mapping[int, bool]:
        """Number of the question -> yes or no, for a picture 3,H,W in 0..1; what has no answer is left out."""
        ...


class ScorerAnswers:
    """A scorer whose first head is the probability of "yes" to the question it gets as prompt; yes above a half."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer, self.fingerprint = scorer, fingerprint_of("yes above a half", scorer.fingerprint)

    def answer(self, picture: torch.Tensor, item: Item) -> dict[int, bool]:
        """All questions of the item. Raises UsageError when a score is outside 0..1, for then it is no probability."""
        from redraft.core.tensors import Images

        pixels = picture[None].expand(len(item.questions), *picture.shape)
        scores = self._scorer.score(Images(pixels=pixels), [Prompt(text=question.text) for question in item.questions])
        answers = {}
        for question, value, known in zip(
            item.questions, scores.values[:, 0].tolist(), scores.mask[:, 0].tolist(), strict=True
        ):
            if known and not 0 <= value <= 1:
                raise UsageError(
                    f"judge {self._scorer.name!r} gave {value:.4g} for a question: it must give the probability of "
                    "yes, 0..1; name a scorer that answers questions, or a file by --set answers=FILE"
                )
            if known:
                answers[question.number] = value > 0.5
        return answers


class FileAnswers:
    """Answers of a JSONL file: item_id, picture (a path from the file's folder), proposition_id, answer (yes or no).

    They are bound to the picture's pixels, so answers for other pictures are never taken for these.

    Raises:
        UsageError: naming the line, for a row that lacks something or contradicts an earlier one; for a picture that
            cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._answers: dict[tuple[str, str], dict[int, bool]] = {}
        marks: dict[str, str] = {}
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read ({error}): give a JSONL file of answers") from error
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                item, picture, question, answer = _row(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UsageError(
                    f"{path} line {number} is no answer ({type(error).__name__}: {error}): write item_id, picture, "
                    "proposition_id, and answer as yes or no"
                ) from error
            if picture not in marks:
                marks[picture] = _mark(read_picture(path.parent / picture))
            known = self._answers.setdefault((item, marks[picture]), {})
            if known.setdefault(question, answer) != answer:
                raise UsageError(f"{path} line {number} contradicts an earlier answer to question {question} of {item}")
        self.fingerprint = fingerprint_of("answers", hashlib.sha256(text.encode()).hexdigest())

    def answer(self, picture: torch.Tensor, item: Item) -> Mapping[int, bool]:
        """What the file says of exactly this picture; nothing when it does not know it."""
        return self._answers.get((item.id, _mark(picture)), {})


def _row(row: Mapping[str, Any]) -> tuple[str, str, int, bool]:
    answer = str(row["answer"]).strip().lower()
    if answer not in (YES, NO):
        raise ValueError(f"answer {row['answer']!r}")
    return str(row["item_id"]), str(row["picture"]), int(row["proposition_id"]), answer == YES


def _mark(picture: torch.Tensor) -> str:
    """Hash of a picture's 8-bit pixels and size."""
    import torch

    levels = (picture * 255).round().clamp(0, 255).to(torch.uint8).cpu().contiguous()
    return hashlib.sha256(f"{tuple(levels.shape)}".encode() + levels.numpy().tobytes()).hexdigest()


def has_all(answers: Mapping[int, bool], numbers: Sequence[int]) -> bool:
    """Whether every question has its answer."""
    return all(number in answers for number in numbers)
