"""The two tiny CLIPs: one is the similarity scorer, the other (other seed, data and width) is held out for examination.

Trained contrastively on renders, with one wrong caption of each picture as an extra negative, and with blur, noise and
colour jitter, so that the pictures of a small generative model are not foreign to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from redraft.world.corrupt import corrupt_request
from redraft.world.draws import draw_request
from redraft.world.grammar import text_of
from redraft.world.render import render
from scripts.builtin_models.tokenizer import build as build_tokenizer
from scripts.builtin_models.training import Trainer

MEAN, STD = 0.5, 0.5
DEPTH = 4
"""Layers of the vision tower in this first part of the training."""


def build(*, held_out: bool, depth: int = DEPTH) -> Any:
    """The untrained CLIPModel: vision 64 pixels in patches of 8 and `depth` layers, projection 64."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = build_tokenizer()
    width = 80 if held_out else 96
    shared = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 16,
        "projection_dim": 64,
    }
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(31 if held_out else 30)
    config = CLIPConfig(
        text_config={
            **shared,
            **ids,
            "num_hidden_layers": 3,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 20,
        },
        vision_config={**shared, "num_hidden_layers": depth, "image_size": 64, "patch_size": 8},
        projection_dim=64,
    )
    return CLIPModel(config)


def degrade(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Blur, noise and brightness of random strength: what a small decoder does to a picture. N,3,64,64 in 0..1."""
    count = len(pixels)
    sigma = torch.rand(count, generator=generator) * 0.9 + 0.05
    offsets = torch.arange(-2, 3).float()
    taps = torch.exp(-offsets.square() / (2 * sigma[:, None].square()))
    taps = taps / taps.sum(1, keepdim=True)
    flat = pixels.reshape(1, -1, 64, 64)
    taps = taps.repeat_interleave(3, 0)
    flat = functional.conv2d(flat, taps[:, None, :, None], padding=(2, 0), groups=flat.shape[1])
    flat = functional.conv2d(flat, taps[:, None, None, :], padding=(0, 2), groups=flat.shape[1])
    strength = torch.rand((count, 1, 1, 1), generator=generator) * 0.05
    noise = torch.randn((count, 3, 64, 64), generator=generator) * strength
    gain = 1 + (torch.rand((count, 3, 1, 1), generator=generator) - 0.5) * 0.1
    return (flat.reshape(pixels.shape) * gain + noise).clamp(0, 1)


def batch_of(seed: tuple[int, ...], count: int, *, held_out: bool) -> tuple[torch.Tensor, list[str], list[str]]:
    """`count` pictures (0..1), their true captions and one wrong caption each. Balanced tasks, some tail."""
    rng = np.random.default_rng(seed)
    pictures, true, wrong = [], [], []
    for _ in range(count):
        task = ("style", "label", "scene")[rng.integers(3)] if rng.random() < 0.2 else None
        weights = "zipf" if held_out and rng.random() < 0.3 else "uniform"
        request = draw_request(rng, task=task, weights=weights)
        pictures.append(render(request, rng))
        photo = bool(rng.random() < 0.2)
        true.append(text_of(request, photo=photo))
        wrong.append(text_of(corrupt_request(request, rng), photo=photo))
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return pixels, true, wrong


def train(work: Path, *, held_out: bool, steps: int, batch: int = 128) -> None:
    """Train one of the two, then save it as a CLIPModel folder with tokenizer and preprocessing."""
    name = "clip-heldout" if held_out else "clip"
    tokenizer, model = build_tokenizer(), build(held_out=held_out)
    trainer = Trainer(model, folder=work / name, steps=steps, learning_rate=2e-3, ema=0.998)
    base = 40 if held_out else 41

    def loss_of(step: int) -> torch.Tensor:
        pixels, true, wrong = batch_of((base, step), batch, held_out=held_out)
        pixels = degrade(pixels, torch.Generator().manual_seed(base * 1_000_003 + step))
        tokens = tokenizer(true + wrong, padding="max_length", truncation=True, return_tensors="pt")
        output = model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=(pixels - MEAN) / STD
        )
        logits = output.logits_per_image
        # Equal captions in a batch are all right answers: share the probability among them.
        same = torch.tensor([[a == b for b in true + wrong] for a in true]).float()
        to_text = -(same / same.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
        square, same_square = logits[:, :batch].T, same[:, :batch]
        to_image = -(same_square / same_square.sum(1, keepdim=True) * square.log_softmax(1)).sum(1).mean()
        return (to_text + to_image) / 2

    trainer.run(loss_of, measure=lambda: accuracy(model, tokenizer, trainer.ema), measure_every=1000)
    save(work, name, trainer.ema, held_out=held_out)


@torch.no_grad()
def accuracy(model: Any, tokenizer: Any, weights: dict[str, torch.Tensor]) -> dict[str, float]:
    """Share of 512 fresh degraded pictures whose true caption beats their wrong one."""
    vision = model.config.vision_config
    judge = build(held_out=vision.hidden_size == 80, depth=vision.num_hidden_layers).eval()
    judge.load_state_dict(weights)
    pixels, true, wrong = batch_of((99,), 512, held_out=False)
    pixels = degrade(pixels, torch.Generator().manual_seed(99))
    tokens = tokenizer(true + wrong, padding="max_length", truncation=True, return_tensors="pt")
    output = judge(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=(pixels - MEAN) / STD)
    cosine = output.image_embeds @ output.text_embeds.T
    right, other = cosine[:, :512].diagonal(), cosine[:, 512:].diagonal()
    return {
        "true_beats_wrong": float((right > other).float().mean()),
        "retrieval": float((cosine[:, :512].argmax(1) == torch.arange(512)).float().mean()),
    }


def save(
    work: Path, name: str, weights: dict[str, torch.Tensor], *, held_out: bool, depth: int = DEPTH
) -> None:  # fmt: skip
    """Save the EMA weights as a CLIPModel folder."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = build(held_out=held_out, depth=depth).eval()
    model.load_state_dict(weights)
    folder = work / "models" / name
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=[MEAN] * 3, image_std=[STD] * 3
    ).save_pretrained(folder)
