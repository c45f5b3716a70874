"""Scorers: how much time their own work (preprocessing, bookkeeping) takes beside their networks, these of real size.

Random weights in the shapes of the smallest networks that people use: larger ones take longer for the same pictures, so
their share is smaller. Pictures have 512 pixels, so that they are resized as those of Stable Diffusion are.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.network_clock import NetworkClock
from benchmarks.subject import Amount, clip_reward, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.aesthetic_v2 import AestheticV2Scorer
from redraft.rewards.blip_layout import BlipParts
from redraft.rewards.clip_similarity import ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.hps import HpsScorer
from redraft.rewards.image_reward import ImageRewardScorer
from redraft.rewards.layer_stacks import LayerStack
from redraft.rewards.padded_pixels import PaddedPreprocessing
from redraft.rewards.pickscore import PickScoreScorer
from redraft.rewards.pixels import PicturePreprocessing, Preprocessing
from redraft.rewards.safety_laion import LaionDetector, SafetyLaionScorer
from redraft.world import vocabulary

SIDE = 512


def measure(*, amount: Amount) -> Section:
    """Scoring of new pictures with new prompts; medians over `amount.repeats`."""
    figures = []
    for name, make in SCORERS.items():
        scorer, networks = make(amount.scorer_layers)
        # The packaged network is so small that it is fed whole batches of its usual size.
        batch, side = (scorer.tower.batch, 64) if name == PACKAGED else (amount.scorer_batch, SIDE)
        share = _share(scorer, networks, batch=batch, repeats=amount.repeats, side=side)
        figures.append(Figure(name=name, value=100 * share, unit="%", aim="of the network's time, aim 10 %"))
    return Section(
        title=f"Scorers' own work, batch {amount.scorer_batch}, pictures of {SIDE} pixels ({PACKAGED}: 64 and 64)",
        figures=tuple(figures),
        note=f"torch uses {torch.get_num_threads()} thread(s); median of {amount.repeats}",
    )


def _share(scorer: Any, networks: Iterable[torch.nn.Module], *, batch: int, repeats: int, side: int) -> float:
    """Seconds outside the networks / seconds inside them, of one call of `score`; one call before as a warm-up."""
    clock, shares = NetworkClock(), []
    for network in networks:
        clock.watch(network)
    for repeat in range(repeats + 1):
        pixels = Key(seed=repeat).uniform((batch, 3, side, side))
        texts = [Prompt(text=f"{prompt.text} {repeat}") for prompt in prompts(batch)]
        clock.reset()
        start = time.perf_counter()
        scorer.score(Images(pixels=pixels), texts)
        total = time.perf_counter() - start
        if repeat:
            shares.append((total - clock.seconds) / clock.seconds)
    clock.remove()
    return statistics.median(shares)


def _tower(layers: int, *, preprocessing: PicturePreprocessing) -> ClipTower:
    """A CLIP in the shape of ViT-B/32, with the packaged tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = clip_reward().tower.tokenizer
    words = len(tokenizer)
    ends = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    config = CLIPConfig(
        text_config={"vocab_size": words, "num_hidden_layers": layers, **ends},
        vision_config={"num_hidden_layers": layers},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ClipTower(CLIPModel(config), tokenizer, preprocessing=preprocessing)


def _watched(tower: ClipTower) -> tuple[torch.nn.Module, ...]:
    return tower.model.vision_model, tower.model.text_model


def _stack(widths: Sequence[int], *, relu: bool) -> LayerStack:
    pairs = [
        (Key(seed=index).normal((following, width)) / width**0.5, torch.zeros(following))
        for index, (width, following) in enumerate(pairwise(widths))
    ]
    return LayerStack(pairs, relu=relu, source="benchmark")


def _packaged(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    del layers  # its own are few
    scorer = clip_reward()
    return scorer, _watched(scorer.tower)


def _clip(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    tower = _tower(layers, preprocessing=Preprocessing(resize=224, crop=224))
    return ClipSimilarityScorer(tower), _watched(tower)


def _pickscore(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    tower = _tower(layers, preprocessing=Preprocessing(resize=224, crop=224))
    return PickScoreScorer(tower), _watched(tower)


def _hps(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    tower = _tower(layers, preprocessing=PaddedPreprocessing(size=224))
    return HpsScorer(tower, version="v2"), _watched(tower)


def _aesthetic(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    tower = _tower(layers, preprocessing=Preprocessing(resize=224, crop=224))
    head = _stack((tower.dimension, 1024, 128, 64, 16, 1), relu=False)
    return AestheticV2Scorer(tower, head), _watched(tower)


def _safety(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    tower = _tower(layers, preprocessing=Preprocessing(resize=224, crop=224))
    width = tower.dimension
    head = _stack((width, 32, 32, 1), relu=True)
    detector = LaionDetector(head, mean=torch.zeros(width), variance=torch.ones(width))
    return SafetyLaionScorer(tower, detector), _watched(tower)


def _image_reward(layers: int) -> tuple[Any, Iterable[torch.nn.Module]]:
    """BLIP with the picture encoder of its base size."""
    from transformers import BertTokenizer, BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

    with torch.random.fork_rng(), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        vision = BlipVisionModel(BlipVisionConfig(num_hidden_layers=layers, image_size=224, initializer_range=0.02))
        text = BlipTextModel(
            BlipTextConfig(num_hidden_layers=layers, encoder_hidden_size=768, is_decoder=True), add_pooling_layer=False
        )
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(vocabulary())]
        (Path(folder) / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}), encoding="utf-8")
        tokenizer = BertTokenizer.from_pretrained(folder)
    parts = BlipParts(
        vision=vision.eval().requires_grad_(False),
        text=text.eval().requires_grad_(False),
        head=_stack((768, 1024, 128, 64, 16, 1), relu=False),
        image_size=224,
        words=int(text.config.vocab_size),
    )
    return ImageRewardScorer(parts, tokenizer), (vision, text)


PACKAGED = "clip, as packaged"
SCORERS: dict[str, Callable[[int], tuple[Any, Iterable[torch.nn.Module]]]] = {
    PACKAGED: _packaged,
    "clip (ViT-B/32)": _clip,
    "pickscore (ViT-B/32)": _pickscore,
    "hps (ViT-B/32)": _hps,
    "aesthetic-v2 (ViT-B/32)": _aesthetic,
    "safety-laion (ViT-B/32)": _safety,
    "image-reward (ViT-B/16)": _image_reward,
}
