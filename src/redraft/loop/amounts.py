"""How much of a configuration is done: less to look, more to gain. Knows no method."""

from __future__ import annotations

from typing import Literal

from redraft.loop.config import RunConfig

Amount = Literal["", "short", "long"]
_SHARE: dict[Amount, float] = {"": 1.0, "short": 0.4, "long": 2.0}


def scaled(config: RunConfig, amount: Amount) -> RunConfig:
    """The configuration with so many of its rounds, or steps where there is one round only; "" leaves it as it is.

    "short" is two fifths, "long" twice as much. At least one round, and one step.
    """
    share = _SHARE[amount]
    if config.rounds > 1:
        return config.model_copy(update={"rounds": max(1, round(config.rounds * share))})
    steps = max(1, round(config.fit.steps * share))
    return config.model_copy(update={"fit": config.fit.model_copy(update={"steps": steps})})
