"""How much pictures are like those that their owner was asked about lately, by embeddings. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redraft.store.gallery import Painting
from redraft.studio.context import Studio

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AskedLately:
    """The pictures that one person was asked about since then, to compare `paintings` of the person with.

    Embeddings are float32, little-endian, of any length above 0; those of another network are not compared.
    """

    def __init__(self, studio: Studio, paintings: Sequence[Painting], *, owner: str, since: float) -> None:
        self._own: dict[str, NDArray[Any]] = {}
        self._asked: dict[str, list[NDArray[Any]]] = {}
        for fingerprint in {_network(painting) for painting in paintings} - {""}:
            earlier = studio.workspace.asks.asked_embeddings(owner, fingerprint=fingerprint, since=since)
            self._asked[fingerprint] = [_vector(data) for data in earlier]
            # One picture and nothing to compare it with needs no vector of its own.
            if earlier or len(paintings) > 1:
                ids = [painting.id for painting in paintings]
                found = studio.workspace.gallery.embeddings(owner, ids, fingerprint=fingerprint)
                self._own |= {id: _vector(data) for id, data in found.items()}

    def likeness(self, painting: Painting) -> float | None:
        """The greatest cosine with a picture asked about; None without an embedding or without such a picture."""
        own = self._own.get(painting.id)
        if own is None:
            return None
        others = [vector for vector in self._asked[_network(painting)] if len(vector) == len(own)]
        return max((float(own @ other) for other in others), default=None)

    def add(self, painting: Painting) -> None:
        """The person was asked about this one too."""
        own = self._own.get(painting.id)
        if own is not None:
            self._asked[_network(painting)].append(own)


def _network(painting: Painting) -> str:
    return painting.fingerprints.get("embedding", "")


def _vector(data: bytes) -> NDArray[Any]:
    """An embedding of length 1."""
    import numpy as np

    vector = np.frombuffer(data, dtype="<f4").astype(np.float64)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
