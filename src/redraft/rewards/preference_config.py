"""How a preference model is fitted, as configuration. Light: no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from redraft.core.config import Config


class PreferenceFitConfig(Config):
    """How a CLIP is tuned to choices. The defaults suit some thousand choices on the built-in CLIP, where they had the
    least loss on held-out prompts of the settings tried: the fewer image layers learn, the better for unseen models.

    HPS v2's own for ViT-H/14: image_layers 20, text_layers 11, learning_rate 3.3e-6, weight_decay 0.35, batch 128,
    warmup 500.
    """

    image_layers: int = Field(
        default=0, ge=-1, description="last image layers that are trained; 0: only the projection behind them; -1: none"
    )
    text_layers: int = Field(default=1, ge=-1, description="last text layers that are trained, likewise")
    ties: Literal["none", "rao-kupper", "davidson"] = Field(default="davidson", description="model of ties")
    weighting: Literal["pair", "prompt"] = Field(
        default="pair", description="what counts alike: every pair, or every prompt (PickScore)"
    )
    point_weight: float = Field(default=1.0, ge=0, description="weight of single ratings beside pairs")
    contrast: float = Field(default=0.0, ge=0, description="weight of CLIP's own loss on the pictures people chose")
    spoiled: float = Field(
        default=0.6, ge=0, description="weight of ranking pictures above themselves under noise, which nobody compares"
    )
    epochs: int = Field(default=12, ge=1, description="passes over all rows")
    batch: int = Field(default=64, ge=1, description="rows a step, those of one prompt together")
    learning_rate: float = Field(default=1e-3, gt=0, description="of AdamW, after the warm-up; then a cosine to 0")
    warmup: int = Field(default=20, ge=0, description="steps of linear growth of the learning rate")
    weight_decay: float = Field(default=0.05, ge=0, description="not on biases, norms and the scale")
    anchor: float = Field(
        default=12.0, ge=0, description="pull of all weights but the scale to where they began, times the learning rate"
    )
    jitter: float = Field(default=0.0, ge=0, lt=1, description="light augmentation: brightness and noise, in 0..1")
    shift: float = Field(default=0.0, ge=0, le=0.25, description="light augmentation: moved by this share of the side")
    mirror: bool = Field(default=False, description="light augmentation: left and right exchanged, half of the time")
    sided: tuple[str, ...] = Field(
        default=("left", "right", "text", "word", "letter", "letters", "sign", "label", "labelled", "labeled", "reads"),
        description="words of prompts whose pictures are never mirrored",
    )
    average: float = Field(
        default=0.9, ge=0, lt=1, description="decay of the averaged weights, which are kept; 0: none"
    )
    holdout: float = Field(default=0.15, gt=0, lt=1, description="share of prompts held out by hash")
    patience: int = Field(default=6, ge=1, description="passes in a row of which none is kept before stopping")

    @model_validator(mode="after")
    def _moves(self) -> Self:
        pull = self.learning_rate * self.anchor
        if pull > 1:
            raise ValueError(
                f"a learning rate of {self.learning_rate:g} times an anchor of {self.anchor:g} is {pull:g}: above 1 a "
                "step is undone at once; lower one of them"
            )
        return self
