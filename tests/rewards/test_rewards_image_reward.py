"""ImageReward from a tiny checkpoint in its released layout, against a computation by hand; texts, formats, faults."""

from pathlib import Path
from typing import Any

import pytest
import torch
from released_layouts import image_reward_score, image_reward_state, write_bert_vocabulary

from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.blip_layout import blip_from_release
from redraft.rewards.image_reward import AGREEMENT, DEVIATION, MEAN, ImageRewardConfig, ImageRewardScorer
from redraft.testing import check_scorer

TEXTS = ("a red star", "two circles and a blue star", "red", "a circle", "a blue circle and a red star", "star")
PROMPTS = [Prompt(text=text) for text in TEXTS]
LONG = Prompt(text=" ".join(["red star", *["blue circle"] * 20, "two"]))  # 43 words: 45 tokens with its ends


def pictures(height: int, width: int, count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    coarse = torch.rand((count, 3, 8, 8), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth * 255).round() / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As released: ImageReward.pt, a plain state dict; and the vocabulary of its BERT. Two rows more than its words."""
    folder = tmp_path_factory.mktemp("image-reward")
    words = write_bert_vocabulary(folder)
    torch.save(image_reward_state(words=words + 2), folder / "ImageReward.pt")
    return folder


def build(folder: Path, *, dtype: Any = "float32", **options: Any) -> ImageRewardScorer:
    context = ModelContext(folder=str(folder), dtype=dtype)
    return ImageRewardScorer.build(ImageRewardConfig.model_validate(options), context)


def test_scores_are_those_of_the_published_network(folder: Path) -> None:
    scorer, pixels = build(folder), pictures(48, 40)
    state = torch.load(folder / "ImageReward.pt")
    inputs = scorer.preprocessing.reference(pixels)
    rows = scorer.tokenizer(list(TEXTS))["input_ids"]
    assert rows[0] == [2, 5, 6, 8, 3]  # [CLS] a red star [SEP], by their lines in vocab.txt
    expected = image_reward_score(state, inputs, rows)
    scores = scorer.score(Images(pixels=pixels), PROMPTS)
    assert torch.allclose(scores.values[:, 0], expected, atol=1e-5)
    assert expected.std() > 0.05  # else the agreement says nothing
    # Batches of two give the same.
    assert torch.allclose(build(folder, batch=2).score(Images(pixels=pixels), PROMPTS).values, scores.values, atol=1e-5)
    check_scorer(scorer, size=32)


def test_the_published_normalisation() -> None:
    """Raw outputs of 0 and 1 by the constants of the published code, worked out apart."""
    values = [(raw - MEAN) / DEVIATION for raw in (0, 1)]
    assert values == pytest.approx([-0.161779966, 0.805956198], abs=1e-9)


@pytest.mark.parametrize("shape", [(32, 32), (48, 40), (97, 65), (32, 100)])
def test_score_pixels_agrees_and_has_a_gradient(folder: Path, shape: tuple[int, int]) -> None:
    scorer, pixels = build(folder), pictures(*shape).requires_grad_(True)
    value = scorer.score_pixels(pixels, PROMPTS)
    apart = value.detach() - scorer.score(Images(pixels=pixels.detach()), PROMPTS).values[:, 0]
    assert apart.abs().max() <= AGREEMENT
    (gradient,) = torch.autograd.grad(value.sum(), pixels)
    assert gradient.abs().amax((1, 2, 3)).min() > 0


def test_long_texts_follow_the_policy(folder: Path) -> None:
    scorer, images = build(folder), Images(pixels=pictures(32, 32, 1))
    with pytest.warns(UserWarning, match="1 of 1 texts are longer than the 35 tokens that ImageReward reads"):
        cut = scorer.score(images, [LONG]).values.item()
    assert scorer.truncated == 1
    words = LONG.text.split()
    # 33 words and two ends are read: the rest does not count.
    assert cut == pytest.approx(scorer.score(images, [Prompt(text=" ".join(words[:33]))]).values.item(), abs=1e-5)
    with pytest.raises(UsageError, match=r"has 45 tokens, ImageReward reads 35: shorten it, or set long_texts"):
        build(folder, long_texts="refuse").score(images, [LONG])
    halves = [Prompt(text=" ".join(part)) for part in (words[:21], words[21:])]
    twice = Images(pixels=images.pixels.repeat(3, 1, 1, 1))
    windows = build(folder, long_texts="windows")
    values = windows.score(twice, [halves[0], LONG, halves[1]]).values[:, 0]
    assert values[1].item() == pytest.approx((values[0] + values[2]).item() / 2, abs=1e-5)
    assert abs(values[1].item() - cut) > 1e-4
    assert windows.fingerprint != scorer.fingerprint


@pytest.mark.parametrize(("dtype", "bound"), [("bfloat16", 0.1), ("float16", 0.02)])
def test_half_precision_stays_near(folder: Path, dtype: str, bound: float) -> None:
    full, half, images = build(folder), build(folder, dtype=dtype), Images(pixels=pictures(32, 32))
    values = half.score(images, PROMPTS).values
    assert (values - full.score(images, PROMPTS).values).abs().max() < bound
    assert values.dtype == torch.float32
    assert half.fingerprint != full.fingerprint


def test_a_wrong_layout_names_the_missing_keys(folder: Path, tmp_path: Path) -> None:
    state = torch.load(folder / "ImageReward.pt")
    short = {name: value for name, value in state.items() if "crossattention" not in name}
    with pytest.raises(UsageError, match=r"x.pt is not in the layout of ImageReward.*crossattention.self.query.weight"):
        blip_from_release(short, source="x.pt")
    with pytest.raises(UsageError, match=r"it lacks mlp.layers.7.bias\. Give the file as it was released"):
        blip_from_release({k: v for k, v in state.items() if k != "mlp.layers.7.bias"}, source="x.pt")
    with pytest.raises(UsageError, match=r"it has itm_head.weight, which do not belong there"):
        blip_from_release({**state, "itm_head.weight": torch.zeros(2)}, source="x.pt")
    with pytest.raises(UsageError, match=r"layer 1 has a weight of \(128, 1024\) and a bias of \(7,\)"):
        blip_from_release({**state, "mlp.layers.2.bias": torch.zeros(7)}, source="x.pt")
    narrow = image_reward_state(words=10, vision=96)
    with pytest.raises(UsageError, match=r"a width of 96 has no whole number of attention heads of 64"):
        blip_from_release(narrow, source="x.pt")
    torch.save(image_reward_state(words=10), tmp_path / "ImageReward.pt")
    with pytest.raises(UsageError, match=r"has no vocabulary \(tokenizer.json, vocab.txt\).*bert-base-uncased"):
        build(tmp_path)
    write_bert_vocabulary(tmp_path)
    with pytest.raises(UsageError, match=r"10 word embeddings for a vocabulary of \d+"):
        build(tmp_path)
