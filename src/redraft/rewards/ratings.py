"""Ratings to fit rewards to: the record, its checks, the split by prompt, the loss, and how good predictions are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional

from redraft.core.errors import NumericsError, UsageError
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.calibrate import expected_calibration_error
from redraft.rewards.fingerprints import hash_tensors
from redraft.rewards.head_files import HeadEntry


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Ratings of N pictures by K heads: values N,K, mask N,K (True where rated), weights N (propensity); on the CPU.

    groups: N names, such as prompt ids; pictures of one group are never on both sides of the held-out split.
    """

    values: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor
    groups: tuple[str, ...]

    def take(self, rows: torch.Tensor) -> Labels:
        """The rows given."""
        groups = tuple(self.groups[int(row)] for row in rows)
        return Labels(values=self.values[rows], mask=self.mask[rows], weights=self.weights[rows], groups=groups)

    @property
    def data_hash(self) -> str:
        """Hash of all of it."""
        groups = hashlib.sha256("\0".join(self.groups).encode()).digest()
        tensors = {"values": torch.where(self.mask, self.values, 0.0), "mask": self.mask, "weights": self.weights}
        return hash_tensors({**tensors, "groups": torch.tensor(list(groups), dtype=torch.uint8)})


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """Rated pictures. labels N or N,K, 0..1 for probabilities (thumbs 0/1, sliders / 10).

    mask and weights are as in `Labels`; None for all 1.
    """

    images: Images
    prompts: Sequence[Prompt]
    labels: torch.Tensor
    mask: torch.Tensor | None = None
    weights: torch.Tensor | None = None


def checked_labels(
    labels: torch.Tensor,
    *,
    count: int,
    heads: Sequence[HeadEntry],
    mask: torch.Tensor | None,
    weights: torch.Tensor | None,
    groups: Sequence[str] | None,
) -> Labels:
    """The labels N or N,K with all that is optional filled in.

    Raises UsageError for wrong shapes, negative weights, probabilities outside 0..1 or no rating at all, NumericsError
    for a rated label or a weight that is not finite.
    """
    values = (labels if labels.ndim > 1 else labels[:, None]).detach().float().cpu()
    known = torch.ones_like(values, dtype=torch.bool) if mask is None else mask.detach().bool().cpu()
    known = known if known.ndim > 1 else known[:, None].expand_as(values)
    importance = torch.ones(len(values)) if weights is None else weights.detach().float().cpu()
    names = tuple(str(row) for row in range(len(values))) if groups is None else tuple(groups)
    shapes = (tuple(values.shape), tuple(known.shape), tuple(importance.shape), len(names))
    if shapes != ((count, len(heads)), (count, len(heads)), (count,), count):
        raise UsageError(
            f"labels {shapes[0]}, mask {shapes[1]}, weights {shapes[2]} and {shapes[3]} groups for {count} pictures "
            f"and {len(heads)} heads: give one row per picture and one column per head"
        )
    if not bool(torch.isfinite(values[known]).all() and torch.isfinite(importance).all()):
        raise NumericsError("a rating or weight is NaN or infinite: mask what was not rated instead")
    if bool((importance < 0).any()) or not bool((known & (importance[:, None] > 0)).any()):
        raise UsageError("ratings with a negative weight or no rating of weight above 0: there is nothing to fit to")
    for column, head in enumerate(heads):
        rated = values[:, column][known[:, column]]
        if head.output == "probability" and bool(((rated < 0) | (rated > 1)).any()):
            worst = rated[(rated < 0) | (rated > 1)][0].item()
            raise UsageError(
                f"a label {worst:.4g} for the probability head {head.name!r}: it must lie in 0..1; divide sliders by "
                "their maximum, or fit output 'value'"
            )
    return Labels(values=torch.where(known, values, 0.0), mask=known.clone(), weights=importance, groups=names)


def split_by_group(groups: Sequence[str], *, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers (fitted, held out): a group is held out when the hash of its name falls below `share`.

    The split of a group never changes, whatever else was rated, so a reward refitted later meets the same examination.
    Raises UsageError when a side is empty.
    """
    out = torch.tensor([_place(group) < share for group in groups], dtype=torch.bool)
    if bool(out.all()) or not bool(out.any()):
        held = {group for group, outside in zip(groups, out.tolist(), strict=True) if outside}
        raise UsageError(
            f"{len(held)} of {len(set(groups))} groups (prompts) of answers are held out: a fit needs both sides; give "
            "answers about more prompts"
        )
    return (~out).nonzero().flatten(), out.nonzero().flatten()


def _place(group: str) -> float:
    return int.from_bytes(hashlib.sha256(f"held-out {group}".encode()).digest()[:8], "big") / 2**64


def rating_loss(
    raw: torch.Tensor, labels: Labels, *, heads: Sequence[HeadEntry], huber_delta: float = 0.1
) -> torch.Tensor:
    """sum m q loss / sum m q over pictures and heads, of raw outputs N,K; a scalar.

    Cross-entropy for probabilities, Huber(delta) for values; m the mask, q the weight. (algorithms, six heads.)
    """
    weight = labels.mask.to(raw) * labels.weights.to(raw)[:, None]
    target = labels.values.to(raw)
    columns = []
    for column, head in enumerate(heads):
        pair = raw[:, column], target[:, column]
        if head.output == "probability":
            columns.append(functional.binary_cross_entropy_with_logits(*pair, reduction="none"))
        else:
            columns.append(functional.huber_loss(*pair, reduction="none", delta=huber_delta))
    return (torch.stack(columns, 1) * weight).sum() / weight.sum().clamp(min=torch.finfo(raw.dtype).tiny)


def area_under_curve(scores: torch.Tensor, positive: torch.Tensor) -> float | None:
    """Probability that a positive scores above a negative, ties counting half; None when a class is empty."""
    up, down = scores[positive].double(), scores[~positive].double().sort().values
    if not len(up) or not len(down):
        return None
    below = torch.searchsorted(down, up, right=False) + torch.searchsorted(down, up, right=True)
    return (below.double() / (2 * len(down))).mean().item()


def metrics_of(raw: torch.Tensor, labels: Labels, *, heads: Sequence[HeadEntry], prefix: str) -> dict[str, float]:
    """Metrics of raw outputs N,K on labels, named `prefix/head/metric`; one that is undefined is left out.

    probability: auc and accuracy against labels cut at 0.5, ece, r2; value: r2. `count` everywhere. Unweighted.
    """
    found: dict[str, float] = {f"{prefix}/loss": rating_loss(raw, labels, heads=heads).item()}
    for column, head in enumerate(heads):
        rows = labels.mask[:, column]
        output, truth = raw[rows, column].double(), labels.values[rows, column].double()
        name = f"{prefix}/{head.name}"
        found[f"{name}/count"] = float(len(truth))
        if not len(truth):
            continue
        predicted = output
        if head.output == "probability":
            predicted, positive = torch.sigmoid(output), truth >= 0.5
            curve = area_under_curve(output, positive)
            found |= {} if curve is None else {f"{name}/auc": curve}
            found[f"{name}/accuracy"] = ((predicted >= 0.5) == positive).double().mean().item()
            found[f"{name}/ece"] = expected_calibration_error(predicted, truth)
        spread = (truth - truth.mean()).square().sum().item()
        if spread > 0:
            found[f"{name}/r2"] = 1 - (predicted - truth).square().sum().item() / spread
    return found
