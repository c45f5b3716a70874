"""The training corpus: renders of the picture world with captions that are sometimes wrong, as scraped captions are.

Half of the requests follow Zipf's law, half are balanced, so that common prompts are learned well and the tail badly.
A fifth of the captions has one error (a wrong colour, shape, count or relation, a dropped object or style).
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redraft.world.corrupt import corrupt_request
from redraft.world.draws import draw_request
from redraft.world.grammar import text_of
from redraft.world.render import render

ZIPF_SHARE = 0.5
WRONG_CAPTION_SHARE = 0.2
PHOTO_SHARE = 0.2
CHUNK = 1000


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Pictures N,64,64,3 uint8 (memory-mapped), their captions, and the true texts of what was drawn."""

    pictures: NDArray[np.uint8]
    captions: tuple[str, ...]
    true_texts: tuple[str, ...]


def _chunk(seed: int, index: int, uniform: bool) -> tuple[NDArray[np.uint8], list[tuple[str, str]]]:
    rng = np.random.default_rng((seed, index))
    pictures = np.empty((CHUNK, 64, 64, 3), dtype=np.uint8)
    texts = []
    for row in range(CHUNK):
        zipf = not uniform and rng.random() < ZIPF_SHARE
        # Balanced draws know the six tasks only; a few tail pictures keep styles, labels and scenes alive.
        task = ("style", "label", "scene")[rng.integers(3)] if rng.random() < 0.06 else None
        request = draw_request(rng, task=task, weights="zipf" if zipf else "uniform")
        pictures[row] = render(request, rng)
        described = corrupt_request(request, rng) if not uniform and rng.random() < WRONG_CAPTION_SHARE else request
        photo = bool(rng.random() < PHOTO_SHARE)
        texts.append((text_of(described, photo=photo), text_of(request, photo=photo)))
    return pictures, texts


def build(folder: Path, *, count: int, seed: int, uniform: bool = False) -> None:
    """Render `count` pictures (a multiple of 1,000) into `folder`. `uniform`: balanced tasks and true captions only."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = count // CHUNK
    pictures = np.lib.format.open_memmap(
        folder / "pictures.partial.npy", mode="w+", dtype=np.uint8, shape=(chunks * CHUNK, 64, 64, 3)
    )
    texts: list[tuple[str, str]] = []
    with ProcessPoolExecutor(2) as pool:
        for index, (block, block_texts) in enumerate(
            pool.map(_chunk, [seed] * chunks, range(chunks), [uniform] * chunks)
        ):
            pictures[index * CHUNK : (index + 1) * CHUNK] = block
            texts.extend(block_texts)
    pictures.flush()
    (folder / "texts.json").write_text(json.dumps(texts))
    (folder / "pictures.partial.npy").rename(folder / "pictures.npy")


def load(folder: Path) -> Corpus:
    """Open a corpus built before."""
    texts = json.loads((folder / "texts.json").read_text())
    return Corpus(
        pictures=np.load(folder / "pictures.npy", mmap_mode="r"),
        captions=tuple(caption for caption, _ in texts),
        true_texts=tuple(true for _, true in texts),
    )
