"""CLIP towers and similarity: preprocessing against transformers' own, gradients, texts, fingerprints, bad folders."""

import json
import shutil
import warnings
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.protocols import ModelContext, Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_similarity import AGREEMENT, AGREEMENT_RESIZED, ClipSimilarityConfig, ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import require_like
from redraft.rewards.pixels import PIXEL_BOUND, Preprocessing, read_preprocessing
from redraft.testing import check_scorer

SHAPES = ((64, 64), (48, 80), (97, 65), (128, 128), (200, 64))


def noise(height: int, width: int, count: int = 6) -> torch.Tensor:
    """Coarse colours with fine noise that often reaches 0 and 1: hard for two resizings to agree on."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    coarse = torch.rand((count, 3, 6, 6), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth + 0.1 * torch.randn((count, 3, height, width), generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_reference_preprocessing_is_that_of_transformers(shape: tuple[int, int]) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    settings = Preprocessing(resize=56, crop=48)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 48, "width": 48})
    pixels = noise(*shape)
    arrays = [(picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy() for picture in pixels]
    expected = processor(arrays, return_tensors="pt")["pixel_values"]
    assert torch.allclose(settings.reference(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_differentiable_preprocessing_lies_within_its_bound(shape: tuple[int, int]) -> None:
    settings = Preprocessing(resize=64, crop=64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    pixels = noise(*shape)
    apart = (settings.reference(pixels) - settings.differentiable(pixels)).abs().max().item()
    assert apart <= PIXEL_BOUND
    assert shape != (64, 64) or apart <= 0.5001 / 255


def test_preprocessing_is_read_from_the_folder_or_defaults(clip_folder: Path, tmp_path: Path) -> None:
    assert read_preprocessing(clip_folder, image_size=64).mean == (0.5, 0.5, 0.5)
    assert read_preprocessing(tmp_path, image_size=224).mean == (0.48145466, 0.4578275, 0.40821073)
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": {"size": 32, "crop_size": 32}}))
    assert read_preprocessing(tmp_path, image_size=32).resize == 32
    with pytest.raises(UsageError, match=r"resample 3, crop 32: a CLIP of 64 pixels"):
        read_preprocessing(tmp_path, image_size=64)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 64, "crop_size": 64, "resample": 2}))
    with pytest.raises(UsageError, match=r"resample 2.*bicubic"):
        read_preprocessing(tmp_path, image_size=64)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(DamagedError, match=r"preprocessor_config.json of the CLIP folder cannot be read"):
        read_preprocessing(tmp_path, image_size=64)


def test_scores_are_the_cosines_of_transformers(
    tower: ClipTower, clip_folder: Path, world: tuple[Images, tuple[Prompt, ...]]
) -> None:
    from transformers import CLIPModel, CLIPProcessor

    images, prompts = world[0].take(range(10)), world[1][:10]
    model = CLIPModel.from_pretrained(clip_folder).eval()
    processor = CLIPProcessor.from_pretrained(clip_folder)
    arrays = [(picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy() for picture in images.pixels]
    inputs = processor(text=[prompt.text for prompt in prompts], images=arrays, return_tensors="pt", padding=True)
    with torch.no_grad():
        output = model(**inputs)
    expected = (output.image_embeds * output.text_embeds).sum(-1)
    scores = ClipSimilarityScorer(tower).score(images, prompts)
    assert torch.allclose(scores.values[:, 0], expected, atol=1e-5)
    assert expected.std() > 1e-3  # else the agreement says nothing


@pytest.mark.parametrize("shape", SHAPES)
def test_score_pixels_agrees_with_score(tower: ClipTower, shape: tuple[int, int]) -> None:
    scorer, pixels = ClipSimilarityScorer(tower), noise(*shape)
    prompts = [Prompt(text="a red star")] * len(pixels)
    apart = scorer.score(Images(pixels=pixels), prompts).values[:, 0] - scorer.score_pixels(pixels, prompts)
    assert apart.abs().max() <= AGREEMENT


@pytest.mark.parametrize(("shape", "bound"), [((64, 64), AGREEMENT), ((96, 80), AGREEMENT_RESIZED)])
def test_score_pixels_agrees_with_score_on_the_built_in_clip(
    world: tuple[Images, tuple[Prompt, ...]], shape: tuple[int, int], bound: float
) -> None:
    """A trained CLIP is far more sensitive to pixels than a random one."""
    scorer = ClipSimilarityScorer(open_tower(str(files("redraft") / "builtin" / "clip")))
    pictures = torch.nn.functional.interpolate(world[0].pixels, shape, mode="bilinear")
    pixels = torch.cat([pictures, noise(*shape, count=32)])
    prompts = [*world[1], *world[1][:32]]
    apart = scorer.score(Images(pixels=pixels), prompts).values[:, 0] - scorer.score_pixels(pixels, prompts)
    assert 0 < apart.abs().max() <= bound


@pytest.mark.parametrize("shape", [(64, 64), (40, 56)])
def test_gradient_is_that_of_finite_differences(clip_folder: Path, shape: tuple[int, int]) -> None:
    tower = open_tower(clip_folder)
    tower.model.double()
    scorer = ClipSimilarityScorer(tower)
    # Inside 0.2..0.8 nothing is clamped, so the score is smooth.
    pixels = (0.2 + 0.6 * noise(*shape, count=2)).double().requires_grad_(True)
    prompts = [Prompt(text="a red star"), Prompt(text="two circles")]
    (gradient,) = torch.autograd.grad(scorer.score_pixels(pixels, prompts).sum(), pixels)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
        step = 1e-5 * direction
        with torch.no_grad():
            up, down = scorer.score_pixels(pixels + step, prompts), scorer.score_pixels(pixels - step, prompts)
        slope = (up - down).sum() / 2e-5
        assert torch.isclose(slope, (gradient * direction).sum(), rtol=1e-5, atol=1e-9)
    assert gradient.abs().amax((1, 2, 3)).min() > 0


def test_conformance_and_batches(tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    scorer = ClipSimilarityScorer(tower)
    assert isinstance(scorer, Scorer)
    check_scorer(scorer)
    whole = scorer.score(*world).values
    tower.batch = 7
    assert torch.allclose(scorer.score(*world).values, whole, atol=1e-6)
    features = scorer.image_features(world[0])
    assert features.shape == (96, 64)
    assert torch.allclose(features.norm(dim=-1), torch.ones(96), atol=1e-5)


def test_bfloat16_scores_stay_near(clip_folder: Path, tower: ClipTower) -> None:
    context = ModelContext(folder=str(clip_folder), dtype="bfloat16")
    half = ClipSimilarityScorer.build(ClipSimilarityConfig(), context)
    full = ClipSimilarityScorer(tower)
    images, prompts = Images(pixels=noise(64, 64)), [Prompt(text="a red star")] * 6
    apart = half.score(images, prompts).values - full.score(images, prompts).values
    assert apart.abs().max() < 0.05  # bfloat16 keeps 8 bits; a hundred such roundings in a row
    assert half.fingerprint != full.fingerprint
    assert half.tower.identity == full.tower.identity
    assert full.score(images, prompts).values.dtype == half.score(images, prompts).values.dtype == torch.float32


def test_long_texts_are_cut_before_their_end_token_and_reported(tower: ClipTower) -> None:
    short = Prompt(text=" ".join(["star"] * 18))  # 18 words and two ends: just fits
    long = Prompt(text=" ".join(["star"] * 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = tower.text_features([short])
    with pytest.warns(UserWarning, match="1 of 1 texts are longer than the 20 tokens that this CLIP reads"):
        cut = tower.text_features([long])
    # Cut to 20 tokens with its end token, the long text is the short one.
    assert torch.allclose(kept, cut, atol=1e-6)
    assert tower.truncated == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tower.text_features([long, short])  # both are kept, nothing is cut again
    assert tower.truncated == 1


def test_each_text_is_encoded_once(tower: ClipTower, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [Prompt(text="a red star"), Prompt(text="a circle"), Prompt(text="a red star")]
    seen: list[int] = []
    encode = tower._encode
    monkeypatch.setattr(tower, "_encode", lambda texts: (seen.append(len(texts)), encode(texts))[1])
    monkeypatch.setattr("redraft.rewards.clip_tower.TEXTS_KEPT", 3)
    first = tower.text_features(prompts)
    assert torch.equal(tower.text_features(prompts), first)
    assert seen == [2]
    tower.text_features([Prompt(text="two circles"), Prompt(text="a heart")])  # overflows: starts afresh
    assert torch.allclose(tower.text_features(prompts), first, atol=1e-6)
    assert seen == [2, 2, 2]


def test_fingerprint_tells_weights_and_settings_but_not_files(
    clip_folder: Path, other_clip_folder: Path, tower: ClipTower, tmp_path: Path
) -> None:
    tower.model.save_pretrained(tmp_path / "again", max_shard_size="100KB")  # other files, same weights
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        shutil.copy(clip_folder / name, tmp_path / "again" / name)
    again = open_tower(tmp_path / "again")
    assert (again.fingerprint, again.identity) == (tower.fingerprint, tower.identity)
    other = open_tower(other_clip_folder)
    assert other.fingerprint != tower.fingerprint
    assert other.identity != tower.identity
    settings = json.loads((tmp_path / "again" / "preprocessor_config.json").read_text())
    (tmp_path / "again" / "preprocessor_config.json").write_text(json.dumps({**settings, "image_mean": [0.4] * 3}))
    assert open_tower(tmp_path / "again").fingerprint != tower.fingerprint
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    config["vision_config"]["hidden_act"] = "gelu"  # the QuickGELU trap: same weights, other scores
    (tmp_path / "again" / "config.json").write_text(json.dumps(config))
    assert open_tower(tmp_path / "again").fingerprint != tower.fingerprint


def test_unlike_scores_are_refused(tower: ClipTower, other_clip_folder: Path) -> None:
    images, prompts = Images(pixels=noise(64, 64)), [Prompt(text="a red star")] * 6
    first = ClipSimilarityScorer(tower).score(images, prompts)
    second = ClipSimilarityScorer(open_tower(other_clip_folder)).score(images, prompts)
    require_like(first, first, head="clip")
    with pytest.raises(UsageError, match="cannot be compared; score both sets of pictures with one scorer"):
        require_like(first, second, head="clip")
    with pytest.raises(UsageError, match="lack the head 'beauty'"):
        require_like(first, second, head="beauty")


def test_half_precision_keeps_the_identity(clip_folder: Path, tower: ClipTower, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "half")
    open_tower(clip_folder, dtype="float16").model.save_pretrained(tmp_path / "half")
    shipped = open_tower(tmp_path / "half")
    assert shipped.identity == tower.identity
    assert shipped.fingerprint != tower.fingerprint


def bad_pictures() -> list[tuple[torch.Tensor, type[Exception], str]]:
    good = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    holed = good.clone()
    holed[1, 2, 5, 5] = torch.nan
    return [
        (good * 255, UsageError, r"values from .* to 255.*takes 0..1"),
        (good * 2 - 1, UsageError, r"rescale -1..1 by x / 2 \+ 0.5"),
        (good[:, :1], UsageError, r"shape \(2, 1, 64, 64\).*takes floating B,3,H,W"),
        (good.permute(0, 2, 3, 1), UsageError, "put the three colours second"),
        ((good * 255).to(torch.uint8), UsageError, "pictures of torch.uint8.*divide 8-bit values by 255"),
        (good[:1], UsageError, "1 pictures for 2 prompts"),
        (holed, NumericsError, "picture 1 holds NaN or infinity"),
    ]


@pytest.mark.parametrize(("pixels", "error", "message"), bad_pictures())
def test_wrong_pictures_are_refused(
    tower: ClipTower, pixels: torch.Tensor, error: type[Exception], message: str
) -> None:
    scorer, prompts = ClipSimilarityScorer(tower), [Prompt(text="a star"), Prompt(text="a circle")]
    with pytest.raises(error, match=message):
        scorer.score(Images(pixels=pixels), prompts)
    with pytest.raises(error, match=message):
        scorer.score_pixels(pixels, prompts)


def test_wrong_and_damaged_folders_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not exist: give a folder that holds a CLIPModel"):
        open_tower(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"has no config.json: give"):
        open_tower(tmp_path)
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"model_type": "clip"', '"model_type": "siglip"'))
    with pytest.raises(UsageError, match=r"of type 'siglip', not 'clip'"):
        open_tower(folder)
    (folder / "config.json").write_text("[")
    with pytest.raises(DamagedError, match=r"config.json of the CLIP folder 'clip' is not a JSON object"):
        open_tower(folder)
    (folder / "config.json").write_text(config)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(DamagedError, match=r"cannot be read.*a file is missing or damaged"):
        open_tower(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DamagedError, match=r"a file is missing or damaged"):
        open_tower(folder)
    for name in ("tokenizer.json", "vocab.json"):
        (folder / name).unlink()
    with pytest.raises(UsageError, match=r"has no tokenizer.json or vocab.json"):
        open_tower(folder)


def test_missing_and_nan_weights_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    weights = load_file(folder / "model.safetensors")
    short = {name: value for name, value in weights.items() if name != "visual_projection.weight"}
    save_file(short, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DamagedError, match=r"lacks 1 weights.*visual_projection.weight first"):
        open_tower(folder)
    weights["visual_projection.weight"][3, 3] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NumericsError, match=r"the weight visual_projection.weight of the CLIP holds NaN"):
        open_tower(folder)
