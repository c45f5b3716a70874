"""The autoencoder of both built-in pipelines: 64x64 pictures to 4x16x16 latents (AutoencoderKL, 0.4 M parameters)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from scripts.builtin_models.corpus import load
from scripts.builtin_models.training import Trainer

KL_WEIGHT = 1e-4
EDGE_WEIGHT = 0.5


def build() -> Any:
    """The untrained autoencoder, always with the same weights."""
    from diffusers import AutoencoderKL

    torch.manual_seed(20)
    return AutoencoderKL(
        block_out_channels=(16, 32, 64), norm_num_groups=8, latent_channels=4, layers_per_block=1, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip


def pixels_of(pictures: np.ndarray) -> torch.Tensor:
    """uint8 N,64,64,3 to float N,3,64,64 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(work: Path, *, steps: int, batch: int = 16) -> None:
    """Train on the corpus, then on half styled and labelled pictures: the corpus shows them too rarely."""
    corpus = load(work / "corpus")
    rare = np.array([index for index, text in enumerate(corpus.true_texts) if "style" in text or "labelled" in text])
    everything = np.arange(len(corpus.pictures))
    model = build().to(memory_format=torch.channels_last)

    def loss_of(step: int, styled: int) -> torch.Tensor:
        rng = np.random.default_rng((21, step, styled))
        rows = np.concatenate(
            [rng.choice(everything, batch - styled, replace=False), rng.choice(rare, styled, replace=False)]
        )
        return _loss(model, pixels_of(corpus.pictures[np.sort(rows)]), step)

    first = Trainer(model, folder=work / "autoencoder-plain", steps=steps, learning_rate=2e-3, ema=0.998)
    first.run(lambda step: loss_of(step, 0))
    if not (work / "autoencoder" / "state.pt").exists():
        model.load_state_dict(first.ema)
    second = Trainer(model, folder=work / "autoencoder", steps=int(0.4 * steps), learning_rate=2e-3, ema=0.998)
    second.run(lambda step: loss_of(step, batch // 2))
    finish(work)


def _loss(model: Any, pixels: torch.Tensor, step: int) -> torch.Tensor:
    """L1, squared and edge error, and a light pull of the latents to a unit Gaussian."""
    with torch.autocast("cpu", torch.bfloat16):
        posterior = model.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(step))
        output = model.decode(posterior.mean + posterior.std * noise).sample
    error = output.float() - pixels
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return error.abs().mean() + error.square().mean() + EDGE_WEIGHT * edges + KL_WEIGHT * kl


def trained(work: Path) -> Any:
    """The autoencoder with its EMA weights and scaling factor, in evaluation mode."""
    model = build()
    model.load_state_dict(torch.load(work / "autoencoder" / "state.pt", weights_only=True)["ema"])
    factors = work / "autoencoder" / "scaling.json"
    if factors.exists():
        model.register_to_config(**json.loads(factors.read_text()))
    return model.eval()


@torch.no_grad()
def finish(work: Path) -> None:
    """Measure the scaling factor and the reconstruction error on 512 pictures."""
    model = trained(work)
    pixels = pixels_of(load(work / "corpus").pictures[:512])
    latents = torch.cat([model.encode(part).latent_dist.mean for part in pixels.split(64)])
    output = torch.cat([model.decode(part).sample for part in latents.split(64)])
    scaling = {"scaling_factor": float(1 / latents.std()), "shift_factor": float(latents.mean())}
    print("autoencoder", scaling, "L1 in 0..255:", float((output - pixels).abs().mean() * 127.5), flush=True)
    (work / "autoencoder" / "scaling.json").write_text(json.dumps(scaling))


@torch.no_grad()
def encode_corpus(work: Path) -> None:
    """Write the scaled latents of the whole corpus, float16 N,4,16,16."""
    model, corpus = trained(work), load(work / "corpus")
    latents = np.empty((len(corpus.pictures), 4, 16, 16), dtype=np.float16)
    for start in range(0, len(latents), 128):
        mean = model.encode(pixels_of(corpus.pictures[start : start + 128])).latent_dist.mean
        scaled = (mean - model.config.shift_factor) * model.config.scaling_factor
        latents[start : start + 128] = functional.hardtanh(scaled, -60000, 60000).numpy()
    np.save(work / "latents.partial.npy", latents)
    (work / "latents.partial.npy").rename(work / "latents.npy")
