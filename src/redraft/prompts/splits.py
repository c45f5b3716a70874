"""Training or held-out, for good, by the hash of what a text says. Draws nothing and looks at no other prompt."""

from __future__ import annotations

import hashlib
from typing import Literal

from redraft.core.errors import ConfigError
from redraft.prompts.wording import normalised

Split = Literal["train", "held-out"]


def split_of(text: str, *, held_out: float) -> Split:
    """The side of a text when a share `held_out` of all texts, 0 to 1, is never trained on.

    Adding prompts moves no other one, a larger share moves only training prompts, and texts that differ in capitals,
    commas or spaces stand on one side. Raises ConfigError for a share outside 0..1.
    """
    if not 0 <= held_out <= 1:
        raise ConfigError(f"held_out={held_out}: it is a share of all prompts, from 0 to 1")
    return "held-out" if fraction_of(text) < held_out else "train"


def fraction_of(text: str) -> float:
    """A number in [0, 1), uniform over texts, that depends on what the text says alone."""
    digest = hashlib.blake2b(normalised(text).encode(), digest_size=8, person=b"prompt-split").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
