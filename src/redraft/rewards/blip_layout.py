"""ImageReward's checkpoint as networks: BLIP's picture and text encoders of transformers, and the head. No scoring.

Released names: `blip.visual_encoder.blocks.0.attn.qkv.weight` (a ViT as in timm),
`blip.text_encoder.encoder.layer.0...` (a BERT with cross-attention) and `mlp.layers.0.weight`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.rewards.layer_stacks import LayerStack, stack_names, stack_of
from redraft.rewards.loaded_networks import network_with
from redraft.rewards.released_files import require_layout

HEAD_WIDTH = 64
"""Width of one attention head in BLIP's large and base encoders, and in BERT."""
HEAD_LAYERS = (0, 2, 4, 6, 7)

_VISION, _TEXT = "blip.visual_encoder.", "blip.text_encoder."
_VISION_OUTER = {
    "cls_token": "embeddings.class_embedding",
    "pos_embed": "embeddings.position_embedding",
    "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
    "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
    "norm.weight": "post_layernorm.weight",
    "norm.bias": "post_layernorm.bias",
}
_VISION_BLOCK = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.qkv": "self_attn.qkv",
    "attn.proj": "self_attn.projection",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_TEXT_OUTER = (
    "embeddings.word_embeddings.weight",
    "embeddings.position_embeddings.weight",
    "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias",
)
_TEXT_BLOCK = (
    *(
        f"{attention}.{part}"
        for attention in ("attention", "crossattention")
        for part in ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
    ),
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
# Projections of BLIP's contrastive pre-training, which the reward does not use, and a table of 0, 1, 2, ...
_IGNORED = ("blip.vision_proj.", "blip.text_proj.", "blip.text_encoder.embeddings.position_ids")


@dataclass(frozen=True, kw_only=True)
class BlipParts:
    """The networks of ImageReward in float32. image_size: side of the square picture; words: rows of the vocabulary."""

    vision: Any
    text: Any
    head: LayerStack
    image_size: int
    words: int


def blip_from_release(state: Mapping[str, torch.Tensor], *, source: str) -> BlipParts:
    """The networks with these weights. Raises UsageError naming the missing keys when the layout is another one."""
    from transformers import BlipTextModel, BlipVisionModel

    blocks, layers = _count(state, _VISION + "blocks."), _count(state, _TEXT + "encoder.layer.")
    vision_names, text_names = dict(_vision_names(blocks)), list(_text_names(layers))
    head_names = stack_names(HEAD_LAYERS, prefix="mlp.layers.")
    expected = [*(_VISION + name for name in vision_names), *(_TEXT + name for name in text_names), *head_names]
    require_layout(state, expected, ignored=_IGNORED, source=source, layout="ImageReward (BLIP and its head)")
    vision_config = _vision_config(state, blocks=blocks, source=source)
    vision_weights = {new: state[_VISION + old] for old, new in vision_names.items()}
    text_weights = {name: state[_TEXT + name] for name in text_names}
    text_config = _text_config(state, layers=layers, source=source)
    vision = network_with(BlipVisionModel, vision_config, vision_weights, source=source)
    text = network_with(BlipTextModel, text_config, text_weights, source=source, add_pooling_layer=False)
    return BlipParts(
        vision=vision,
        text=text,
        head=stack_of(state, HEAD_LAYERS, prefix="mlp.layers.", relu=False, source=source),
        image_size=int(vision_config.image_size),
        words=len(state[_TEXT + "embeddings.word_embeddings.weight"]),
    )


def _count(state: Mapping[str, Any], side: str) -> int:
    numbers = [name[len(side) :].split(".")[0] for name in state if name.startswith(side)]
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1


def _vision_names(blocks: int) -> Iterator[tuple[str, str]]:
    yield from _VISION_OUTER.items()
    for block in range(blocks):
        for old, new in _VISION_BLOCK.items():
            for part in ("weight", "bias"):
                yield f"blocks.{block}.{old}.{part}", f"encoder.layers.{block}.{new}.{part}"


def _text_names(layers: int) -> Iterator[str]:
    yield from _TEXT_OUTER
    for layer in range(layers):
        yield from (f"encoder.layer.{layer}.{name}.{part}" for name in _TEXT_BLOCK for part in ("weight", "bias"))


def _vision_config(state: Mapping[str, torch.Tensor], *, blocks: int, source: str) -> Any:
    from transformers import BlipVisionConfig

    projection = state[_VISION + "patch_embed.proj.weight"]
    width, patch = int(projection.shape[0]), int(projection.shape[-1])
    return BlipVisionConfig(
        hidden_size=width,
        intermediate_size=len(state[_VISION + "blocks.0.mlp.fc1.weight"]),
        num_hidden_layers=blocks,
        num_attention_heads=_heads(width, source=source),
        image_size=patch * math.isqrt(state[_VISION + "pos_embed"].shape[1] - 1),
        patch_size=patch,
        layer_norm_eps=1e-6,  # BLIP's own; the default of transformers is another
        hidden_act="gelu",
    )


def _text_config(state: Mapping[str, torch.Tensor], *, layers: int, source: str) -> Any:
    from transformers import BlipTextConfig

    words, width = (int(size) for size in state[_TEXT + "embeddings.word_embeddings.weight"].shape)
    return BlipTextConfig(
        vocab_size=words,
        hidden_size=width,
        encoder_hidden_size=int(state[_TEXT + "encoder.layer.0.crossattention.self.key.weight"].shape[1]),
        intermediate_size=len(state[_TEXT + "encoder.layer.0.intermediate.dense.weight"]),
        num_hidden_layers=layers,
        num_attention_heads=_heads(width, source=source),
        max_position_embeddings=len(state[_TEXT + "embeddings.position_embeddings.weight"]),
        layer_norm_eps=1e-12,
        hidden_act="gelu",
        pad_token_id=0,
        is_decoder=True,  # builds the layers of cross-attention; the forward pass stays bidirectional
    )


def _heads(width: int, *, source: str) -> int:
    if width % HEAD_WIDTH:
        raise UsageError(
            f"{source}: a width of {width} has no whole number of attention heads of {HEAD_WIDTH}: this is not BLIP"
        )
    return width // HEAD_WIDTH
