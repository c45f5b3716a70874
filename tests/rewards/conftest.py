"""A tiny random CLIP of the built-in one's shape, saved as a folder; pictures and prompts of the picture world."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.world import draw_prompts, parse, render, vocabulary

LONGEST = 20


def save_tiny_clip(folder: Path, *, seed: int, projection: int = 64) -> Path:
    """A CLIPModel with its tokenizer and preprocessing: 64 pixels in patches of 8, every world word a few tokens."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder.mkdir(parents=True)
    characters = [chr(code) for code in range(33, 127)]
    tokens = [*characters, *(character + "</w>" for character in characters)]
    merges = []
    for word in vocabulary():
        pieces = [*word[:-1].lower(), word[-1].lower() + "</w>"]
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces[:2] = [pieces[0] + pieces[1]]
            tokens.append(pieces[0])
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    lines = dict.fromkeys(f"{first} {second}" for first, second in merges)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n")
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=LONGEST)
    width, count = 96, len(tokenizer)
    shared = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": 6,
        "projection_dim": projection,
    }
    words = {"vocab_size": count, "max_position_embeddings": LONGEST, "num_hidden_layers": 2}
    ends = {"bos_token_id": count - 2, "eos_token_id": count - 1, "pad_token_id": count - 1}
    vision = {"image_size": 64, "patch_size": 8, "num_hidden_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # Wider first weights than usual: an untrained CLIP must tell pictures apart for the tests to mean something.
        model = CLIPModel(
            CLIPConfig(
                text_config={**shared, **words, **ends, "initializer_range": 0.1},
                vision_config={**shared, **vision, "initializer_range": 0.1},
                projection_dim=projection,
            )
        )
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clips") / "tiny", seed=0)


@pytest.fixture(scope="session")
def other_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clips") / "other", seed=1)


@pytest.fixture
def tower(clip_folder: Path) -> ClipTower:
    return open_tower(clip_folder)


@pytest.fixture(scope="session")
def world() -> tuple[Images, tuple[Prompt, ...]]:
    """96 renders of 96 prompts."""
    rng = np.random.default_rng(5)
    prompts = draw_prompts(rng, 96)
    pictures: list[Any] = [render(parse(prompt.text), rng) for prompt in prompts]
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return Images(pixels=pixels), prompts
