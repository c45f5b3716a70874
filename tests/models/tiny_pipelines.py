"""Tiny random pipelines built in code: 64x64 pictures, latents 4x16x16. Any room's tests may build them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

TEXT_LENGTH = 16


def tokenizer() -> Any:
    """A CLIP tokenizer that knows single bytes only."""
    from transformers import CLIPTokenizer

    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = len([byte for byte in range(256) if byte not in printable])
    characters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(others)]
    tokens = [*characters, *(character + "</w>" for character in characters), "<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
        Path(folder, "merges.txt").write_text("#version: 0.2\n")
        return CLIPTokenizer.from_pretrained(folder, model_max_length=TEXT_LENGTH)


def _text_config(words: Any, *, width: int) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        projection_dim=width,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )


def _autoencoder(*, shift_factor: float | None) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        norm_num_groups=4,
        latent_channels=4,
        layers_per_block=1,
        sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.7,
        shift_factor=shift_factor,
    )


def _save(pipeline: Any, folder: Path) -> Path:
    for part in pipeline.components.values():
        if hasattr(part, "eval"):
            part.eval()
    pipeline.save_pretrained(str(folder), safe_serialization=True)
    return folder


def tiny_stable_diffusion(
    folder: Path, *, seed: int = 0, prediction_type: str = "epsilon", timestep_spacing: str = "leading"
) -> Path:
    """Write a random StableDiffusionPipeline folder and return it."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        words = tokenizer()
        pipeline = StableDiffusionPipeline(
            vae=_autoencoder(shift_factor=None),
            text_encoder=CLIPTextModel(_text_config(words, width=16)),
            tokenizer=words,
            unet=UNet2DConditionModel(
                sample_size=16,
                in_channels=4,
                out_channels=4,
                layers_per_block=1,
                block_out_channels=(8, 16),
                norm_num_groups=4,
                attention_head_dim=4,
                cross_attention_dim=16,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            ),
            scheduler=DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=True,
                steps_offset=1,
                timestep_spacing=timestep_spacing,
                prediction_type=prediction_type,
            ),
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
            requires_safety_checker=False,
        )
        return _save(pipeline, folder)


def tiny_stable_diffusion_3(folder: Path, *, seed: int = 0, max_sequence_length: int = 1, shift: float = 3.0) -> Path:
    """Write a random StableDiffusion3Pipeline folder without T5, with its redraft.json, and return it."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
    from transformers import CLIPTextModelWithProjection

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        words = tokenizer()
        config = _text_config(words, width=16)
        pipeline = StableDiffusion3Pipeline(
            transformer=SD3Transformer2DModel(
                sample_size=16,
                patch_size=2,
                in_channels=4,
                out_channels=4,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=2,
                joint_attention_dim=32,
                caption_projection_dim=16,
                pooled_projection_dim=32,
                pos_embed_max_size=16,
            ),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
            vae=_autoencoder(shift_factor=0.1),
            text_encoder=CLIPTextModelWithProjection(config),
            tokenizer=words,
            text_encoder_2=CLIPTextModelWithProjection(config),
            tokenizer_2=words,
            text_encoder_3=None,
            tokenizer_3=None,
        )
        _save(pipeline, folder)
    settings = {"max_sequence_length": max_sequence_length, "steps": 8, "guidance_scale": 3.0, "size": 64}
    (folder / "redraft.json").write_text(json.dumps(settings))
    return folder
