"""What a person said about pictures of one prompt, as light records. Not a file format and not a rule about answers.

`feedback` reads and writes them, `rewards` learns from them. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from redraft.core.errors import UsageError, printable

PreferenceKind = Literal["pair", "choice", "ranks", "stars", "thumbs"]
KINDS: tuple[PreferenceKind, ...] = get_args(PreferenceKind)
STARS = 5


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One answer about pictures of one prompt.

    pictures: paths or content hashes, in the order in which they were shown.
    answer: one number a picture. pair: the share of each of two pictures, 0..1, together 1; (0.5, 0.5) is a tie.
    choice: 1 for the one picture that was chosen, 0 for the others, about which nothing more is known.
    ranks: 1 is best, equal ranks are ties. stars: 1..5. thumbs: 1 for up, 0 for down.
    rater: pseudonym, "" for unknown. weight: importance, such as an inverse propensity; above 0.

    Raises UsageError for an unknown kind, or an answer that breaks these rules.
    """

    prompt: str
    pictures: tuple[str, ...]
    kind: PreferenceKind
    answer: tuple[float, ...]
    rater: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"kind {self.kind!r} of an answer is unknown: choose one of {', '.join(KINDS)}")
        least = 2 if self.kind in ("pair", "choice", "ranks") else 1
        if len(self.answer) != len(self.pictures) or len(self.pictures) < least:
            raise UsageError(
                f"an answer of kind {self.kind!r} with {len(self.answer)} numbers for {len(self.pictures)} pictures: "
                f"give one number a picture, for at least {least}"
            )
        if not all(map(math.isfinite, self.answer)) or not 0 < self.weight < math.inf:
            raise UsageError(
                f"answer {self.answer} with weight {self.weight}: all must be finite and the weight above 0; leave out "
                "what was not answered"
            )
        rule = self._broken_rule()
        if rule:
            raise UsageError(f"answer {self.answer} of kind {self.kind!r}: {rule}")

    def _broken_rule(self) -> str:
        match self.kind:
            case "pair" if len(self.answer) != 2:
                return "a pair has two pictures; for more, give kind 'ranks'"
            case "pair" if min(self.answer) < 0 or abs(sum(self.answer) - 1) > 1e-6:
                return "the two shares must be 0 or more and add up to 1; a tie is [0.5, 0.5]"
            case "choice" if sorted(self.answer) != [0.0] * (len(self.answer) - 1) + [1.0]:
                return "one picture is 1, the chosen one, and all others are 0"
            case "ranks" if min(self.answer) < 1:
                return "ranks begin at 1, the best; equal ranks are ties"
            case "stars" if not all(1 <= value <= STARS for value in self.answer):
                return f"stars run from 1 to {STARS}"
            case "thumbs" if not all(value in (0, 1) for value in self.answer):
                return "a thumb is 1 (up) or 0 (down)"
        return ""


@dataclass(frozen=True, kw_only=True)
class Rating:
    """Numbers that one person gave to one picture, by the name of what was asked: facets, a checklist, realism.

    picture: a path or content hash. scales: (lowest, highest) of every question that was asked. values: the answers to
    those that were answered, at least one, each within its scale. rater and weight are as in `Preference`.

    Raises UsageError for an answer that breaks these rules.
    """

    prompt: str
    picture: str
    values: Mapping[str, float]
    scales: Mapping[str, tuple[float, float]]
    rater: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.values:
            raise UsageError("a rating without any answer: leave the row out, or give at least one number")
        if not math.isfinite(self.weight) or self.weight <= 0:
            raise UsageError(f"a rating with weight {self.weight}: it must be finite and above 0")
        for name, value in self.values.items():
            if name not in self.scales:
                raise UsageError(
                    f"{printable(name)} = {value} has no scale: give the lowest and the highest number of {name!r}"
                )
            low, high = self.scales[name]
            if not (math.isfinite(low) and math.isfinite(high) and low <= value <= high):
                raise UsageError(
                    f"{printable(name)} = {value} is outside its scale of {low:g} to {high:g}: numbers lie on their "
                    "scale; leave out what was not answered"
                )


Judgement = Preference | Rating
"""Anything that a person said."""
