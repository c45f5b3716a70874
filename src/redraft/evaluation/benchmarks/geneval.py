"""GenEval (Ghosh et al. 2023, arXiv 2310.11513): objects, counts, colours and places, checked by a detector and a CLIP.

The rules are in `geneval_rules`. `overall` is the mean of the means of six tasks, each the mean over its pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, Judged, Judgement, Row, close, fingerprint_of
from redraft.evaluation.benchmarks.colours import ColourNamer, open_namer
from redraft.evaluation.benchmarks.detections import Detection, Detector, overlap, relations
from redraft.evaluation.benchmarks.detector import KNOWN, detector_checks, detector_of
from redraft.evaluation.benchmarks.geneval_rules import TASKS, Clause, Rules, Scene, faults, read_scenes
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.benchmarks.selection import first_of_each
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    from redraft.core.tensors import Images

METADATA = "evaluation_metadata.jsonl"
_HEAD = "correct"


class GenevalConfig(Config):
    """Options of the suite `geneval`; thresholds other than the published ones are said beside every number."""

    detector: str = Field(default="", description="folder of a Mask2Former; empty: `detector` in the data folder")
    device: str = Field(default="cpu", description="where the detector runs, cpu or cuda")
    judge: str = Field(default="", description="CLIP that names colours; empty: the folder `clip` in the data folder")
    images_per_prompt: int = Field(default=4, ge=1, description="pictures of each prompt; published numbers have 4")
    threshold: float = Field(default=0.3, ge=0, lt=1, description="an object counts above this score")
    counting_threshold: float = Field(default=0.9, ge=0, lt=1, description="the same for the task counting")
    most: int = Field(default=16, ge=1, description="at most so many objects of a class")
    overlap_limit: float = Field(
        default=1.0, gt=0, le=1, description="overlap at which the less sure box goes; 1: never"
    )
    position_slack: float = Field(default=0.1, ge=0, description="share of the extents that an offset must exceed")
    limit: int | None = Field(default=None, ge=2, description="only the first prompts of each task; None: all")


class GenevalBenchmark:
    """Rows: overall, the six tasks, and the share of prompts with at least one right picture of those asked for.

    scenes: of the whole list. limit: only the first so many of each task are judged; pictures in folders keep the
    places of the whole list. known: folder of pictures that the detector must see right in the self-test (see
    `detector_checks`).

    Raises:
        UsageError: when a prompt asks for a class that the detector does not have.
    """

    name = "geneval"
    title = "GenEval: pictures right by detector and colour"
    Config: ClassVar[type[BaseModel]] = GenevalConfig

    def __init__(
        self, scenes: Sequence[tuple[Prompt, Scene]], *, detector: Detector, namer: ColourNamer,
        rules: Rules | None = None, images_per_prompt: int = 4, known: Path | None = None, limit: int | None = None,
    ) -> None:  # fmt: skip
        places = first_of_each((scene.task for _, scene in scenes), limit=limit)
        scenes = [scenes[place] for place in places]
        self.prompts, self.images_per_prompt = tuple(prompt for prompt, _ in scenes), images_per_prompt
        self.file_stems = tuple((f"{place:05d}",) for place in places)
        self._scenes = dict(scenes)
        self.detector, self.namer, self.rules, self._known = detector, namer, rules or Rules(), known
        unknown = sorted({name for _, scene in scenes for name in scene.names} - set(detector.names))
        if unknown:
            raise UsageError(
                f"the detector has no class {', '.join(unknown[:5])} ({len(unknown)} of GenEval's): put the "
                "object_names.txt that belongs to the detector beside the prompts"
            )
        self.fingerprint = fingerprint_of(
            self.name, detector.fingerprint, namer.fingerprint, self.rules, *(repr(scene) for scene in scenes)
        )

    @classmethod
    def build(cls, config: GenevalConfig, context: SuiteContext) -> GenevalBenchmark:
        """Read prompts and object names of `context.folder`, open detector and CLIP. Raises as these do."""
        folder = Path(context.folder)
        rules = Rules(**{name: getattr(config, name) for name in Rules.__dataclass_fields__})
        return cls(
            read_scenes(folder / METADATA),
            detector=detector_of(folder, detector=config.detector, device=config.device),
            namer=open_namer(config.judge or str(folder / "clip"), context),
            rules=rules,
            images_per_prompt=config.images_per_prompt,
            known=folder / KNOWN,
            limit=config.limit,
        )

    def judge(self, images: Images, prompts: Sequence[Prompt]) -> Judgement:
        """1 for a right picture, else 0 with what is wrong."""
        import torch

        from redraft.core.tensors import Scores

        found = self.detector.detect(images, above=min(self.rules.threshold, self.rules.counting_threshold))
        reasons = []
        for picture, detections, prompt in zip(images.pixels, found, prompts, strict=True):

            def colours(name: str, items: Sequence[Detection], *, of: torch.Tensor = picture) -> tuple[str, ...]:
                return self.namer.names(of, items, name=name)

            scene = self._scenes[prompt]
            kept = self.rules.kept(detections, task=scene.task)
            reasons.append("; ".join(faults(scene, kept, colours=colours, slack=self.rules.position_slack)))
        values = torch.tensor([[0.0 if reason else 1.0] for reason in reasons])
        mask = torch.ones_like(values, dtype=torch.bool)
        return Judgement(
            scores=Scores(values=values, names=(_HEAD,), fingerprints=(self.fingerprint,), mask=mask),
            reasons=tuple(reasons),
        )

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        """overall, the tasks in published order, then `any of K`; a task with fewer than two prompts is left out."""
        tasks = np.array([prompt.tag("task") or "" for prompt in self.prompts])
        note = "" if self.rules == Rules() else "not the published thresholds: not comparable with published tables"
        wanted = [("overall", np.isin(tasks, TASKS), judged, against)]
        wanted += [(task, tasks == task, judged, against) for task in TASKS]
        if self.images_per_prompt > 1:
            other = None if against is None else any_right(against)
            wanted.append((f"any of {self.images_per_prompt}", np.isin(tasks, TASKS), any_right(judged), other))
        rows = [
            mean_row(
                name, of, head=_HEAD, key=key, unit="share", against=other, chosen=chosen, fingerprint=self.fingerprint,
                strata=list(tasks) if name == "overall" else None, note=note,
            )
            for name, chosen, of, other in wanted
        ]  # fmt: skip
        return tuple(row for row in rows if row is not None)

    def self_test(self) -> tuple[Check, ...]:
        """Known boxes through the geometry, known detections through the rules, then detector and CLIP themselves."""
        return (
            *geometry_checks(),
            *rule_checks(),
            *detector_checks(self.detector, known=self._known, above=self.rules.threshold),
            *self.namer.checks(),
        )


def any_right(judged: Judged) -> Judged:
    """One row a prompt: whether any of its pictures is right. Prompts that lack a picture are not judged."""
    values, mask, _ = judged.column(_HEAD)
    count = len(judged.prompts)
    numbers = np.bincount(judged.group[mask], minlength=count)
    right = np.bincount(judged.group[mask], weights=values[mask], minlength=count) > 0
    whole = numbers >= judged.images_per_prompt
    return replace(
        judged, group=np.arange(count), values=right.astype(np.float64)[:, None], mask=whole[:, None],
        names=(_HEAD,), fingerprints=(judged.column(_HEAD)[2],), images_per_prompt=1,
    )  # fmt: skip


def geometry_checks() -> tuple[Check, ...]:
    """Overlap and relations of boxes with known answers."""
    box = (0.0, 0.0, 100.0, 100.0)
    places = {
        (200.0, 0.0, 300.0, 100.0): "left of",
        (110.0, 110.0, 210.0, 210.0): "above, left of",
        (15.0, 0.0, 115.0, 100.0): "nothing",
        (30.0, 0.0, 130.0, 100.0): "nothing",
        (50.0, 0.0, 150.0, 100.0): "left of",
        (0.0, 0.0, 100.0, 100.0): "nothing",
    }
    checks = [
        close("overlap of boxes that touch", overlap((0, 0, 9, 9), (10, 0, 19, 9)), 0.0),
        close("overlap of half a box", overlap((0, 0, 9, 9), (5, 0, 14, 9)), 1 / 3),
        close("overlap of boxes that share an edge", overlap((0, 0, 10, 10), (10, 0, 20, 10)), 11 / 231),
    ]
    for other, expected in places.items():
        found = ", ".join(sorted(relations(box, other))) or "nothing"
        name = f"place of {box[2]:g} x {box[3]:g} at 0 against {other}"
        checks.append(Check(name=name, expected=expected, found=found, passed=found == expected))
    return tuple(checks)


def rule_checks() -> tuple[Check, ...]:
    """Known detections and what must be said of them."""

    def seen(name: str, left: float, score: float) -> Detection:
        return Detection(name=name, score=score, box=(left, 0, left + 50, 50))

    two = Scene(task="counting", include=(Clause(name="cup", count=2),), exclude=(Clause(name="cup", count=3),))
    beside = Scene(
        task="position",
        include=(Clause(name="cup", count=1), Clause(name="dog", count=1, position=("right of", 0))),
    )
    pair = [seen("cup", 0, 0.95), seen("cup", 100, 0.91)]
    cases = [
        ("two of two", two, pair, True),
        ("a third above the threshold", two, [*pair, seen("cup", 200, 0.92)], False),
        ("a third at the threshold", two, [*pair, seen("cup", 200, 0.9)], True),
        ("one of two", two, pair[:1], False),
        ("dog right of cup", beside, [pair[0], seen("dog", 200, 0.31)], True),
        ("dog left of cup", beside, [pair[1], seen("dog", 0, 0.31)], False),
        ("dog without cup", beside, [seen("dog", 200, 0.31)], False),
    ]
    checks = []
    for name, scene, detections, right in cases:
        found = not faults(scene, Rules().kept(detections, task=scene.task), colours=lambda *_: ())
        words = {True: "right", False: "wrong"}
        checks.append(Check(name=name, expected=words[right], found=words[found], passed=found == right))
    return tuple(checks)
