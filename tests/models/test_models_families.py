"""The two families against diffusers' own pipelines, and the four functions of a backbone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_pipelines import tiny_stable_diffusion, tiny_stable_diffusion_3

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.diffusion.sample import initial_noise, sample
from redraft.models.backbone import PipelineBackbone
from redraft.models.families import BackboneConfig, StableDiffusionBackbone
from redraft.models.load import open_backbone

TEXTS = ["a red circle", "two blue squares", "a hat"]
NEGATIVES = ["", "grey", ""]
PROMPTS = [Prompt(text=text, negative_text=no) for text, no in zip(TEXTS, NEGATIVES, strict=True)]
KEY = Key(seed=7)


def by_diffusers(pipeline: Any, *, steps: int, scale: float, output_type: str, **options: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    noise = initial_noise(KEY, indices=range(len(TEXTS)), shape=(4, 16, 16))
    with torch.no_grad():
        return pipeline(
            TEXTS, negative_prompt=NEGATIVES, num_inference_steps=steps, guidance_scale=scale, height=64, width=64,
            latents=noise, output_type=output_type, **options,
        ).images  # fmt: skip


def assert_equal_to_diffusers(folder: Path, pipeline: Any, *, steps: int, scale: float, **options: Any) -> None:
    backbone = open_backbone(str(folder))
    recipe = backbone.default_recipe(steps=steps, guidance_scale=scale)
    latents = sample(backbone, backbone.encode(PROMPTS), recipe=recipe, key=KEY).latents
    expected = by_diffusers(pipeline, steps=steps, scale=scale, output_type="latent", **options)
    assert expected.std() > 0.1
    # Guidance multiplies float32 rounding by its scale: 1e-5 is of the largest latent.
    assert (latents - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
    pixels = torch.from_numpy(by_diffusers(pipeline, steps=steps, scale=scale, output_type="np", **options))
    decoded = backbone.decode(latents).pixels
    assert decoded.std() > 0.01
    torch.testing.assert_close(decoded, pixels.permute(0, 3, 1, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("prediction_type", "spacing", "steps", "scale"),
    [("epsilon", "leading", 10, 3.0), ("v_prediction", "trailing", 8, 2.0), ("epsilon", "trailing", 5, 1.0)],
)
def test_stable_diffusion_samples_as_ddim(
    tmp_path: Path, prediction_type: str, spacing: str, steps: int, scale: float
) -> None:
    from diffusers import StableDiffusionPipeline

    folder = tiny_stable_diffusion(tmp_path / "sd", prediction_type=prediction_type, timestep_spacing=spacing)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    assert_equal_to_diffusers(folder, pipeline, steps=steps, scale=scale)


@pytest.mark.parametrize(("shift", "tokens", "steps", "scale"), [(3.0, 1, 8, 4.5), (1.0, 5, 7, 1.0)])
def test_stable_diffusion_3_samples_as_flow_match_euler(
    tmp_path: Path, shift: float, tokens: int, steps: int, scale: float
) -> None:
    from diffusers import StableDiffusion3Pipeline

    folder = tiny_stable_diffusion_3(tmp_path / "sd3", shift=shift, max_sequence_length=tokens)
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, text_encoder_3=None, tokenizer_3=None)
    assert_equal_to_diffusers(folder, pipeline, steps=steps, scale=scale, max_sequence_length=tokens)


def test_noise_level_is_the_path_of_diffusers(backbone: PipelineBackbone) -> None:
    clean, noise = torch.ones(3, 1), torch.full((3, 1), 10.0)
    if backbone.prediction == "flow":
        times = torch.tensor([1000.0, 250.0, 0.0])
        expected = (1 - times / 1000)[:, None] * clean + (times / 1000)[:, None] * noise
    else:
        times = torch.tensor([999.0, 500.0, 0.0])
        expected = backbone.pipeline.scheduler.add_noise(clean, noise, times.long())
    alpha, sigma = backbone.noise_level(times)
    torch.testing.assert_close(alpha[:, None] * clean + sigma[:, None] * noise, expected)


def test_is_a_backbone_and_everything_is_frozen(backbone: PipelineBackbone) -> None:
    assert isinstance(backbone, Backbone)
    assert backbone.latent_shape == (4, 16, 16)
    assert not backbone.trainable()
    for part in backbone.pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            assert not part.training
            assert not any(parameter.requires_grad for parameter in part.parameters())


def test_each_distinct_text_is_encoded_once(backbone: PipelineBackbone) -> None:
    rows: list[int] = []
    backbone.pipeline.text_encoder.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    many = backbone.encode([*PROMPTS, *reversed(PROMPTS)])
    assert sum(rows) == len({*TEXTS, *NEGATIVES})
    assert len(many) == 6
    alone = backbone.encode(PROMPTS[1:2])
    for name, value in alone.positive.items():
        assert torch.equal(many.positive[name][1], many.positive[name][4])
        torch.testing.assert_close(many.positive[name][1:2], value)
        torch.testing.assert_close(many.negative[name][4:5], alone.negative[name])


def test_decode_in_chunks_equals_decode_whole_and_has_a_gradient(
    backbone: PipelineBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = Key(seed=1).normal((5, 4, 16, 16))
    leaf = latents.clone().requires_grad_(True)
    whole = backbone.decode(leaf).pixels
    assert whole.min() >= 0
    assert whole.max() <= 1
    whole.mean().backward()
    assert leaf.grad is not None
    assert float(leaf.grad.abs().sum()) > 0
    monkeypatch.setattr("redraft.models.backbone.PIXELS_AT_ONCE", 2 * 64 * 64)
    # convolution kernels are chosen by batch size, so a split changes the last bits of float32
    torch.testing.assert_close(backbone.decode(latents).pixels, whole.detach(), atol=1e-5, rtol=0)


def test_encode_images_undoes_the_scaling_of_decode(backbone: PipelineBackbone) -> None:
    images = Images(pixels=Key(seed=2).uniform((2, 3, 64, 64)))
    vae = backbone.pipeline.vae
    mean = vae.encode(images.pixels * 2 - 1).latent_dist.mean
    shift = vae.config.shift_factor or 0
    torch.testing.assert_close(backbone.encode_images(images), (mean - shift) * vae.config.scaling_factor)
    with pytest.raises(UsageError, match=r"B,3,64,64; resize them first"):
        backbone.encode_images(Images(pixels=torch.zeros(1, 3, 32, 32)))


def test_predict_in_bfloat16_is_near_float32(folders: dict[str, Path]) -> None:
    for name in ("sd", "sd3"):
        exact, half = open_backbone(str(folders[name])), open_backbone(str(folders[name]), dtype="bfloat16")
        assert half.default_recipe().dtype == "bfloat16"
        latents, times, text = Key(seed=3).normal((2, 4, 16, 16)), torch.tensor([900.0, 100.0]), PROMPTS[:2]
        expected = exact.predict(latents, times, text=exact.encode(text).positive)
        found = half.predict(latents, times, text=half.encode(text).positive)
        autocast = exact.predict(latents.bfloat16(), times, text=exact.encode(text).positive)
        for value in (found, autocast):
            assert value.dtype == torch.float32
            # bfloat16 keeps 8 bits: errors of a few per cent of the output's size after some layers.
            assert 0 < (value - expected).norm() < 0.05 * expected.norm()


def test_settings_come_from_the_folder_and_the_configuration_wins(folders: dict[str, Path], tmp_path: Path) -> None:
    sd3 = open_backbone(str(folders["sd3"])).default_recipe()
    assert (sd3.steps, sd3.guidance_scale) == (8, 3.0)
    assert open_backbone(str(folders["sd"])).default_recipe().steps == 50
    folder = shutil.copytree(folders["sd"], tmp_path / "sd")
    (folder / "redraft.json").write_text(json.dumps({"steps": 12, "size": 32}))
    backbone = StableDiffusionBackbone.build(BackboneConfig(steps=3), ModelContext(folder=str(folder)))
    assert backbone.default_recipe().steps == 3
    assert backbone.latent_shape == (4, 8, 8)
    (folder / "redraft.json").write_text(json.dumps({"stepz": 12}))
    with pytest.raises(ConfigError, match=r"redraft\.json: the key 'stepz' is unknown: did you mean 'steps'"):
        open_backbone(str(folder))
    (folder / "redraft.json").write_text(json.dumps({"size": 66}))
    with pytest.raises(UsageError, match=r"pictures of 66 pixels: the autoencoder of .* needs a multiple of 4"):
        open_backbone(str(folder))


def test_gradient_checkpointing_changes_no_gradient(folders: dict[str, Path]) -> None:
    gradients = []
    for checkpointing in (False, True):
        backbone = open_backbone(str(folders["sd3"]), gradient_checkpointing=checkpointing)
        backbone.train_full()
        assert backbone.denoiser.is_gradient_checkpointing == checkpointing
        text = backbone.encode(PROMPTS[:1]).positive
        backbone.predict(Key(seed=4).normal((1, 4, 16, 16)), torch.tensor([500.0]), text=text).square().sum().backward()
        gradients.append([parameter.grad for parameter in backbone.trainable().values() if parameter.grad is not None])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("sd", "thresholding", True, "sets thresholding=True, which Redraft does not do"),
        ("sd", "prediction_type", "sample", "prediction_type='sample'"),
        ("sd3", "use_dynamic_shifting", True, "sets use_dynamic_shifting=True"),
    ],
)
def test_a_scheduler_that_would_change_the_pictures_is_refused(
    folders: dict[str, Path], tmp_path: Path, name: str, key: str, value: Any, message: str
) -> None:
    folder = shutil.copytree(folders[name], tmp_path / name)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UsageError, match=message):
        open_backbone(str(folder))
