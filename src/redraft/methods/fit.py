"""The one training loop: the only file with backward() and optimizer.step(). Knows no method, reads no disk.

A method gives a loss; this file draws batches, descends, averages weights, and can stop and go on bit for bit.
It has no clock and no random state: step k of a run is a function of the key, of k and of the state before it.

One process uses plain torch. With several, pass an `accelerate.Accelerator` as `processes`: each process then takes
its share of every batch and gradients are averaged between them; nothing else changes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, Method, TrainableBackbone
from redraft.core.tensors import Examples, Parameters
from redraft.methods.fit_config import FitConfig, OldPolicy
from redraft.methods.fit_records import FitResult, Keep, Processes, StepLog, Stop
from redraft.methods.fit_state import FitState, begin, next_round
from redraft.methods.preflight import require_same_architecture

__all__ = [
    "FitConfig",
    "FitResult",
    "FitState",
    "Keep",
    "OldPolicy",
    "Processes",
    "StepLog",
    "Stop",
    "batch_indices",
    "begin",
    "fit",
    "next_round",
]


def fit(
    method: Method,
    backbone: TrainableBackbone,
    examples: Examples,
    *,
    config: FitConfig,
    key: Key,
    state: FitState | None = None,
    on_step: Callable[[StepLog], Keep | Stop | None] | None = None,
    save: Callable[[FitState], None] | None = None,
    processes: Processes | None = None,
) -> FitResult:
    """Train one round: until `config.steps` steps after `state.round_start`; `state` None starts anew.

    A run that was interrupted continues from a saved state and ends bit-equal to one that was not. The next round
    starts from `next_round(result.state)` with other examples and another key. `save` receives a state every
    `config.save_every` steps, after `on_step` has seen that step.

    Raises NumericsError, with all weights as they were before the step, when loss or gradient is not finite;
    UsageError for no examples, a state or a reference of other weights, or a loss that does not depend on the weights.
    """
    training = _Training(backbone, config=config, state=begin(backbone) if state is None else state)
    reference = backbone.reference()
    require_same_architecture(reference, trained=backbone.trainable())
    log: list[StepLog] = []
    stop: Stop | None = None
    while stop is None and training.step < training.round_start + config.steps:
        step_key = key.child("step", training.step)
        batch = batch_indices(
            len(examples), step=training.step - training.round_start, batch_size=config.batch_size, key=key
        )
        context = LossContext(backbone=backbone, reference=reference, old=training.old, step=training.step)
        parts = training.accumulate(method, examples, batch=batch, context=context, key=step_key, processes=processes)
        entry = training.update(parts)
        log.append(replace(entry, averaged={}))
        answer = on_step(entry) if on_step else None
        if isinstance(answer, Keep):
            training.keep()
        elif isinstance(answer, Stop):
            stop = answer
        if save and config.save_every and training.step % config.save_every == 0:
            save(training.state())
    final = training.state()
    return FitResult(state=final, log=tuple(log), parameters=_chosen(final, stop), stop=stop)


def batch_indices(count: int, *, step: int, batch_size: int, key: Key) -> list[int]:
    """The examples of a step: a window on one permutation of all examples after another, from key and step alone."""
    if count == 0:
        raise UsageError("there are no examples to train on (0 given): paint or select at least one")
    first = step * batch_size
    epochs: dict[int, list[int]] = {}
    indices = []
    for position in range(first, first + batch_size):
        epoch, place = divmod(position, count)
        if epoch not in epochs:
            epochs[epoch] = key.child("order", epoch).permutation(count).tolist()
        indices.append(epochs[epoch][place])
    return indices


def _chosen(state: FitState, stop: Stop | None) -> Parameters:
    if stop is None or stop.best_step == state.step:
        return state.averaged
    if stop.best_step != state.kept_step:
        raise UsageError(
            f"training was stopped with best_step={stop.best_step}, but the weights of that step were not kept (kept: "
            f"step {state.kept_step}): answer Keep() at a step that may be the best one"
        )
    return state.kept


class _Training:
    """The live, mutable side of a FitState: the backbone's own weights and an optimizer."""

    def __init__(self, backbone: TrainableBackbone, *, config: FitConfig, state: FitState) -> None:
        self.config = config
        self.parameters = dict(backbone.trainable())
        _require_same_weights(self.parameters, state)
        self.step, self.round_start, self.kept_step = state.step, state.round_start, state.kept_step
        self.averaged = self._like_parameters(state.averaged)
        self.old = self._like_parameters(state.old)
        self.kept = self._like_parameters(state.kept)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state.policy[name])
                parameter.grad = None
        self.optimizer = torch.optim.AdamW(
            list(self.parameters.values()),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        for name, slots in state.optimizer.items():
            parameter = self.parameters[name]
            # The step count stays where torch keeps it (on the CPU); moments live beside their weight.
            self.optimizer.state[parameter] = {
                slot: value.clone() if slot == "step" else value.to(parameter.device, copy=True)
                for slot, value in slots.items()
            }

    def _like_parameters(self, values: Parameters) -> dict[str, torch.Tensor]:
        return {name: values[name].detach().to(weight, copy=True) for name, weight in self.parameters.items()}

    def accumulate(
        self,
        method: Method,
        examples: Examples,
        *,
        batch: list[int],
        context: LossContext,
        key: Key,
        processes: Processes | None,
    ) -> dict[str, float]:
        """Gradients of the batch's mean loss, left in the parameters; returns the named numbers, `loss` among them."""
        share, rank = (processes.num_processes, processes.process_index) if processes else (1, 0)
        if len(batch) < share:
            raise UsageError(f"batch_size={len(batch)} is below the number of processes, {share}: raise it")
        mine = batch[rank::share]
        size = self.config.micro_batch or len(mine)
        parts: dict[str, float] = {}
        for start in range(0, len(mine), size):
            rows = mine[start : start + size]
            with self._autocast():
                loss = method.loss(examples.take(rows), context=context, key=key.child("micro", rank, start))
            if not loss.value.requires_grad:
                raise UsageError(
                    f"the loss of {type(method).__name__} ({loss.value.item():.4g}) does not depend on the trained "
                    "weights: the backbone must have weights to train, and its prediction must enter the loss"
                )
            # Processes may hold one example more or less; with this factor their mean is the mean of the whole batch.
            fraction = len(rows) * share / len(batch)
            (loss.value * fraction).backward()  # type: ignore[no-untyped-call]
            for name, value in {"loss": loss.value.item(), **loss.parts}.items():
                parts[name] = parts.get(name, 0.0) + value * fraction
        return self._average(parts, processes) if processes and share > 1 else parts

    def _average(self, parts: dict[str, float], processes: Processes) -> dict[str, float]:
        """Make gradients and named numbers those of the whole batch."""
        for parameter in self.parameters.values():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = processes.reduce(gradient, reduction="mean")
        device = next(iter(self.parameters.values())).device
        numbers = processes.reduce(torch.tensor(list(parts.values()), device=device), reduction="mean")
        return dict(zip(parts, numbers.tolist(), strict=True))

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.config.autocast == "none":
            return contextlib.nullcontext()
        device = next(iter(self.parameters.values())).device
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def update(self, parts: dict[str, float]) -> StepLog:
        """One optimizer step, then averaged and old weights. Changes nothing when the gradient is not finite."""
        loss = parts.pop("loss")
        norm = self._finite_gradient_norm(loss)
        if self.config.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters.values(), self.config.gradient_clip, norm)
        rate = self.config.learning_rate_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        _follow(self.averaged, self.parameters, decay=self.config.ema_decay_at(self.step))
        self.step += 1
        if self.config.old_policy.follows == "step":
            _follow(self.old, self.parameters, decay=self.config.old_policy.decay(self.step))
        return StepLog(
            step=self.step,
            loss=loss,
            parts=parts,
            gradient_norm=norm.item(),
            learning_rate=rate,
            averaged=self.averaged,
        )

    def _finite_gradient_norm(self, loss: float) -> torch.Tensor:
        gradients = {name: value.grad for name, value in self.parameters.items() if value.grad is not None}
        norm = torch.nn.utils.get_total_norm(gradients.values())
        # Loss and norm are the same numbers in every process, so all of them stop, or none.
        if not (math.isfinite(norm.item()) and math.isfinite(loss)):
            wrong = next((name for name, value in gradients.items() if not bool(torch.isfinite(value).all())), "none")
            self.optimizer.zero_grad()
            raise NumericsError(
                f"step {self.step + 1}: loss {loss}, gradient norm {norm.item()} (first weight with a gradient that "
                f"is not finite: {wrong}): both must be finite; no weight was changed. Lower the learning rate, or "
                "look at the reward and the examples of that step"
            )
        return norm

    def keep(self) -> None:
        """Remember the averaged weights as the best so far."""
        self.kept = {name: value.clone() for name, value in self.averaged.items()}
        self.kept_step = self.step

    def state(self) -> FitState:
        """A copy of everything that the next step depends on."""
        return FitState(
            step=self.step,
            round_start=self.round_start,
            policy={name: value.detach().clone() for name, value in self.parameters.items()},
            averaged={name: value.clone() for name, value in self.averaged.items()},
            old={name: value.clone() for name, value in self.old.items()},
            kept={name: value.clone() for name, value in self.kept.items()},
            kept_step=self.kept_step,
            optimizer={
                name: {slot: moment.clone() for slot, moment in self.optimizer.state[parameter].items()}
                for name, parameter in self.parameters.items()
                if parameter in self.optimizer.state
            },
        )


@torch.no_grad()
def _follow(slow: Mapping[str, torch.Tensor], fast: Mapping[str, torch.Tensor], *, decay: float) -> None:
    for name, value in slow.items():
        value.mul_(decay).add_(fast[name], alpha=1 - decay)


def _require_same_weights(parameters: Iterable[str], state: FitState) -> None:
    different = sorted(set(parameters) ^ set(state.policy))
    if different:
        raise UsageError(
            f"the training state and the backbone do not have the same weights to train ({different[0]!r} is in one "
            "only): resume with the adapter that the state was trained with"
        )
