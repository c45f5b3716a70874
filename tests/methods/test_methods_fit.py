"""The training loop on formulas: averages in closed form, micro-batches, stops, and errors that change nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from exact_parts import gaussian
from formula_parts import Formula, numbers, plain, quadratic

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Weights
from redraft.methods.fit import FitConfig, FitState, Keep, OldPolicy, Stop, batch_indices, fit, next_round

KEY = Key(seed=41)


def test_averaged_weights_in_closed_form() -> None:
    """Adam without moments walks lr a step: the weights are known, and so is the product of (1 + k) / (10 + k)."""
    backbone = gaussian()
    steps, rate = 12, 0.5
    config = plain(steps=steps, learning_rate=rate, betas=(0.0, 0.0), ema_decay=0.999)
    # A quadratic so far away that its gradient keeps its sign (and its size far above Adam's epsilon of 1e-8).
    result = fit(Formula(quadratic), backbone, numbers([1e6, 1e6]), config=config, key=KEY)
    assert backbone.trainable()["shift"].item() == pytest.approx(rate * steps, rel=1e-9)

    def kept_share(first: int) -> float:
        # The product over k = first .. steps - 1 of (1 + k) / (10 + k).
        return math.factorial(steps) * math.factorial(first + 9) / math.factorial(first) / math.factorial(steps + 9)

    expected = sum(9 / (10 + k) * kept_share(k + 1) * rate * (k + 1) for k in range(steps))
    assert result.parameters["shift"].item() == pytest.approx(expected, rel=1e-9)
    # And with a small decay the warm-up ends: constant decay d on a straight line lags behind it by d / (1 - d) steps.
    config = plain(steps=200, learning_rate=rate, betas=(0.0, 0.0), ema_decay=0.5)
    result = fit(Formula(quadratic), gaussian(), numbers([1e6, 1e6]), config=config, key=KEY)
    lag = (result.state.policy["shift"] - result.parameters["shift"]).item() / rate
    assert lag == pytest.approx(1.0, rel=1e-9)
    config = plain(steps=3, ema_decay=0.0)
    result = fit(Formula(quadratic), gaussian(), numbers([1.0, 3.0]), config=config, key=KEY)
    assert torch.equal(result.parameters["shift"], result.state.policy["shift"])


def test_quadratic_is_minimised_and_logged() -> None:
    backbone = gaussian()
    config = plain(steps=400, learning_rate=0.05, betas=(0.5, 0.9), warmup=10)
    result = fit(Formula(quadratic), backbone, numbers([1.0, 3.0]), config=config, key=KEY)
    assert result.parameters["shift"].item() == pytest.approx(2.0, abs=0.01)
    first = result.log[0]
    assert (first.step, first.loss, first.parts) == (1, 2.5, {"double": 5.0})
    assert first.gradient_norm == pytest.approx(2.0)
    assert [log.learning_rate for log in result.log[:3]] == pytest.approx([0.005, 0.01, 0.015])
    assert result.log[20].learning_rate == 0.05


def test_micro_batches_give_the_gradient_of_the_whole_batch() -> None:
    values = [0.5, -1.0, 2.0, 4.0, 8.0]
    whole = fit(Formula(quadratic), gaussian(), numbers(values), config=plain(steps=3, batch_size=5), key=KEY)
    parts = fit(
        Formula(quadratic), gaussian(), numbers(values), config=plain(steps=3, batch_size=5, micro_batch=2), key=KEY
    )
    assert [log.gradient_norm for log in parts.log] == pytest.approx([log.gradient_norm for log in whole.log])
    assert [log.loss for log in parts.log] == pytest.approx([log.loss for log in whole.log])


def test_gradient_is_clipped_to_its_largest_norm() -> None:
    """Adam without moments ignores the size of a gradient, so look at its moment."""
    config = plain(steps=1, gradient_clip=0.25, betas=(0.0, 0.0))
    result = fit(Formula(quadratic), gaussian(), numbers([4.0, 4.0]), config=config, key=KEY)
    assert result.log[0].gradient_norm == pytest.approx(4.0)
    assert result.state.optimizer["shift"]["exp_avg"].item() == pytest.approx(-0.25, rel=1e-5)


def test_batches_walk_through_permutations() -> None:
    steps = [batch_indices(7, step=step, batch_size=3, key=KEY) for step in range(14)]
    stream = [index for batch in steps for index in batch]
    assert all(sorted(stream[start : start + 7]) == list(range(7)) for start in range(0, 42, 7))
    assert stream[:7] != stream[7:14]
    assert steps[5] == batch_indices(7, step=5, batch_size=3, key=KEY)
    assert len(batch_indices(2, step=0, batch_size=5, key=KEY)) == 5
    with pytest.raises(UsageError, match=r"no examples to train on \(0 given\)"):
        batch_indices(0, step=0, batch_size=1, key=KEY)


def loss_bad_at(step: int, bad: Callable[[torch.Tensor], torch.Tensor]):
    def formula(shift: torch.Tensor, examples: Weights, now: int) -> torch.Tensor:
        value = quadratic(shift, examples, now)
        return bad(value) if now == step else value

    return Formula(formula)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda value: value * torch.nan, r"step 3: loss nan, gradient norm nan .*first .* finite: shift"),
        (lambda value: value / 0, r"step 3: loss inf, gradient norm (inf|nan)"),
        # A finite loss with an infinite slope.
        (lambda value: value + (value - value.detach()).sqrt(), r"step 3: loss \d.*, gradient norm inf .*: shift"),
    ],
)
def test_a_bad_number_stops_before_any_weight_changed(bad, message: str) -> None:
    backbone = gaussian()
    saved: list[FitState] = []
    config = plain(steps=5, save_every=1)
    with pytest.raises(NumericsError, match=message + r".*no weight was changed"):
        fit(loss_bad_at(2, bad), backbone, numbers([1.0, 3.0]), config=config, key=KEY, save=saved.append)
    assert [state.step for state in saved] == [1, 2]
    assert torch.equal(backbone.trainable()["shift"], saved[-1].policy["shift"])
    assert backbone.trainable()["shift"].grad is None
    assert saved[-1].policy["shift"].item() != 0.0
    # And the workspace still works: the saved state goes on with a method that is well.
    assert (
        fit(Formula(quadratic), backbone, numbers([1.0, 3.0]), config=config, key=KEY, state=saved[-1]).state.step == 5
    )


def test_stop_keeps_the_best_earlier_weights() -> None:
    seen: dict[int, float] = {}

    def on_step(log):
        seen[log.step] = log.averaged["shift"].item()
        if log.step in (2, 4):
            return Keep()
        return Stop(reason="held-out reward fell", best_step=4) if log.step == 7 else None

    result = fit(Formula(quadratic), gaussian(), numbers([1.0, 3.0]), config=plain(steps=20), key=KEY, on_step=on_step)
    assert (result.state.step, len(result.log)) == (7, 7)
    assert result.stop == Stop(reason="held-out reward fell", best_step=4)
    assert result.parameters["shift"].item() == seen[4]
    assert len(set(seen.values())) == 7
    for best, expected in [(0, 0.0), (5, None)]:
        result = fit(
            Formula(quadratic),
            gaussian(),
            numbers([1.0, 3.0]),
            config=plain(steps=20),
            key=KEY,
            on_step=lambda log, best=best: Stop(reason="drift", best_step=best) if log.step == 5 else None,
        )
        assert result.parameters["shift"].item() == (seen[5] if expected is None else expected)
    with pytest.raises(UsageError, match=r"best_step=3, but the weights of that step were not kept \(kept: step 0\)"):
        fit(
            Formula(quadratic),
            gaussian(),
            numbers([1.0]),
            config=plain(steps=9),
            key=KEY,
            on_step=lambda log: Stop(reason="drift", best_step=3) if log.step == 5 else None,
        )


def test_old_weights_follow_as_configured() -> None:
    def run(policy: OldPolicy, rounds: int = 2) -> list[FitState]:
        states, state, backbone = [], None, gaussian()
        for turn in range(rounds):
            state = fit(
                Formula(quadratic),
                backbone,
                numbers([1.0, 3.0]),
                config=plain(steps=3, learning_rate=0.1, old_policy=policy),
                key=KEY.child(turn),
                state=None if state is None else next_round(state, config=plain(old_policy=policy)),
            ).state
            states.append(state)
        return states

    never = run(OldPolicy(follows="never"))
    assert never[1].old["shift"].item() == 0.0
    assert (never[1].step, never[1].round_start) == (6, 3)
    copied = run(OldPolicy())
    assert copied[0].old["shift"].item() == 0.0
    assert torch.equal(copied[1].old["shift"], copied[0].policy["shift"])
    half = OldPolicy(slope=1.0, maximum=0.25)
    averaged = run(half)
    assert averaged[1].old["shift"].item() == pytest.approx(0.75 * averaged[0].policy["shift"].item())
    each = run(OldPolicy(follows="step"))
    assert torch.equal(each[1].old["shift"], each[1].policy["shift"])
    # The published schedules: type 1 and type 2.
    first = OldPolicy(slope=0.001, maximum=0.5)
    assert [first.decay(step) for step in (0, 100, 500, 900)] == pytest.approx([0, 0.1, 0.5, 0.5])
    second = OldPolicy(flat=75, slope=0.0075, maximum=0.999)
    assert [second.decay(step) for step in (75, 76, 175, 900)] == pytest.approx([0, 0.0075, 0.75, 0.999])


def test_autocast_runs_products_in_half_precision_and_keeps_the_weights() -> None:
    seen = []

    def formula(shift: torch.Tensor, _examples: Weights, _step: int) -> torch.Tensor:
        product = torch.ones(2, 2) @ (shift.float().view(1, 1) * torch.ones(2, 2))
        seen.append(product.dtype)
        return (product.float() - 3).square().mean()

    for autocast, dtype in [("none", torch.float32), ("bfloat16", torch.bfloat16)]:
        backbone = gaussian(dtype=torch.float32)
        config = plain(steps=2, autocast=autocast)
        result = fit(Formula(formula), backbone, numbers([1.0]), config=config, key=KEY)
        assert set(seen[-2:]) == {dtype}
        assert result.state.policy["shift"].dtype == torch.float32


@dataclass(frozen=True)
class OneOfTwo:
    """What a process of two sees of the other; here the other is a recorded one."""

    process_index: int
    others: list[torch.Tensor]
    num_processes: int = 2

    def reduce(self, tensor: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
        assert reduction == "mean"
        self.others.append(tensor.clone())
        return tensor


def test_processes_share_the_batch_and_their_mean_gradient_is_the_batch_gradient() -> None:
    """Five examples in two processes, three and two: the mean of their gradients is that of the whole batch."""
    values = [0.5, -1.0, 2.0, 4.0, 8.0]
    config = plain(steps=1, batch_size=5)
    alone = fit(Formula(quadratic), gaussian(), numbers(values), config=config, key=KEY)
    handed: list[list[torch.Tensor]] = [[], []]
    for rank in range(2):
        share = OneOfTwo(rank, handed[rank])
        fit(Formula(quadratic), gaussian(), numbers(values), config=config, key=KEY, processes=share)
    mean = (handed[0][0] + handed[1][0]) / 2
    assert mean.abs().item() == pytest.approx(alone.log[0].gradient_norm)
    with pytest.raises(UsageError, match=r"batch_size=1 is below the number of processes, 2: raise it"):
        fit(
            Formula(quadratic),
            gaussian(),
            numbers(values),
            config=plain(steps=1, batch_size=1),
            key=KEY,
            processes=OneOfTwo(1, []),
        )


def test_a_loss_without_weights_and_wrong_options_are_refused() -> None:
    constant = Formula(lambda _shift, examples, _step: examples.latents.mean())
    with pytest.raises(UsageError, match=r"loss of Formula \(1\) does not depend on the trained weights"):
        fit(constant, gaussian(), numbers([1.0]), config=plain(), key=KEY)
    with pytest.raises(ConfigError, match=r"betas=\(0.9, 1.0\): both must be in \[0, 1\)"):
        configuration.build(FitConfig, {"betas": [0.9, 1.0]}, source="[fit]")


def test_a_fresh_optimizer_forgets_the_moments_and_nothing_else() -> None:
    state = fit(Formula(quadratic), gaussian(), numbers([1.0, 3.0]), config=plain(steps=3), key=KEY).state
    assert state.optimizer
    assert next_round(state, config=plain()).optimizer == state.optimizer
    fresh = next_round(state, config=plain(fresh_optimizer=True))
    assert fresh.optimizer == {}
    assert fresh.step == fresh.round_start == state.step
    assert all(torch.equal(fresh.policy[name], state.policy[name]) for name in state.policy)


def test_old_weights_may_begin_to_lag_slowly() -> None:
    policy = OldPolicy(follows="step", slope=1.0, maximum=0.99, ramp=True)
    assert [policy.decay(step) for step in (1, 9, 1000)] == [1 / 10, 9 / 18, 0.99]
    assert OldPolicy(follows="step", slope=1.0, maximum=0.99).decay(1) == 0.99
