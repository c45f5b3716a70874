"""When a picture is right for a GenEval prompt: clauses over plain detections. No network, no picture.

Rules of the reference (Ghosh et al. 2023, arXiv 2310.11513), with its edge cases: only the surest `count` objects of a
class are looked at; a miss of the colour skips the position and takes the object away as a target; a missing target
fails the clause that points at it; what must not be there is counted over all kept objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.colours import COLOURS
from redraft.evaluation.benchmarks.detections import RELATIONS, Detection, keep, relations

TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
NameColours = Callable[[str, Sequence[Detection]], Sequence[str]]
"""Gives the colour of each detection of a class."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Thresholds; the defaults are the published ones. overlap_limit 1: no suppression of overlapping boxes.

    position_slack: share of both boxes' extents by which an offset is shortened.
    """

    threshold: float = 0.3
    counting_threshold: float = 0.9
    most: int = 16
    overlap_limit: float = 1.0
    position_slack: float = 0.1

    def kept(self, detections: Sequence[Detection], *, task: str) -> dict[str, tuple[Detection, ...]]:
        """The detections of each class that count in a task."""
        above = self.counting_threshold if task == "counting" else self.threshold
        return keep(detections, above=above, most=self.most, overlap_limit=self.overlap_limit)


@dataclass(frozen=True, kw_only=True)
class Clause:
    """`count` objects of a class must be there, in a colour, and in a relation to the objects of an earlier clause."""

    name: str
    count: int
    colour: str | None = None
    position: tuple[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a prompt asks for: all of `include`, and of each class in `exclude` fewer than its count."""

    task: str
    include: tuple[Clause, ...]
    exclude: tuple[Clause, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every class that it speaks of."""
        return tuple(dict.fromkeys(clause.name for clause in (*self.include, *self.exclude)))


def faults(
    scene: Scene, kept: Mapping[str, Sequence[Detection]], *, colours: NameColours, slack: float = 0.1
) -> tuple[str, ...]:
    """What is wrong with a picture, in words; empty when it is right.

    Args:
        scene: what was asked for.
        kept: detections of each class, the surest first (see `Rules.kept`).
        colours: asked only where a clause has a colour and enough objects are there.
        slack: see `relations`.
    """
    wrong: list[str] = []
    groups: list[Sequence[Detection] | None] = []
    for clause in scene.include:
        found = kept.get(clause.name, ())[: clause.count]
        fault = _fault(clause, found, groups, colours=colours, slack=slack)
        groups.append(found if fault is None else None)
        wrong += [] if fault is None else [fault]
    for clause in scene.exclude:
        number = len(kept.get(clause.name, ()))
        if number >= clause.count:
            wrong.append(f"fewer than {clause.count} {clause.name} wanted, {number} found")
    return tuple(wrong)


def _fault(
    clause: Clause, found: Sequence[Detection], groups: Sequence[Sequence[Detection] | None], *, colours: NameColours,
    slack: float,
) -> str | None:  # fmt: skip
    if len(found) < clause.count:
        return f"{clause.count} {clause.name} wanted, {len(found)} found"
    if clause.colour is not None:
        seen = list(colours(clause.name, found))
        if seen.count(clause.colour) < clause.count:
            return f"{clause.count} {clause.colour} {clause.name} wanted, found {', '.join(seen)}"
    if clause.position is None:
        return None
    relation, target = clause.position
    others = groups[target]
    if others is None:
        return f"{clause.name} has nothing to be {relation}"
    for item in found:
        for other in others:
            true = relations(item.box, other.box, slack=slack)
            if relation not in true:
                return f"{clause.name} {relation} {other.name} wanted, found {' and '.join(sorted(true)) or 'neither'}"
    return None


def read_scenes(path: Path) -> tuple[tuple[Prompt, Scene], ...]:
    """The prompts of an evaluation_metadata.jsonl with what they ask for, in file order, tagged `task:NAME`.

    Raises UsageError naming the line when one is not as GenEval writes them.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): give the folder with GenEval's evaluation_metadata.jsonl by --data"
        ) from error
    scenes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            scene = _scene(row)
            tags = ("suite:geneval", f"task:{scene.task}")
            scenes.append((Prompt(text=_text(row["prompt"]), tags=tags, source=path.name, licence="MIT"), scene))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UsageError(
                f"{path} line {number} is no row of GenEval ({type(error).__name__}: {error}): a row has tag, prompt "
                "and include, a list of class and count, with color or position; fetch the file again"
            ) from error
    if not scenes:
        raise UsageError(f"{path} has no prompts: fetch GenEval's evaluation_metadata.jsonl again")
    return tuple(scenes)


def _scene(row: Mapping[str, Any]) -> Scene:
    include = tuple(_clause(item, place) for place, item in enumerate(row["include"]))
    if row["tag"] not in TASKS or not include:
        raise ValueError(f"tag {row['tag']!r} with {len(include)} objects; tags are {', '.join(TASKS)}")
    exclude = tuple(_clause(item, 0) for item in row.get("exclude", ()))
    return Scene(task=row["tag"], include=include, exclude=exclude)


def _clause(item: Mapping[str, Any], place: int) -> Clause:
    colour, position = item.get("color"), item.get("position")
    if not isinstance(item["count"], int) or item["count"] < 1:
        raise ValueError(f"count {item['count']!r}: a whole number from 1")
    if colour is not None and colour not in COLOURS:
        raise ValueError(f"color {colour!r}: one of {', '.join(COLOURS)}")
    if position is not None:
        position = (position[0], position[1])
        if position[0] not in RELATIONS or position[1] not in range(place):
            raise ValueError(f"position {position}: one of {', '.join(RELATIONS)} and the place of an earlier object")
    return Clause(name=_text(item["class"]), count=item["count"], colour=colour, position=position)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no text")
    return value.strip()
