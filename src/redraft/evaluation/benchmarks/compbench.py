"""T2I-CompBench++ through a detector: numeracy, places in the plane and colours. Its other categories are not here.

Rules are in `compbench_rules`. A prompt about things that the detector has no name for cannot be judged: it is left out
before anything is painted, and every number says how many are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.colours import ColourNamer, open_namer
from redraft.evaluation.benchmarks.compbench_rules import (
    Coloured,
    Number,
    Place,
    colours_score,
    numbers_score,
    place_score,
    read_colours,
    read_numbers,
    read_place,
)
from redraft.evaluation.benchmarks.detections import Detection, Detector
from redraft.evaluation.benchmarks.detector import KNOWN, detector_checks, detector_of
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.benchmarks.selection import first_of_each
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    import torch

    from redraft.core.tensors import Images

TASKS = ("numeracy", "spatial", "color")
Wanted = tuple[Number, ...] | Place | tuple[Coloured, ...]
_HEAD = "score"


class CompbenchConfig(Config):
    """Options of the suite `t2i-compbench`."""

    detector: str = Field(default="", description="folder of a Mask2Former; empty: `detector` in the data folder")
    device: str = Field(default="cpu", description="where the detector runs, cpu or cuda")
    judge: str = Field(default="", description="CLIP that names colours; empty: the folder `clip` in the data folder")
    part: Literal["val", "train", ""] = Field(
        default="val", description="which files: numeracy_val.txt; '': numeracy.txt"
    )
    images_per_prompt: int = Field(default=10, ge=1, description="pictures of each prompt; published numbers have 10")
    threshold: float = Field(default=0.5, ge=0, lt=1, description="an object counts above this score")
    limit: int | None = Field(default=None, ge=2, description="only the first prompts of each category; None: all")


class CompbenchBenchmark:
    """One row a category: numeracy, spatial, color, those that are there. No overall: they have no common unit.

    prompts: of the whole lists; a text is judged once where they repeat it. limit: only the first so many of each
    category are judged. Pictures in folders keep the places of the whole lists.

    Raises:
        UsageError: when the detector can judge fewer than two prompts, or there are colours and no namer.
    """

    name = "t2i-compbench"
    Config: ClassVar[type[BaseModel]] = CompbenchConfig

    def __init__(
        self, prompts: Sequence[Prompt], *, detector: Detector, namer: ColourNamer | None = None,
        threshold: float = 0.5, images_per_prompt: int = 10, known: Path | None = None, limit: int | None = None,
    ) -> None:  # fmt: skip
        first: dict[Prompt, int] = {}
        for place, prompt in enumerate(prompts):
            first.setdefault(prompt, place)
        distinct = tuple(first)
        prompts = [distinct[number] for number in first_of_each((task_of(item) for item in distinct), limit=limit)]
        wanted = {prompt: read_wanted(prompt, detector.names) for prompt in prompts}
        self._wanted: dict[Prompt, Wanted] = {prompt: found for prompt, found in wanted.items() if found is not None}
        self.prompts = tuple(prompt for prompt in prompts if prompt in self._wanted)
        self.file_stems = tuple((f"{first[prompt]:05d}",) for prompt in self.prompts)
        self._asked = {task: sum(task_of(prompt) == task for prompt in prompts) for task in TASKS}
        if len(self.prompts) < 2 or (namer is None and any(item.tag("task") == "color" for item in self.prompts)):
            raise UsageError(
                f"{len(self.prompts)} of {len(prompts)} prompts speak only of things that the detector has a name for, "
                f"{'with' if namer else 'without'} a CLIP for colours: at least 2 are needed, and the CLIP where one "
                "is of a colour; use a detector with more classes"
            )
        self.detector, self.namer, self.threshold, self._known = detector, namer, threshold, known
        self.images_per_prompt = images_per_prompt
        self.title = f"T2I-CompBench by detector: {len(self.prompts)} of {len(prompts)} prompts can be judged"
        self.fingerprint = fingerprint_of(
            self.name, detector.fingerprint, namer.fingerprint if namer else "", threshold,
            *(f"{item.id} {item.tags}" for item in self.prompts), repr(sorted(self._asked.items())),
        )  # fmt: skip

    @classmethod
    def build(cls, config: CompbenchConfig, context: SuiteContext) -> CompbenchBenchmark:
        """Read the files that `context.folder` has, open detector and, where there are colours, CLIP."""
        folder = Path(context.folder)
        prompts = read_prompts(folder, part=config.part)
        coloured = any(prompt.tag("task") == "color" for prompt in prompts)
        return cls(
            prompts,
            detector=detector_of(folder, detector=config.detector, device=config.device),
            namer=open_namer(config.judge or str(folder / "clip"), context) if coloured else None,
            threshold=config.threshold,
            images_per_prompt=config.images_per_prompt,
            known=folder / KNOWN,
            limit=config.limit,
        )

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """A score in 0..1, and what was seen where it is below 1."""
        import torch

        from redraft.core.tensors import Scores

        found = self.detector.detect(images, above=self.threshold)
        scores = [
            self._score(self._wanted[prompt], picture, detections)
            for prompt, picture, detections in zip(prompts, images.pixels, found, strict=True)
        ]
        values = torch.tensor(scores, dtype=torch.float32)[:, None]
        return Judgement(
            scores=Scores(
                values=values, names=(_HEAD,), fingerprints=(self.fingerprint,),
                mask=torch.ones_like(values, dtype=torch.bool),
            ),
            reasons=tuple("" if score >= 1 else _seen(items) for score, items in zip(scores, found, strict=True)),
        )  # fmt: skip

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """A category with fewer than two judged prompts is left out."""
        tasks = np.array([prompt.tag("task") or "" for prompt in self.prompts])
        rows = []
        for task in TASKS:
            here, asked = int((tasks == task).sum()), self._asked[task]
            rows.append(
                mean_row(
                    task, judged, head=_HEAD, key=key, unit="score", against=against, chosen=tasks == task,
                    fingerprint=self.fingerprint, details={"prompts left out": float(asked - here)},
                    note=f"{here} of {asked} prompts; not the published detector",
                )
            )  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """Known detections through the rules, then detector and CLIP themselves."""
        colours = () if self.namer is None else self.namer.checks()
        known = detector_checks(self.detector, known=self._known, above=self.threshold)
        return (*rule_checks(), *known, *colours)

    def _score(self, wanted: Wanted, picture: torch.Tensor, detections: Sequence[Detection]) -> float:
        if isinstance(wanted, Place):
            return place_score(wanted, detections)
        numbers = [item for item in wanted if isinstance(item, Number)]
        if numbers:
            return numbers_score(numbers, detections)
        coloured = [item for item in wanted if isinstance(item, Coloured)]
        seen: dict[str, Sequence[str]] = {}
        for name in {item.name for item in coloured}:
            items = [item for item in detections if item.name == name]
            seen[name] = self.namer.names(picture, items, name=name) if self.namer is not None else ()
        return colours_score(coloured, seen)


def read_wanted(prompt: Prompt, names: Sequence[str]) -> Wanted | None:
    """What a prompt with a tag `task:` asks for; None when a detector with these names cannot judge it."""
    task = prompt.tag("task")
    if task == "numeracy":
        return read_numbers(prompt.text, names)
    return read_place(prompt.text, names) if task == "spatial" else read_colours(prompt.text, names)


def task_of(prompt: Prompt) -> str:
    """numeracy, spatial or color; "" where a prompt has no tag `task:`."""
    return prompt.tag("task") or ""


def read_prompts(folder: Path, *, part: str) -> tuple[Prompt, ...]:
    """The prompts of numeracy, spatial and color, those that are there, one a line, tagged `task:NAME`.

    Raises UsageError when no file is there or one cannot be read.
    """
    prompts: list[Prompt] = []
    for task in TASKS:
        path = folder / (f"{task}_{part}.txt" if part else f"{task}.txt")
        if not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read ({error}): it must hold one prompt a line") from error
        tags = ("suite:t2i-compbench", f"task:{task}")
        texts = [line.strip() for line in lines if line.strip()]
        prompts += [Prompt(text=text, tags=tags, source=path.name, licence="MIT") for text in texts]
    if not prompts:
        raise UsageError(
            f"{str(folder)!r} has no prompts of T2I-CompBench: it must hold numeracy_val.txt, spatial_val.txt or "
            "color_val.txt (or _train, with --set part=train); name the folder with --data"
        )
    return tuple(prompts)


def rule_checks() -> tuple[Check, ...]:
    """Known detections and their scores."""

    def seen(name: str, left: float, top: float = 0.0) -> Detection:
        return Detection(name=name, score=0.8, box=(left, top, left + 50, top + 50))

    cups = (Number(name="cup", count=2),)
    right = Place(first="dog", second="cup", where="right")
    near = Place(first="dog", second="cup", where="near")
    red = (Coloured(name="cup", colour="red"), Coloured(name="dog", colour="black"))
    return (
        close("two of two cups", numbers_score(cups, [seen("cup", 0), seen("cup", 100)]), 1.0),
        close("two boxes on one cup", numbers_score(cups, [seen("cup", 0), seen("cup", 1)]), 0.5),
        close("no cup", numbers_score(cups, [seen("dog", 0)]), 0.0),
        close("dog right of cup", place_score(right, [seen("cup", 0), seen("dog", 100)]), 0.9),
        close("dog left of cup", place_score(right, [seen("cup", 100), seen("dog", 0)]), 0.0),
        close(
            "dog 300 pixels off in both directions", place_score(near, [seen("cup", 0), seen("dog", 300, 300)]), 0.65
        ),
        close("one of two colours", colours_score(red, {"cup": ("red",), "dog": ("white",)}), 0.0),
        close("two of two colours", colours_score(red, {"cup": ("blue", "red"), "dog": ("black",)}), 1.0),
    )


def _seen(detections: Sequence[Detection]) -> str:
    names = [item.name for item in detections]
    return "seen: " + (", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "nothing")
