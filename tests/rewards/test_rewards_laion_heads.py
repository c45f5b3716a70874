"""LAION's aesthetic V2 and its safety detector: published layouts, folding, faults, on a CLIP of their width."""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from released_layouts import Weights, mlp_state

from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.aesthetic_v2 import AestheticV2Config, AestheticV2Scorer, read_aesthetic_v2
from redraft.rewards.safety_laion import SafetyLaionConfig, SafetyLaionScorer, read_laion_detector
from redraft.testing import check_scorer
from tests.rewards.conftest import save_tiny_clip

V2 = "sac+logos+ava1-l14-linearMSE.pth"
NSFW = "clip_ViT-L-14_openai_binary_nsfw_head.pth"
NOBODY = [Prompt(text="")] * 6


def pictures() -> Images:
    generator = torch.Generator().manual_seed(3)
    return Images(pixels=torch.rand((6, 3, 64, 64), generator=generator))


def unit_embeddings(width: int, count: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.nn.functional.normalize(torch.randn((count, width), generator=generator), dim=-1)


def detector_state(inputs: int = 768, *, layers: int = 4) -> dict[str, torch.Tensor]:
    made, widths = Weights(5), (inputs, 64, 512, 256, 1) if layers == 4 else (inputs, 32, 32, 1)
    for number, (width, following) in enumerate(pairwise(widths), start=1):
        made.linear(f"linear_{number}", width, following)
    made.draw("norm.mean", inputs, scale=0.02)
    made.draw("norm.variance", inputs)
    made.state["norm.variance"] = 1e-3 * (1 + made.state["norm.variance"].abs())
    return made.state


@pytest.fixture(scope="module")
def wide_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with features of 768, as OpenAI's ViT-L/14 has."""
    return save_tiny_clip(tmp_path_factory.mktemp("wide") / "clip", seed=2, projection=768)


def test_the_published_layers_have_that_many_weights_and_fold_to_one(tmp_path: Path) -> None:
    state = mlp_state()
    assert sum(value.numel() for value in state.values()) == 927_969
    torch.save(state, tmp_path / V2)
    head = read_aesthetic_v2(tmp_path / V2)
    features = unit_embeddings(768)
    by_hand = features
    for number in (0, 2, 4, 6, 7):
        by_hand = by_hand @ state[f"layers.{number}.weight"].T + state[f"layers.{number}.bias"]
    assert torch.allclose(head(features), by_hand[:, 0], atol=1e-5)
    assert torch.allclose(head(features), head.unfolded(features), atol=1e-5)
    # Affine, and on unit embeddings within bias +- the length of the vector.
    mixed = 0.3 * features[:1] + 0.7 * features[1:2]
    assert torch.allclose(head(mixed), 0.3 * head(features[:1]) + 0.7 * head(features[1:2]), atol=1e-5)
    assert head.folded is not None
    vector, constant = head.folded
    assert bool(((head(features) - constant).abs() <= vector.norm() + 1e-5).all())


def test_the_variant_with_relu_is_told_by_its_layer_numbers(tmp_path: Path) -> None:
    state = mlp_state(numbers=(0, 3, 6, 9, 11))
    torch.save(state, tmp_path / "ava+logos-l14-reluMSE.pth")
    head, features = read_aesthetic_v2(tmp_path / "ava+logos-l14-reluMSE.pth"), unit_embeddings(768)
    value = features
    for number in (0, 3, 6, 9, 11):
        value = torch.nn.functional.linear(value, state[f"layers.{number}.weight"], state[f"layers.{number}.bias"])
        value = value.relu() if number != 11 else value
    assert torch.allclose(head(features), value[:, 0], atol=1e-5)
    linear = mlp_state()
    torch.save(linear, tmp_path / V2)
    assert (read_aesthetic_v2(tmp_path / V2)(features) - head(features)).abs().max() > 1e-3


def test_aesthetic_v2_scores_pictures(wide_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(wide_clip, folder)
    context = ModelContext(folder=str(folder))
    with pytest.raises(UsageError, match=r"aesthetic-v2: folder .* holds none of its weights.*sac\+logos\+ava1-l14"):
        AestheticV2Scorer.build(AestheticV2Config(), context)
    torch.save(mlp_state(), folder / V2)
    scorer = AestheticV2Scorer.build(AestheticV2Config(), context)
    features = scorer.tower.image_features(pictures().pixels)
    scores = scorer.score(pictures(), NOBODY)
    assert torch.allclose(scores.values[:, 0], scorer.head.unfolded(features), atol=1e-5)
    assert scores.names == ("aesthetic-v2",)
    check_scorer(scorer)
    half = AestheticV2Scorer.build(AestheticV2Config(), ModelContext(folder=str(folder), dtype="bfloat16"))
    assert (half.score(pictures(), NOBODY).values - scores.values).abs().max() < 0.05
    assert half.fingerprint != scorer.fingerprint


def test_wrong_layouts_name_the_missing_keys(clip_folder: Path, tmp_path: Path) -> None:
    state = mlp_state()
    del state["layers.4.bias"]
    torch.save(state, tmp_path / V2)
    with pytest.raises(UsageError, match=r"not in the layout of LAION's aesthetic V2: it lacks layers.4.bias\."):
        read_aesthetic_v2(tmp_path / V2)
    torch.save({"weight": torch.zeros(768)}, tmp_path / V2)
    with pytest.raises(UsageError, match=r"lacks layers.0.weight.* and 5 more; it has weight, which do not belong"):
        read_aesthetic_v2(tmp_path / V2)
    torch.save(detector_state() | {"linear_3.bias": torch.zeros(1)}, tmp_path / NSFW)
    with pytest.raises(UsageError, match=r"layer 2 has a weight of \(256, 512\) and a bias of \(1,\)"):
        read_laion_detector(tmp_path / NSFW)
    state = detector_state()
    del state["norm.variance"]
    torch.save(state, tmp_path / NSFW)
    with pytest.raises(UsageError, match=r"LAION's NSFW detector: it lacks norm.variance\."):
        read_laion_detector(tmp_path / NSFW)
    torch.save(detector_state() | {"norm.mean": torch.zeros(512)}, tmp_path / NSFW)
    with pytest.raises(UsageError, match=r"a detector of 768 features with 512 means"):
        read_laion_detector(tmp_path / NSFW)
    shutil.copytree(clip_folder, tmp_path / "narrow")
    torch.save(mlp_state(), tmp_path / "narrow" / V2)
    torch.save(detector_state(), tmp_path / "narrow" / NSFW)
    context = ModelContext(folder=str(tmp_path / "narrow"))
    with pytest.raises(UsageError, match=r"aesthetic V2 weights for 768 features on a CLIP with 64"):
        AestheticV2Scorer.build(AestheticV2Config(), context)
    with pytest.raises(UsageError, match=r"a detector for 768 features on a CLIP with 64"):
        SafetyLaionScorer.build(SafetyLaionConfig(), context)


@pytest.mark.parametrize(("width", "layers"), [(768, 4), (512, 3)])
def test_the_detector_standardises_and_ends_in_a_probability(width: int, layers: int, tmp_path: Path) -> None:
    state, features = detector_state(width, layers=layers), unit_embeddings(width)
    torch.save(state, tmp_path / NSFW)
    value = (features - state["norm.mean"]) / (state["norm.variance"].sqrt() + 1e-10)
    for number in range(1, layers + 1):
        value = torch.nn.functional.linear(value, state[f"linear_{number}.weight"], state[f"linear_{number}.bias"])
        value = value.relu() if number < layers else value.sigmoid()
    found = read_laion_detector(tmp_path / NSFW)(features)
    assert torch.allclose(found, value[:, 0], atol=1e-5)
    assert found.std() > 1e-3


def test_safety_scores_pictures(wide_clip: Path, tmp_path: Path) -> None:
    shutil.copytree(wide_clip, tmp_path / "clip")
    torch.save(detector_state(), tmp_path / "clip" / NSFW)
    scorer = SafetyLaionScorer.build(SafetyLaionConfig(), ModelContext(folder=str(tmp_path / "clip")))
    check_scorer(scorer)
    unsafe = scorer.unsafe_probability(pictures())
    assert torch.allclose(1 - unsafe, scorer.score(pictures(), NOBODY).head("safety"))
    assert bool(((unsafe > 0) & (unsafe < 1)).all())
