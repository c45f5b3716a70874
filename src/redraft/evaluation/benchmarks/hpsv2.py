"""The HPS v2 benchmark (arXiv 2306.09341, section 5): four styles of 800 prompts, the mean of 100 x cosine.

The spread published beside each style is the population standard deviation of the means of 10 groups of 80 prompts in
file order: `group_spread`. It is no interval; intervals here come from the bootstrap over prompts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.benchmarks.scored import judge_checks
from redraft.evaluation.benchmarks.selection import first_of_each, places_within
from redraft.evaluation.statistics import FloatArray
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    from redraft.core.protocols import Scorer
    from redraft.core.tensors import Images

GROUP = 80
PER_STYLE = 800
STYLES: dict[str, tuple[str, ...]] = {
    "animation": ("animation", "anime"),
    "concept-art": ("concept-art", "concept_art"),
    "painting": ("painting", "paintings"),
    "photo": ("photo", "photos", "hps_v2_all"),
}
"""Name of the style -> names of its file, with .json (a list of texts) or .txt (one a line), and of the folder of its
pictures.
"""

Wording = Literal["original", "lower-case", "a picture of", "highly detailed"]
REWORDINGS: Mapping[Wording, Callable[[str], str]] = {
    "original": lambda text: text,
    "lower-case": lambda text: text.lower().rstrip(" ."),
    "a picture of": lambda text: "a picture of " + text[:1].lower() + text[1:],
    "highly detailed": lambda text: text.rstrip(" .") + ", highly detailed",
}
"""Ways to say the same, to see whether a ranking depends on them."""


class Hpsv2Config(Config):
    """Options of the suite `hpsv2`."""

    judge: str = Field(default="hps", description="scorer that judges, or the folder of one")
    images_per_prompt: int = Field(default=1, ge=1, description="pictures of each prompt; published numbers have 1")
    limit: int | None = Field(default=None, ge=2, description="only the first prompts of each style; None: all")
    wordings: tuple[Wording, ...] = Field(
        default=("original",), min_length=1, description="how each prompt is said; the first is the one that is ranked"
    )


class Hpsv2Benchmark:
    """Rows: average, then each style with the spread of its groups, then each further wording.

    prompts: of the whole lists. limit: only the first so many of each style are judged; pictures in folders keep the
    places of the whole lists, the pictures of a second wording come after all those of the first.

    Raises:
        UsageError: when there are fewer than two prompts.
    """

    name = "hpsv2"
    title = "HPS v2: 100 x cosine of a preference model, by style"
    Config: ClassVar[type[BaseModel]] = Hpsv2Config

    def __init__(
        self,
        prompts: Sequence[Prompt],
        *,
        scorer: Scorer,
        images_per_prompt: int = 1,
        wordings: Sequence[Wording] = ("original",),
        limit: int | None = None,
    ) -> None:
        styles = [prompt.tag("style") or "" for prompt in prompts]
        places = first_of_each(styles, limit=limit)
        self.file_stems = _file_stems(styles, places, wordings=len(wordings))
        prompts = [prompts[place] for place in places]
        self.scorer, self.images_per_prompt, self.wordings = scorer, images_per_prompt, tuple(wordings)
        self.prompts = tuple(_reworded(prompt, wording) for wording in self.wordings for prompt in prompts)
        if len(prompts) < 2:
            raise UsageError(f"{len(prompts)} prompts of HPS v2: an interval needs at least 2; raise limit")
        self.fingerprint = fingerprint_of(
            self.name, scorer.fingerprint, GROUP, *(f"{prompt.id} {prompt.tags}" for prompt in self.prompts)
        )

    @classmethod
    def build(cls, config: Hpsv2Config, context: SuiteContext) -> Hpsv2Benchmark:
        """Read the style files of `context.folder`. Raises UsageError when there is none."""
        return cls(
            read_styles(Path(context.folder)),
            scorer=context.require_scorer(config.judge),
            images_per_prompt=config.images_per_prompt,
            wordings=config.wordings,
            limit=config.limit,
        )

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """The scorer's heads."""
        return Judgement(scores=self.scorer.score(images, prompts))

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """Values are 100 times the scorer's main head, as published."""
        style = np.array([prompt.tag("style") for prompt in self.prompts])
        wording = np.array([prompt.tag("wording") for prompt in self.prompts])
        first = wording == self.wordings[0]
        styles = [name for name in STYLES if name in style]
        parts = {"average": first} | {name: first & (style == name) for name in styles}
        parts |= {f"wording/{name}": wording == name for name in self.wordings[1:]}
        scores = 100 * judged.per_prompt(judged.names[0])
        rows = []
        for name, chosen in parts.items():
            row = mean_row(
                name, judged, head=judged.names[0], key=key, unit="score", against=against, chosen=chosen, scale=100.0,
                fingerprint=self.fingerprint,
            )  # fmt: skip
            if row is not None:
                rows.append(_with_spread(row, scores[chosen], style=name if name in styles else None))
        return tuple(rows)

    def self_test(self) -> tuple[Check, ...]:
        """The grouping on known numbers, and the judge on known pictures."""
        mean, spread = group_spread(np.repeat(np.arange(10.0), GROUP))
        return (
            close("mean of ten groups 0..9", mean, 4.5),
            close("population std of ten groups 0..9: sqrt(8.25)", spread, 8.25**0.5),
            *judge_checks(self.scorer, self.prompts, edge=224),
        )


def group_spread(scores: FloatArray, *, group: int = GROUP) -> tuple[float, float]:
    """Mean of the group means, and their population standard deviation, of N scores in file order.

    Groups are `group` neighbours each; a last one that is not full is left out of the spread, for it is noisier, and
    the mean is then of all scores. With whole groups only, both are the published figures. A score that is not there
    (NaN) keeps its place, so that no other one changes its group; a group of none of them is left out.

    Raises:
        UsageError: when there is no whole group.
    """
    whole = len(scores) // group
    if not whole:
        raise UsageError(f"{len(scores)} scores: a group has {group}; judge more prompts to see their spread")
    groups = scores[: whole * group].reshape(whole, group)
    means = np.nanmean(groups[np.isfinite(groups).any(axis=1)], axis=1)
    return float(np.nanmean(scores)), float(means.std())


def read_styles(folder: Path) -> tuple[Prompt, ...]:
    """The prompts of every style that the folder has, in file order, tagged `suite:hpsv2` and `style:NAME`.

    Raises UsageError when no style is there, or a file is no list of texts.
    """
    prompts: list[Prompt] = []
    for style, names in STYLES.items():
        candidates = [folder / f"{name}{ending}" for name in names for ending in (".json", ".txt")]
        path = next((path for path in candidates if path.is_file()), None)
        if path is not None:
            tags = ("suite:hpsv2", f"style:{style}")
            prompts += [Prompt(text=text, tags=tags, source=path.name) for text in _texts(path)]
    if not prompts:
        raise UsageError(
            f"{str(folder)!r} has no prompts of HPS v2: it must hold {', '.join(STYLES)} (or "
            f"{', '.join(name for names in STYLES.values() for name in names[1:])}) as .json (a list of texts) or .txt "
            "(one a line); name the folder with --data"
        )
    return tuple(prompts)


def _texts(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): give a JSON list of texts, or one text a line") from error
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise UsageError(f"{path} is no list of texts: HPS v2's files are JSON lists of prompts; fetch them again")
    return [value.strip() for value in values]


def _file_stems(styles: Sequence[str], places: Sequence[int], *, wordings: int) -> tuple[tuple[str, ...], ...]:
    """Within the folder of the style as HPS v2's own tool writes them, or by the place in all lists together."""
    within, counts = places_within(styles), Counter(styles)
    return tuple(
        (
            *(
                f"{folder}/{wording * counts[styles[place]] + within[place]:05d}"
                for folder in STYLES.get(styles[place], (styles[place],))
            ),
            f"{wording * len(styles) + place:05d}",
        )
        for wording in range(wordings)
        for place in places
    )


def _reworded(prompt: Prompt, wording: Wording) -> Prompt:
    return replace(prompt, text=REWORDINGS[wording](prompt.text), tags=(*prompt.tags, f"wording:{wording}"))


def _with_spread(row: Row, scores: FloatArray, *, style: str | None) -> Row:
    """The row with the published spread, and a word where it cannot be compared with published tables."""
    if style is None:  # groups of neighbours within a style are what is published
        return row
    known, note = int(np.isfinite(scores).sum()), ""
    grouped = scores[: len(scores) // GROUP * GROUP]
    details = {"group std": group_spread(scores)[1]} if np.isfinite(grouped).any() else {}
    if known != PER_STYLE:
        note = f"{known} of {PER_STYLE} prompts: not comparable with published tables"
    return replace(row, details=details, note=note)
