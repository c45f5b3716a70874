"""Tiny checkpoints in the exact layouts of released rewards, with random weights, and what they compute, by hand.

The forward passes here know nothing of transformers: they follow the published networks from the raw tensors.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as functional

State = dict[str, torch.Tensor]

MLP_WIDTHS = (1024, 128, 64, 16, 1)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")


class Weights:
    """Random weights by name: `linear`, `norm` and `draw` add to `state`."""

    def __init__(self, seed: int) -> None:
        self.state: State = {}
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, name: str, *shape: int, scale: float = 0.2) -> None:
        self.state[name] = scale * torch.randn(shape, generator=self._generator)

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        self.draw(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        self.draw(f"{name}.bias", outputs)

    def norm(self, name: str, width: int) -> None:
        self.draw(f"{name}.weight", width)
        self.state[f"{name}.weight"] += 1
        self.draw(f"{name}.bias", width)


def open_clip_state(
    *, words: int, vision: int = 160, text: int = 128, context: int = 20, projection: int = 48, seed: int = 0
) -> State:
    """Two layers each, pictures of 32 pixels in patches of 8: the names of OpenAI's clip and of open_clip."""
    made = Weights(seed)
    made.draw("visual.class_embedding", vision)
    made.draw("visual.conv1.weight", vision, 3, 8, 8, scale=0.1)
    made.draw("visual.positional_embedding", 17, vision)
    made.draw("visual.proj", vision, projection)
    made.draw("token_embedding.weight", words, text)
    made.draw("positional_embedding", context, text)
    made.draw("text_projection", text, projection)
    made.state["logit_scale"] = torch.tensor(100.0).log()
    for name, width in (("visual.ln_pre", vision), ("visual.ln_post", vision), ("ln_final", text)):
        made.norm(name, width)
    for side, width in (("visual.transformer", vision), ("transformer", text)):
        for layer in range(2):
            block = f"{side}.resblocks.{layer}"
            made.draw(f"{block}.attn.in_proj_weight", 3 * width, width, scale=width**-0.5)
            made.draw(f"{block}.attn.in_proj_bias", 3 * width)
            made.linear(f"{block}.attn.out_proj", width, width)
            made.norm(f"{block}.ln_1", width)
            made.norm(f"{block}.ln_2", width)
            made.linear(f"{block}.mlp.c_fc", width, 2 * width)
            made.linear(f"{block}.mlp.c_proj", 2 * width, width)
    return made.state


def quick_gelu(value: torch.Tensor) -> torch.Tensor:
    return value * torch.sigmoid(1.702 * value)


def _norm(state: State, name: str, value: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.layer_norm(value, weight.shape, weight, bias, eps)


def _linear(state: State, name: str, value: torch.Tensor) -> torch.Tensor:
    return functional.linear(value, state[f"{name}.weight"], state[f"{name}.bias"])


def _open_clip_blocks(
    state: State,
    side: str,
    value: torch.Tensor,
    *,
    head: int,
    act: Callable[[torch.Tensor], torch.Tensor],
    mask: torch.Tensor | None,
) -> torch.Tensor:
    width = value.shape[-1]
    for layer in range(2):
        block = f"{side}.resblocks.{layer}"
        attention = torch.nn.MultiheadAttention(width, width // head, batch_first=True).eval()
        names = {name: state[f"{block}.attn.{name}"] for name in attention.state_dict()}
        attention.load_state_dict(names)
        normed = _norm(state, f"{block}.ln_1", value)
        value = value + attention(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        hidden = act(_linear(state, f"{block}.mlp.c_fc", _norm(state, f"{block}.ln_2", value)))
        value = value + _linear(state, f"{block}.mlp.c_proj", hidden)
    return value


@torch.no_grad()
def open_clip_cosine(
    state: State, inputs: torch.Tensor, rows: list[list[int]], *, vision_head: int, act: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """Cosines of preprocessed pictures B,3,32,32 with rows of tokens, padded with 0 and pooled at the highest token."""
    patches = functional.conv2d(inputs, state["visual.conv1.weight"], stride=8).flatten(2).transpose(1, 2)
    first = state["visual.class_embedding"].expand(len(inputs), 1, -1)
    value = torch.cat([first, patches], dim=1) + state["visual.positional_embedding"]
    value = _norm(state, "visual.ln_pre", value)
    value = _open_clip_blocks(state, "visual.transformer", value, head=vision_head, act=act, mask=None)
    picture = _norm(state, "visual.ln_post", value[:, 0]) @ state["visual.proj"]
    context = len(state["positional_embedding"])
    tokens = torch.tensor([[*row, *[0] * (context - len(row))] for row in rows])
    value = state["token_embedding.weight"][tokens] + state["positional_embedding"]
    causal = torch.full((context, context), float("-inf")).triu(1)
    value = _open_clip_blocks(state, "transformer", value, head=64, act=act, mask=causal)
    value = _norm(state, "ln_final", value)
    text = value[torch.arange(len(rows)), tokens.argmax(-1)] @ state["text_projection"]
    return functional.cosine_similarity(picture, text)


def mlp_state(
    inputs: int = 768, *, numbers: tuple[int, ...] = (0, 2, 4, 6, 7), prefix: str = "", seed: int = 0
) -> State:
    """LAION's aesthetic V2 and ImageReward's head: INPUTS-1024-128-64-16-1."""
    made = Weights(seed)
    for number, width, following in zip(numbers, (inputs, *MLP_WIDTHS), MLP_WIDTHS, strict=False):
        made.linear(f"{prefix}layers.{number}", width, following)
    return made.state


def image_reward_state(*, words: int, vision: int = 128, text: int = 128, seed: int = 0) -> State:
    """BLIP with two layers each, pictures of 32 pixels in patches of 8, and the head on `text` features."""
    made = Weights(seed)
    made.draw("blip.visual_encoder.cls_token", 1, 1, vision)
    made.draw("blip.visual_encoder.pos_embed", 1, 17, vision)
    made.draw("blip.visual_encoder.patch_embed.proj.weight", vision, 3, 8, 8, scale=0.1)
    made.draw("blip.visual_encoder.patch_embed.proj.bias", vision)
    made.norm("blip.visual_encoder.norm", vision)
    for layer in range(2):
        block = f"blip.visual_encoder.blocks.{layer}"
        made.norm(f"{block}.norm1", vision)
        made.norm(f"{block}.norm2", vision)
        made.linear(f"{block}.attn.qkv", vision, 3 * vision)
        made.linear(f"{block}.attn.proj", vision, vision)
        made.linear(f"{block}.mlp.fc1", vision, 2 * vision)
        made.linear(f"{block}.mlp.fc2", 2 * vision, vision)
    made.draw("blip.text_encoder.embeddings.word_embeddings.weight", words, text)
    made.draw("blip.text_encoder.embeddings.position_embeddings.weight", 64, text)
    made.norm("blip.text_encoder.embeddings.LayerNorm", text)
    made.state["blip.text_encoder.embeddings.position_ids"] = torch.arange(64)[None]
    for layer in range(2):
        block = f"blip.text_encoder.encoder.layer.{layer}"
        for kind, inputs in (("attention", text), ("crossattention", vision)):
            made.linear(f"{block}.{kind}.self.query", text, text)
            made.linear(f"{block}.{kind}.self.key", inputs, text)
            made.linear(f"{block}.{kind}.self.value", inputs, text)
            made.linear(f"{block}.{kind}.output.dense", text, text)
            made.norm(f"{block}.{kind}.output.LayerNorm", text)
        made.linear(f"{block}.intermediate.dense", text, 2 * text)
        made.linear(f"{block}.output.dense", 2 * text, text)
        made.norm(f"{block}.output.LayerNorm", text)
    made.linear("blip.vision_proj", vision, 256)
    made.linear("blip.text_proj", text, 256)
    return made.state | mlp_state(text, prefix="mlp.", seed=seed + 1)


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Softmax attention in heads of 64, written out."""
    query, key, value = (part.unflatten(-1, (-1, 64)).transpose(1, 2) for part in (query, key, value))
    weights = query @ key.transpose(-1, -2) / 8
    if mask is not None:
        weights = weights.masked_fill(~mask[:, None, None, :], float("-inf"))
    return (weights.softmax(-1) @ value).transpose(1, 2).flatten(2)


@torch.no_grad()
def image_reward_score(state: State, inputs: torch.Tensor, rows: list[list[int]]) -> torch.Tensor:
    """Published scores of preprocessed pictures B,3,32,32 with rows of tokens, padded to 35 as published."""
    side = "blip.visual_encoder"
    patches = functional.conv2d(
        inputs, state[f"{side}.patch_embed.proj.weight"], state[f"{side}.patch_embed.proj.bias"], stride=8
    )
    first = state[f"{side}.cls_token"].expand(len(inputs), -1, -1)
    value = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1) + state[f"{side}.pos_embed"]
    for layer in range(2):
        block = f"{side}.blocks.{layer}"
        joined = _linear(state, f"{block}.attn.qkv", _norm(state, f"{block}.norm1", value, 1e-6))
        value = value + _linear(state, f"{block}.attn.proj", _attend(*joined.chunk(3, dim=-1), None))
        hidden = functional.gelu(_linear(state, f"{block}.mlp.fc1", _norm(state, f"{block}.norm2", value, 1e-6)))
        value = value + _linear(state, f"{block}.mlp.fc2", hidden)
    picture = _norm(state, f"{side}.norm", value, 1e-6)

    side = "blip.text_encoder"
    tokens = torch.tensor([[*row, *[0] * (35 - len(row))] for row in rows])
    mask = torch.tensor([[True] * len(row) + [False] * (35 - len(row)) for row in rows])
    value = state[f"{side}.embeddings.word_embeddings.weight"][tokens]
    value = value + state[f"{side}.embeddings.position_embeddings.weight"][:35]
    value = _norm(state, f"{side}.embeddings.LayerNorm", value, 1e-12)
    for layer in range(2):
        block = f"{side}.encoder.layer.{layer}"
        for kind, seen, seen_mask in (("attention", None, mask), ("crossattention", picture, None)):
            source = value if seen is None else seen
            parts = [
                _linear(state, f"{block}.{kind}.self.{part}", value if part == "query" else source)
                for part in ("query", "key", "value")
            ]
            read = _linear(state, f"{block}.{kind}.output.dense", _attend(parts[0], parts[1], parts[2], seen_mask))
            value = _norm(state, f"{block}.{kind}.output.LayerNorm", value + read, 1e-12)
        hidden = functional.gelu(_linear(state, f"{block}.intermediate.dense", value))
        value = _norm(
            state, f"{block}.output.LayerNorm", value + _linear(state, f"{block}.output.dense", hidden), 1e-12
        )
    raw = value[:, 0]
    for number in (0, 2, 4, 6, 7):
        raw = _linear(state, f"mlp.layers.{number}", raw)
    return (raw[:, 0] - 0.16717362830052426) / 1.0333394966054072


def copy_tokenizer(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copy(source / name, folder / name)
    return folder


def write_bert_vocabulary(folder: Path) -> int:
    """vocab.txt of a few words and all letters. Returns how many tokens it has."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["a", "red", "blue", "star", "circle", "two", "and", *letters, *("##" + letter for letter in letters)]
    tokens = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
    return len(tokens)
