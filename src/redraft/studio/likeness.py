"""How much a picture is like those that its owner was asked about lately, by embeddings. Decides nothing."""

from __future__ import annotations

from redraft.store.gallery import Painting
from redraft.studio.context import Studio


def greatest_likeness(studio: Studio, painting: Painting, *, since: float) -> float | None:
    """The greatest cosine with a picture asked about since then; None without an embedding or without such a picture.

    Embeddings are float32, little-endian, of any length above 0; those of another network are not compared.
    """
    fingerprint = painting.fingerprints.get("embedding")
    if fingerprint is None:
        return None
    workspace, owner = studio.workspace, painting.owner
    earlier = workspace.asks.asked_embeddings(owner, fingerprint=fingerprint, since=since)
    if not earlier:
        return None
    own = workspace.gallery.embeddings(owner, [painting.id], fingerprint=fingerprint).get(painting.id)
    if own is None:
        return None
    import numpy as np

    vector = np.frombuffer(own, dtype="<f4")
    others = np.stack([np.frombuffer(data, dtype="<f4") for data in earlier if len(data) == len(own)])
    sizes = np.linalg.norm(others, axis=1) * np.linalg.norm(vector)
    return float(np.max(others @ vector / np.maximum(sizes, 1e-12)))
