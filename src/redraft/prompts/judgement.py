"""How good a text is as a prompt, from 0 to 1, and why: what rules and language models both answer. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redraft.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """`score` from 0 (useless) to 1 (good), and the reasons in plain words; no reason means nothing to say."""

    score: float
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ConfigError(f"a judgement of {self.score}: scores go from 0 to 1; divide by the largest one")


Judge = Callable[[Sequence[str]], Sequence[Judgement]]
"""One judgement for each text, in order."""
