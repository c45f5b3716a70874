"""VisionReward's checklist: golden arithmetic of the published questions and weights, gates, answers from a file."""

import json
from pathlib import Path

import pytest
import torch

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.vision_reward import (
    QUESTIONS,
    WEIGHTS,
    Answers,
    VisionRewardConfig,
    VisionRewardScorer,
    picture_hash,
    read_checklist,
)
from redraft.testing import check_scorer


def yes_but(*no: int, count: int = 1) -> torch.Tensor:
    """All thirty answered yes, except these."""
    answers = torch.ones(count, 30, dtype=torch.bool)
    answers[:, list(no)] = False
    return answers


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def own_checklist(folder: Path) -> Path:
    """A checklist of the published shape with weights 1/16, 2/16, ... (the published files are not part of this)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / QUESTIONS).write_text("\n".join(f"Question {number}?" for number in range(30)))
    (folder / WEIGHTS).write_text(json.dumps({"coef": [(1 + n) / 16 for n in range(28)], "intercept": [0.5]}))
    return folder


def test_golden_arithmetic_of_the_published_checklist(test_data: Path) -> None:
    """Values worked out from weight_select.json, see the notes in docs/rewards.md."""
    checklist = read_checklist(test_data / "visionreward")
    assert checklist.questions[0] == "Is there a human body in the image?"
    assert checklist.questions[27] == "Are the human hands perfect?"
    assert sum(checklist.weights) == pytest.approx(2.536905911, abs=1e-9)
    assert checklist.alignment_weight == pytest.approx(2.354288263, abs=1e-9)
    # A body, a face and hands are there, everything else is answered no; and everything is answered yes.
    lowest = yes_but(*range(3, 30))
    assert checklist.score(lowest, one(0)).item() == pytest.approx(-2.5369, abs=1e-4)
    assert checklist.score(yes_but(), one(1)).item() == pytest.approx(4.8912, abs=1e-4)
    assert checklist.score(yes_but(), one(0.7)).item() == pytest.approx(2.536905911 + 0.7 * 2.354288263, abs=1e-8)


@pytest.mark.parametrize(("gate", "behind"), [(0, (22, 23, 24, 28, 29)), (1, (25, 26)), (2, (27,))])
def test_a_closed_gate_takes_its_questions_out(test_data: Path, gate: int, behind: tuple[int, ...]) -> None:
    checklist = read_checklist(test_data / "visionreward")
    whole = checklist.score(yes_but(), one(0)).item()
    lost = sum(checklist.weights[number - 3] for number in behind)
    assert checklist.score(yes_but(gate), one(0)).item() == pytest.approx(whole - lost, abs=1e-9)
    # Behind a closed gate the answers do not count, whatever they are; before an open one they do.
    assert checklist.score(yes_but(gate, *behind), one(0)).item() == pytest.approx(whole - lost, abs=1e-9)
    assert checklist.score(yes_but(*behind), one(0)).item() == pytest.approx(whole - 2 * lost, abs=1e-9)


def test_answers_of_other_shapes_are_refused(tmp_path: Path) -> None:
    checklist = read_checklist(own_checklist(tmp_path))
    with pytest.raises(UsageError, match=r"answers of torch.bool with shape \(1, 30\) and 2 alignments"):
        checklist.score(yes_but(), torch.zeros(2))
    with pytest.raises(UsageError, match=r"answers of torch.float32"):
        checklist.score(yes_but().float(), one(0))
    for wrong in (1.5, float("nan")):
        with pytest.raises(UsageError, match=r"they are probabilities, 0..1"):
            checklist.score(yes_but(), one(wrong))


def test_pairs_of_files_that_do_not_fit_are_refused(test_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no VisionReward_image_qa_select.txt.*only these two fit"):
        read_checklist(tmp_path)
    # The published pair of 59 questions and 55 weights, under the names of the selected one.
    for published, name in (("VisionReward_image_qa.txt", QUESTIONS), ("weight.json", WEIGHTS)):
        (tmp_path / name).write_bytes((test_data / "visionreward" / published).read_bytes())
    with pytest.raises(UsageError, match=r"59 questions and 55 weights: the selected checklist has 30 questions"):
        read_checklist(tmp_path)
    own_checklist(tmp_path)
    (tmp_path / WEIGHTS).write_text('{"coef": [1]}')
    with pytest.raises(DamagedError, match=r"cannot be read \(KeyError: 'intercept'\)"):
        read_checklist(tmp_path)
    (tmp_path / WEIGHTS).write_text(json.dumps({"coef": [float("nan")] * 28, "intercept": [0]}))
    with pytest.raises(NumericsError, match="holds NaN"):
        read_checklist(tmp_path)


def test_answers_may_come_from_any_callable_and_a_missing_one_is_no_no(tmp_path: Path) -> None:
    def answer(images: Images, prompts: list[Prompt], questions: list[str]) -> Answers:
        bright = images.pixels.flatten(1).mean(1) > 0.5
        yes = bright[:, None].expand(-1, len(questions)).clone()
        return Answers(yes=yes, alignment=bright.double(), known=torch.tensor([p.text != "?" for p in prompts]))

    checklist = read_checklist(own_checklist(tmp_path))
    scorer = VisionRewardScorer(checklist, answer, answered_by="brightness")  # type: ignore[arg-type]
    pixels = torch.stack([torch.full((3, 8, 8), value) for value in (0.2, 0.9, 0.9)])
    scores = scorer.score(Images(pixels=pixels), [Prompt(text="a"), Prompt(text="b"), Prompt(text="?")])
    assert scores.mask[:, 0].tolist() == [True, True, False]
    whole = sum((1 + n) / 16 for n in range(28)) + 0.5
    # All no: every gate is closed, so the questions behind them count nothing.
    open_weights = sum(checklist.weights[number - 3] for number in range(3, 22))
    assert scores.values[:2, 0].tolist() == pytest.approx([0.5 - open_weights, whole], abs=1e-5)
    check_scorer(scorer, images=Images(pixels=torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))))
    other = VisionRewardScorer(checklist, answer, answered_by="another")  # type: ignore[arg-type]
    assert other.fingerprint != scorer.fingerprint


def test_answers_from_a_file_belong_to_a_picture_and_a_prompt(tmp_path: Path) -> None:
    folder = own_checklist(tmp_path)
    pixels = torch.rand((3, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    rows = [
        {"picture": picture_hash(picture), "prompt": "a", "answers": [True] * 30, "alignment": 0.5}
        for picture in pixels[:2]
    ]
    rows[1]["answers"] = [False] * 30
    (folder / "answers.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    scorer = VisionRewardScorer.build(VisionRewardConfig(), ModelContext(folder=str(folder)))
    scores = scorer.score(Images(pixels=pixels), [Prompt(text="a")] * 3)
    assert scores.mask[:, 0].tolist() == [True, True, False]
    expected = scorer.checklist.score(torch.tensor([[True] * 30, [False] * 30]), torch.tensor([0.5, 0.5]))
    assert torch.allclose(scores.values[:2, 0], expected.float())
    with pytest.raises(UsageError, match=r"none of 3 pictures has answers for 'vision-reward', the first is [0-9a-f]"):
        scorer.score(Images(pixels=pixels), [Prompt(text="b")] * 3)
    for line, problem in (
        ("{", "line 3: JSONDecodeError"),
        (json.dumps({**rows[0], "answers": ["yes"] * 30}), "line 3: ValueError: 30 answers, or others than true"),
        (json.dumps({**rows[0], "alignment": 7}), "line 3: ValueError: alignment 7.0 is no probability"),
        ("[1]", "line 3: TypeError"),
        (json.dumps({"picture": "a"}), "line 3: KeyError: 'answers'"),
    ):
        (folder / "answers.jsonl").write_text("\n".join([json.dumps(rows[0]), "", line]))
        with pytest.raises(UsageError, match=problem):
            VisionRewardScorer.build(VisionRewardConfig(), ModelContext(folder=str(folder)))
    with pytest.raises(UsageError, match=r"answers .*none.jsonl': no such file"):
        VisionRewardScorer.build(VisionRewardConfig(answers="none.jsonl"), ModelContext(folder=str(folder)))


def test_the_hash_of_a_picture_is_that_of_its_8_bit_values() -> None:
    picture = torch.rand((3, 8, 6), generator=torch.Generator().manual_seed(2))
    stored = (picture * 255).round() / 255
    assert picture_hash(picture) == picture_hash(stored)
    assert picture_hash(picture) != picture_hash(picture.transpose(1, 2))
    changed = stored.clone()
    changed[0, 0, 0] = (stored[0, 0, 0] + 0.5) % 1
    assert picture_hash(changed) != picture_hash(stored)
