"""What stops a run: a tripwire (the best earlier weights are kept), a score that is no number (none are changed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from small_cycles import config_for, improve

from redraft.cli.factory import PluginFactory
from redraft.core.errors import NumericsError
from redraft.core.protocols import Method, MethodContext, Scorer, TrainableBackbone
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.store.workspace import Workspace


class Broken:
    """A plug-in's scorer that gives NaN for its third picture and fair scores otherwise."""

    name = "broken"
    heads = ("broken",)
    fingerprint = "0" * 16
    differentiable = False

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = images.pixels.mean((1, 2, 3)).unsqueeze(1)
        values[2] = torch.nan
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class WithBroken:
    """The real factory, with one scorer more."""

    inner: PluginFactory

    def backbone(self, name: str) -> TrainableBackbone:
        return self.inner.backbone(name)

    def scorer(self, name: str) -> Scorer:
        return Broken() if name == "broken" else self.inner.scorer(name)

    def method(self, name: str, *, context: MethodContext) -> Method:
        return self.inner.method(name, context=context)

    def method_needs(self, name: str) -> str:
        return self.inner.method_needs(name)


def test_a_learning_rate_that_destroys_the_model_trips_a_wire_and_the_first_weights_are_kept(
    model: Path, tmp_path: Path
) -> None:
    destructive = {"reward": {"clip": 1.0}, "fit": {"learning_rate": 1.0, "steps": 6}, "adapter": {"kind": "full"}}
    outcome = improve(tmp_path, config_for(model, rounds=3, **destructive))
    # Which wire is touched first may differ between machines: the model is broken in every respect.
    assert outcome.stopped_by in ("drift", "heldout", "diversity", "oracle")
    assert f"tripwire {outcome.stopped_by!r} at step 2: " in outcome.reason
    assert "training stopped and the weights of step 0 are kept" in outcome.reason
    drift = outcome.rounds[0].history[-1].drift
    assert drift is not None
    assert drift > 0.1
    # It was seen at the first probe, and no later round was begun.
    assert len(outcome.rounds) == 1
    assert [probe.step for probe in outcome.rounds[0].history] == [0, 2]
    assert outcome.rounds[0].state.step == 2
    # The candidate is the model before training: it paints the very same pictures, and cannot be promoted.
    assert torch.equal(outcome.before.pixels, outcome.after.pixels)
    assert outcome.verdict.decision != "promote"
    assert outcome.verdict.reasons[0] == outcome.reason
    assert not outcome.promoted


def test_a_wire_in_the_second_round_keeps_weights_of_the_first(model: Path, tmp_path: Path) -> None:
    """Probes of all rounds are one history: the best step may lie in an earlier round; its weights are still there."""
    # Only drift is watched: the pictures of a random model say nothing, and the other wires may be touched by chance.
    loose = {
        "tolerated_heldout_fall": 1e6, "tolerated_oracle_fall": 1.0, "least_diversity": 0.0,
        "most_saturation_rise": 1.0, "most_clipped_rise": 1.0, "most_near_identical_rise": 1.0,
    }  # fmt: skip
    common = {"reward": {"clip": 1.0}, "adapter": {"kind": "full"}}
    gentle = improve(tmp_path / "gentle", config_for(model, rounds=3, tripwires={**loose, "most_drift": 1e6}, **common))
    assert gentle.stopped_by is None
    drift = {probe.step: probe.drift or 0.0 for probe in gentle.rounds[-1].history}
    first, later = max(drift[step] for step in (2, 4)), max(drift[step] for step in (6, 8, 10, 12))
    assert later > first
    # The limit lies between what the first round reaches and what the later ones do, on the very same path.
    config = config_for(model, rounds=3, tripwires={**loose, "most_drift": (first + later) / 2}, **common)
    outcome = improve(tmp_path / "far", config)
    assert outcome.stopped_by == "drift"
    assert len(outcome.rounds) > 1
    kept = int(outcome.reason.split("weights of step ")[1].split()[0])
    assert kept in [probe.step for probe in outcome.rounds[-1].history[:-1]]


def test_a_score_that_is_not_a_number_stops_before_any_weight_changes(model: Path, tmp_path: Path) -> None:
    config = config_for(model, reward={"broken": 1.0}, probes={"every": 0})
    factory = WithBroken(inner=PluginFactory())
    with pytest.raises(NumericsError) as caught:
        improve(tmp_path, config, factory=factory)
    for part in ("'broken'", "nan", "picture 2", "must be finite", "before it changed any weight"):
        assert part in str(caught.value)
    with Workspace.open(tmp_path) as space:
        run = space.runs.get("improve-0001")
        assert run.status == "failed"
        assert "'broken'" in run.result
        stages = [entry.stage for entry in space.ledger.entries(run.name)]
        assert "round-0-judge" in stages
        assert not any("train" in stage for stage in stages)
        assert space.lease.holder() is None
        assert space.checkpoints.list() == ()
        # The workspace still works: the run is done with another scorer, and the next one gets a name of its own.
        space.runs.set_status(run.name, "finished", at=99.0)
    assert improve(tmp_path, config_for(model)).run == "improve-0002"
