"""Painting as the engine process does it, without one: seeds, batches, previews, cancelling, judging, faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import denoise, initial_noise
from redraft.loop.painting import paint
from redraft.models.builtin import builtin_folder
from redraft.models.load import open_backbone
from redraft.rewards.calibrate import load_calibrations
from redraft.studio.engine.judge import Judge
from redraft.studio.engine.messages import Failed, Group, Item, Paint, Painted, Preview, Progress, Report
from redraft.studio.engine.painter import NobodyWantsItError, Painter, clean_estimate
from redraft.studio.engine.settings import EngineSettings

GROUP = Group(checkpoint="", steps=6, guidance=2.0)
TEXTS = ("a red star", "two blue circles", "a green cross above a ring", "a small yellow square")
# One 8-bit level: sums of floats in batches of other sizes are rounded otherwise, and a pixel may fall elsewhere.
BOUND = 1


@pytest.fixture(scope="module")
def backbone() -> Any:
    return open_backbone("builtin:sd")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(
        EngineSettings(), place=Path("nowhere"), shipped=builtin_folder("builtin:sd") / "calibration.safetensors"
    )


class Listener:
    """A painter whose reports are kept."""

    def __init__(self, judge: Any, *, every: int = 0, unsafe_limit: float = 1.1) -> None:
        self.reports: list[Report] = []
        self.unwanted: set[int] = set()
        self.painter = Painter(
            judge=judge, tell=self.reports.append, unwanted=self.unwanted, preview_every=every, preview_edge=32,
            unsafe_limit=unsafe_limit,
        )  # fmt: skip

    def painted(self) -> dict[int, np.ndarray[Any, Any]]:
        return {
            report.number: np.frombuffer(report.pixels.data, np.uint8).reshape(
                report.pixels.height, report.pixels.width, 3
            )
            for report in self.reports
            if isinstance(report, Painted)
        }


def items(*, preview: bool = False) -> tuple[Item, ...]:
    return tuple(
        Item(number=100 + place, prompt=text, negative_prompt="", seed=7 * place, preview=preview)
        for place, text in enumerate(TEXTS)
    )


def painted_in(backbone: Any, judge: Judge, *batches: tuple[Item, ...]) -> dict[int, np.ndarray[Any, Any]]:
    listener = Listener(judge)
    for batch in batches:
        listener.painter.paint(Paint(group=GROUP, items=batch), backbone)
    return listener.painted()


def difference(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def test_a_picture_is_the_same_whatever_shares_its_batch(backbone: Any, judge: Judge) -> None:
    four = items()
    alone = painted_in(backbone, judge, *((item,) for item in four))
    together = painted_in(backbone, judge, four)
    mixed = painted_in(backbone, judge, (four[3], four[0]), (four[2], four[1]))
    for number in alone:
        assert difference(alone[number], together[number]) <= BOUND
        assert difference(alone[number], mixed[number]) <= BOUND
    assert difference(alone[100], alone[101]) > 50, "different pictures must differ, or this test shows nothing"


def test_a_seed_gives_what_the_command_line_gives(backbone: Any, judge: Judge) -> None:
    (item,) = items()[:1]
    recipe = backbone.default_recipe(steps=GROUP.steps, guidance_scale=GROUP.guidance)
    key = Key(seed=item.seed).child("generate")  # as `redraft generate --seed`
    expected = paint(backbone, [Prompt(text=item.prompt)], recipe=recipe, key=key, batch=1).pixels[0]
    found = painted_in(backbone, judge, (item,))[item.number]
    assert difference(found, expected.permute(1, 2, 0).numpy()) == 0


def test_the_clean_estimate_is_that_of_the_network(backbone: Any) -> None:
    recipe = backbone.default_recipe(steps=6, guidance_scale=2.0)
    conditioning = backbone.encode([Prompt(text="a red star")])
    before = initial_noise(Key(seed=3), indices=[0], shape=backbone.latent_shape)
    for index in range(3):
        with torch.no_grad():
            done = denoise(backbone, before, conditioning, recipe=recipe, index=index)
        level, following = recipe.levels[index], recipe.levels[index + 1]
        expected, _ = split_prediction(
            done.prediction, before, alpha=level.alpha, sigma=level.sigma, kind=backbone.prediction
        )
        found = clean_estimate(before, done.step.mean, level=level, next_level=following)
        # The two equations are solved in float32; the determinant of six steps is about 0.2.
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
        before = done.step.mean


def test_previews_come_every_few_steps_and_only_for_who_wants_them(backbone: Any, judge: Judge) -> None:
    listener = Listener(judge, every=2)
    first, second = items(preview=True)[:2]
    listener.painter.paint(Paint(group=GROUP, items=(first, replace(second, preview=False))), backbone)
    previews = [report for report in listener.reports if isinstance(report, Preview)]
    assert [(report.number, report.step, report.steps) for report in previews] == [(100, 2, 6), (100, 4, 6)]
    assert {(report.pixels.width, report.pixels.height) for report in previews} == {(32, 32)}
    assert all(len(report.pixels.data) == 32 * 32 * 3 for report in previews)
    steps = [report.step for report in listener.reports if isinstance(report, Progress)]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_preview_that_leans_unsafe_is_blurred(backbone: Any, judge: Judge) -> None:
    shown: list[np.ndarray[Any, Any]] = []
    for limit in (1.1, 0.0):  # nothing, and everything, is unsafe
        listener = Listener(judge, every=4, unsafe_limit=limit)
        listener.painter.paint(Paint(group=GROUP, items=items(preview=True)[:1]), backbone)
        (preview,) = [report for report in listener.reports if isinstance(report, Preview)]
        shown.append(np.frombuffer(preview.pixels.data, np.uint8).reshape(32, 32, 3).astype(int))
    # Edges are gone: what is left of a step between neighbours is a small part of what was.
    steps = [np.abs(np.diff(each, axis=0)).max() for each in shown]
    assert steps[1] < steps[0] / 3
    # And it is no black square: its mean is that of the preview.
    assert np.abs(shown[0].mean() - shown[1].mean()) < 5


def test_a_batch_that_nobody_wants_is_left_at_its_next_step(backbone: Any, judge: Judge) -> None:
    listener = Listener(judge)
    first, second = items()[:2]
    listener.unwanted.add(first.number)
    listener.painter.paint(Paint(group=GROUP, items=(first, second)), backbone)
    assert all(report.numbers == (second.number,) for report in listener.reports if isinstance(report, Progress))
    listener.reports.clear()
    listener.unwanted.add(second.number)
    with pytest.raises(NobodyWantsItError):
        listener.painter.paint(Paint(group=GROUP, items=(first, second)), backbone)
    assert listener.reports == []


class Small:
    """A backbone that has memory for two pictures at once."""

    def __init__(self, backbone: Any) -> None:
        self._backbone = backbone
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode(self, prompts: Any) -> Any:
        self.sizes.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError("no memory")
        return self._backbone.encode(prompts)


def test_a_batch_that_is_too_large_for_the_memory_is_halved(backbone: Any, judge: Judge) -> None:
    small, listener = Small(backbone), Listener(judge)
    listener.painter.paint(Paint(group=GROUP, items=items()), small)  # type: ignore[arg-type]
    assert small.sizes == [4, 2, 2]
    assert sorted(listener.painted()) == [100, 101, 102, 103]


class Broken(Small):
    """A backbone whose second picture is not a number."""

    def encode(self, prompts: Any) -> Any:
        return self._backbone.encode(prompts)

    def decode(self, latents: torch.Tensor) -> Any:
        images = self._backbone.decode(latents)
        pixels = images.pixels.clone()
        pixels[1] = torch.nan
        return replace(images, pixels=pixels)


def test_a_picture_of_no_numbers_fails_and_spares_the_others(backbone: Any, judge: Judge) -> None:
    listener = Listener(judge)
    listener.painter.paint(Paint(group=GROUP, items=items()), Broken(backbone))  # type: ignore[arg-type]
    (failed,) = [report for report in listener.reports if isinstance(report, Failed)]
    assert failed.numbers == (101,)
    assert "less guidance" in failed.message
    assert sorted(listener.painted()) == [100, 102, 103]


def test_every_picture_is_judged_with_the_calibration_that_ships(backbone: Any, judge: Judge) -> None:
    listener = Listener(judge)
    listener.painter.paint(Paint(group=GROUP, items=items()), backbone)
    for report in (report for report in listener.reports if isinstance(report, Painted)):
        found = report.judgement
        assert found.confidence == min(found.terms.values())
        assert found.terms[found.weakest] == found.confidence
        assert found.unsafe == pytest.approx(1 - found.terms["unsafe"], abs=1e-6)
        vector = np.frombuffer(found.embedding, "<f4")
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert set(found.fingerprints) == {"embedding", "clip", "aesthetic", "unsafe"}
        assert report.first_confidence is None


def test_a_second_pass_never_makes_it_worse(backbone: Any, judge: Judge) -> None:
    plain, twice = Listener(judge), Listener(judge)
    plain.painter.paint(Paint(group=GROUP, items=items()), backbone)
    twice.painter.paint(Paint(group=replace(GROUP, critique=True), items=items()), backbone)
    before = {r.number: r.judgement.confidence for r in plain.reports if isinstance(r, Painted)}
    for report in (report for report in twice.reports if isinstance(report, Painted)):
        # The first pass is the plain picture; rounding to 8 bits moves a percentile by a step of the calibration.
        assert report.first_confidence == pytest.approx(before[report.number], abs=0.05)
        assert report.judgement.confidence is not None
        assert report.judgement.confidence >= (before[report.number] or 0) - 0.05


@pytest.fixture
def gathering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Judge, Path]:
    monkeypatch.setattr("redraft.studio.engine.judge.LEAST_SAMPLE", 6)
    place = tmp_path / "calibrations" / "model.safetensors"
    return Judge(EngineSettings(), place=place, shipped=None), place


def test_a_model_without_calibration_gathers_one_from_its_own_pictures(
    backbone: Any, gathering: tuple[Judge, Path]
) -> None:
    judge, place = gathering
    listener = Listener(judge)
    order = Paint(group=GROUP, items=items())
    listener.painter.paint(order, backbone)
    first = [report.judgement for report in listener.reports if isinstance(report, Painted)]
    assert {(each.confidence, each.reason, each.weakest) for each in first} == {(None, "not_calibrated", "")}
    assert all(each.unsafe is not None and each.embedding for each in first)
    assert not judge.calibrated
    listener.painter.paint(order, backbone)
    assert judge.calibrated
    assert set(load_calibrations(place)) == {"clip", "aesthetic"}
    listener.reports.clear()
    listener.painter.paint(order, backbone)
    assert all(r.judgement.confidence is not None for r in listener.reports if isinstance(r, Painted))
    # The next process begins with it.
    assert Judge(EngineSettings(), place=place, shipped=None).calibrated
