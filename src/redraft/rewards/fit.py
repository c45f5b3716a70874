"""Fits a reward to ratings of the model's own pictures: heads on CLIP features, and if wanted the CLIP's last layers.

The only file of this room that trains. Deterministic: the same ratings, config and key give the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.feature_heads import FeatureHeads, entries, head_inputs
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.fit_config import RewardFitConfig
from redraft.rewards.fitted import FittedRewardScorer
from redraft.rewards.head_files import HeadCard, Output
from redraft.rewards.pixels import check_pictures
from redraft.rewards.ratings import Labels, Ratings, checked_labels, metrics_of, rating_loss, split_by_group

__all__ = ["FittedHead", "RewardFitConfig", "fit_head", "fit_reward"]

_LBFGS_ITERATIONS = 5
_LARGEST_GRADIENT = 1.0
_LEAST_GAIN = 1e-6


@dataclass(frozen=True, kw_only=True)
class FittedHead:
    """Fitted heads, frozen; metrics on the fitted and held-out side, named as `ratings.metrics_of` does; data hash."""

    module: FeatureHeads
    metrics: Mapping[str, float]
    data_hash: str


def fit_head(
    features: torch.Tensor,
    labels: torch.Tensor,
    *,
    key: Key,
    config: RewardFitConfig | None = None,
    mask: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
    groups: Sequence[str] | None = None,
    names: Sequence[str] = ("reward",),
    output: Output = "probability",
) -> FittedHead:
    """Fit K heads to features N,F: logistic regression for probabilities, Huber regression for values, with L2.

    labels N or N,K (probabilities: 0..1, soft ones allowed), mask N or N,K, weights N; groups: N names that the
    held-out split goes by (the row number if None). A head without ratings keeps its initial weights.
    Raises UsageError and NumericsError as `checked_labels` and `split_by_group` do.
    """
    config, heads = config or RewardFitConfig(), entries(names, output)
    if features.ndim != 2 or not bool(torch.isfinite(features).all()):
        raise NumericsError(
            f"features of shape {tuple(features.shape)} must be finite N,F: check the pictures they are of"
        )
    checked = checked_labels(labels, count=len(features), heads=heads, mask=mask, weights=weights, groups=groups)
    features = features.detach().float().cpu()
    inside, outside = split_by_group(checked.groups, share=config.holdout)
    module = FeatureHeads(features.shape[1], heads, hidden=config.hidden, key=key.child("heads"))
    module.standardise(features[inside])
    fitted = _Side(features[inside], checked.take(inside))
    held_out = _Side(features[outside], checked.take(outside))
    _fit_heads(module, fitted, held_out, config=config, key=key.child("order"))
    module.requires_grad_(False).eval()
    with torch.no_grad():
        metrics = metrics_of(module(fitted.features), fitted.labels, heads=heads, prefix="fitted")
        metrics |= metrics_of(module(held_out.features), held_out.labels, heads=heads, prefix="held_out")
    return FittedHead(module=module, metrics=metrics, data_hash=checked.data_hash)


def fit_reward(
    tower: ClipTower,
    ratings: Ratings,
    *,
    key: Key,
    config: RewardFitConfig | None = None,
    names: Sequence[str] = ("reward",),
    output: Output = "probability",
    name: str = "fitted",
    clip_folder: str = "",
) -> FittedRewardScorer:
    """Fit a reward to ratings of pictures; the first of `names` is the reward, `tower` is left as it is.

    clip_folder: of the CLIP, for the card; "" for the one that ships.

    Held-out pictures are those of prompts chosen by hash. Raises UsageError and NumericsError as `fit_head` does, and
    UsageError when the CLIP has fewer than `config.tune_layers` image layers.
    """
    config, heads = config or RewardFitConfig(), entries(names, output)
    prompts = tuple(ratings.prompts)
    check_pictures(ratings.images.pixels, prompts, scorer=name)
    groups = [prompt.id for prompt in prompts]
    text = tower.text_features(prompts)
    features = head_inputs(tower.image_features(ratings.images.pixels), text, inputs=config.inputs)
    head = fit_head(
        features, ratings.labels, key=key, config=config, mask=ratings.mask, weights=ratings.weights, groups=groups,
        names=names, output=output,
    )  # fmt: skip
    tuned: dict[str, torch.Tensor] = {}
    metrics = dict(head.metrics)
    if config.tune_layers:
        labels = checked_labels(
            ratings.labels, count=len(prompts), heads=heads, mask=ratings.mask, weights=ratings.weights, groups=groups
        )
        tuned, metrics = _tune(tower, head, ratings, labels, text=text, config=config, key=key.child("tune"))
    card = HeadCard(
        clip=tower.identity, clip_folder=clip_folder, heads=heads, inputs=config.inputs, hidden=config.hidden,
        metrics=metrics, seed=key.seed, tune_layers=config.tune_layers,
        data_hash=fingerprint_of(head.data_hash, hash_tensors({"pictures": _eight_bit(ratings.images.pixels)}), groups),
    )  # fmt: skip
    return FittedRewardScorer(tower, head.module, card=card, tuned=tuned, name=name)


@dataclass(frozen=True)
class _Side:
    """Features N,F and labels of the fitted or the held-out pictures."""

    features: torch.Tensor
    labels: Labels


class _Best:
    """Keeps the weights with the lowest held-out loss, and says when to stop."""

    def __init__(self, weights: Mapping[str, torch.Tensor], *, patience: int) -> None:
        self._weights, self._patience, self._since = weights, patience, 0
        self.loss = float("inf")
        self.kept: dict[str, torch.Tensor] = {}

    def finished(self, loss: float) -> bool:
        """Note a held-out loss; True when it has not fallen for `patience` calls. Raises NumericsError for NaN."""
        if not math.isfinite(loss):
            raise NumericsError(
                f"the held-out loss of the fit became {loss}: lower the learning rate or raise l2; nothing was kept"
            )
        self._since += 1
        if loss < self.loss - _LEAST_GAIN:
            self.loss, self._since = loss, 0
            self.kept = {name: value.detach().clone() for name, value in self._weights.items()}
        return self._since >= self._patience


def _objective(module: FeatureHeads, raw: torch.Tensor, labels: Labels, *, config: RewardFitConfig) -> torch.Tensor:
    loss = rating_loss(raw, labels, heads=module.entries, huber_delta=config.huber_delta)
    return loss + config.l2 / 2 * module.penalty(labels.mask.any(0).to(raw.device))


def _fit_heads(module: FeatureHeads, fitted: _Side, held_out: _Side, *, config: RewardFitConfig, key: Key) -> None:
    """Fit in place; leaves the weights that were best on the held-out side."""

    def held_out_loss() -> float:
        with torch.no_grad():
            raw = module(held_out.features)
            return rating_loss(raw, held_out.labels, heads=module.entries, huber_delta=config.huber_delta).item()

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        return _objective(module, module(fitted.features[rows]), fitted.labels.take(rows), config=config)

    best = _Best(dict(module.named_parameters()), patience=config.patience)
    if config.optimizer == "lbfgs":
        _descend_lbfgs(module, loss_of, held_out_loss, best, config=config, rows=torch.arange(len(fitted.features)))
    else:
        groups = [{"params": list(module.parameters()), "lr": config.learning_rate}]
        _descend_adamw(groups, loss_of, held_out_loss, best, config=config, key=key, count=len(fitted.features))
    module.load_state_dict(best.kept, strict=False)


def _descend_lbfgs(
    module: FeatureHeads,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    held_out_loss: Callable[[], float],
    best: _Best,
    *,
    config: RewardFitConfig,
    rows: torch.Tensor,
) -> None:
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=_LBFGS_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(rows)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    best.finished(held_out_loss())
    for _ in range(config.epochs):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        if best.finished(held_out_loss()):
            return


def _descend_adamw(
    groups: list[dict[str, Any]],
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    held_out_loss: Callable[[], float],
    best: _Best,
    *,
    config: RewardFitConfig,
    key: Key,
    count: int,
) -> None:
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    everything = [parameter for group in groups for parameter in group["params"]]
    best.finished(held_out_loss())
    for epoch in range(config.epochs):
        for rows in torch.split(key.child(epoch).permutation(count), config.batch):
            optimizer.zero_grad()
            loss_of(rows).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(everything, _LARGEST_GRADIENT)
            optimizer.step()
        if best.finished(held_out_loss()):
            return


def _tune(
    tower: ClipTower,
    head: FittedHead,
    ratings: Ratings,
    labels: Labels,
    *,
    text: torch.Tensor,
    config: RewardFitConfig,
    key: Key,
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Train the heads, in place, and the last image layers together from where the heads stand.

    Returns the new CLIP weights and the metrics: those of the heads alone when the held-out loss never fell.
    """
    student, module = tower.replaced({}), head.module.to(tower.device).requires_grad_(True)
    layers = _last_layers(student, config.tune_layers)
    inside, outside = split_by_group(labels.groups, share=config.holdout)

    def raw(rows: torch.Tensor) -> torch.Tensor:
        image = student.embed(student.preprocessing.reference(ratings.images.pixels[rows]))
        return module(head_inputs(image, text[rows], inputs=config.inputs)).cpu()  # type: ignore[no-any-return]

    def judged(rows: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([raw(part) for part in torch.split(rows, config.batch)])

    def held_out_loss() -> float:
        kept = labels.take(outside)
        return rating_loss(judged(outside), kept, heads=module.entries, huber_delta=config.huber_delta).item()

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        return _objective(module, raw(inside[rows]), labels.take(inside[rows]), config=config)

    own = dict(module.named_parameters())
    best = _Best({**own, **layers}, patience=config.patience)
    groups = [
        {"params": list(own.values()), "lr": config.learning_rate},
        {"params": list(layers.values()), "lr": config.tune_learning_rate},
    ]
    _descend_adamw(groups, loss_of, held_out_loss, best, config=config, key=key, count=len(inside))
    with torch.no_grad():
        for name, value in {**own, **layers}.items():
            value.copy_(best.kept[name])
    module.requires_grad_(False)
    metrics = metrics_of(judged(inside), labels.take(inside), heads=module.entries, prefix="fitted")
    metrics |= metrics_of(judged(outside), labels.take(outside), heads=module.entries, prefix="held_out")
    return {name: value.detach().clone() for name, value in layers.items()}, metrics


def _last_layers(tower: ClipTower, count: int) -> dict[str, torch.nn.Parameter]:
    """The last `count` image layers, the norm and the projection after them, made trainable."""
    total = int(tower.model.config.vision_config.num_hidden_layers)
    if count > total:
        raise UsageError(f"tune_layers = {count}: this CLIP has {total} image layers; ask for 0 to {total}")
    layers = [f"vision_model.encoder.layers.{index}." for index in range(total - count, total)]
    starts = (*layers, "vision_model.post_layernorm.", "visual_projection.")
    return {
        name: value.requires_grad_(True) for name, value in tower.model.named_parameters() if name.startswith(starts)
    }


def _eight_bit(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.detach() * 255).round().clamp(0, 255).to(torch.uint8)
