"""How trained weights are used while painting: at which strength, mixed with which others, in which sampling steps.

Not the arithmetic of adapters, which is `models.lora`. All three cost no training (DRaFT, 2309.17400, section 4.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from redraft.core.errors import UsageError
from redraft.core.tensors import Parameters
from redraft.diffusion.sample import ParametersAt

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone
    from redraft.models.weights import DenoiserWeights

Side = Literal["last", "first"]


@dataclass(frozen=True, kw_only=True)
class AdaptedSteps:
    """The trained weights act in the `count` last (or first) sampling steps, those of the base in the others.

    `last` is DRaFT's LoRA start step, `first` its mirror. 0 is the base, all steps are the trained weights.
    """

    count: int
    side: Side = "last"

    def parameters_at(
        self, backbone: PipelineBackbone, *, steps: int, parameters: Parameters | None = None
    ) -> ParametersAt:
        """Weights by step, for `diffusion.sample`. `parameters` None: the backbone's own are the trained ones.

        Raises UsageError for a count outside 0..steps, or a backbone without trained weights.
        """
        from redraft.models.lora import adapted_first, adapted_last

        base = backbone.reference()
        if not base:
            raise UsageError(
                f"{self.count} adapted steps with the base {backbone.base!r}: there are no trained weights that could "
                "begin or stop; name a checkpoint"
            )
        chosen = adapted_last if self.side == "last" else adapted_first
        return chosen(steps, self.count, base=base, adapted=parameters)


def mixed(parts: Sequence[tuple[DenoiserWeights, float]]) -> DenoiserWeights:
    """One set of weights: W0 + the sum of scale * change over `parts`. A single part at scale 1 is itself, of any kind.

    Raises UsageError for no parts, for weights that are no LoRA, and for LoRAs of different bases; warns for a scale
    outside [0, 1].
    """
    if len(parts) == 1 and parts[0][1] == 1:
        return parts[0][0]
    from redraft.models.lora import mix

    return mix(parts)
