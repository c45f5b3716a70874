"""Parts for tests of benchmarks that see objects: a tiny Mask2Former in the released layout, and given detections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import torch

from redraft.core.protocols import ModelContext
from redraft.core.tensors import Images
from redraft.evaluation.benchmarks.colours import ColourNamer
from redraft.evaluation.benchmarks.detections import Box, Detection
from redraft.evaluation.benchmarks.runner import Order
from redraft.rewards.clip_similarity import ClipSimilarityScorer

# As facebook/mask2former-swin-small-coco-instance has it, but for the smaller size.
PREPROCESSOR = {
    "_max_size": 1333, "do_normalize": True, "do_rescale": True, "do_resize": True, "ignore_index": 255,
    "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "Mask2FormerImageProcessor",
    "image_std": [0.229, 0.224, 0.225], "num_labels": 5, "reduce_labels": False, "resample": 2,
    "rescale_factor": 0.00392156862745098, "size": {"height": 64, "width": 64}, "size_divisor": 32,
}  # fmt: skip


def save_tiny_mask2former(folder: Path, *, classes: int, queries: int = 12) -> Path:
    """Random weights, saved as save_pretrained writes a released one."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    swin = SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = Mask2FormerConfig(
        backbone_config=swin, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32,
        encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=32, num_queries=queries,
        id2label={number: f"class {number}" for number in range(classes)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PREPROCESSOR, "num_labels": classes}))
    return folder


def seen(name: str, box: Box, score: float = 0.95) -> Detection:
    return Detection(name=name, score=score, box=box)


class NumberedPainter:
    """Pictures that carry the number of their order; those of `missing` are not there."""

    def __init__(self, *, missing: frozenset[int] = frozenset()) -> None:
        self.missing = missing

    def __call__(self, wanted: Sequence[Order]) -> list[torch.Tensor | None]:
        return [None if order.number in self.missing else numbered(order.number) for order in wanted]


def numbered(number: int) -> torch.Tensor:
    picture = torch.zeros(3, 8, 8)
    picture[0], picture[1] = number // 256 / 255, number % 256 / 255
    return picture


class GivenDetector:
    """Gives for the picture of each number what stands in `found`: rules are tested by geometry, without a network."""

    fingerprint = "given"

    def __init__(self, names: Sequence[str], found: Mapping[int, Sequence[Detection]]) -> None:
        self.names, self.found = tuple(names), found

    def detect(self, images: Images, *, above: float) -> tuple[tuple[Detection, ...], ...]:
        levels = (images.pixels[:, :2, 0, 0] * 255).round().long().tolist()
        numbers = [256 * high + low for high, low in levels]
        return tuple(tuple(item for item in self.found.get(number, ()) if item.score > above) for number in numbers)


def packaged_clip() -> ClipSimilarityScorer:
    """The CLIP that ships with the package."""
    folder = Path(str(files("redraft"))) / "builtin" / "clip"
    return ClipSimilarityScorer.build(ClipSimilarityScorer.Config(), ModelContext(folder=str(folder)))  # type: ignore[arg-type]


def packaged_namer() -> ColourNamer:
    clip = packaged_clip()
    return ColourNamer(clip.tower, fingerprint=clip.fingerprint)
