"""What a prompt of the picture world asks for, as records: items, count, relations, style, label.

The records check themselves, so that a `Request` that exists can be drawn and verified.
No words and no pixels here: `grammar` turns requests into text and back, `render` draws them.
"""

from dataclasses import dataclass
from typing import Literal

from redraft.core.errors import UsageError
from redraft.world.lettering import WORDS
from redraft.world.shapes import COLORS, SHAPES, UNSAFE_SHAPE

RelationKind = Literal["left of", "right of", "above", "below"]

GENEVAL_TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
TAIL_TASKS = ("style", "label", "scene")
TASKS = GENEVAL_TASKS
ALL_TASKS = GENEVAL_TASKS + TAIL_TASKS
STYLES = ("woodcut", "stipple", "neon")
RELATIONS: tuple[RelationKind, ...] = ("left of", "right of", "above", "below")
OPPOSITE: dict[RelationKind, RelationKind] = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
}  # fmt: skip
MAXIMUM_COUNT = 4

_ITEMS_OF_TASK = {"two_object": 2, "position": 2, "color_attr": 2, "scene": 3}
_RELATIONS_OF_TASK = {"position": 1, "scene": 3}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One kind of object; `color` None leaves the colour open."""

    shape: str
    color: str | None = None

    def __post_init__(self) -> None:
        _check_known("shape", self.shape, (*SHAPES, UNSAFE_SHAPE))
        if self.color is not None:
            _check_known("color", self.color, COLORS)


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Item `first` lies `kind` item `second`; both are positions in `Request.items`."""

    first: int
    kind: RelationKind
    second: int

    def __post_init__(self) -> None:
        _check_known("relation", self.kind, RELATIONS)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One picture asked for.

    `count` (1..4) says how many objects of the only item a counting request wants; it is 1 for every other task.
    A scene has three items and the relations (0, left or right of, 1), (2, above or below, 0), (2, the same, 1).

    Raises:
        UsageError: when the parts do not fit the task, or a black object is to be neon.
    """

    task: str
    items: tuple[Item, ...]
    count: int = 1
    relations: tuple[Relation, ...] = ()
    style: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        _check_known("task", self.task, ALL_TASKS)
        if self.style is not None:
            _check_known("style", self.style, STYLES)
        if self.label is not None:
            _check_known("label", self.label, WORDS)
        self._check_parts()
        if self.style == "neon" and any(item.color == "black" for item in self.items):
            raise UsageError(
                "a black object in neon style: neon shines on a dark ground; choose another color or style"
            )

    def _check_parts(self) -> None:
        """Hold the number of items, the count, the relations, the colours, style and label against the task."""
        wanted = _ITEMS_OF_TASK.get(self.task, 1)
        if len(self.items) != wanted:
            raise UsageError(
                f"task {self.task} with {len(self.items)} items: it has exactly {wanted}; add or drop items"
            )
        if not 1 <= self.count <= MAXIMUM_COUNT or (self.count != 1 and self.task != "counting"):
            raise UsageError(
                f"count {self.count} for task {self.task}: a counting request has 1 to {MAXIMUM_COUNT}, "
                "every other task 1; use task 'counting' or leave the count out"
            )
        if len(self.relations) != _RELATIONS_OF_TASK.get(self.task, 0) or not self._relations_fit():
            raise UsageError(
                f"relations {self.relations} for task {self.task}: position has one between items 0 and 1; scene has "
                "0 left or right of 1, then 2 above or below both; other tasks have none"
            )
        if (self.style is not None) != (self.task == "style") or (self.label is not None) != (self.task == "label"):
            raise UsageError(
                f"style {self.style!r} and label {self.label!r} for task {self.task}: only task 'style' has a style "
                "and only task 'label' a label, and they must; change the task"
            )
        colored = sum(item.color is not None for item in self.items)
        if (self.task in ("single_object", "two_object") and colored) or (
            self.task in ("colors", "color_attr") and not colored
        ):
            raise UsageError(
                f"{colored} colored items for task {self.task}: single_object and two_object name no color, colors and "
                "color_attr at least one; change the color or the task"
            )

    def _relations_fit(self) -> bool:
        ends = [(relation.first, relation.second) for relation in self.relations]
        if self.task == "position":
            return ends == [(0, 1)]
        if self.task == "scene":
            across, over, also_over = (relation.kind for relation in self.relations)
            fits = across in RELATIONS[:2] and over in RELATIONS[2:] and over == also_over
            return ends == [(0, 1), (2, 0), (2, 1)] and fits
        return not ends


def _check_known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UsageError(f"{what} {name!r} is not in the picture world: choose one of {', '.join(known)}")
