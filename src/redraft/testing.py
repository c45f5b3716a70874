"""Conformance checks for plug-in authors: does a backbone, scorer or method keep the contract of `core.protocols`?

    from redraft.testing import check_scorer

    def test_my_scorer():
        check_scorer(MyScorer.build(MyScorer.Config(), ModelContext(folder="weights")))

Each check tries the thing for real, collects the rules it breaks and raises one ConformanceError that lists them all.
They say that a plug-in fits, not that it is good: whether a reward means something is for an examination to show.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

import torch

from redraft.core.errors import RedraftError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, LossContext, Method, Scorer, TrainableBackbone
from redraft.core.records import Kernel, NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import Conditioning, Examples, Images, Loss, Parameters, PromptBatch, Scored, Scores
from redraft.diffusion.sample import sample, sample_logged

PROMPTS = (Prompt(text="a red star"), Prompt(text="two circles"), Prompt(text="a blue heart left of a cross"))
"""What is asked of a plug-in unless its author gives other prompts: texts of the picture world, three different ones."""

PARTS_OF_A_BACKBONE = ("prediction", "latent_shape", "encode", "predict", "decode", "encode_images")
PARTS_OF_TRAINING = ("trainable", "reference", "noise_level", "levels")
PARTS_OF_A_SCORER = ("name", "heads", "fingerprint", "differentiable", "score", "score_pixels")
PARTS_OF_A_METHOD = ("needs", "prepare", "loss")

_STEPS = 4
_PICTURES_OF_A_PROMPT = 4
# Batches of other sizes take other matrix kernels; on float32 networks the answers then differ by about 1e-6.
_TOLERANCE = 1e-4

Result = TypeVar("Result")


class ConformanceError(RedraftError, AssertionError):
    """A plug-in breaks rules of its protocol; the message lists each rule with the value that broke it."""


def check_backbone(
    backbone: Backbone, *, prompts: Sequence[Prompt] = PROMPTS, trainable: bool = True, seed: int = 0
) -> None:
    """Check the four functions of a backbone and, unless `trainable` is False, what training and sampling need of it.

    A backbone must be prepared for training first, where it has a call for that. Raises ConformanceError.
    """
    rules = _Rules(backbone)
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
                _check_training(rules, backbone, latents, times, conditioning, key=key)  # type: ignore[arg-type]
    rules.finish()


def check_scorer(
    scorer: Scorer,
    *,
    images: Images | None = None,
    prompts: Sequence[Prompt] = PROMPTS,
    size: int = 64,
    agreement: float = 0.05,
    seed: int = 0,
) -> None:
    """Check a scorer on `images` (one a prompt; smooth random ones of `size` pixels if None).

    agreement: how far `score_pixels` may lie from the first head of `score`, as a share of max(1, |score|).
    Raises ConformanceError.
    """
    rules = _Rules(scorer)
    if rules.has(scorer, PARTS_OF_A_SCORER):
        pictures = _smooth_pictures(Key(seed=seed), len(prompts), size) if images is None else images
        rules.hold(bool(scorer.name) and isinstance(scorer.name, str), f"name is {scorer.name!r}: it must be a text")
        rules.hold(
            bool(scorer.fingerprint), "fingerprint is empty: it must tell these weights and settings from others"
        )
        rules.hold(
            bool(scorer.heads) and len(set(scorer.heads)) == len(scorer.heads),
            f"heads are {scorer.heads!r}: at least one name, none twice, is needed",
        )
        scores = rules.attempt("score", lambda: _check_score(rules, scorer, pictures, prompts))
        if scores is not None:
            _check_score_pixels(rules, scorer, pictures, prompts, expected=scores.values[:, 0], agreement=agreement)
    rules.finish()


def check_method(
    method: Method, backbone: TrainableBackbone, *, prompts: Sequence[Prompt] = PROMPTS, seed: int = 0
) -> None:
    """Check a method by one loss on a backbone with weights to train, with random rewards where it needs any.

    Build the method with a recipe of that backbone, and with a scorer for its pictures if it wants one.
    Raises ConformanceError.
    """
    rules = _Rules(method)
    needs = ("prompts", "scored", "logged")
    if rules.has(method, PARTS_OF_A_METHOD) and rules.hold(
        method.needs in needs, f"needs is {method.needs!r}: it must be one of {', '.join(needs)}"
    ):
        key = Key(seed=seed, path=("conformance",))
        examples = rules.attempt("prepare", lambda: _examples(rules, method, backbone, prompts, key=key))
        if examples is not None:
            rules.attempt("loss", lambda: _check_loss(rules, method, backbone, examples, key=key.child("loss")))
    rules.finish()


class _Rules:
    """Collects what one plug-in breaks."""

    def __init__(self, subject: object) -> None:
        self._name = type(subject).__name__
        self._broken: list[str] = []

    def hold(self, holds: bool, rule: str) -> bool:
        """Note `rule`, unless it holds; return whether it does."""
        if not holds:
            self._broken.append(rule)
        return holds

    def has(self, subject: object, parts: Iterable[str]) -> bool:
        missing = [part for part in parts if not hasattr(subject, part)]
        return self.hold(not missing, f"it has no {', '.join(missing)}: the protocol asks for them")

    def attempt(self, what: str, call: Callable[[], Result]) -> Result | None:
        """The result of `call`; None, and a broken rule, if it raises or draws from global randomness."""
        before = (torch.get_rng_state(), random.getstate())
        try:
            result = call()
        except Exception as error:
            self.hold(False, f"{what} raised {type(error).__name__}: {error}")
            return None
        same = torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]
        self.hold(same, f"{what} draws from global randomness: take draws from a Key")
        return result

    def finish(self) -> None:
        if self._broken:
            lines = "".join(f"\n  - {rule}" for rule in self._broken)
            raise ConformanceError(f"{self._name} breaks {len(self._broken)} rules of its protocol:{lines}")


def _check_encode(rules: _Rules, backbone: Backbone, conditioning: Conditioning, prompts: Sequence[Prompt]) -> bool:
    rows = {f"{half}/{name}": len(value) for half, name, value in _halves(conditioning)}
    fits = bool(conditioning.positive) and all(count == len(prompts) for count in rows.values())
    alone = backbone.encode(prompts[-1:])
    last = conditioning.take([len(prompts) - 1])
    same = [_distance(a, b) for (_, _, a), (_, _, b) in zip(_halves(alone), _halves(last), strict=True)]
    rules.hold(
        max(same, default=0.0) <= _TOLERANCE,
        f"encode gives a prompt another row alone than among others (by {max(same, default=0.0):.2g})",
    )
    return rules.hold(fits, f"encode gave rows {rows} for {len(prompts)} prompts: every tensor needs one row a prompt")


def _check_predict(
    rules: _Rules, backbone: Backbone, latents: torch.Tensor, times: torch.Tensor, conditioning: Conditioning
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
        rules.hold(_useful(slope), "the gradient of predict in the latents is zero or not finite")
    with torch.no_grad():
        again = backbone.predict(latents, times, text=conditioning.positive)
        rows = torch.cat(
            [
                backbone.predict(latents[row : row + 1], times[row : row + 1], text=conditioning.take([row]).positive)
                for row in range(len(latents))
            ]
        )
    rules.hold(torch.equal(again, whole.detach()), "predict gives two answers to one question: set it to eval mode")
    apart = _distance(rows, again)
    rules.hold(apart <= _TOLERANCE, f"predict of a picture depends on its neighbours in the batch (by {apart:.2g})")


def _check_pictures(rules: _Rules, backbone: Backbone, latents: torch.Tensor) -> None:
    wanted = latents.clone().requires_grad_(True)
    pixels = backbone.decode(wanted).pixels
    rules.hold(
        pixels.dtype == torch.float32 and pixels.ndim == 4 and pixels.shape[:2] == (len(latents), 3),
        f"decode gave {pixels.dtype} of shape {tuple(pixels.shape)}: it must give float32 of shape {len(latents)},3,H,W",
    )
    low, high = pixels.min().item(), pixels.max().item()
    rules.hold(0 <= low <= high <= 1, f"decode gave values from {low:.3g} to {high:.3g}: they must lie in 0..1")
    if rules.hold(pixels.requires_grad, "decode gives no gradient in the latents: reward gradients need one"):
        (slope,) = torch.autograd.grad(pixels.sum(), wanted)
        rules.hold(_useful(slope), "the gradient of decode in the latents is zero or not finite")
    pictures = Images(pixels=pixels.detach().clamp(1e-3, 1 - 1e-3))
    found = backbone.encode_images(pictures)
    rules.hold(
        found.shape == latents.shape, f"encode_images gave shape {tuple(found.shape)}, not {tuple(latents.shape)}"
    )
    rules.hold(torch.equal(found, backbone.encode_images(pictures)), "encode_images is random: give the mean")


def _check_training(
    rules: _Rules,
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
    rules: _Rules, backbone: TrainableBackbone, predict: Callable[[Parameters | None], torch.Tensor], *, key: Key
) -> None:
    own = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    other = {name: value + 0.1 * key.child(name).normal(value.shape).to(value) for name, value in own.items()}
    for value in other.values():
        value.requires_grad_(True)
    first = predict(None)
    rules.hold(_distance(predict(own), first) <= _TOLERANCE, "predict with its own weights as parameters differs")
    moved = predict(other)
    rules.hold(_distance(moved, first) > 0, "predict ignores its parameters")
    rules.hold(torch.equal(predict(None), first), "predict with parameters changes the backbone beyond that call")
    weights: Mapping[str, tuple[torch.Tensor, Iterable[torch.Tensor]]] = {
        "the trainable weights": (first, backbone.trainable().values()),
        "the parameters": (moved, other.values()),
    }
    for name, (prediction, values) in weights.items():
        rules.hold(_reaches(prediction.sum(), values), f"the gradient of predict in {name} is zero or not finite")


def _check_noise_levels(rules: _Rules, backbone: TrainableBackbone) -> None:
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


def _check_score(rules: _Rules, scorer: Scorer, images: Images, prompts: Sequence[Prompt]) -> Scores:
    kept = images.pixels.clone()
    scores = scorer.score(images, prompts)
    shape = (len(prompts), len(scorer.heads))
    rules.hold(
        scores.values.dtype == torch.float32 and tuple(scores.values.shape) == tuple(scores.mask.shape) == shape,
        f"score gave {scores.values.dtype} of shape {tuple(scores.values.shape)}: it must give float32 {shape}, and a "
        "mask of that shape",
    )
    rules.hold(
        scores.names == tuple(scorer.heads) and len(scores.fingerprints) == len(scores.names),
        f"score names {scores.names} with {len(scores.fingerprints)} fingerprints for the heads {scorer.heads}",
    )
    rules.hold(bool(torch.isfinite(scores.values[scores.mask]).all()), "score gave numbers that are not finite")
    rules.hold(not scores.values.requires_grad, "score has a graph: wrap it in no_grad")
    rules.hold(torch.equal(images.pixels, kept), "score changes the pictures it is given: compute on a copy")
    order = list(reversed(range(len(prompts))))
    turned = scorer.score(images.take(order), [prompts[row] for row in order]).values.flip(0)
    apart = _distance(turned, scores.values)
    rules.hold(apart <= _TOLERANCE, f"the score of a picture depends on its neighbours or on chance (by {apart:.2g})")
    return scores


def _check_score_pixels(
    rules: _Rules,
    scorer: Scorer,
    images: Images,
    prompts: Sequence[Prompt],
    *,
    expected: torch.Tensor,
    agreement: float,
) -> None:
    pixels = images.pixels.clone().requires_grad_(True)
    if not scorer.differentiable:
        try:
            scorer.score_pixels(pixels, prompts)
        except UsageError:
            return
        except Exception as error:
            rules.hold(False, f"score_pixels raised {type(error).__name__}: it must raise UsageError without gradients")
            return
        rules.hold(False, "score_pixels answers although differentiable is False: it must raise UsageError")
        return
    value = rules.attempt("score_pixels", lambda: scorer.score_pixels(pixels, prompts))
    if value is None or not rules.hold(
        tuple(value.shape) == (len(prompts),) and value.requires_grad,
        f"score_pixels gave shape {tuple(value.shape)}: it must give {len(prompts)} numbers with a graph",
    ):
        return
    (slope,) = torch.autograd.grad(value.sum(), pixels)
    rules.hold(_useful(slope), "the gradient of score_pixels in the pixels is zero or not finite")
    apart = ((value.detach() - expected).abs() / expected.abs().clamp(min=1)).max().item()
    rules.hold(apart <= agreement, f"score_pixels and the first head of score differ by {apart:.3g} (> {agreement})")


def _examples(
    rules: _Rules, method: Method, backbone: TrainableBackbone, prompts: Sequence[Prompt], *, key: Key
) -> Examples | None:
    if method.needs == "prompts":
        return PromptBatch(prompts=tuple(prompts), conditioning=backbone.encode(prompts))
    scored = _scored(backbone, prompts, logged=method.needs == "logged", key=key)
    examples = method.prepare(scored, key=key.child("prepare"))
    again = method.prepare(scored, key=key.child("prepare"))
    kinds = get_args(Examples)
    if not rules.hold(isinstance(examples, kinds), f"prepare gave {type(examples).__name__}, no kind of Examples"):
        return None
    rules.hold(len(examples) > 0 and len(examples) == len(again), "prepare gave nothing, or another number for one key")
    return examples


def _scored(backbone: TrainableBackbone, prompts: Sequence[Prompt], *, logged: bool, key: Key) -> Scored:
    conditioning = backbone.encode(prompts).repeat(_PICTURES_OF_A_PROMPT)
    kernel = Kernel(name="coefficients_preserving", strength=0.7) if logged else Kernel()
    recipe = Recipe(levels=backbone.levels(_STEPS), kernel=kernel)
    paint = sample_logged if logged else sample
    rollout: Any = paint(backbone, conditioning, recipe=recipe, key=key.child("paint"))
    count = len(conditioning)
    return Scored(
        prompts=tuple(prompt for prompt in prompts for _ in range(_PICTURES_OF_A_PROMPT)),
        conditioning=conditioning,
        rollout=rollout,
        reward=key.child("reward").uniform((count,)),
        group=torch.arange(len(prompts)).repeat_interleave(_PICTURES_OF_A_PROMPT),
    )


def _check_loss(rules: _Rules, method: Method, backbone: TrainableBackbone, examples: Examples, *, key: Key) -> None:
    weights = backbone.trainable()
    before = {name: value.detach().clone() for name, value in weights.items()}
    gradients = {name: value.grad for name, value in weights.items()}
    context = LossContext(backbone=backbone, reference=backbone.reference(), old=before, step=0)
    loss = method.loss(examples, context=context, key=key)
    if not rules.hold(
        isinstance(loss, Loss) and loss.value.ndim == 0 and math.isfinite(loss.value.item()),
        f"loss gave {loss!r}: it must give a Loss with one finite number",
    ):
        return
    wrong = [name for name, value in loss.parts.items() if not (isinstance(value, float) and math.isfinite(value))]
    rules.hold(not wrong, f"the parts {', '.join(wrong)} of the loss are not finite floats")
    if rules.hold(loss.value.requires_grad, "the loss has no graph: nothing would be trained"):
        rules.hold(
            _reaches(loss.value, weights.values()), "the gradient of the loss in the weights is zero or not finite"
        )
    again = method.loss(examples, context=context, key=key).value.item()
    rules.hold(again == loss.value.item(), f"the loss is {loss.value.item()} and then {again} for one key")
    rules.hold(
        all(torch.equal(value.detach(), before[name]) for name, value in weights.items()),
        "the loss changes weights: only the training loop may",
    )
    rules.hold(
        all(value.grad is gradients[name] for name, value in weights.items()),
        "the loss calls backward(): only the training loop may",
    )


def _smooth_pictures(key: Key, count: int, size: int) -> Images:
    """Random pictures without fine grain, on the grid of 8-bit values, which a reference preprocessing rounds to."""
    coarse = key.child("pictures").uniform((count, 3, 8, 8))
    pixels = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    return Images(pixels=(pixels * 255).round() / 255)


def _halves(conditioning: Conditioning) -> list[tuple[str, str, torch.Tensor]]:
    halves = (("positive", conditioning.positive), ("negative", conditioning.negative))
    return [(half, name, tensors[name]) for half, tensors in halves for name in sorted(tensors)]


def _distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Greatest difference as a share of max(1, greatest value)."""
    if first.shape != second.shape:
        return math.inf
    first, second = first.detach().double(), second.detach().double()
    return float((first - second).abs().max() / second.abs().max().clamp(min=1))


def _useful(slope: torch.Tensor) -> bool:
    return bool(torch.isfinite(slope).all()) and bool(slope.abs().max() > 0)


def _reaches(value: torch.Tensor, weights: Iterable[torch.Tensor]) -> bool:
    """Whether the gradient is finite in all weights, and not zero in all."""
    if not value.requires_grad:
        return False
    slopes = [slope for slope in torch.autograd.grad(value, list(weights), allow_unused=True) if slope is not None]
    return all(bool(torch.isfinite(slope).all()) for slope in slopes) and any(
        bool((slope != 0).any()) for slope in slopes
    )
