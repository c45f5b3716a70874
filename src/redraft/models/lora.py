"""Low-rank adapters of a denoiser: attach, scale, mix, merge, and at which sampling steps they act.

Not the training of them. W = W0 + alpha / rank * B A (LoRA, 2106.09685, equation 3); scaling and mixing as in DRaFT
(2309.17400, section 4.3 and appendix). PEFT makes the layers; their initial values come from a Key.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from redraft.core.errors import UsageError, nearest
from redraft.core.tensors import Parameters
from redraft.models.weights import DenoiserWeights

if TYPE_CHECKING:
    from redraft.core.keys import Key

ADAPTER = "default"
FACTOR_A = f".lora_A.{ADAPTER}.weight"
FACTOR_B = f".lora_B.{ADAPTER}.weight"


def layers(denoiser: torch.nn.Module) -> dict[str, Any]:
    """The adapted layers by name: {} for a denoiser without an adapter."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in denoiser.named_modules() if isinstance(module, LoraLayer)}


def attach(denoiser: Any, *, rank: int, alpha: float, targets: Sequence[str], key: Key) -> None:
    """Put a fresh adapter on every linear or convolution layer whose name ends in one of `targets`.

    A is uniform in +-1/sqrt(fan in), drawn from `key` and the layer's name; B is zero, so that the adapted model equals
    the base exactly. Factors are float32. Raises UsageError for a rank below 1, an alpha not above 0 or a target that
    no layer has.
    """
    if rank < 1 or not alpha > 0:
        raise UsageError(f"LoRA rank={rank}, alpha={alpha}: the rank must be at least 1 and alpha above 0")
    _require_targets(denoiser, targets)
    from peft import LoraConfig

    config = LoraConfig(r=rank, lora_alpha=float(alpha), target_modules=list(targets))
    with torch.random.fork_rng(devices=[]):  # PEFT draws from the global generator; its draws are replaced below
        denoiser.add_adapter(config, adapter_name=ADAPTER)
    for name, layer in layers(denoiser).items():
        factor_a, factor_b = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        uniform = key.child(name).uniform(factor_a.weight.shape)
        bound = 1 / math.sqrt(factor_a.weight[0].numel())
        factor_a.float().weight.data.copy_((2 * uniform - 1) * bound)
        factor_b.float().weight.data.zero_()


def detach(denoiser: Any) -> None:
    """Take the adapter off; the base layers are put back as they were, not copied."""
    for name, layer in layers(denoiser).items():
        _put(denoiser, name, layer.base_layer)
    if getattr(denoiser, "peft_config", None):
        del denoiser.peft_config
        denoiser._hf_peft_config_loaded = False


def _put(denoiser: torch.nn.Module, name: str, module: torch.nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(denoiser.get_submodule(parent), attribute, module)


def _require_targets(denoiser: torch.nn.Module, targets: Sequence[str]) -> None:
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    names = [name for name, module in denoiser.named_modules() if isinstance(module, kinds)]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            endings = sorted({".".join(name.split(".")[-parts:]) for name in names for parts in (1, 2)})
            close = nearest(target, endings) or tuple(endings[:12])
            raise UsageError(
                f"LoRA target {target!r}: no linear or convolution layer of the {type(denoiser).__name__} has a name "
                f"that ends in it; try {', '.join(repr(ending) for ending in close)}"
            )


def scale(parameters: Parameters, factor: float) -> Parameters:
    """The same adapter at strength `factor`: 0 is the base exactly, 1 the adapter as trained (2309.17400, 4.3).

    Warns outside [0, 1], where pictures degrade quickly. Raises UsageError for full weights.
    """
    if not any(name.endswith(FACTOR_B) for name in parameters):
        raise UsageError("these parameters hold no LoRA factors: only a LoRA can be scaled; full weights act whole")
    if not 0 <= factor <= 1:
        warnings.warn(f"LoRA scale {factor} is outside [0, 1]: pictures may degrade", UserWarning, stacklevel=2)
    return {name: value * factor if name.endswith(FACTOR_B) else value for name, value in parameters.items()}


def delta(factor_a: torch.Tensor, factor_b: torch.Tensor) -> torch.Tensor:
    """B A of one layer, float32, in the shape of its weight (linear: out, in; convolution: out, in, k, k)."""
    product = factor_b.float().flatten(1) @ factor_a.float().flatten(1)
    return product.reshape(factor_b.shape[0], *factor_a.shape[1:])


def dense(weights: DenoiserWeights) -> dict[str, torch.Tensor]:
    """alpha / rank * B A of every adapted layer, by the layer's name."""
    _require_lora(weights)
    names = [name.removesuffix(FACTOR_A) for name in weights.parameters if name.endswith(FACTOR_A)]
    values, factor = weights.parameters, weights.alpha / weights.rank
    return {name: factor * delta(values[name + FACTOR_A], values[name + FACTOR_B]) for name in names}


def mix(parts: Sequence[tuple[DenoiserWeights, float]]) -> DenoiserWeights:
    """One adapter whose dense change is the sum of scale * change over `parts` (2309.17400, section 4.3).

    Exact, by concatenating factors: its rank is the sum of the ranks and its alpha equals its rank. A layer that a part
    does not have gets zeros. Raises UsageError for no parts, full weights or parts of different bases; warns for a
    scale outside [0, 1].
    """
    if not parts:
        raise UsageError("no adapter to mix: give at least one")
    first = parts[0][0]
    for weights, _ in parts:
        _require_lora(weights)
        weights.require_base(first.base, first.base_fingerprint)
    shapes: dict[str, torch.Size] = {}
    for weights, _ in parts:
        shapes |= {name: value.shape for name, value in weights.parameters.items()}
    pieces: dict[str, list[torch.Tensor]] = {name: [] for name in shapes}
    for weights, strength in parts:
        scaled = scale(weights.parameters, strength)
        for name, shape in shapes.items():
            is_b = name.endswith(FACTOR_B)
            empty = (shape[0], weights.rank, *shape[2:]) if is_b else (weights.rank, *shape[1:])
            piece = scaled[name] if name in scaled else torch.zeros(empty)
            pieces[name].append(piece * (weights.alpha / weights.rank) if is_b else piece)
    rank = sum(weights.rank for weights, _ in parts)
    joined = {name: torch.cat(values, dim=1 if name.endswith(FACTOR_B) else 0) for name, values in pieces.items()}
    targets = tuple(dict.fromkeys(target for weights, _ in parts for target in weights.targets))
    return replace(first, parameters=joined, rank=rank, alpha=float(rank), targets=targets)


def _require_lora(weights: DenoiserWeights) -> None:
    if weights.kind != "lora":
        raise UsageError(f"weights of kind {weights.kind!r}: only LoRA factors can be mixed or made dense")


def adapted_last(steps: int, count: int, *, base: Parameters, adapted: Parameters | None = None) -> _ParametersAt:
    """For `diffusion.sample`: base weights in the first steps - count steps, adapted ones in the last `count`.

    This is DRaFT's LoRA start step (2309.17400): count 0 is the base model, count = steps the adapted one. `base` is
    the backbone's `reference()`; `adapted` None means its own weights. Raises UsageError unless 0 <= count <= steps.
    """
    _require_count(steps, count)
    return lambda step: adapted if step >= steps - count else base


def adapted_first(steps: int, count: int, *, base: Parameters, adapted: Parameters | None = None) -> _ParametersAt:
    """The mirror of `adapted_last`: adapted weights in the first `count` steps, base weights later."""
    _require_count(steps, count)
    return lambda step: adapted if step < count else base


_ParametersAt = Callable[[int], Parameters | None]


def _require_count(steps: int, count: int) -> None:
    if not 0 <= count <= steps:
        raise UsageError(f"{count} adapted steps of {steps}: the count must be between 0 and the number of steps")


@contextmanager
def merged(denoiser: torch.nn.Module, parameters: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Within: dense W0 + alpha / rank * B A in place of adapted layers. Afterwards: the very tensors of before."""
    adapted = layers(denoiser)
    originals = {name: layer.base_layer.weight.data for name, layer in adapted.items()}
    try:
        # Inference tensors may not become a weight, so leave inference mode while they are made.
        with torch.inference_mode(False), torch.no_grad():
            for name, layer in adapted.items():
                _put_merged(denoiser, name, layer, parameters)
        yield
    finally:
        for name, layer in adapted.items():
            layer.base_layer.weight.data = originals[name]
            _put(denoiser, name, layer)


def _put_merged(denoiser: torch.nn.Module, name: str, layer: Any, parameters: Parameters) -> None:
    weight = layer.base_layer.weight
    change = delta(parameters[name + FACTOR_A], parameters[name + FACTOR_B]) * layer.scaling[ADAPTER]
    weight.data = (weight.data.float() + change.to(weight.device)).to(weight.dtype)
    _put(denoiser, name, layer.base_layer)
