"""Orders: what may be asked of a worker through the table of jobs. Typed, so that nothing unknown is carried out.

Not how they are carried out. An order names things, never a path: whoever may order is not thereby given the worker's
disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from redraft.core.config import Config, build
from redraft.core.errors import unknown_name

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9:_-]{0,63}$")]
"""A registered name: no folder, no file, no address."""
Reason = Annotated[str, StringConstraints(max_length=500)]

OrderKind = Literal["improve", "train", "promote", "rollback"]
TRAININGS: tuple[OrderKind, ...] = ("improve", "train")
MOVES: tuple[OrderKind, ...] = ("promote", "rollback")
"""Orders that move an alias: done in a moment, and never made to wait for a training."""


class TrainingOrder(Config):
    """One cycle of the loop; the options are those of `redraft improve`, None leaving the recipe's own value."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        default="builtin:sd", description="a model that the studio allows"
    )
    method: Name = Field(default="nft", description="a method or a preset of one")
    recipe: Literal["", "short", "long"] = Field(
        default="", description='how much of the method\'s own recipe: "" all of it, "short" less, "long" twice as much'
    )
    reward: dict[Name, float] = Field(default_factory=dict, max_length=8, description="scorers with their weights")
    facets: Name | None = Field(default=None, description="instead of `reward`: the six facets of this scorer")
    pairs: Literal["answers"] | None = Field(default=None, description="dpo: what people chose in this workspace")
    rounds: int | None = Field(default=None, ge=1, le=100)
    train_steps: int | None = Field(default=None, ge=1, le=100_000, description="optimizer steps of each round")
    steps: int | None = Field(default=None, ge=1, le=1000, description="sampling steps")
    seed: int = Field(default=0, ge=0, lt=2**63)
    promote: bool = Field(default=True, description="move the champion when the gate says so; never with `train`")


class PromoteOrder(Config):
    """Make a checkpoint the champion of its base."""

    base: str
    checkpoint: str
    reason: Reason = ""


class RollbackOrder(Config):
    """Return the champion of a base to the one before it."""

    base: str
    reason: Reason = ""


Order = TrainingOrder | PromoteOrder | RollbackOrder
_ORDERS: Mapping[str, type[Order]] = {
    "improve": TrainingOrder,
    "train": TrainingOrder,
    "promote": PromoteOrder,
    "rollback": RollbackOrder,
}


def read_order(kind: str, payload: Mapping[str, Any]) -> Order:
    """The order in a job. Raises UnknownNameError for another kind, ConfigError for a payload that is no such order."""
    model = _ORDERS.get(kind)
    if model is None:
        raise unknown_name("kind of order", kind, _ORDERS)
    return build(model, payload, source=f"the order to {kind}")
