"""Choosing few prompts that cover many: geometry known in closed form, then real embeddings and a real tiny CLIP."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.prompts.corpora import read_prompts
from redraft.prompts.diversity import choose_diverse, embed_by_clip, embed_by_words

KEY = Key(seed=0)
BUILTIN_CLIP = Path(__file__).resolve().parents[2] / "src" / "redraft" / "builtin" / "clip"


def blobs(sizes: tuple[int, ...]) -> np.ndarray:
    """Groups on the corners of a wide polygon; the first row of each lies on the mean of its group exactly."""
    generator = np.random.default_rng(3)
    rows = []
    for number, size in enumerate(sizes):
        angle = 2 * math.pi * number / len(sizes)
        centre = 100 * np.array([math.cos(angle), math.sin(angle)])
        half = generator.normal(size=(size // 2, 2))
        rows += [centre[None], centre + half, centre - half]
    return np.concatenate(rows)


def test_one_of_each_group_is_the_one_on_its_centre() -> None:
    sizes = (20, 4, 60, 10, 2)
    rows = blobs(sizes)
    starts = np.cumsum([0] + [size + 1 for size in sizes])[:-1]
    chosen = choose_diverse(rows, count=5, key=KEY)
    assert chosen.indices == tuple(int(start) for start in starts)
    assert chosen.groups == (0, 1, 2, 3, 4)
    # Means of symmetric groups, up to rounding of coordinates near 100.
    assert max(chosen.distances) < 1e-10


def test_groups_give_in_turn_and_small_ones_give_all() -> None:
    sizes = (40, 2, 40)
    chosen = choose_diverse(blobs(sizes), count=12, groups=3, key=KEY)
    assert len(chosen.indices) == 12
    assert np.bincount(chosen.groups).tolist() in ([5, 3, 4], [4, 3, 5])
    # Within a group nobody nearer to the centre was left out.
    rows = blobs(sizes)
    for group, members in ((0, range(41)), (2, range(44, 85))):
        centre = rows[list(members)].mean(axis=0)
        nearest = sorted(members, key=lambda index, centre=centre: np.linalg.norm(rows[index] - centre))
        taken = [index for index, own in zip(chosen.indices, chosen.groups, strict=True) if own == group]
        assert set(taken) == set(nearest[: len(taken)])


def test_every_row_when_as_many_are_wanted_as_there_are() -> None:
    rows = blobs((4, 4))
    assert choose_diverse(rows, count=10, key=KEY).indices == tuple(range(10))
    assert choose_diverse(rows, count=99, key=KEY).indices == tuple(range(10))
    assert choose_diverse(np.zeros((0, 3)), count=2, key=KEY).indices == ()


def test_equal_rows_fill_one_group() -> None:
    rows = np.repeat(np.eye(2), 5, axis=0)
    chosen = choose_diverse(rows, count=4, key=KEY)
    # Two different rows make two groups; of equals the first are taken.
    assert chosen.indices == (0, 1, 5, 6)


def test_the_same_key_chooses_the_same_and_so_does_a_rotated_space() -> None:
    rows = np.random.default_rng(5).normal(size=(300, 4))
    first = choose_diverse(rows, count=20, key=KEY)
    assert choose_diverse(rows, count=20, key=KEY) == first
    assert choose_diverse(rows, count=20, key=Key(seed=1)).indices != first.indices
    separate = blobs((10, 10, 10))
    turned = separate @ np.array([[0.6, -0.8], [0.8, 0.6]])
    assert choose_diverse(turned, count=3, key=KEY).indices == choose_diverse(separate, count=3, key=KEY).indices


def test_it_covers_better_than_chance(test_data: Path) -> None:
    """On real prompts: the mean distance of all to the nearest chosen one, against twenty random choices."""
    texts = [prompt.text for prompt in read_prompts(test_data / "partiprompts" / "PartiPrompts.tsv")][:800]
    rows = embed_by_words(texts, key=KEY)
    assert rows.shape == (800, 128)

    def reach(indices: tuple[int, ...]) -> float:
        return float(np.linalg.norm(rows[:, None] - rows[list(indices)][None], axis=-1).min(axis=1).mean())

    generator = np.random.default_rng(0)
    chance = [reach(tuple(generator.choice(800, 40, replace=False))) for _ in range(20)]
    assert reach(choose_diverse(rows, count=40, key=KEY).indices) < min(chance)


def test_words_in_closed_form() -> None:
    rows = embed_by_words(["A cat!", "a CAT", "a dog", "?"], key=KEY)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert np.allclose(rows[0], rows[1])
    # scikit-learn's idf, ln((1 + n) / (1 + df)) + 1, of four texts: "a" stands in three, "cat" in two, "dog" in one.
    a, cat, dog = (math.log(5 / (1 + count)) + 1 for count in (3, 2, 1))
    assert rows[0] @ rows[2] == pytest.approx(a * a / math.hypot(a, cat) / math.hypot(a, dog))
    assert rows[0] @ rows[3] == 0


def test_many_words_are_brought_down_to_the_dimension() -> None:
    texts = [f"word{number} word{number + 1} word{number % 7}" for number in range(60)]
    rows = embed_by_words(texts, key=KEY, dimension=16)
    assert rows.shape == (60, 16)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert np.array_equal(rows, embed_by_words(texts, key=KEY, dimension=16))


@pytest.mark.slow
def test_a_real_clip_groups_what_means_the_same() -> None:
    texts = ["a red star", "a photo of a red star", "a blue circle", "a photo of a blue circle"]
    rows = embed_by_clip(texts, folder=BUILTIN_CLIP)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    # Alone or in a batch padded to the longest, a text has the same features.
    assert np.allclose(embed_by_clip(texts[:1], folder=BUILTIN_CLIP)[0], rows[0], atol=1e-5)
    chosen = choose_diverse(rows, count=2, key=KEY)
    assert {index // 2 for index in chosen.indices} == {0, 1}
    # Longer than any CLIP reads: cut, not refused.
    assert embed_by_clip(["a red star " * 100], folder=BUILTIN_CLIP).shape == rows[:1].shape


def test_a_folder_without_a_clip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no CLIP that can be read"):
        embed_by_clip(["a cat"], folder=tmp_path)


@pytest.mark.parametrize(
    ("rows", "count", "groups", "message"),
    [
        (np.zeros((3, 2)), 0, None, "count=0, groups=None: at least one prompt and one group"),
        (np.zeros((3, 2)), 1, 0, "count=1, groups=0"),
        (np.zeros(3), 1, None, r"embeddings of shape \(3,\): one row of numbers for each text"),
    ],
)
def test_what_cannot_be_chosen_from(rows: np.ndarray, count: int, groups: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_diverse(rows, count=count, groups=groups, key=KEY)


def test_numbers_that_are_none() -> None:
    with pytest.raises(NumericsError, match="holds NaN or infinity"):
        choose_diverse(np.array([[0.0, math.nan]]), count=1, key=KEY)
