"""Long texts: refused, cut and reported, or read in windows; their arithmetic, and the CLIP scorer with each."""

import warnings
from pathlib import Path

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_similarity import ClipSimilarityConfig, ClipSimilarityScorer
from redraft.rewards.clip_tower import open_tower
from redraft.rewards.long_texts import averaged, fit_rows, padded

START, END = 98, 99


def row(count: int) -> list[int]:
    return [START, *range(count), END]


@pytest.mark.parametrize("count", [1, 5, 8, 9, 16, 17, 40, 100])
def test_windows_keep_every_token_once_and_are_equally_long(count: int) -> None:
    fitted = fit_rows([row(count)], ["x"], longest=10, policy="windows", reader="it")
    assert [token for part in fitted.rows for token in part[1:-1]] == list(range(count))
    assert all(part[0] == START and part[-1] == END and len(part) <= 10 for part in fitted.rows)
    lengths = [len(part) for part in fitted.rows]
    assert max(lengths) - min(lengths) <= 1
    assert len(lengths) == -(-count // 8)
    assert (fitted.text, fitted.cut) == ((0,) * len(lengths), 0)


@pytest.mark.parametrize("length", [9, 10, 11])
def test_at_the_limit_the_end_token_stays(length: int) -> None:
    """One below, at, and one above the longest row: tokens 76, 77, 78 of a CLIP of 77."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit_rows([row(length - 2)], ["x"], longest=10, policy="truncate", reader="it")
    assert fitted.rows[0] == tuple(row(min(length, 10) - 2))
    assert (fitted.cut, len(caught)) == ((1, 1) if length > 10 else (0, 0))


def test_refusal_names_the_text() -> None:
    with pytest.raises(UsageError, match=r"the text 'much' has 22 tokens, this CLIP reads 10: shorten it, or set"):
        fit_rows([row(3), row(20)], ["few", "much"], longest=10, policy="refuse", reader="this CLIP")


def test_padding_and_averages() -> None:
    identifiers, mask = padded([(1, 2, 3), (4,)], padding=7)
    assert identifiers.tolist() == [[1, 2, 3], [4, 7, 7]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]], requires_grad=True)
    mean = averaged(values, [0, 0, 1], count=2)
    assert mean.tolist() == [[2.0, 3.0], [10.0, 20.0]]
    (gradient,) = torch.autograd.grad(mean.sum(), values)
    assert gradient.tolist() == [[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]]


def test_a_clip_reads_long_texts_in_windows_or_refuses_them(clip_folder: Path) -> None:
    words = ["star", "circle", "red", "blue"] * 9  # 36 words in two windows of 18
    long, halves = Prompt(text=" ".join(words)), [Prompt(text=" ".join(part)) for part in (words[:18], words[18:])]
    tower = open_tower(clip_folder, long_texts="windows")
    both = tower.text_features([long, *halves])
    expected = torch.nn.functional.normalize((both[1] + both[2]) / 2, dim=-1)
    assert torch.allclose(both[0], expected, atol=1e-6)
    assert tower.truncated == 0
    usual = open_tower(clip_folder)
    with pytest.warns(UserWarning, match="1 of 1 texts"):
        assert (usual.text_features([long]) - both[:1]).abs().max() > 1e-3
    assert usual.fingerprint != tower.fingerprint
    assert usual.identity == tower.identity
    context = ModelContext(folder=str(clip_folder))
    refusing = ClipSimilarityScorer.build(ClipSimilarityConfig(long_texts="refuse"), context)
    with pytest.raises(UsageError, match=r"has 38 tokens, this CLIP reads 20"):
        refusing.score(Images(pixels=torch.zeros(1, 3, 64, 64)), [long])
