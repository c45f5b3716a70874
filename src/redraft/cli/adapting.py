"""The options --lora-scale, --mix, --lora-start and --lora-stop: what they mean together. Computes nothing itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.loop.adapting import AdaptedSteps
    from redraft.models.backbone import PipelineBackbone
    from redraft.store.workspace import Workspace

Scale = Annotated[float, typer.Option("--lora-scale", help="Strength of the checkpoint's LoRA: 0 is the base, 1 all.")]
Mix = Annotated[
    list[str] | None, typer.Option("--mix", help="CHECKPOINT=WEIGHT, a LoRA added to the checkpoint's; repeatable.")
]
Start = Annotated[int | None, typer.Option("--lora-start", min=0, help="The LoRA acts in the last N steps only.")]
Stop = Annotated[int | None, typer.Option("--lora-stop", min=0, help="The LoRA acts in the first N steps only.")]


@dataclass(frozen=True, kw_only=True)
class AdapterUse:
    """How trained weights are used: the checkpoint's at `scale`, others added, in some of the sampling steps."""

    scale: float
    mix: tuple[tuple[str, float], ...]
    steps: AdaptedSteps | None

    @property
    def plain(self) -> bool:
        """Whether the checkpoint is used as it is."""
        return self.scale == 1 and not self.mix

    def load(self, backbone: PipelineBackbone, workspace: Workspace, *, checkpoint: str) -> str:
        """Put the weights into the backbone; the id `checkpoint` may be "", the base. Returns what to call them.

        Raises UnknownNameError for a checkpoint of --mix that is not there, UsageError for weights that are no LoRA or
        of another base, and for a scale of the base.
        """
        from redraft.loop.adapting import mixed
        from redraft.models.checkpoints import decode

        parts = [(checkpoint, self.scale)] if checkpoint else []
        if not checkpoint and self.scale != 1:
            raise UsageError(
                f"--lora-scale {self.scale:g} with the base {backbone.base!r}, which has no LoRA: name one with "
                "--checkpoint (see `redraft models list`)"
            )
        parts += [(workspace.checkpoints.get(name).id, weight) for name, weight in self.mix]
        if not parts:
            return backbone.base
        backbone.load_weights(mixed([(decode(workspace.checkpoints.read(found)), weight) for found, weight in parts]))
        named = [found[:12] if self.plain else f"{weight:g} x {found[:12]}" for found, weight in parts]
        return " + ".join(named)


def adapter_use(
    *, scale: float, mix: Sequence[str], start: int | None, stop: int | None, enhance: str | None = None
) -> AdapterUse:
    """What the options mean. Raises UsageError for ones that do not fit together, or are no numbers."""
    if not math.isfinite(scale):
        raise UsageError(f"--lora-scale {scale}: must be finite; 0 is the base, 1 the LoRA as it was trained")
    if start is not None and stop is not None:
        raise UsageError(f"--lora-start {start} with --lora-stop {stop}: the last steps or the first ones; give one")
    if enhance is not None and (start is not None or stop is not None):
        raise UsageError(
            f"--enhance {enhance} with --lora-{'start' if stop is None else 'stop'}: methods at inference paint with "
            "one set of weights in all steps; leave one of the two out"
        )
    return AdapterUse(scale=scale, mix=tuple(map(_part, mix)), steps=_steps(start, stop))


def _steps(start: int | None, stop: int | None) -> AdaptedSteps | None:
    if start is None and stop is None:
        return None
    from redraft.loop.adapting import AdaptedSteps

    return AdaptedSteps(count=start if start is not None else stop or 0, side="first" if start is None else "last")


def _part(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not name.strip() or not math.isfinite(value):
        raise UsageError(f"--mix {text}: write CHECKPOINT=WEIGHT with a finite weight, for example --mix 3f2a91c0=0.5")
    return name.strip(), value
