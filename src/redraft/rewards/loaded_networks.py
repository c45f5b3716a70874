"""Networks of transformers from weights that are in memory already. No file is read, no layout is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from redraft.core.errors import UsageError


def network_with(kind: Any, config: Any, weights: Mapping[str, torch.Tensor], *, source: str, **options: bool) -> Any:
    """A network of the class `kind` in float32, frozen, with exactly these weights.

    options: of its constructor. Raises UsageError naming weights that are missing, foreign or of another shape.
    """
    from transformers.utils import logging

    with torch.device("meta"):
        expected = {name: value.shape for name, value in kind(config, **options).state_dict().items()}
    wrong = [name for name, shape in expected.items() if name not in weights or weights[name].shape != shape]
    wrong += [name for name in weights if name not in expected]
    if wrong:
        raise UsageError(
            f"{source}: {', '.join(wrong[:5])} {'are' if len(wrong) > 1 else 'is'} missing or of another shape than "
            "the rest of the file tells: the file is damaged or mixes two models; fetch it again"
        )
    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network = kind.from_pretrained(
            None,
            config=config,
            state_dict={name: value.float().contiguous() for name, value in weights.items()},
            dtype=torch.float32,
            **options,
        )
    finally:
        if bar:
            logging.enable_progress_bar()
    return network.eval().requires_grad_(False)
