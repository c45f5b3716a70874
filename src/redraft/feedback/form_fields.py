"""What a form may ask for: scales, choices, flags, words, an order. Not a form, and nothing of how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as shown
from typing import Any, ClassVar

from redraft.core.errors import UsageError

MOST_TEXT = 2000
"""Characters of free text."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One of several answers. key: the key of a keyboard that gives it, "" for none."""

    value: str
    label: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A whole number from `least` to `most`; `low` and `high` say in words what the ends mean."""

    type: ClassVar[str] = "scale"
    name: str
    label: str
    low: str = ""
    high: str = ""
    least: int = 0
    most: int = 10
    required: bool = False

    def check(self, value: Any) -> int:
        """The value, or UsageError."""
        # bool is an int to Python, but True on a scale is a mistake of the sender.
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise UsageError(
                f"{self.name} = {shown(value)}: it takes whole numbers from {self.least} to {self.most}; leave out "
                "what was not answered"
            )
        return value


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Exactly one of `options`."""

    type: ClassVar[str] = "choice"
    name: str
    label: str
    options: tuple[Option, ...]
    required: bool = True

    def check(self, value: Any) -> str:
        """The value, or UsageError."""
        known = [option.value for option in self.options]
        if not isinstance(value, str) or value not in known:
            raise UsageError(f"{self.name} = {shown(value)}: choose one of {', '.join(known)}")
        return value


@dataclass(frozen=True, kw_only=True)
class Several:
    """Any of `options`, at least one."""

    type: ClassVar[str] = "several"
    name: str
    label: str
    options: tuple[Option, ...]
    required: bool = False

    def check(self, value: Any) -> list[str]:
        """The values in the order of `options`, or UsageError."""
        known = [option.value for option in self.options]
        strange = not isinstance(value, list) or not value or any(item not in known for item in value)
        if strange or len(set(value)) < len(value):
            raise UsageError(
                f"{self.name} = {shown(value)}: give a list of one or more of {', '.join(known)}, each once; leave "
                "it out to say nothing"
            )
        return [item for item in known if item in value]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Yes or no."""

    type: ClassVar[str] = "flag"
    name: str
    label: str
    required: bool = False

    def check(self, value: Any) -> bool:
        """The value, or UsageError."""
        if not isinstance(value, bool):
            raise UsageError(f"{self.name} = {shown(value)}: it takes true or false")
        return value


@dataclass(frozen=True, kw_only=True)
class Text:
    """The person's own words, plain text."""

    type: ClassVar[str] = "text"
    name: str
    label: str
    most: int = MOST_TEXT
    required: bool = False

    def check(self, value: Any) -> str:
        """The words without blanks around them, or UsageError."""
        if not isinstance(value, str) or not value.strip() or len(value) > self.most:
            said = f"{len(value):,} characters" if isinstance(value, str) else shown(value)
            raise UsageError(
                f"{self.name} with {said}: it takes a text of 1 to {self.most:,} characters; shorten or omit it"
            )
        return value.strip()


@dataclass(frozen=True, kw_only=True)
class Order:
    """Places of `least` to `most` things: 1 is best, equal numbers are ties."""

    type: ClassVar[str] = "order"
    name: str
    label: str
    least: int = 2
    most: int = 10
    required: bool = True

    def check(self, value: Any) -> dict[str, int]:
        """The places by the name of the thing, or UsageError. Whether the right things are ranked is seen elsewhere."""
        if not isinstance(value, Mapping) or not self.least <= len(value) <= self.most:
            size = len(value) if isinstance(value, Mapping) else shown(value)
            raise UsageError(f"{self.name} of {size}: give the places of {self.least} to {self.most} pictures by id")
        places = list(value.values())
        whole = all(isinstance(place, int) and not isinstance(place, bool) for place in places)
        if not whole or min(places) != 1 or max(places) > len(places):
            raise UsageError(
                f"{self.name} = {shown(places)}: places are whole numbers, the best picture has 1, equal ones are "
                f"ties, and none is beyond {len(places)}"
            )
        return {str(name): place for name, place in value.items()}


Field = Scale | Choice | Several | Flag | Text | Order
