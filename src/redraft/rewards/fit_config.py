"""How a reward is fitted, as configuration. Light: no torch, so that a run's configuration can hold it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from redraft.core.config import Config
from redraft.rewards.head_files import Inputs


class RewardFitConfig(Config):
    """How a reward is fitted. The defaults suit some thousand ratings on the built-in CLIP."""

    inputs: Inputs = Field(default="alignment", description="what heads read: picture alone, or picture and prompt")
    hidden: int = Field(default=0, ge=0, description="width of the hidden layer; 0: linear")
    optimizer: Literal["lbfgs", "adamw"] = Field(default="lbfgs", description="of the heads; lbfgs suits linear ones")
    l2: float = Field(default=0.1, ge=0, description="penalty on squared weights of standardised inputs")
    huber_delta: float = Field(default=0.1, gt=0, description="of value heads: where squared error becomes absolute")
    learning_rate: float = Field(default=3e-3, gt=0, description="of adamw, for heads")
    epochs: int = Field(default=60, ge=1, description="at most this many passes (lbfgs: rounds of 5 iterations)")
    batch: int = Field(default=64, ge=1, description="pictures a step of adamw")
    holdout: float = Field(default=0.2, gt=0, lt=1, description="share of prompts held out by hash")
    patience: int = Field(default=8, ge=1, description="passes without a lower held-out loss before stopping")
    tune_layers: int = Field(default=0, ge=0, description="last image layers of the CLIP trained with the heads")
    tune_learning_rate: float = Field(default=3e-4, gt=0, description="of adamw, for those layers")
