"""Which checkpoints the engine process holds, and which is served. Loads nothing: it says what to load and drop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection


class Shelf:
    """live: the checkpoint that the name champion stands for. refused: why a checkpoint could not be loaded."""

    def __init__(self, *, most: int) -> None:
        self.most = most
        self.live = ""
        self.refused: dict[str, str] = {}
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._loading: set[str] = set()

    def __contains__(self, checkpoint: str) -> bool:
        return checkpoint in self._loaded

    @property
    def loaded(self) -> tuple[str, ...]:
        """What is loaded, the least recently used first."""
        return tuple(self._loaded)

    def restarted(self, checkpoint: str) -> None:
        """The process is new: it holds this checkpoint alone, which is live."""
        self.live = checkpoint
        self.refused.clear()
        self._loading.clear()
        self._loaded = OrderedDict({checkpoint: None})

    def gone(self) -> None:
        """The process is gone, and all it held."""
        self._loading.clear()
        self._loaded.clear()

    def want(self, checkpoint: str) -> bool:
        """Whether the process must now be told to load it; it is used at any rate."""
        if checkpoint in self._loaded:
            self._loaded.move_to_end(checkpoint)
            return False
        if checkpoint in self._loading:
            return False
        self._loading.add(checkpoint)
        self.refused.pop(checkpoint, None)
        return True

    def arrived(self, checkpoint: str) -> None:
        """It was loaded."""
        self._loading.discard(checkpoint)
        self._loaded[checkpoint] = None

    def failed(self, checkpoint: str, message: str) -> None:
        """It could not be loaded."""
        self._loading.discard(checkpoint)
        self.refused[checkpoint] = message

    def drop(self, needed: Collection[str]) -> list[str]:
        """Take off, and name, what is too much: the least recently used, never the live one or those `needed`."""
        spare = [checkpoint for checkpoint in self._loaded if checkpoint != self.live and checkpoint not in needed]
        dropped = spare[: max(0, len(self._loaded) - self.most)]
        for checkpoint in dropped:
            del self._loaded[checkpoint]
        return dropped
