"""The options of the training loop. Apart from `fit` so that reading a configuration never imports torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from redraft.core.config import Config


class OldPolicy(Config):
    """How the `old` weights follow the trained ones (the policy that painted the examples, in DiffusionNFT).

    When they follow, old <- d * old + (1 - d) * trained with d = min(slope * max(0, step - flat), maximum). The
    default, d = 0 at every round, copies. DiffusionNFT's type 1 is slope 0.001, maximum 0.5; its type 2 is flat 75,
    slope 0.0075, maximum 0.999.
    """

    follows: Literal["never", "round", "step"] = "round"
    ramp: bool = Field(default=False, description="d at most step / (9 + step), as averages of weights usually begin")
    slope: float = Field(default=0.0, ge=0)
    flat: int = Field(default=0, ge=0, description="steps with d = 0")
    maximum: float = Field(default=0.0, ge=0, le=1)

    def decay(self, step: int) -> float:
        """The share of the old weights that stays when they follow after optimizer step `step` (counted from 1)."""
        highest = min(self.maximum, step / (9 + step)) if self.ramp else self.maximum
        return min(self.slope * max(0, step - self.flat), highest)


class FitConfig(Config):
    """Options of `fit`. `steps` counts the optimizer steps of one round."""

    steps: int = Field(default=100, ge=1, description="optimizer steps a round")
    batch_size: int = Field(default=16, ge=1, description="examples an optimizer step")
    micro_batch: int | None = Field(default=None, ge=1, description="examples a backward pass; None: the whole batch")
    learning_rate: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-4, ge=0)
    gradient_clip: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient; None: no limit")
    warmup: int = Field(default=0, ge=0, description="steps of linear growth of the learning rate")
    ema_decay: float = Field(default=0.99, ge=0, lt=1, description="of the averaged weights; 0: no averaging")
    save_every: int = Field(default=0, ge=0, description="steps between saved states; 0: none")
    old_policy: OldPolicy = OldPolicy()
    fresh_optimizer: bool = Field(default=False, description="begin every round without the last one's moments")
    autocast: Literal["none", "bfloat16"] = "none"

    @model_validator(mode="after")
    def _betas_below_one(self) -> FitConfig:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas={self.betas}: both must be in [0, 1); (0.9, 0.999) is usual")
        return self

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of the optimizer step that follows `step` finished ones."""
        return self.learning_rate * (min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0)

    def ema_decay_at(self, step: int) -> float:
        """The decay after the optimizer step that follows `step` finished ones: min(ema_decay, (1+k)/(10+k))."""
        return min(self.ema_decay, (1 + step) / (10 + step))
