"""How long networks themselves ran, forward and backward, measured by hooks on them. For the CPU only.

Forward: between a network's forward pre-hook and its forward hook.
Backward: autograd on a CPU runs node after node, latest call first. A network's backward pass begins when the gradient
of one of its outputs is there and ends when that of an input is; a network whose inputs need no gradient (the denoiser
of the one differentiated step) ends with the last gradient that one of its weights receives. When two calls follow each
other in the backward pass without an end between them, what lies between is counted to the network: for the two
denoiser calls of DRaFT-LV these are a few operations on latents, some 0.1 ms.

On a GPU, calls return before the work is done, so these times would mean nothing there. A network that is run again
within the backward pass (checkpointing) would not be seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch


class NetworkClock:
    """Adds up the seconds of the networks it watches. `calls` counts forwards, `backwards` gradients that came in."""

    def __init__(self) -> None:
        self.seconds, self.calls, self.backwards = 0.0, 0, 0
        self._forward_since = 0.0
        self._backward_since: float | None = None
        self._handles: list[Any] = []

    def watch(self, network: torch.nn.Module, *, weights: Iterable[torch.nn.Parameter] = ()) -> None:
        """Count this network's time; `weights` are those of it that are trained."""
        self._handles += [
            network.register_forward_pre_hook(self._forward_begins),
            network.register_forward_hook(self._forward_ends, with_kwargs=True),
            *(
                weight.register_post_accumulate_grad_hook(self._weight_done)  # type: ignore[no-untyped-call]
                for weight in weights
            ),
        ]

    def reset(self) -> None:
        """Start again from zero."""
        self.seconds, self.calls, self.backwards, self._backward_since = 0.0, 0, 0, None

    def remove(self) -> None:
        """Take all hooks off."""
        while self._handles:
            self._handles.pop().remove()

    def _forward_begins(self, *_: object) -> None:
        # What came after the last gradient of a weight was no network: the optimizer, the next step's noise.
        self._backward_since = None
        self._forward_since = time.perf_counter()

    def _forward_ends(self, _: torch.nn.Module, inputs: Any, keywords: Any, output: Any) -> None:
        self.seconds += time.perf_counter() - self._forward_since
        self.calls += 1
        if not torch.is_grad_enabled():
            return
        given = [value for value in _tensors((inputs, keywords)) if value.requires_grad]
        for value in _tensors(output):
            if value.requires_grad:
                value.register_hook(self._backward_begins)  # type: ignore[no-untyped-call]
        for value in given:
            value.register_hook(self._backward_ends)  # type: ignore[no-untyped-call]

    def _backward_begins(self, _: torch.Tensor) -> None:
        self._count()
        self.backwards += 1
        self._backward_since = time.perf_counter()

    def _backward_ends(self, _: torch.Tensor) -> None:
        self._count()
        self._backward_since = None

    def _weight_done(self, _: torch.Tensor) -> None:
        if self._backward_since is not None:
            self._count()
            self._backward_since = time.perf_counter()

    def _count(self) -> None:
        if self._backward_since is not None:
            self.seconds += time.perf_counter() - self._backward_since


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
