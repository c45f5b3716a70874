"""The record of a denoiser's trained weights: LoRA factors, soft tokens or all of them, and the base they belong to.

Not a file format (`models.checkpoints`) and not the weights of text encoders or the autoencoder, which stay frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from redraft.core.errors import UsageError
from redraft.core.tensors import Parameters

GuidanceBank = Literal["positive", "negative", "none"]
"""Which soft tokens the negative text reads."""


@dataclass(frozen=True, kw_only=True)
class DenoiserWeights:
    """Trained weights by name, as `TrainableBackbone.trainable` names them.

    kind "lora": factors A (rank, in) and B (out, rank) of layers that match `targets`; a layer adds
    alpha / rank * B A to its weight. kind "full": every weight of the denoiser; rank, alpha and targets are empty.
    kind "tokens": banks and time table of soft tokens, read by the blocks `targets`; negative texts read those of
    `guidance_bank`; rank and alpha are empty.
    base: name of the pipeline; base_fingerprint: hash of its denoiser's files, which decides whether weights fit.
    """

    kind: Literal["lora", "full", "tokens"]
    parameters: Parameters
    base: str
    base_fingerprint: str
    rank: int = 0
    alpha: float = 0.0
    targets: tuple[str, ...] = ()
    guidance_bank: GuidanceBank = "positive"

    def require_base(self, base: str, fingerprint: str) -> None:
        """Raise UsageError, naming both bases, unless the weights were trained on the base of that fingerprint."""
        if self.base_fingerprint != fingerprint:
            raise UsageError(
                f"these weights were trained on the base {self.base!r} ({self.base_fingerprint}) and do not fit "
                f"{base!r} ({fingerprint}): open the base they were trained on, or train new ones"
            )
