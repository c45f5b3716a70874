"""Tokenizers from folders, without a network: CLIP's in three forms, and BERT's. They hold no weights."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from redraft.core.errors import DamagedError, UsageError

OPENAI_MERGES = "bpe_simple_vocab_16e6.txt.gz"
"""The file that OpenAI's clip, open_clip and hpsv2 read their vocabulary from."""
_OPENAI_MERGES_READ = 49_152 - 256 - 2
_CLIP_FILES = ("tokenizer.json", "vocab.json", OPENAI_MERGES)
_BERT_FILES = ("tokenizer.json", "vocab.txt")


def has_clip_vocabulary(folder: Path) -> bool:
    """Whether `read_clip_tokenizer` finds files that it reads."""
    return any((folder / name).is_file() for name in _CLIP_FILES)


def read_clip_tokenizer(folder: Path) -> Any:
    """A CLIPTokenizer from tokenizer.json, from vocab.json with merges.txt, or from OPENAI_MERGES.

    Raises UsageError when none is there, DamagedError when it cannot be read.
    """
    from transformers import CLIPTokenizer

    if not has_clip_vocabulary(folder):
        raise UsageError(
            f"folder {str(folder)!r} has no vocabulary ({', '.join(_CLIP_FILES)}): copy the tokenizer files of the "
            "CLIP there, or name the folder that has them as `vocabulary` in the scorer's table"
        )
    try:
        if (folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file():
            return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        return _from_openai_merges(folder / OPENAI_MERGES)
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise DamagedError(_unreadable("CLIP", folder, error)) from error


def read_bert_tokenizer(folder: Path) -> Any:
    """A BertTokenizer (lower case) from tokenizer.json or vocab.txt. Raises UsageError, DamagedError as above."""
    from transformers import BertTokenizer

    if not any((folder / name).is_file() for name in _BERT_FILES):
        raise UsageError(
            f"folder {str(folder)!r} has no vocabulary ({', '.join(_BERT_FILES)}): copy the tokenizer files of "
            "bert-base-uncased there, or name the folder that has them as `vocabulary` in the scorer's table"
        )
    try:
        return BertTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as above
        raise DamagedError(_unreadable("BERT", folder, error)) from error


def _unreadable(kind: str, folder: Path, error: Exception) -> str:
    return (
        f"the {kind} vocabulary in {str(folder)!r} cannot be read ({type(error).__name__}: {str(error)[:200]}): fetch "
        "its files again"
    )


def _from_openai_merges(file: Path) -> Any:
    """Tokens in OpenAI's order: 256 bytes, the same at the end of a word, one for each merge, start and end."""
    from transformers import CLIPTokenizer

    lines = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")
    merges = [line for line in lines[1 : 1 + _OPENAI_MERGES_READ] if line]
    if not merges or any(len(line.split()) != 2 for line in merges):
        raise ValueError("its lines are no merges of two tokens")
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(line.split()) for line in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "vocab.json"
        vocabulary.write_text(json.dumps({token: index for index, token in enumerate(tokens)}), encoding="utf-8")
        (Path(folder) / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, model_max_length=77)


def _byte_letters() -> list[str]:
    """One printable letter for each byte, printable bytes first, as byte-level BPE (GPT-2) writes them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]
