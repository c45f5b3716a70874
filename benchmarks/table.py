"""The records that every benchmark gives, and how they are printed. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number. `unit` is "%", "x", "MB", "s" or "pictures/s"; `aim` is what we want, in words."""

    name: str
    value: float
    unit: str
    aim: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """The figures of one benchmark. `note` says under which conditions; with no figures, why there are none."""

    title: str
    figures: tuple[Figure, ...]
    note: str = ""


def as_text(sections: Sequence[Section]) -> str:
    """The table for people: a title, its rows (name, value, unit, aim) and its note for each section."""
    names = [figure.name for section in sections for figure in section.figures]
    width = max(map(len, names), default=0)
    lines = []
    for section in sections:
        lines.append(section.title)
        for figure in section.figures:
            aim = f"   ({figure.aim})" if figure.aim else ""
            lines.append(f"  {figure.name:<{width}}  {figure.value:>9.2f} {figure.unit}{aim}")
        if section.note:
            lines.append(f"  {section.note}")
        lines.append("")
    return "\n".join(lines).rstrip()


def as_json(sections: Sequence[Section]) -> str:
    """The same as a JSON list of sections."""
    return json.dumps([asdict(section) for section in sections], indent=2)
