"""The two denoisers: `sd` (epsilon UNet, one text encoder) and `sd3` (flow transformer, two text encoders).

Text encoders are trained together with the denoiser and frozen afterwards, as everywhere. A tenth of the captions is
dropped, so that guidance works.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import nn

from scripts.builtin_models import autoencoder, corpus
from scripts.builtin_models.quality import measure_quality
from scripts.builtin_models.tokenizer import MAXIMUM_LENGTH
from scripts.builtin_models.tokenizer import build as build_tokenizer
from scripts.builtin_models.training import Trainer

CAPTION_DROP = 0.1
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
T5_TOKENS = 1


def text_config(tokenizer: Any, *, width: int, projection: int) -> Any:
    """A CLIP text encoder's configuration: two layers."""
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2,
        num_attention_heads=width // 32, max_position_embeddings=MAXIMUM_LENGTH, projection_dim=projection,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


class StableDiffusion(nn.Module):
    """UNet with cross attention; predicts epsilon."""

    def __init__(self) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextModel

        torch.manual_seed(50)
        self.tokenizer = build_tokenizer()
        self.text_encoder = CLIPTextModel(text_config(self.tokenizer, width=128, projection=128))
        self.unet = UNet2DConditionModel(
            sample_size=16, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(32, 64, 128),
            norm_num_groups=16, attention_head_dim=4, cross_attention_dim=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        )  # fmt: skip
        betas = torch.linspace(BETAS["beta_start"] ** 0.5, BETAS["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
        self.alphas_cumprod = torch.cumprod(1 - betas, 0).float()

    def loss(self, clean: torch.Tensor, ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Squared epsilon error with the weight min(SNR, 5) / SNR (2303.09556, equation 5)."""
        timesteps = torch.randint(0, 1000, (len(clean),), generator=generator)
        alpha_bar = self.alphas_cumprod[timesteps]
        noise = torch.randn(clean.shape, generator=generator)
        noisy = alpha_bar.sqrt()[:, None, None, None] * clean + (1 - alpha_bar).sqrt()[:, None, None, None] * noise
        text = self.text_encoder(ids)[0]
        error = functional.mse_loss(
            self.unet(noisy, timesteps, text, return_dict=False)[0], noise, reduction="none"
        ).mean((1, 2, 3))
        snr = alpha_bar / (1 - alpha_bar)
        return (error * snr.clamp(max=5) / snr).mean()


class StableDiffusion3(nn.Module):
    """Joint-attention transformer; predicts the flow velocity noise - x0."""

    def __init__(self) -> None:
        super().__init__()
        from diffusers import SD3Transformer2DModel
        from transformers import CLIPTextModelWithProjection

        torch.manual_seed(60)
        self.tokenizer = build_tokenizer()
        config = text_config(self.tokenizer, width=64, projection=64)
        self.text_encoder = CLIPTextModelWithProjection(config)
        self.text_encoder_2 = CLIPTextModelWithProjection(config)
        self.transformer = SD3Transformer2DModel(
            sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=6, attention_head_dim=32,
            num_attention_heads=4, joint_attention_dim=128, caption_projection_dim=128, pooled_projection_dim=128,
            pos_embed_max_size=16,
        )  # fmt: skip

    def loss(self, clean: torch.Tensor, ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Squared velocity error at logit-normal noise levels (2403.03206, section 3.1)."""
        sigma = torch.sigmoid(torch.randn(len(clean), generator=generator))
        noise = torch.randn(clean.shape, generator=generator)
        noisy = (1 - sigma)[:, None, None, None] * clean + sigma[:, None, None, None] * noise
        outputs = [encoder(ids, output_hidden_states=True) for encoder in (self.text_encoder, self.text_encoder_2)]
        text = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        text = torch.cat([text, text.new_zeros(len(text), T5_TOKENS, text.shape[-1])], dim=1)
        pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
        velocity = self.transformer(
            noisy, timestep=sigma * 1000, encoder_hidden_states=text, pooled_projections=pooled, return_dict=False
        )[0]
        return functional.mse_loss(velocity, noise - clean)


def build(family: str) -> StableDiffusion | StableDiffusion3:
    """The untrained model of a family, always with the same weights."""
    return StableDiffusion() if family == "sd" else StableDiffusion3()


def pipeline(model: StableDiffusion | StableDiffusion3, autoencoder: Any) -> Any:
    """The diffusers pipeline around trained parts."""
    from diffusers import (
        DDIMScheduler,
        FlowMatchEulerDiscreteScheduler,
        StableDiffusion3Pipeline,
        StableDiffusionPipeline,
    )  # fmt: skip

    if isinstance(model, StableDiffusion):
        scheduler = DDIMScheduler(
            **BETAS, num_train_timesteps=1000, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing",
            steps_offset=1,
            prediction_type="epsilon",
        )  # fmt: skip
        autoencoder.register_to_config(shift_factor=None)
        return StableDiffusionPipeline(
            vae=autoencoder, text_encoder=model.text_encoder, tokenizer=model.tokenizer, unet=model.unet,
            scheduler=scheduler, safety_checker=None, feature_extractor=None, image_encoder=None,
            requires_safety_checker=False,
        )  # fmt: skip
    return StableDiffusion3Pipeline(
        transformer=model.transformer, scheduler=FlowMatchEulerDiscreteScheduler(), vae=autoencoder,
        text_encoder=model.text_encoder, tokenizer=model.tokenizer, text_encoder_2=model.text_encoder_2,
        tokenizer_2=model.tokenizer, text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip


def train(
    work: Path, *, family: str, steps: int, batch: int = 64, muon_rate: float | None = None, from_shipped: bool = False
) -> None:
    """Train one family on the latents of the corpus. Measures oracle accuracy ten times on the way."""
    model = build(family)
    if from_shipped:
        from scripts.builtin_models.shipped import restore_denoiser

        restore_denoiser(model, family)
    # memory-mapped latents would be read in random order: the 120 MB fit in memory
    latents = np.load(work / "latents.npy")
    scaling = autoencoder.trained(work).config
    # StableDiffusionPipeline knows no shift, so its latents keep their mean.
    offset = scaling.shift_factor * scaling.scaling_factor if family == "sd" else 0.0
    captions = corpus.load(work / "corpus").captions
    ids = model.tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
    empty = model.tokenizer([""], padding="max_length", return_tensors="pt").input_ids
    trainer = Trainer(
        model, folder=work / family, steps=steps, learning_rate=1e-3, ema=0.999,
        muon_rate=1.5e-3 if muon_rate is None else muon_rate,
    )  # fmt: skip

    def loss_of(step: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(70_000_000 + step)
        rows = torch.randint(0, len(latents), (batch,), generator=generator)
        clean = torch.from_numpy(latents[rows.numpy()]).float() + offset
        dropped = torch.rand(batch, generator=generator) < CAPTION_DROP
        return model.loss(clean, torch.where(dropped[:, None], empty, ids[rows]), generator)

    def measure() -> dict[str, float]:
        trained = build(family).eval()
        trained.load_state_dict(trainer.ema)
        return measure_quality(trained, work)

    trainer.run(loss_of, measure=measure, measure_every=max(1, steps // 10))
