"""Heads on a CLIP and LAION's aesthetic layer: golden scores of real embeddings, files, gradients, refusals."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from redraft.core.errors import DamagedError, NumericsError, StorageError, UnknownNameError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.aesthetic_v1 import AestheticV1Config, AestheticV1Scorer, LinearHead, read_linear_head
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.feature_heads import FeatureHeads, entries, head_inputs
from redraft.rewards.head_files import HeadEntry, write_whole
from redraft.rewards.heads import HeadsConfig, HeadsScorer, write_heads
from redraft.testing import check_scorer

ENTRIES = (HeadEntry(name="aesthetic", output="value"), HeadEntry(name="safety", output="probability"))


def random_heads(hidden: int = 0) -> FeatureHeads:
    module = FeatureHeads(64, ENTRIES, hidden=hidden)
    for name, value in module.named_parameters():
        value.data = 0.3 * Key(seed=1).child(name).normal(value.shape)
    return module


@pytest.fixture
def heads_folder(clip_folder: Path, tower: ClipTower, tmp_path: Path) -> Path:
    folder = tmp_path / "with-heads"
    shutil.copytree(clip_folder, folder)
    write_heads(folder, random_heads(), tower=tower, metrics={"held_out/aesthetic/r2": 0.5})
    return folder


def build(folder: Path, **options: str) -> HeadsScorer:
    return HeadsScorer.build(HeadsConfig.model_validate(options), ModelContext(folder=str(folder)))


def test_laion_scores_of_real_embeddings(test_data: Path) -> None:
    """Ten CLIP ViT-L/14 embeddings and their scores from LAION-AI/aesthetic-predictor (sa_0_4_vit_l_14_linear)."""
    path = test_data / "laion-aesthetic-v1" / "vit_l_14_linear.json"
    examples = json.loads(path.read_text())["examples"]
    embeddings = torch.tensor([example["embedding"] for example in examples])
    scores = read_linear_head(path)(embeddings)
    golden = [-2.4579, -0.1379, 1.8951, 3.5849, 5.0997, 6.4701, 7.7870, 9.0480, 10.2264, 11.3044]
    assert scores.tolist() == pytest.approx(golden, abs=1e-4)
    assert scores.tolist() == pytest.approx([example["expected_score"] for example in examples], abs=1e-4)
    # The length of an embedding does not count.
    assert torch.allclose(read_linear_head(path)(7.5 * embeddings), scores, atol=1e-4)


def test_laion_layer_reads_three_formats_and_refuses_others(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weight, bias = Key(seed=2).normal((1, 64)), torch.tensor([3.5])
    save_file({"weight": weight, "bias": bias}, tmp_path / "a.safetensors")
    torch.save({"weight": weight, "bias": bias}, tmp_path / "a.pth")
    (tmp_path / "a.json").write_text(json.dumps({"weight": weight[0].tolist(), "bias": 3.5}))
    embeddings = Key(seed=3).normal((5, 64))
    answers = [read_linear_head(tmp_path / f"a.{kind}")(embeddings) for kind in ("safetensors", "pth", "json")]
    assert torch.allclose(answers[0], answers[1])
    assert torch.allclose(answers[0], answers[2])
    for missing in ("", tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match=r"no file that ends in .json, .safetensors, .pth"):
            read_linear_head(missing)
    (tmp_path / "b.pth").write_bytes(b"nothing")
    (tmp_path / "b.json").write_text('{"weight": [[1, 2], [3, 4]], "bias": 0}')
    for damaged in ("b.pth", "b.json"):
        with pytest.raises(DamagedError, match="it must hold `weight` and `bias` of one linear layer"):
            read_linear_head(tmp_path / damaged)
    (tmp_path / "c.json").write_text('{"weight": [NaN, 2], "bias": 0}')
    with pytest.raises(NumericsError, match="aesthetic weights hold NaN"):
        read_linear_head(tmp_path / "c.json")


def test_a_pickle_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    torch.save({"weight": Trap(), "bias": 0}, tmp_path / "trap.pth")
    with pytest.raises(DamagedError, match="cannot be read"):
        read_linear_head(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_laion_scorer_on_a_clip(
    clip_folder: Path, tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]], tmp_path: Path
) -> None:
    head = LinearHead(Key(seed=2).normal((64,)), torch.tensor(5.0))
    (tmp_path / "w.json").write_text(json.dumps({"weight": head.weight.tolist(), "bias": 5.0}))
    config = AestheticV1Config(weights=str(tmp_path / "w.json"))
    scorer = AestheticV1Scorer.build(config, ModelContext(folder=str(clip_folder)))
    check_scorer(scorer)
    expected = tower.image_features(world[0].pixels) @ head.weight + 5
    assert torch.allclose(scorer.score(*world).values[:, 0], expected, atol=1e-5)
    other = AestheticV1Scorer(tower, LinearHead(head.weight, torch.tensor(5.1)))
    assert other.fingerprint != scorer.fingerprint
    with pytest.raises(UsageError, match=r"aesthetic weights for 768 features on a CLIP with 64"):
        AestheticV1Scorer(tower, LinearHead(torch.ones(768), torch.tensor(0.0)))


@pytest.mark.parametrize("hidden", [0, 5])
def test_heads_are_what_their_formula_says(hidden: int) -> None:
    module = random_heads(hidden)
    features = Key(seed=4).normal((50, 64)) * 3 + 1
    module.standardise(features)
    inputs = (features - features.mean(0)) / features.std(0, correction=0)
    for column in range(2):
        middle = inputs
        if hidden:
            middle = torch.tanh(inputs @ module.hidden_weight[column] + module.hidden_bias[column])
        expected = middle @ module.weight[column] + module.bias[column]
        found = module.predict(features)[:, column]
        assert torch.allclose(found, torch.sigmoid(expected) if column else expected, atol=1e-5)


def test_inputs_for_alignment() -> None:
    image, text = torch.eye(4)[:2], torch.eye(4)[[0, 0]]
    inputs = head_inputs(image, text, inputs="alignment")
    assert inputs.shape == (2, 13)
    assert inputs[:, -1].tolist() == [1.0, 0.0]  # the cosine
    assert inputs[0, 8:12].tolist() == [2.0, 0.0, 0.0, 0.0]  # the product, times sqrt(4)
    assert torch.equal(head_inputs(image, text, inputs="image"), image)


def test_heads_survive_the_disk_and_score(heads_folder: Path, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    scorer = build(heads_folder)
    assert scorer.heads == ("aesthetic", "safety")
    check_scorer(scorer)
    scores = scorer.score(*world)
    expected = random_heads().predict(scorer.tower.image_features(world[0].pixels))
    assert torch.allclose(scores.values, expected, atol=1e-5)
    assert bool(((scores.head("safety") > 0) & (scores.head("safety") < 1)).all())
    assert torch.allclose(scorer.unsafe_probability(world[0]), 1 - scores.head("safety"))
    assert scorer.image_features(world[0]).shape == (96, 64)
    # Prompts do not matter to heads that read pictures alone.
    assert torch.equal(scorer.score(world[0], [Prompt(text="")] * 96).values, scores.values)


def test_another_head_can_come_first(heads_folder: Path, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    safe = build(heads_folder, main="safety")
    assert safe.heads == ("safety", "aesthetic")
    assert safe.fingerprint == build(heads_folder).fingerprint
    pixels = world[0].pixels[:8].clone().requires_grad_(True)
    value = safe.score_pixels(pixels, world[1][:8])
    assert torch.allclose(value, build(heads_folder).score(*world).head("safety")[:8], atol=1e-3)
    (gradient,) = torch.autograd.grad(value.sum(), pixels)
    assert gradient.abs().amax((1, 2, 3)).min() > 0
    with pytest.raises(UnknownNameError, match="head 'safty' is unknown: did you mean 'safety'"):
        build(heads_folder, main="safty")


def test_heads_fit_their_clip_in_half_precision_but_no_other(
    heads_folder: Path, other_clip_folder: Path, world: tuple[Images, tuple[Prompt, ...]], tmp_path: Path
) -> None:
    before = build(heads_folder).score(*world).values
    small = HeadsScorer.build(HeadsConfig(), ModelContext(folder=str(heads_folder), dtype="bfloat16"))
    assert (small.score(*world).values - before).abs().max() < 0.5  # 8 bits, through heads of weights about 0.3
    open_tower(heads_folder, dtype="float16").model.save_pretrained(heads_folder)  # as models are shipped
    assert (build(heads_folder).score(*world).values - before).abs().max() < 0.05
    other = tmp_path / "other"
    shutil.copytree(other_clip_folder, other)
    for name in ("heads.safetensors", "heads.json"):
        shutil.copy(heads_folder / name, other / name)
    with pytest.raises(
        UsageError, match=r"heads.json was fitted on the CLIP .* heads read the features of their own CLIP"
    ):
        build(other)


def test_missing_and_damaged_heads_are_refused(clip_folder: Path, heads_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"has no heads.json: give a folder with heads.json and heads.safetensors"):
        build(clip_folder)
    card = json.loads((heads_folder / "heads.json").read_text())
    (heads_folder / "heads.json").write_text(json.dumps({**card, "hidden": 7}))
    with pytest.raises(DamagedError, match=r"where its card asks for"):
        build(heads_folder)
    (heads_folder / "heads.json").write_text(json.dumps({**card, "hiden": 7}))
    with pytest.raises(DamagedError, match=r"heads.json is not a card of heads \(hiden"):
        build(heads_folder)
    (heads_folder / "heads.json").write_text(json.dumps(card))
    weights = bytearray((heads_folder / "heads.safetensors").read_bytes())
    weights[-3] ^= 1
    (heads_folder / "heads.safetensors").write_bytes(weights)
    with pytest.raises(DamagedError, match=r"heads.safetensors has the hash .*damaged or of two fits"):
        build(heads_folder)


def test_nan_weights_are_neither_written_nor_read(tower: ClipTower, tmp_path: Path) -> None:
    module = random_heads()
    module.weight.data[0, 0] = torch.nan
    with pytest.raises(NumericsError, match=r"the weight weight of heads.safetensors holds NaN"):
        write_heads(tmp_path, module, tower=tower, metrics={})
    assert list(tmp_path.iterdir()) == []


def test_a_refused_write_leaves_the_old_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("old")
    with pytest.raises(StorageError, match=r"card.json \(3 bytes\) could not be written.*make room"):
        write_whole(blocked / "card.json", b"new")
    assert blocked.read_text() == "old"


def test_safety_is_asked_of_heads_that_have_it(tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    module = FeatureHeads(64, entries(["aesthetic"], "value"))
    with pytest.raises(UsageError, match="has the heads aesthetic: without 'safety' nothing is unsafe"):
        HeadsScorer(tower, module, name="heads").unsafe_probability(world[0])
    with pytest.raises(UsageError, match=r"heads that read 8 numbers on a CLIP that gives 64 \(image\)"):
        HeadsScorer(tower, FeatureHeads(8, ENTRIES), name="heads")
