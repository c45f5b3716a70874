"""What rounds have in common and what not: disjoint prompts, the best round, pictures to go on pre-training on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_cycles import config_for, improve

from redraft.cli.options import run_config
from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.core.tensors import PromptBatch
from redraft.evaluation.tripwires import Probe
from redraft.loop import collecting
from redraft.loop.best_round import RoundWatch
from redraft.loop.config import RunConfig
from redraft.loop.published import PUBLISHED
from redraft.loop.rounds import Trained
from redraft.methods.collapse import CollapseRules
from redraft.methods.presets import PRESETS
from redraft.methods.refl import Refl


class Probes:
    """A prober whose probes are given: the held-out score at each step."""

    def __init__(self, scores: dict[int, float]) -> None:
        self.scores = scores
        self.history = [self.probe(0)]

    def probe(self, step: int) -> Probe:
        return Probe(step=step, trained=np.zeros(2), heldout=np.full(2, self.scores[step]), diversity=np.ones(2))

    def at_the_end_of_a_round(self, step: int, parameters: Any) -> None:
        if self.history[-1].step != step:
            self.history.append(self.probe(step))


def trained(step: int, *, mean_weight: float = 1.0) -> Trained:
    state: Any = type("State", (), {"step": step})()
    return Trained(
        state=state, parameters={"weight": torch.tensor(float(step))}, stopped_by=None, reason="", digest=f"d{step}",
        history=(), log=(), mean_reward=None, samples=0, mean_weight=mean_weight,
    )  # fmt: skip


def watched(
    scores: list[float], *, weights: list[float] | None = None, **rules: Any
) -> tuple[RoundWatch, list[Trained], list[str | None]]:
    prober: Any = Probes(dict(enumerate(scores)))
    watch = RoundWatch(prober=prober, rules=CollapseRules(**rules), active=True)
    rounds = [
        trained(number, mean_weight=1.0 if weights is None else weights[number - 1]) for number in range(1, len(scores))
    ]
    return watch, rounds, [watch.after(done) for done in rounds]


INCUMBENT = {"weight": torch.tensor(0.0)}


def test_the_best_round_is_returned_and_not_the_last() -> None:
    watch, rounds, stops = watched([0.1, 0.3, 0.5, 0.4])
    assert stops == [None, None, None]
    chosen = watch.chosen(tuple(rounds), incumbent=INCUMBENT)
    assert chosen[:-1] == tuple(rounds[:-1])
    assert chosen[-1].parameters["weight"].item() == 2.0
    assert chosen[-1].reason.startswith("of 3 rounds number 2 is returned (0 is the model before training)")
    assert chosen[-1].digest != rounds[-1].digest


def test_the_last_round_is_returned_as_it_is_when_it_is_the_best() -> None:
    watch, rounds, _ = watched([0.1, 0.3, 0.5])
    assert watch.chosen(tuple(rounds), incumbent=INCUMBENT) == tuple(rounds)


def test_two_falls_in_a_row_end_the_rounds_and_the_untouched_model_may_win() -> None:
    watch, rounds, stops = watched([0.5, 0.4, 0.3])
    assert stops[0] is None
    assert stops[1] is not None
    assert "fell 2 rounds in a row" in stops[1]
    chosen = watch.chosen(tuple(rounds), incumbent=INCUMBENT)
    assert chosen[-1].parameters["weight"].item() == 0.0


def test_low_weights_end_the_rounds() -> None:
    _, _, stops = watched([0.1, 0.2, 0.3], weights=[0.9, 0.4])
    assert stops[0] is None
    assert stops[1] is not None
    assert "the mean distance weight is 0.4, below 0.5" in stops[1]
    assert watched([0.1, 0.2], weights=[0.4], lowest_mean_weight=0.3)[2] == [None]


def test_other_methods_and_rounds_that_a_wire_ended_are_left_alone() -> None:
    prober: Any = Probes({0: 0.5, 1: 0.1})
    idle = RoundWatch(prober=prober, rules=CollapseRules(), active=False)
    rounds = (trained(1),)
    assert idle.after(rounds[0]) is None
    assert idle.chosen(rounds, incumbent=INCUMBENT) == rounds
    watch, done, _ = watched([0.1, 0.3, 0.2])
    stopped = (*done, replace(trained(3), stopped_by="drift"))  # the third round was never recorded
    assert watch.chosen(stopped, incumbent=INCUMBENT) == stopped


def test_rsi_through_the_loop_returns_its_best_round(model: Path, tmp_path: Path) -> None:
    """A learning rate that breaks the model: whichever round the held-out scorer likes best is what is examined."""
    config = config_for(
        model, method="rsi", reward={"clip": 1.0}, rounds=2, methods={"rsi": {"keep": 4, "weighting": "none"}},
        fit={"learning_rate": 0.05}, tripwires={"most_drift": 1e9, "tolerated_heldout_fall": 1e9},
    )  # fmt: skip
    outcome = improve(tmp_path, config)
    if outcome.stopped_by is None:
        history = outcome.rounds[-1].history
        ends = [history[0], *(max((p for p in history if p.step <= 4 * n), key=lambda p: p.step) for n in (1, 2))]
        scores = [float(probe.heldout.mean()) for probe in ends if probe.heldout is not None]
        best = scores.index(max(scores))
        if best == 0:
            assert torch.equal(outcome.before.pixels, outcome.after.pixels)
        assert (best == 2) == (not outcome.rounds[-1].reason)


# --- prompts --------------------------------------------------------------------------------------------------------


def test_disjoint_rounds_share_no_prompt_and_a_small_pool_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    asked = collecting.Collector._prompts

    def remembering(self: Any, number: int, *, key: Any) -> Any:
        prompts = asked(self, number, key=key)
        seen.append({prompt.text for prompt in prompts})
        return prompts

    monkeypatch.setattr(collecting.Collector, "_prompts", remembering)
    changes = {
        "reward": {"clip": 1.0},
        "rounds": 2,
        "collect": {"prompts": 8, "disjoint": True},
        "probes": {"every": 0},
    }
    improve(tmp_path / "world", config_for(model, **changes))
    assert len(seen) == 2
    assert [len(texts) for texts in seen] == [8, 8]
    assert not seen[0] & seen[1]
    mine = [Prompt(text=f"harbour number {number} in the evening") for number in range(24)]
    with pytest.raises(UsageError, match=r"round 1 \(from 0\) with 8 prompts needs 16 different prompts and the pool"):
        improve(tmp_path / "mine", config_for(model, **changes), prompts=mine)


def test_published_presets_have_their_papers_loops() -> None:
    def config(method: str, **given: Any) -> RunConfig:
        return run_config({}, given={"method": method, "model": "a/folder", **given}, source="test")

    first = config("rsi-sd14")
    assert (first.rounds, first.collect.prompts, first.collect.pictures_per_prompt) == (8, 5000, 1)
    assert (first.adapter.kind, first.fit.batch_size, first.fit.learning_rate) == ("full", 12, 1e-6)
    # 30 epochs of 300 pictures.
    assert first.fit.steps * first.fit.batch_size == 30 * PRESETS["rsi-sd14"][1]["keep"]
    assert first.collect.disjoint
    assert first.fit.fresh_optimizer
    second = config("rsi-sd3", selection="kept.jsonl")
    assert (second.rounds, second.collect.prompts, second.adapter.kind) == (3, 13000, "lora")
    assert (second.fit.steps, second.fit.learning_rate, second.selection) == (2000, 1e-6, "kept.jsonl")
    assert PRESETS["rsi-sd3"][1]["keep"] == 1000
    # What is given counts more, and nothing of the house's recipe is mixed in.
    assert config("rsi-sd14", rounds=2).rounds == 2
    assert first.methods == {}
    assert first.collect.guidance_scale is None
    assert set(PUBLISHED) <= set(PRESETS)


# --- pictures for the pre-training loss -----------------------------------------------------------------------------


@pytest.mark.parametrize(("coefficient", "wanted"), [(1.0, True), (0.0, False)])
def test_refl_is_given_renders_of_its_prompts_where_it_goes_on_pre_training(
    coefficient: float, wanted: bool, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PromptBatch] = []
    loss = Refl.loss

    def remembering(self: Any, examples: Any, **more: Any) -> Any:
        seen.append(examples)
        return loss(self, examples, **more)

    monkeypatch.setattr(Refl, "loss", remembering)
    config = config_for(
        model, method="refl", reward={"clip": 1.0}, methods={"refl": {"pretraining_coefficient": coefficient}},
        tripwires={"most_drift": 100.0},
    )  # fmt: skip
    outcome = improve(tmp_path, config)
    assert all((batch.pictures is not None) == wanted for batch in seen)
    if wanted:
        shapes = {tuple(batch.pictures.shape[1:]) for batch in seen if batch.pictures is not None}
        assert shapes == {tuple(outcome.before.latents.shape[1:])}
        assert "denoising" in outcome.rounds[0].log[0]
    assert outcome.rounds[0].samples == 16  # four steps of four: what the reward saw, no render


def test_free_prompts_have_no_renders(model: Path, tmp_path: Path) -> None:
    """Then the reference paints, as before."""
    prompts = [Prompt(text=f"harbour number {number} in the evening") for number in range(40)]
    config = config_for(model, method="refl", reward={"clip": 1.0}, tripwires={"most_drift": 100.0})
    outcome = improve(tmp_path, config, prompts=prompts)
    assert "denoising" in outcome.rounds[0].log[0]
