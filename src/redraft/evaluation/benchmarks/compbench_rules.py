"""What T2I-CompBench++ prompts ask for, and how plain detections answer it: numbers, places, colours. No network here.

Rules of numeracy and of places as published (Huang et al. 2023, arXiv 2307.06350, and its ++ version), but for four
things that are said in docs/evaluation.md: texts are read without a parser and by the detector's own names, words of
one name are added up, two objects of one name are two boxes, and colours are named on the detected object. Published
tables have another detector.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redraft.evaluation.benchmarks.colours import COLOURS
from redraft.evaluation.benchmarks.detections import Box, Detection, duplicates

NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10,
}  # fmt: skip
PLACES = {
    "on the left of": "left", "on the right of": "right", "on the top of": "top", "on top of": "top",
    "on the bottom of": "bottom", "on side of": "near", "next to": "near", "near": "near",
}  # fmt: skip
NEAR = 150.0
"""Pixels: centres nearer than this in either direction are near, whatever the picture's size."""
SAME = {
    "boy": "person", "girl": "person", "man": "person", "woman": "person", "child": "person", "ship": "boat",
    "television": "tv", "telivision": "tv", "goldfish": "fish", "painting": "picture", "bike": "bicycle",
    "motorbike": "motorcycle", "plane": "airplane", "aeroplane": "airplane", "sofa": "couch", "phone": "cell phone",
    "cellphone": "cell phone", "fridge": "refrigerator", "plant": "potted plant", "table": "dining table",
}  # fmt: skip
"""Words of the prompts -> names that a detector may have instead."""
_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "knives": "knife",
    "mice": "mouse",
}


@dataclass(frozen=True, kw_only=True)
class Number:
    """`count` objects of a name."""

    name: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """`first` stands to `second` as `where` says: left, right, top, bottom or near."""

    first: str
    second: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Coloured:
    """An object of a name in a colour."""

    name: str
    colour: str


def read_numbers(text: str, names: Sequence[str]) -> tuple[Number, ...] | None:
    """The counted objects of a text; None when there is none, or one is not among `names`.

    Judging half of a prompt would flatter, so one unknown object makes the whole prompt unreadable. What the detector
    calls by one name is added up: two men and one woman are three persons.
    """
    words = re.findall(r"[a-z-]+", text.lower())
    counts: dict[str, int] = {}
    for place, word in enumerate(words):
        if word in NUMBERS:
            name = _known(words[place + 1 : place + 3], names) or _known(words[place + 1 : place + 2], names)
            if name is None:
                return None
            counts[name] = counts.get(name, 0) + NUMBERS[word]
    return tuple(Number(name=name, count=count) for name, count in counts.items()) or None


def read_place(text: str, names: Sequence[str]) -> Place | None:
    """The relation of a text like "a cat on the left of a dog"; None when it is none or names something unknown."""
    for phrase, where in PLACES.items():
        before, there, after = text.lower().partition(f" {phrase} ")
        if there:
            first, second = (_known(_without_article(part), names) for part in (before, after))
            return None if first is None or second is None else Place(first=first, second=second, where=where)
    return None


def read_colours(text: str, names: Sequence[str]) -> tuple[Coloured, ...] | None:
    """The coloured objects of a text like "a red car and a blue bench"; None when a part of it is anything else."""
    found = []
    for part in re.split(r"\s+and\s+|,\s*", text.lower().strip(" .")):
        words = _without_article(part)
        name = _known(words[1:], names)
        if len(words) < 2 or words[0] not in COLOURS or name is None:
            return None
        found.append(Coloured(name=name, colour=words[0]))
    return tuple(found) or None


def numbers_score(wanted: Sequence[Number], detections: Sequence[Detection]) -> float:
    """0..1: each object gives half of its equal share when it is there, and the other half when its number is right.

    Detections of a name that cover each other (see `duplicates`) count once, the surest of them.
    """
    score = 0.0
    for item in wanted:
        seen: list[Detection] = []
        for detection in sorted(detections, key=lambda one: -one.score):
            new = all(not duplicates(detection.box, other.box) for other in seen)
            if detection.name == item.name and new:
                seen.append(detection)
        score += (0.5 * bool(seen) + 0.5 * (len(seen) == item.count)) / len(wanted)
    return score


def place_score(wanted: Place, detections: Sequence[Detection]) -> float:
    """0..1: a quarter of each object's detection score, and half for the place; below 0.5 it is 0, as published.

    Each object is the surest detection of its name; two of one name are the two surest.
    """
    first = _surest(wanted.first, detections, number=0)
    second = _surest(wanted.second, detections, number=1 if wanted.first == wanted.second else 0)
    score = sum(0.25 * item.score for item in (first, second) if item is not None)
    if first is not None and second is not None:
        score += 0.5 * place_share(wanted.where, first.box, second.box)
    return score if score >= 0.5 else 0.0


def place_share(where: str, first: Box, second: Box) -> float:
    """0..1: whether the first box stands so to the second.

    near: either distance of the centres is below NEAR pixels, else NEAR over the larger distance. The others: the
    centre lies on that side, farther in that direction than across; boxes that overlap by 0.1 or more get
    0.1 / overlap.
    """
    across = (second[0] + second[2] - first[0] - first[2]) / 2
    down = (second[1] + second[3] - first[1] - first[3]) / 2
    if where == "near":
        return 1.0 if min(abs(across), abs(down)) < NEAR else NEAR / max(abs(across), abs(down))
    signed = {"left": across, "right": -across, "top": down, "bottom": -down}[where]
    other = down if where in ("left", "right") else across
    if signed <= abs(other):
        return 0.0
    shared = _plain_overlap(first, second)
    return 1.0 if shared < 0.1 else 0.1 / shared


def product(factors: Sequence[float]) -> float:
    """The score of an attribute: the product over the noun phrases of a prompt; a phrase that is not there counts 1."""
    return math.prod(factors)


def colours_score(wanted: Sequence[Coloured], seen: Mapping[str, Sequence[str]]) -> float:
    """0 or 1: the product over the wanted objects of whether one of its name was seen in its colour."""
    return product([float(item.colour in seen.get(item.name, ())) for item in wanted])


def _surest(name: str, detections: Sequence[Detection], *, number: int) -> Detection | None:
    found = sorted((item for item in detections if item.name == name), key=lambda item: -item.score)
    return found[number] if len(found) > number else None


def _plain_overlap(first: Box, second: Box) -> float:
    """Intersection over union of continuous boxes (no pixel is added, unlike `overlap`)."""
    width = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    union = areas - width * height
    return width * height / union if union > 0 else 0.0


def _without_article(text: str) -> list[str]:
    words = re.findall(r"[a-z-]+", text)
    return words[1:] if words and words[0] in ("a", "an", "the") else words


def _known(words: Sequence[str], names: Sequence[str]) -> str | None:
    """The detector's name for one or two words, in the singular or the plural; None when it has none."""
    if not words:
        return None
    *before, last = words
    endings = [last, _IRREGULAR.get(last, last)]
    endings += [last[: -len(end)] + new for end, new in (("ies", "y"), ("es", ""), ("s", "")) if last.endswith(end)]
    for ending in endings:
        text = " ".join([*before, ending])
        for candidate in (text, SAME.get(text, text)):
            if candidate in names:
                return candidate
    return None
