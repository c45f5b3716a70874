"""The contact sheet of a round of self-training: a self-contained page on which a person marks the pictures to keep.

Pure: records in, text out. The page saves the selection file itself (its format stands in `loop.selection`); it opens
no connection.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from redraft.evaluation.drawing import thumbnail_uri


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One picture to keep or not: its row in the collection, pixels H,W,3 (uint8, or floats in 0..1), named scores."""

    picture: int
    prompt: str
    pixels: NDArray[np.generic]
    scores: Mapping[str, float]


def render_selection(candidates: Sequence[Candidate], *, collection: str, file: str) -> str:
    """The page for these candidates, in their order. `file`: the name under which the selection is to be saved.

    Raises UsageError when a picture has another shape or kind of number.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("redraft.evaluation", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    script = (files("redraft.evaluation") / "templates" / "selection.js").read_text(encoding="utf-8")
    return environment.get_template("selection.html.jinja").render(
        candidates=[
            {
                "picture": candidate.picture,
                "prompt": candidate.prompt,
                "uri": thumbnail_uri(candidate.pixels),
                "scores": " · ".join(f"{name} {value:.3g}" for name, value in candidate.scores.items()),
            }
            for candidate in candidates
        ],
        collection=collection,
        file=file,
        # The script holds nothing of the pictures; its hash lets the page forbid every other script.
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
