"""Label Studio's labeling configuration: the ones we write for our kinds of answers, and what any says about scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from redraft.core.errors import UsageError, printable
from redraft.core.feedback import STARS, Rating
from redraft.feedback.exchange.rows import Row

MOST = 10
"""Pictures of an entry at most: a configuration has a fixed number of places, unused ones stay empty."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Something to be answered: its tag in lower case, the objects it is about, and its scale where it has one."""

    tag: str
    about: tuple[str, ...]
    scale: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Labeling:
    """What a configuration declares. objects: the data key of each picture by name. prompt: that of the first text."""

    objects: Mapping[str, str]
    prompt: str
    controls: Mapping[str, Control]


def labeling_for(row: Row) -> str:
    """The configuration with which Label Studio shows and edits rows of the kind of this one."""
    kind = row.kind
    count = {"pair": 2, "rating": 1}.get(kind, MOST)
    parts = ['  <Text name="prompt" value="$prompt"/>']
    parts += [f'  <Image name="picture_{place}" value="$picture_{place}"/>' for place in range(count)]
    match kind:
        case "pair":
            parts.append('  <Pairwise name="choice" toName="picture_0,picture_1"/>')
            parts.append(_choices("tie", "picture_0", ("tie",)))
        case "rating":
            assert isinstance(row.judgement, Rating)
            parts += [
                f'  <Number name={quoteattr(name)} toName="picture_0" min="{low:g}" max="{high:g}"/>'
                for name, (low, high) in row.judgement.scales.items()
            ]
        case "choice":
            parts.append(_choices("chosen", "picture_0", tuple(str(place) for place in range(count))))
        case "ranks":
            names = [(f"rank_{place}", f"picture_{place}") for place in range(count)]
            parts += [f'  <Number name="{name}" toName="{to}" min="1" max="{count}"/>' for name, to in names]
        case "stars":
            names = [(f"stars_{place}", f"picture_{place}") for place in range(count)]
            parts += [f'  <Rating name="{name}" toName="{to}" maxRating="{STARS}"/>' for name, to in names]
        case _:
            names = [(f"thumb_{place}", f"picture_{place}") for place in range(count)]
            parts += [_choices(name, to, ("up", "down")) for name, to in names]
    return "\n".join(["<View>", *parts, "</View>", ""])


def read_labeling(text: str) -> Labeling:
    """What a labeling configuration declares. Raises UsageError when it is none."""
    if "<!" in text.replace("<!--", ""):
        raise UsageError("the labeling configuration has a DOCTYPE or an entity: remove it, it needs none")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UsageError(f"the labeling configuration is no XML ({error}): save it again from Label Studio") from error
    objects: dict[str, str] = {}
    controls: dict[str, Control] = {}
    prompt = ""
    for element in root.iter():
        name, value = element.get("name", ""), element.get("value", "").removeprefix("$")
        if element.get("toName") and name:
            about = tuple(part.strip() for part in element.get("toName", "").split(","))
            tag = element.tag.lower()
            controls[name] = Control(tag=tag, about=about, scale=_scale(tag, element))
        elif element.tag == "Image" and name:
            objects[name] = value
        elif element.tag == "Text" and name and not prompt:
            prompt = value
    return Labeling(objects=objects, prompt=prompt, controls=controls)


def _scale(tag: str, element: ElementTree.Element) -> tuple[float, float] | None:
    try:
        if tag == "rating":
            return (1.0, float(element.get("maxRating", "5")))
        if tag == "number" and element.get("min") is not None and element.get("max") is not None:
            return (float(element.get("min", "")), float(element.get("max", "")))
    except ValueError as error:
        raise UsageError(
            f"{printable(element.get('name', ''))} of the labeling configuration has no scale ({error})"
        ) from error
    return None


def _choices(name: str, about: str, values: Sequence[str]) -> str:
    listed = "".join(f'<Choice value="{value}"/>' for value in values)
    return f'  <Choices name="{name}" toName="{about}" choice="single">{listed}</Choices>'
