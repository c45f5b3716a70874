"""Does a backbone keep the contracts of `core.protocols.Backbone` and `TrainableBackbone`? No word on its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast, get_args

import torch

from redraft.core.keys import Key
from redraft.core.protocols import Backbone, TrainableBackbone
from redraft.core.records import NoiseLevel, Prediction, Prompt
from redraft.core.tensors import Conditioning, Images, Parameters
from redraft.testing.rules import PROMPTS, TOLERANCE, Rules, distance, reaches, useful

PARTS_OF_A_BACKBONE = ("prediction", "latent_shape", "encode", "predict", "decode", "encode_images")
PARTS_OF_TRAINING = ("trainable", "reference", "noise_level", "levels")

_STEPS = 4


def check_backbone(
    backbone: Backbone, *, prompts: Sequence[Prompt] = PROMPTS, trainable: bool = True, seed: int = 0
) -> None:
    """Check the four functions of a backbone and, unless `trainable` is False, what training and sampling need of it.

    A backbone must be prepared for training first, where it has a call for that. Raises ConformanceError.
    """
    rules = Rules(backbone)
    parts = PARTS_OF_A_BACKBONE + (PARTS_OF_TRAINING if trainable else ())
    if rules.has(backbone, parts) and rules.hold(
        backbone.prediction in get_args(Prediction),
        f"prediction is {backbone.prediction!r}: it must be one of {', '.join(get_args(Prediction))}",
    ):
        key = Key(seed=seed, path=("conformance",))
        conditioning = rules.attempt("encode", lambda: backbone.encode(prompts))
        if conditioning is not None and _check_encode(rules, backbone, conditioning, prompts):
            device = next(iter(conditioning.positive.values())).device
            latents = key.child("latents").normal((len(prompts), *backbone.latent_shape)).to(device)
            times = torch.linspace(950.0, 50.0, len(prompts), device=device)
            rules.attempt("predict", lambda: _check_predict(rules, backbone, latents, times, conditioning))
            rules.attempt("decode", lambda: _check_pictures(rules, backbone, latents))
            if trainable:
                trained = cast(TrainableBackbone, backbone)
                _check_training(rules, trained, latents, times, conditioning, key=key)
    rules.finish()


def _check_encode(rules: Rules, backbone: Backbone, conditioning: Conditioning, prompts: Sequence[Prompt]) -> bool:
    rows = {f"{half}/{name}": len(value) for half, name, value in _halves(conditioning)}
    fits = bool(conditioning.positive) and all(count == len(prompts) for count in rows.values())
    if not rules.hold(fits, f"encode gave rows {rows} for {len(prompts)} prompts: every tensor needs one row a prompt"):
        return False
    alone = backbone.encode(prompts[-1:])
    last = conditioning.take([len(prompts) - 1])
    pairs = zip(_halves(alone), _halves(last), strict=True)
    apart = max(distance(first, second) for (_, _, first), (_, _, second) in pairs)
    return rules.hold(apart <= TOLERANCE, f"encode gives a prompt another row alone than among others (by {apart:.2g})")


def _check_predict(
    rules: Rules, backbone: Backbone, latents: torch.Tensor, times: torch.Tensor, conditioning: Conditioning
) -> None:
    kept = latents.clone()
    wanted = latents.clone().requires_grad_(True)
    whole = backbone.predict(wanted, times, text=conditioning.positive)
    rules.hold(
        whole.shape == latents.shape, f"predict gave shape {tuple(whole.shape)} for latents {tuple(latents.shape)}"
    )
    rules.hold(bool(torch.isfinite(whole).all()), "predict gave numbers that are not finite")
    rules.hold(torch.equal(kept, wanted.detach()), "predict changes the latents it is given: compute on a copy")
    if rules.hold(whole.requires_grad, "predict gives no gradient in the latents: do not detach, do not use no_grad"):
        (slope,) = torch.autograd.grad(whole.sum(), wanted)
        rules.hold(useful(slope), "the gradient of predict in the latents is zero or not finite")
    with torch.no_grad():
        again = backbone.predict(latents, times, text=conditioning.positive)
        rows = torch.cat(
            [
                backbone.predict(latents[row : row + 1], times[row : row + 1], text=conditioning.take([row]).positive)
                for row in range(len(latents))
            ]
        )
    rules.hold(torch.equal(again, whole.detach()), "predict gives two answers to one question: set it to eval mode")
    apart = distance(rows, again)
    rules.hold(apart <= TOLERANCE, f"predict of a picture depends on its neighbours in the batch (by {apart:.2g})")


def _check_pictures(rules: Rules, backbone: Backbone, latents: torch.Tensor) -> None:
    wanted = latents.clone().requires_grad_(True)
    pixels = backbone.decode(wanted).pixels
    rules.hold(
        pixels.dtype == torch.float32 and pixels.ndim == 4 and pixels.shape[:2] == (len(latents), 3),
        f"decode gave {pixels.dtype} of shape {tuple(pixels.shape)}: it must give float32, {len(latents)},3,H,W",
    )
    low, high = pixels.min().item(), pixels.max().item()
    rules.hold(0 <= low <= high <= 1, f"decode gave values from {low:.3g} to {high:.3g}: they must lie in 0..1")
    if rules.hold(pixels.requires_grad, "decode gives no gradient in the latents: reward gradients need one"):
        (slope,) = torch.autograd.grad(pixels.sum(), wanted)
        rules.hold(useful(slope), "the gradient of decode in the latents is zero or not finite")
    pictures = Images(pixels=pixels.detach().clamp(1e-3, 1 - 1e-3))
    found = backbone.encode_images(pictures)
    rules.hold(
        found.shape == latents.shape, f"encode_images gave shape {tuple(found.shape)}, not {tuple(latents.shape)}"
    )
    rules.hold(torch.equal(found, backbone.encode_images(pictures)), "encode_images is random: give the mean")


def _check_training(
    rules: Rules,
    backbone: TrainableBackbone,
    latents: torch.Tensor,
    times: torch.Tensor,
    conditioning: Conditioning,
    *,
    key: Key,
) -> None:
    shapes = {name: tuple(value.shape) for name, value in backbone.trainable().items()}
    if rules.hold(bool(shapes), "trainable is empty: prepare the backbone for training before this check"):
        frozen = {name: tuple(value.shape) for name, value in backbone.reference().items()}
        rules.hold(frozen == shapes, "reference has other names or shapes than trainable")

        def predict(parameters: Parameters | None) -> torch.Tensor:
            return backbone.predict(latents, times, text=conditioning.positive, parameters=parameters)

        rules.attempt("predict with parameters", lambda: _check_parameters(rules, backbone, predict, key=key))
    rules.attempt("noise_level and levels", lambda: _check_noise_levels(rules, backbone))


def _check_parameters(
    rules: Rules, backbone: TrainableBackbone, predict: Callable[[Parameters | None], torch.Tensor], *, key: Key
) -> None:
    own = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    other = {name: value + 0.1 * key.child(name).normal(value.shape).to(value) for name, value in own.items()}
    for value in other.values():
        value.requires_grad_(True)
    first = predict(None)
    rules.hold(distance(predict(own), first) <= TOLERANCE, "predict with its own weights as parameters differs")
    moved = predict(other)
    rules.hold(distance(moved, first) > 0, "predict ignores its parameters")
    rules.hold(torch.equal(predict(None), first), "predict with parameters changes the backbone beyond that call")
    weights: Mapping[str, tuple[torch.Tensor, Iterable[torch.Tensor]]] = {
        "the trainable weights": (first, backbone.trainable().values()),
        "the parameters": (moved, other.values()),
    }
    for name, (prediction, values) in weights.items():
        rules.hold(reaches(prediction.sum(), values), f"the gradient of predict in {name} is zero or not finite")


def _check_noise_levels(rules: Rules, backbone: TrainableBackbone) -> None:
    times = torch.tensor([1.0, 250.0, 500.0, 750.0, 999.0])
    alpha, sigma = backbone.noise_level(times)
    rules.hold(
        alpha.shape == sigma.shape == times.shape, "noise_level must give one alpha and one sigma for each timestep"
    )
    rules.hold(
        bool((sigma.diff() > 0).all() and (alpha.diff() < 0).all()),
        "noise_level must rise in sigma and fall in alpha from timestep 0 to 1000",
    )
    levels = backbone.levels(_STEPS)
    if not rules.hold(len(levels) == _STEPS + 1, f"levels({_STEPS}) gave {len(levels)} levels, not {_STEPS + 1}"):
        return
    sigmas = [level.sigma for level in levels]
    rules.hold(
        sigmas[-1] == 0 and sigmas == sorted(sigmas, reverse=True),
        f"levels have the sigmas {sigmas}: they must fall and end at 0",
    )
    worst = max(_level_error(backbone, level) for level in levels[:-1])
    rules.hold(worst <= 1e-3, f"levels and noise_level tell the network different things at one timestep ({worst:.2g})")


def _level_error(backbone: TrainableBackbone, level: NoiseLevel) -> float:
    alpha, sigma = backbone.noise_level(torch.tensor([level.timestep]))
    return max(abs(alpha.item() - level.alpha), abs(sigma.item() - level.sigma))


def _halves(conditioning: Conditioning) -> list[tuple[str, str, torch.Tensor]]:
    halves = (("positive", conditioning.positive), ("negative", conditioning.negative))
    return [(half, name, tensors[name]) for half, tensors in halves for name in sorted(tensors)]
