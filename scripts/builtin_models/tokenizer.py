"""A CLIP tokenizer whose every world word is one token. Free words fall back to letters, so any text can be encoded."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from redraft.world.grammar import MAXIMUM_TOKENS, vocabulary

MAXIMUM_LENGTH = MAXIMUM_TOKENS


def _byte_characters() -> list[str]:
    """The 256 printable stand-ins of bytes that GPT-2 and CLIP use."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def _pieces(word: str, merges: list[tuple[str, str]]) -> list[str]:
    rank = {pair: index for index, pair in enumerate(merges)}
    pieces = [*word[:-1], word[-1] + "</w>"]
    while True:
        pairs = [(rank[pair], place) for place, pair in enumerate(pairwise(pieces)) if pair in rank]
        if not pairs:
            return pieces
        _, place = min(pairs)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]


def build() -> Any:
    """Build the transformers CLIPTokenizer (model_max_length 20)."""
    from transformers import CLIPTokenizer

    merges: list[tuple[str, str]] = []
    for word in vocabulary():
        # New merges rank below all earlier ones, so a word that was one token before stays one.
        pieces = _pieces(word.lower(), merges)
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = _pieces(word.lower(), merges)
    characters = _byte_characters()
    tokens = [*characters, *(character + "</w>" for character in characters)]
    tokens += [first + second for first, second in merges if first + second not in tokens]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary_ids = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
        Path(folder, "vocab.json").write_text(json.dumps(vocabulary_ids))
        Path(folder, "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        return CLIPTokenizer.from_pretrained(folder, model_max_length=MAXIMUM_LENGTH)
