"""Does a scorer keep the contract of `core.protocols.Scorer`? Not whether its score means anything."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.testing.rules import PROMPTS, TOLERANCE, Rules, distance, useful

PARTS_OF_A_SCORER = ("name", "heads", "fingerprint", "differentiable", "score", "score_pixels")


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
    rules = Rules(scorer)
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


def _check_score(rules: Rules, scorer: Scorer, images: Images, prompts: Sequence[Prompt]) -> Scores:
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
    apart = distance(turned, scores.values)
    rules.hold(apart <= TOLERANCE, f"the score of a picture depends on its neighbours or on chance (by {apart:.2g})")
    return scores


def _check_score_pixels(
    rules: Rules,
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
    rules.hold(useful(slope), "the gradient of score_pixels in the pixels is zero or not finite")
    apart = ((value.detach() - expected).abs() / expected.abs().clamp(min=1)).max().item()
    rules.hold(apart <= agreement, f"score_pixels and the first head of score differ by {apart:.3g} (> {agreement})")


def _smooth_pictures(key: Key, count: int, size: int) -> Images:
    """Random pictures without fine grain, on the grid of 8-bit values, which a reference preprocessing rounds to."""
    coarse = key.child("pictures").uniform((count, 3, 8, 8))
    pixels = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    return Images(pixels=(pixels * 255).round() / 255)
