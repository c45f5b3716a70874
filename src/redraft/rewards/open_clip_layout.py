"""Weights in the layout of OpenAI's clip and of open_clip, as a CLIPModel of transformers. It gives no score.

Both name their weights alike: `visual.transformer.resblocks.0.attn.in_proj_weight` and so on. Widths, layers and
picture size are read from the shapes; heads and activation are not in the file, so the `Family` tells them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.rewards.loaded_networks import network_with
from redraft.rewards.released_files import require_layout


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the weights do not tell: the width of one attention head on each side, and the activation."""

    name: str
    vision_head: int
    text_head: int = 64
    activation: str


OPENAI_L14 = Family(name="OpenAI's ViT-L/14", vision_head=64, activation="quick_gelu")
LAION_H14 = Family(name="open_clip's ViT-H/14", vision_head=80, activation="gelu")

_OUTER = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}
_TRANSPOSED = ("visual.proj", "text_projection")
_SIDES = {"visual.transformer.resblocks": "vision_model.encoder.layers",
          "transformer.resblocks": "text_model.encoder.layers"}  # fmt: skip
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_ATTENTION = ("attn.in_proj_weight", "attn.in_proj_bias")
# Written beside the weights by OpenAI's export and by older open_clip; the network does not read them.
_IGNORED = ("attn_mask", "input_resolution", "context_length", "vocab_size")


def clip_from_open_clip(state: Mapping[str, torch.Tensor], *, family: Family, source: str) -> Any:
    """A CLIPModel in float32 with these weights.

    Raises UsageError naming the missing keys when the layout is another one, or when widths do not fit the family.
    """
    from transformers import CLIPModel

    require_layout(state, list(_names(state)), ignored=_IGNORED, source=source, layout=f"open_clip ({family.name})")
    config = _config(state, family=family, source=source)
    return network_with(CLIPModel, config, dict(_translated(state)), source=source)


def _layers(state: Mapping[str, Any], side: str) -> int:
    numbers = [name[len(side) + 1 :].split(".")[0] for name in state if name.startswith(side + ".")]
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1


def _names(state: Mapping[str, Any]) -> Iterator[str]:
    """Every name that a file with as many layers must have."""
    yield from _OUTER
    for side in _SIDES:
        for layer in range(_layers(state, side)):
            yield from (f"{side}.{layer}.{name}" for name in _ATTENTION)
            yield from (f"{side}.{layer}.{name}.{part}" for name in _BLOCK for part in ("weight", "bias"))


def _translated(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, target in _OUTER.items():
        yield target, state[name].T if name in _TRANSPOSED else state[name]
    for side, target in _SIDES.items():
        for layer in range(_layers(state, side)):
            for part in ("weight", "bias"):
                joined = state[f"{side}.{layer}.attn.in_proj_{part}"]
                for which, value in zip(("q_proj", "k_proj", "v_proj"), joined.chunk(3), strict=True):
                    yield f"{target}.{layer}.self_attn.{which}.{part}", value
                for name, new in _BLOCK.items():
                    yield f"{target}.{layer}.{new}.{part}", state[f"{side}.{layer}.{name}.{part}"]


def _config(state: Mapping[str, torch.Tensor], *, family: Family, source: str) -> Any:
    from transformers import CLIPConfig

    vision, text = int(state["visual.conv1.weight"].shape[0]), int(state["token_embedding.weight"].shape[1])
    patch, grid = int(state["visual.conv1.weight"].shape[-1]), math.isqrt(len(state["visual.positional_embedding"]) - 1)
    words, projection = int(state["token_embedding.weight"].shape[0]), int(state["text_projection"].shape[1])
    if vision % family.vision_head or text % family.text_head:
        raise UsageError(
            f"{source}: widths {vision} and {text} do not fit {family.name} with attention heads of "
            f"{family.vision_head} and {family.text_head}: choose the version that the file was released as"
        )
    shared = {"projection_dim": projection, "hidden_act": family.activation}
    return CLIPConfig(
        projection_dim=projection,
        vision_config={
            **shared,
            **_widths(state, "visual.transformer.resblocks", width=vision, head=family.vision_head),
            "image_size": grid * patch,
            "patch_size": patch,
        },
        text_config={
            **shared,
            **_widths(state, "transformer.resblocks", width=text, head=family.text_head),
            "vocab_size": words,
            "max_position_embeddings": len(state["positional_embedding"]),
            # The text is read at its highest token, which is the last of the vocabulary: the end token.
            "bos_token_id": words - 2,
            "eos_token_id": words - 1,
            "pad_token_id": words - 1,
        },
    )


def _widths(state: Mapping[str, torch.Tensor], side: str, *, width: int, head: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "intermediate_size": len(state[f"{side}.0.mlp.c_fc.weight"]),
        "num_attention_heads": width // head,
        "num_hidden_layers": _layers(state, side),
    }
