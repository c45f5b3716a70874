"""--lora-scale, --mix, --lora-start and --lora-stop of `generate` and `compare`, on the checkpoint of a tiny run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answers import Call
from PIL import Image

STEPS = 4


@pytest.fixture
def space(workspace: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspace, tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def checkpoint(workspace: Path) -> str:
    return str(json.loads((workspace.parent / "answer.json").read_text())["checkpoint"])


@pytest.fixture
def pictures(call: Call, space: Path, model: Path, tmp_path: Path) -> Any:
    """Pictures of two prompts with given options, N,H,W,3."""

    def made(*options: object) -> np.ndarray:
        out = tmp_path / "-".join(str(option).strip("-") for option in options).replace("/", "_")[:80]
        answer = call(
            "generate", "a", "b", "-w", space, "-m", model, "-o", out, "--steps", STEPS, "--guidance", 1, "--json",
            *options,
        )  # fmt: skip
        assert answer.code == 0, answer.err
        return np.stack([np.asarray(Image.open(row["file"])).astype(int) for row in answer.json()["pictures"]])

    return made


def close(first: np.ndarray, second: np.ndarray) -> bool:
    """Alike up to a level of an 8-bit pixel: merged and unmerged weights differ by the rounding of sums."""
    return bool(np.abs(first - second).max() <= 1)


def test_the_ends_of_scale_and_steps_are_base_and_checkpoint(pictures: Any, checkpoint: str) -> None:
    base, whole = pictures("--checkpoint", "base"), pictures("--checkpoint", checkpoint)
    assert not np.array_equal(base, whole)
    assert close(pictures("--checkpoint", checkpoint, "--lora-scale", 0), base)
    assert np.array_equal(pictures("--checkpoint", checkpoint, "--lora-scale", 1), whole)
    assert close(pictures("--checkpoint", checkpoint, "--lora-start", 0), base)
    assert close(pictures("--checkpoint", checkpoint, "--lora-start", STEPS), whole)
    assert close(pictures("--checkpoint", checkpoint, "--lora-stop", STEPS), whole)


def test_a_mix_of_a_lora_with_itself_is_its_sum(pictures: Any, checkpoint: str) -> None:
    twice = pictures("--checkpoint", checkpoint, "--lora-scale", 0.5, "--mix", f"{checkpoint}=0.5")
    assert close(twice, pictures("--checkpoint", checkpoint))
    alone = pictures("--checkpoint", "base", "--mix", f"{checkpoint[:8]}=1")
    assert close(alone, pictures("--checkpoint", checkpoint))


def test_the_answer_says_what_painted(call: Call, space: Path, model: Path, checkpoint: str, tmp_path: Path) -> None:
    answer = call(
        "generate", "a", "-w", space, "-m", model, "-o", tmp_path / "p", "--checkpoint", checkpoint, "--lora-scale",
        0.25, "--mix", f"{checkpoint}=0.5", "--json",
    )  # fmt: skip
    assert answer.json()["checkpoint"] == f"0.25 x {checkpoint[:12]} + 0.5 x {checkpoint[:12]}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--checkpoint", "base", "--lora-scale", "0.5"), "which has no LoRA: name one with --checkpoint"),
        (("--checkpoint", "base", "--lora-start", "2"), "there are no trained weights that could begin or stop"),
        (("--lora-start", "1", "--lora-stop", "1"), "the last steps or the first ones; give one"),
        (("--lora-scale", "nan"), "--lora-scale nan: must be finite"),
        (("--mix", "abc"), "--mix abc: write CHECKPOINT=WEIGHT with a finite weight"),
        (("--mix", "beef=1"), "beef"),
        (
            ("--lora-start", "1", "--enhance", "best_of_n", "--reward", "clip"),
            "--enhance best_of_n with --lora-start: methods at inference paint with one set of weights",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    options: tuple[str, ...], message: str, call: Call, space: Path, model: Path, tmp_path: Path
) -> None:
    answer = call("generate", "a", "-w", space, "-m", model, "-o", tmp_path / "p", *options)
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "p").exists()


def test_more_adapted_steps_than_there_are_is_refused(
    call: Call, space: Path, model: Path, checkpoint: str, tmp_path: Path
) -> None:
    answer = call(
        "generate", "a", "-w", space, "-m", model, "-o", tmp_path / "p", "--checkpoint", checkpoint, "--steps", 4,
        "--lora-start", 5,
    )  # fmt: skip
    assert answer.code == 2
    assert "5 adapted steps of 4: the count must be between 0 and the number of steps" in answer.err


def test_a_candidate_at_scale_zero_is_the_base_in_an_examination(
    call: Call, space: Path, model: Path, checkpoint: str
) -> None:
    answer = call(
        "compare", "base", checkpoint, "-w", space, "-m", model, "--exam-prompts", 12, "--steps", 2, "--guidance", 1,
        "--lora-scale", 0, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    for name in ("oracle", "clip", "clip-heldout"):
        # The same pictures up to a level of an 8-bit pixel.
        assert abs(answer.json()["metrics"][name]["difference"]) < 1e-3
    assert answer.json()["checkpoint"] == f"0 x {checkpoint[:12]}"
