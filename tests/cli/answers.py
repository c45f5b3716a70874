"""What a command gave, and the type of the fixture that calls one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON object of stdout: raises when anything else is there."""
        return json.loads(self.out)


Call = Callable[..., Answer]
