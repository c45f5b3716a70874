"""What a text says, apart from how it is typed: one normal form, and its words. Judges and drops nothing.

Split, duplicates and word lists all go by this form, so that capitals, hyphens, commas and odd spaces change none of
them. It is part of the format of a split: changing it moves prompts between training and examination.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UNIT_APART = re.compile(r"\b(\d+) (k|d|mm)\b")


def normalised(text: str) -> str:
    """The text's words in one spelling: Unicode NFKC, no capitals, letters, marks and digits only, single spaces.

    Hyphens count as spaces and apostrophes as nothing; "8 k" is "8k". A text without any word (signs or pictograms
    only) keeps its signs, so that two different ones stay different. Normalising twice changes nothing.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = "".join(_kept(character) for character in folded)
    words = " ".join(spaced.split())
    return _UNIT_APART.sub(r"\1\2", words) if words else " ".join(folded.split())


def words_of(text: str) -> list[str]:
    """The words of the normal form, in order."""
    return normalised(text).split()


@lru_cache(maxsize=100_000)
def _kept(character: str) -> str:
    if character in "'’ʼ`":
        return ""
    return character if unicodedata.category(character)[0] in "LMN" else " "
