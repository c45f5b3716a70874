"""Many prompts to few that cover them: K-means on text embeddings, those nearest to the centres stay.

As in RSIDiff (arXiv 2502.09963, section 3.2: K-means, "prompts that are closest to the cluster centers are selected").
The number of groups is not published. Embeddings are given as an array, or made here: from a CLIP folder, or as TF-IDF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.prompts.wording import normalised

MOST_GROUPS = 500
DIMENSION = 128
TEXTS_AT_ONCE = 256

Embed = Callable[[Sequence[str]], Any]
"""Texts to an array N x D."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Numbers of the chosen texts in their order, the group of each, and its distance from that group's centre."""

    indices: tuple[int, ...]
    groups: tuple[int, ...]
    distances: tuple[float, ...]


def choose_diverse(embeddings: Any, *, count: int, key: Key, groups: int | None = None) -> Chosen:
    """At most `count` rows of an array N x D, chosen evenly over `groups` clusters, the nearest to each centre first.

    groups: by default `count`, so that each group gives one, but at most 500: with more wanted, each group gives its
    nearest, then its second nearest, and so on; in the last turn the nearest ones of all groups. Groups are numbered by
    the first row in them. The same rows and key choose the same (on several threads: up to rounding of the centres).

    Raises ConfigError for a count or groups below 1 or no array of two dimensions, NumericsError for NaN or infinity.
    """
    import numpy as np

    rows = np.asarray(embeddings, dtype=np.float64)
    if count < 1 or (groups is not None and groups < 1):
        raise ConfigError(f"count={count}, groups={groups}: at least one prompt and one group are needed")
    if rows.ndim != 2:
        raise ConfigError(f"embeddings of shape {rows.shape}: one row of numbers for each text is needed, N x D")
    if not np.isfinite(rows).all():
        raise NumericsError("an embedding holds NaN or infinity: prompts cannot be grouped by it; mend the encoder")
    if not len(rows):
        return Chosen(indices=(), groups=(), distances=())
    labels, distances = _clusters(rows, groups or min(count, MOST_GROUPS), key=key)
    order = np.lexsort((np.arange(len(rows)), distances, labels))
    first_of_group = np.searchsorted(labels[order], labels[order])
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - first_of_group
    best = np.lexsort((np.arange(len(rows)), distances, rank))[:count]
    indices = sorted(int(index) for index in best)
    return Chosen(
        indices=tuple(indices),
        groups=tuple(int(labels[index]) for index in indices),
        distances=tuple(float(distances[index]) for index in indices),
    )


def _clusters(rows: Any, groups: int, *, key: Key) -> tuple[Any, Any]:
    """Group of each row, numbered by first appearance, and distance from its centre."""
    import numpy as np
    from sklearn.cluster import KMeans

    # As many groups as different rows at most: K-means cannot fill more.
    groups = min(groups, len(np.unique(rows, axis=0)))
    model = KMeans(n_clusters=groups, n_init=3, random_state=key.child("groups").entropy % 2**32).fit(rows)
    distances = np.linalg.norm(rows - model.cluster_centers_[model.labels_], axis=1)
    _, first, inverse = np.unique(model.labels_, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse], distances


def embed_by_words(texts: Sequence[str], *, key: Key, dimension: int = DIMENSION) -> Any:
    """TF-IDF of the words, rows of length 1; with more words than `dimension`, brought down by truncated SVD.

    Needs no model, and knows no meaning: "kitten" is as far from "cat" as from "car". N x D, float64.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    if not texts:
        raise UsageError("no text to embed: give at least one prompt")
    counted = TfidfVectorizer(analyzer=_split, sublinear_tf=True).fit_transform(texts)
    if counted.shape[1] <= dimension or counted.shape[0] <= dimension:
        return counted.toarray()
    reduced = TruncatedSVD(dimension, random_state=key.child("words").entropy % 2**32).fit_transform(counted)
    return normalize(reduced)


def embed_by_clip(texts: Sequence[str], *, folder: Path, device: str = "cpu") -> Any:
    """Text features of a CLIPModel folder, rows of length 1: N x D, float32. Longer texts are cut to what CLIP reads.

    Raises UsageError when the folder holds no CLIP.
    """
    import numpy as np
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    try:
        model = CLIPTextModelWithProjection.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{str(folder)!r} holds no CLIP that can be read ({error}): give a folder with config.json, weights and "
            "tokenizer of a CLIPModel"
        ) from error
    model = model.to(device)
    longest = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings))
    rows: list[Any] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        tokens = tokenizer(
            list(texts[start : start + TEXTS_AT_ONCE]),
            padding=True, truncation=True, max_length=longest, return_tensors="pt",
        )  # fmt: skip
        inputs = {name: tokens[name].to(device) for name in ("input_ids", "attention_mask")}
        rows.append(model(**inputs).text_embeds.float().cpu().numpy())
    features = np.concatenate(rows)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _split(text: str) -> list[str]:
    return normalised(text).split()
