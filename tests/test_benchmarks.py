"""The benchmarks run on tiny models and give the figures that docs/performance.md names. Timings are not judged."""

from __future__ import annotations

import importlib.util
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_pipelines import tiny_stable_diffusion, tiny_stable_diffusion_3

from benchmarks import __main__ as command
from benchmarks import against_trl, draft_steps, memory, method_steps, rollouts, scorers
from benchmarks.network_clock import NetworkClock
from benchmarks.subject import QUICK
from benchmarks.table import Figure, Section, as_json, as_text
from redraft.core import plugins
from redraft.core.keys import Key
from redraft.methods.presets import PRESETS
from redraft.models.load import open_backbone


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("benchmarks")
    return str(tiny_stable_diffusion(root / "sd")), str(tiny_stable_diffusion_3(root / "sd3"))


class Slow(torch.nn.Module):
    """Doubles its input and takes 50 ms forward and 100 ms backward."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        product = value * self.factor
        if product.requires_grad:
            product.register_hook(lambda _: time.sleep(0.1))
        # A second operation, so that the sleeping hook lies within the network and not on its output.
        return product * 1.0


@pytest.mark.parametrize("input_has_gradient", [True, False])
def test_the_clock_counts_forward_and_backward_of_a_network_and_nothing_else(input_has_gradient: bool) -> None:
    network, clock = Slow(), NetworkClock()
    clock.watch(network, weights=network.parameters())
    value = torch.ones(3, requires_grad=input_has_gradient)
    time.sleep(0.2)
    output = network(value * 1.0)
    time.sleep(0.2)
    output.sum().backward()
    time.sleep(0.2)
    # 0.15 s within the network, 0.6 s outside it; sleeps may last longer on a busy machine, never shorter.
    assert 0.15 <= clock.seconds < 0.35
    assert (clock.calls, clock.backwards) == (1, 1)
    clock.remove()
    network(value)
    assert clock.calls == 1


def test_every_network_of_a_training_step_is_seen_forward_and_backward(
    models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, reset = [], NetworkClock.reset

    def watched_reset(clock: NetworkClock) -> None:
        seen.append((clock.calls, clock.backwards))
        reset(clock)

    monkeypatch.setattr(NetworkClock, "reset", watched_reset)
    (figure,) = draft_steps.measure(models[1:], amount=QUICK).figures
    # Forward: 8 sampling steps, one call for both LV draws, and three pictures each decoded and judged. Backward: the
    # last sampling step, the LV call, three decoders, and three CLIPs with two outputs each (the pooled
    # one comes from the other, so both get a gradient). Texts are encoded before, or kept from step 1.
    assert seen[-1] == (8 + 1 + 3 + 3, 1 + 1 + 3 + 2 * 3)
    assert 0 < figure.value < 100


def test_rollouts_give_a_share_and_a_rate_for_each_model(models: tuple[str, str]) -> None:
    section = rollouts.measure(models, amount=QUICK)
    assert [figure.unit for figure in section.figures] == ["%", "pictures/s"] * 2
    assert all(figure.value > 0 for figure in section.figures)
    assert all(figure.value < 100 for figure in section.figures[::2])
    assert f"{torch.get_num_threads()} thread" in section.note


def test_every_scorer_with_a_network_gives_the_share_of_its_own_work() -> None:
    section = scorers.measure(amount=QUICK)
    assert [figure.name for figure in section.figures] == list(scorers.SCORERS)
    assert all(figure.value > 0 for figure in section.figures)


def test_memory_of_k_1_does_not_depend_on_the_steps_and_that_of_all_steps_does(models: tuple[str, str]) -> None:
    def saved(steps: int, last: int) -> float:
        backbone = open_backbone(models[0])
        backbone.train_lora(rank=2, alpha=2, seed_key=Key(seed=0))
        return memory.of_one_step(backbone, steps=steps, last=last, batch=2).saved

    assert saved(2, 1) == pytest.approx(saved(6, 1), rel=0.01)
    assert saved(6, 6) > 1.2 * saved(6, 1)


@pytest.mark.parametrize("name", method_steps.METHODS)
def test_a_step_of_every_method_is_measured(name: str, models: tuple[str, str]) -> None:
    found = method_steps.of_a_step(open_backbone(models[1]), name, batch=2, repeats=1)
    assert found.seconds > 0
    assert 0 < found.outside < 1
    assert found.saved > 0
    assert found.peak is None or found.peak >= 0


def test_the_methods_of_the_benchmark_are_all_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {PRESETS.get(name, (name, {}))[0] for name in method_steps.METHODS}
    assert known >= {
        name for name in plugins.names("method") if plugins.load("method", name).__module__[:8] == "redraft."
    }
    made = method_steps.Measured(seconds=2.0, outside=0.05, saved=50.0, peak=100.0)
    steps = {name: replace(made, seconds=2.0 * place) for place, name in enumerate(method_steps.METHODS, 1)}
    monkeypatch.setattr(method_steps, "in_new_process", lambda _model, method, **_amount: steps[method])
    section = method_steps.measure("a model", amount=QUICK)
    ratios = [figure.value for figure in section.figures if figure.unit == "x"]
    assert ratios == [float(place) for place in range(1, len(method_steps.METHODS) + 1)]
    assert {figure.value for figure in section.figures if figure.unit == "%"} == {5.0}
    assert "sft: 2.00 s a step" in section.note


def test_a_process_of_its_own_reports_its_memory(models: tuple[str, str]) -> None:
    found = memory.in_new_process(models[0], steps=2, last=1, batch=2)
    assert found.saved > 0
    assert found.peak is None or found.peak >= 0


def test_trl_is_optional(models: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trl" else find(name))
    section = against_trl.measure(models[0], amount=QUICK)
    assert section.figures == ()
    assert "trl is not installed" in section.note
    assert "pip install trl==0.23.1" in section.note


def test_our_side_of_the_comparison_trains(models: tuple[str, str]) -> None:
    against_trl.redraft_step(models[0], last="all", amount=QUICK)()


def test_the_command_prints_a_table_or_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = Section(
        title="Speed", figures=(Figure(name="outside", value=3.25, unit="%", aim="aim 5 %"),), note="n = 1"
    )
    seen = []
    monkeypatch.setitem(command.PARTS, "rollouts", lambda amount: seen.append(amount) or section)
    command.main(["--quick", "--only", "rollouts"])
    assert seen == [QUICK]
    assert capsys.readouterr().out.splitlines() == ["Speed", "  outside       3.25 %   (aim 5 %)", "  n = 1"]
    command.main(["--json", "--only", "rollouts"])
    assert json.loads(capsys.readouterr().out)[0]["figures"][0]["value"] == 3.25
    assert as_text([section, section]).count("Speed") == 2
    assert len(json.loads(as_json([section, section]))) == 2


def test_make_benchmark_runs_the_command() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert "-m benchmarks $(ARGS)" in makefile
