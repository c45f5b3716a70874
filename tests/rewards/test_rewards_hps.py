"""HPS v1, v2, v2.1 and PickScore from tiny checkpoints in their released layouts, against a computation by hand."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from released_layouts import copy_tokenizer, open_clip_cosine, open_clip_state, quick_gelu

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_similarity import ClipSimilarityConfig, ClipSimilarityScorer
from redraft.rewards.fingerprints import require_like
from redraft.rewards.hps import HpsConfig, HpsScorer
from redraft.rewards.padded_pixels import PADDED_BOUND, PaddedPreprocessing
from redraft.rewards.pickscore import PickScoreConfig, PickScoreScorer
from redraft.rewards.vocabularies import OPENAI_MERGES, read_clip_tokenizer
from redraft.testing import check_scorer

PROMPTS = [Prompt(text=text) for text in ("a red star", "two circles", "a blue star", "a heart", "a star", "circles")]
RELEASED = {"v1": "hpc.pt", "v2": "HPS_v2_compressed.pt", "v2.1": "HPS_v2.1_compressed.pt"}


def pictures(height: int = 32, width: int = 32, count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    smooth = torch.nn.functional.interpolate(torch.rand((count, 3, 6, 6), generator=generator), (height, width))
    return (
        (smooth + 0.1 * torch.randn((count, 3, height, width), generator=generator)).clamp(0, 1) * 255
    ).round() / 255


def words_of(folder: Path) -> int:
    return len(read_clip_tokenizer(folder))


def release(folder: Path, clip_folder: Path, version: str, **changes: Any) -> Path:
    """A folder as one gets it: the checkpoint under its released name, wrapped, and a tokenizer."""
    copy_tokenizer(clip_folder, folder)
    state = open_clip_state(words=words_of(clip_folder), vision=128 if version == "v1" else 160)
    state |= changes
    torch.save({"epoch": 1, "name": "hps", "state_dict": state}, folder / RELEASED[version])
    return folder


def build(folder: Path, *, dtype: Any = "float32", **options: Any) -> HpsScorer:
    return HpsScorer.build(HpsConfig.model_validate(options), ModelContext(folder=str(folder), dtype=dtype))


@pytest.mark.parametrize("version", ["v1", "v2", "v2.1"])
def test_scores_are_those_of_the_published_network(version: str, clip_folder: Path, tmp_path: Path) -> None:
    folder = release(tmp_path, clip_folder, version)
    scorer = build(folder)
    assert scorer.version == version
    pixels = pictures(40, 56) if version == "v1" else pictures()
    inputs = scorer.tower.preprocessing.reference(pixels)
    rows = scorer.tower.tokenizer([prompt.text for prompt in PROMPTS])["input_ids"]
    head, act = (64, quick_gelu) if version == "v1" else (80, torch.nn.functional.gelu)
    state = torch.load(folder / RELEASED[version])["state_dict"]
    expected = open_clip_cosine(state, inputs, rows, vision_head=head, act=act)
    scores = scorer.score(Images(pixels=pixels), PROMPTS)
    assert torch.allclose(scores.values[:, 0], expected, atol=2e-6)
    assert expected.std() > 1e-2  # else the agreement says nothing
    check_scorer(scorer, size=32)


def test_one_layer_more_or_another_activation_would_be_seen(clip_folder: Path, tmp_path: Path) -> None:
    """The same weights read as v1 of heads of 64 do not give v2's scores; widths that do not fit are refused."""
    folder = release(tmp_path, clip_folder, "v2")
    with pytest.raises(UsageError, match=r"widths 160 and 128 do not fit OpenAI's ViT-L/14 with attention heads of 64"):
        build(folder, version="v1")
    state = open_clip_state(words=words_of(clip_folder))
    rows = build(folder).tower.tokenizer([prompt.text for prompt in PROMPTS])["input_ids"]
    inputs = PaddedPreprocessing(size=32).reference(pictures())
    right = open_clip_cosine(state, inputs, rows, vision_head=80, act=torch.nn.functional.gelu)
    wrong = open_clip_cosine(state, inputs, rows, vision_head=80, act=quick_gelu)
    assert (right - wrong).abs().max() > 1e-4


def test_a_wrong_layout_names_the_missing_keys(clip_folder: Path, tmp_path: Path) -> None:
    folder = release(tmp_path / "a", clip_folder, "v2")
    state = torch.load(folder / RELEASED["v2"])["state_dict"]
    del state["visual.transformer.resblocks.1.attn.in_proj_weight"]
    torch.save({"state_dict": state}, folder / RELEASED["v2"])
    message = r"HPS_v2_compressed.pt is not in the layout of open_clip.*lacks visual.transformer.resblocks.1.attn"
    with pytest.raises(UsageError, match=message):
        build(folder)
    torch.save({"text_model.x": torch.zeros(1)}, folder / RELEASED["v2"])
    with pytest.raises(UsageError, match=r"lacks visual.class_embedding, .* and \d+ more; it has text_model.x, which"):
        build(folder)
    shaped = release(tmp_path / "b", clip_folder, "v2", **{"ln_final.bias": torch.zeros(3)})
    with pytest.raises(UsageError, match=r"text_model.final_layer_norm.bias is missing or of another shape"):
        build(shaped)


def test_files_that_are_no_checkpoints_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    folder = copy_tokenizer(clip_folder, tmp_path / "empty")
    with pytest.raises(UsageError, match=r"hps: folder .* holds none of its weights: put the released one there \(hpc"):
        build(folder)
    with pytest.raises(UsageError, match=r"hps needs a folder, .* nothing is downloaded"):
        build(tmp_path / "nowhere")
    (folder / "HPS_v2.pt").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(DamagedError, match=r"weights 'HPS_v2.pt' cannot be read .* fetch it again"):
        build(folder)
    torch.save({"state_dict": {"a": 3}}, folder / "HPS_v2.pt")
    with pytest.raises(DamagedError, match="'a' is no tensor"):
        build(folder)
    state = open_clip_state(words=words_of(clip_folder))
    torch.save(state | {"ln_final.bias": torch.full((128,), float("nan"))}, folder / "HPS_v2.pt")
    with pytest.raises(NumericsError, match=r"the weight ln_final.bias of 'HPS_v2.pt' holds NaN"):
        build(folder)
    (folder / "HPS_v2.pt").rename(folder / "mine.pt")
    torch.save({f"module.{name}": value for name, value in state.items()}, folder / "mine.pt")
    with pytest.raises(UsageError, match=r"'mine.pt' is not the name of a released HPS file.*set version to 'v1'"):
        build(folder)
    assert build(folder, version="v2").version == "v2"
    torch.save(open_clip_state(words=40), folder / "mine.pt")
    with pytest.raises(UsageError, match=r"has 40 token embeddings, the vocabulary \d+ tokens"):
        build(folder, version="v2")
    with pytest.raises(UsageError, match=r"has no vocabulary \(tokenizer.json, vocab.json, bpe_simple"):
        build(folder, version="v2", vocabulary=str(tmp_path))


def test_versions_and_antialias_do_not_compare(clip_folder: Path, tmp_path: Path) -> None:
    folder, images = release(tmp_path, clip_folder, "v2"), Images(pixels=pictures(64, 64))
    scores = [
        build(folder, **options).score(images, PROMPTS) for options in ({}, {"version": "v2.1"}, {"antialias": False})
    ]
    require_like(scores[0], scores[0], head="hps")
    for other in scores[1:]:
        with pytest.raises(UsageError, match="cannot be compared"):
            require_like(scores[0], other, head="hps")
    assert (scores[0].values - scores[2].values).abs().max() > 1e-3  # antialiasing moves scores, as users found
    windows = build(folder, long_texts="windows").score(images, PROMPTS)
    with pytest.raises(UsageError, match="cannot be compared"):
        require_like(scores[0], windows, head="hps")
    assert torch.allclose(windows.values, scores[0].values, atol=1e-6)  # short texts are read alike


@pytest.mark.parametrize("shape", [(32, 32), (64, 32), (20, 50), (90, 97), (33, 32), (8, 160)])
def test_padding_keeps_the_whole_picture(shape: tuple[int, int]) -> None:
    settings = PaddedPreprocessing(size=32)
    pixels = pictures(*shape)
    output = settings.reference(pixels)
    assert output.shape == (6, 3, 32, 32)
    height, width = (max(1, round(side * 32 / max(shape))) for side in shape)
    top, left = (32 - height) // 2, (32 - width) // 2
    black = -torch.tensor(settings.mean) / torch.tensor(settings.std)
    around = torch.ones(32, 32, dtype=torch.bool)
    around[top : top + height, left : left + width] = False
    assert torch.allclose(output[:, :, around], black[None, :, None].expand(6, 3, int(around.sum())))
    inside = output[:, :, top : top + height, left : left + width] * torch.tensor(settings.std)[:, None, None]
    inside = inside + torch.tensor(settings.mean)[:, None, None]
    expected = pixels
    if (height, width) != shape:
        expected = torch.nn.functional.interpolate(pixels, (height, width), mode="bicubic", antialias=True)
    assert torch.allclose(inside, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (20, 50), (90, 97), (200, 64)])
@pytest.mark.parametrize("antialias", [True, False])
def test_differentiable_padding_lies_within_its_bound(shape: tuple[int, int], antialias: bool) -> None:
    settings = PaddedPreprocessing(size=32, antialias=antialias, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand((8, 3, *shape), generator=generator)
    apart = (settings.reference(pixels) - settings.differentiable(pixels)).abs().max().item()
    assert 0 < apart <= PADDED_BOUND


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near_and_keeps_the_scale(dtype: str, clip_folder: Path, tmp_path: Path) -> None:
    folder, images = release(tmp_path, clip_folder, "v2"), Images(pixels=pictures())
    full, half = build(folder), build(folder, dtype=dtype)
    apart = (half.score(images, PROMPTS).values - full.score(images, PROMPTS).values).abs().max()
    assert apart < (0.05 if dtype == "bfloat16" else 0.005)
    assert half.score(images, PROMPTS).values.dtype == torch.float32
    # In half precision itself the scale of 100 would read 98.9 (bfloat16).
    assert half.tower.scale == pytest.approx(100, rel=1e-5)
    assert (half.tower.identity, half.fingerprint != full.fingerprint) == (full.tower.identity, True)


def test_pickscore_is_scale_times_cosine_of_the_released_folder(clip_folder: Path, tmp_path: Path) -> None:
    """The release is a CLIPModel without a tokenizer."""
    weights, words = tmp_path / "PickScore_v1", copy_tokenizer(clip_folder, tmp_path / "words")
    shutil.copytree(clip_folder, weights, ignore=shutil.ignore_patterns("tok*", "vocab*", "merges*"))
    context = ModelContext(folder=str(weights))
    with pytest.raises(UsageError, match=r"or name the folder of its tokenizer as `vocabulary`"):
        PickScoreScorer.build(PickScoreConfig(), context)
    scorer = PickScoreScorer.build(PickScoreConfig(vocabulary=str(words)), context)
    clip = ClipSimilarityScorer.build(ClipSimilarityConfig(), ModelContext(folder=str(clip_folder)))
    images = Images(pixels=pictures(64, 64))
    expected = float(clip.tower.model.logit_scale.exp()) * clip.score(images, PROMPTS).values
    scores = scorer.score(images, PROMPTS)
    assert torch.allclose(scores.values, expected, rtol=1e-5)
    assert scores.names == ("pickscore",)
    assert scorer.fingerprint != clip.fingerprint
    check_scorer(scorer)
    # Published worked example: a scale of 100 and cosines of .28 and .27 give a preference of 0.731058579.
    assert torch.sigmoid(torch.tensor(100 * (0.28 - 0.27))).item() == pytest.approx(0.731058579, abs=1e-6)


def test_openai_s_own_vocabulary_file_is_read(tmp_path: Path) -> None:
    """256 bytes, the same at the end of a word, the merges, two ends: numbers worked out by hand."""
    merges = ["s t", "st a", "sta r</w>", "r e", "re d</w>"]
    text = "\n".join(['"bpe_simple_vocab_16e6.txt#version: 0.2', *merges, ""])
    (tmp_path / OPENAI_MERGES).write_bytes(gzip.compress(text.encode()))
    tokenizer = read_clip_tokenizer(tmp_path)
    assert len(tokenizer) == 512 + 5 + 2
    # "!" is byte 33 and token 0, so "a" is 97 - 33 = 64, and at the end of a word 256 more.
    assert tokenizer("a red Star")["input_ids"] == [517, 64 + 256, 512 + 4, 512 + 2, 518]
    assert tokenizer("é")["input_ids"][1:-1] == [127, 102 + 256]  # UTF-8 bytes C3 A9
    (tmp_path / OPENAI_MERGES).write_bytes(gzip.compress(b"nothing here"))
    with pytest.raises(DamagedError, match=r"the CLIP vocabulary in .* cannot be read"):
        read_clip_tokenizer(tmp_path)
    (tmp_path / OPENAI_MERGES).unlink()
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": 3}))
    with pytest.raises(DamagedError, match=r"the CLIP vocabulary in .* cannot be read"):
        read_clip_tokenizer(tmp_path)
