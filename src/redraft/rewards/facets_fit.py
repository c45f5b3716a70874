"""From slider answers to a facet model with its card: `fit_facets`. The training loop is in `facets_training`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.rewards.calibrate import expected_calibration_error
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.concepts import Concepts
from redraft.rewards.facets import FacetsScorer
from redraft.rewards.facets_answers import FacetAnswers
from redraft.rewards.facets_calibration import fit_scale, reliability
from redraft.rewards.facets_card import FacetAlarm, FacetBin, FacetCard, FacetStandard
from redraft.rewards.facets_config import FacetFitConfig
from redraft.rewards.facets_correlation import entwined, facet_correlations
from redraft.rewards.facets_member import FacetMember
from redraft.rewards.facets_model import FacetModel
from redraft.rewards.facets_raters import rater_effects
from redraft.rewards.facets_training import (
    Examples,
    FittedMembers,
    OnPass,
    bias_of_people,
    collect,
    fit_clip_heads,
    fit_members,
    folds,
)
from redraft.rewards.feature_heads import FeatureHeads
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.preference_pictures import Pictures

__all__ = ["fit_facets"]

_LEAST_SPREAD = 1e-6
"""Sum of squares that rounding never reaches; one answer a slider step from all the others makes about 0.01."""
_NEAREST = 1e-4
"""How near a constant prediction comes to 0 and to 1."""


def fit_facets(
    tower: ClipTower,
    answers: FacetAnswers,
    pictures: Pictures,
    *,
    key: Key,
    config: FacetFitConfig | None = None,
    clip_folder: str = "",
    on_pass: OnPass | None = None,
) -> FacetsScorer:
    """A facet model of slider answers, with its card; `tower` is left as it is.

    answers.facets must be config.ordered. A clip is seen by its middle frame in facets of pictures. clip_folder: where
    `tower` is, for the card; "" for the CLIP that ships. A facet nobody rated is masked in all scores.
    Raises UsageError for other facets, or fewer prompts than members need; NumericsError for a loss that is not finite.
    """
    config = config or FacetFitConfig()
    if answers.facets != config.ordered:
        raise UsageError(
            f"answers about {', '.join(answers.facets)} for a model of {', '.join(config.ordered)}: make them with the "
            "facets of the configuration (its `ordered`)"
        )
    examples = _examples(tower, answers, pictures, config=config)
    people = bias_of_people(examples, answers)
    targets = answers.values
    if config.shrink:
        targets = (targets - people.bias[answers.rater][:, None]).clamp(0, 1)
    count = len(config.picture_facets)
    examples = replace(examples, targets=targets[:, :count])
    still = fit_members(examples, key=key.child("facets"), config=config, on_pass=on_pass)
    moving = _fit_clips(tower, answers, pictures, targets=targets, examples=examples, key=key, config=config)
    logits = torch.cat([still.left_out, moving.left_out], dim=1)
    outcome = _judge(answers, targets, logits, weight=examples.weight, config=config)
    read = _concepts(tower, config)
    card = FacetCard(
        clip=tower.identity, clip_folder=clip_folder, picture_facets=config.picture_facets,
        clip_facets=config.clip_facets, members=config.members, width=config.width, alarm=config.alarm, seed=key.seed,
        channels=examples.features.maps.shape[1], grid=examples.features.maps.shape[-1],
        energies=examples.features.energies.shape[1], state=examples.features.state.shape[1],
        concepts="" if read is None else read.identity, views=_views(read, config),
        shares=tuple(still.share.tolist()),
        data_hash=fingerprint_of(answers.data_hash, hash_tensors({"seen": examples.features.pooled})), **outcome,
    )  # fmt: skip
    model = FacetModel(
        tower, [member for member in still.members if isinstance(member, FacetMember)],
        picture_facets=card.picture_facets, clip_facets=card.clip_facets, scale=torch.tensor(card.scale),
        clip_heads=[heads for heads in moving.members if isinstance(heads, FeatureHeads)],
        rated=torch.tensor(card.rated), views=card.views,
    )  # fmt: skip
    return FacetsScorer(model, card=card)


def _examples(tower: ClipTower, answers: FacetAnswers, pictures: Pictures, *, config: FacetFitConfig) -> Examples:
    """What the members read; targets are still as people gave them."""
    shown = torch.tensor([rows[len(rows) // 2] for rows in answers.subjects])
    rows, place = shown.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    count, views = len(config.picture_facets), _views(_concepts(tower, config), config)
    return Examples(
        features=collect(tower, pictures, rows, views=views),
        mirrored=collect(tower, pictures, rows, views=1, mirrored=True) if config.mirrored > 0 else None,
        picture=place[answers.subject],
        text=tower.text_features(answers.prompts)[answers.prompt].cpu(),
        targets=answers.values[:, :count],
        mask=answers.mask[:, :count],
        weight=(answers.weight / answers.probability).clamp(max=config.largest_weight),
        fold=folds(answers.groups, members=config.members),
        facets=config.picture_facets,
    )


def _concepts(tower: ClipTower, config: FacetFitConfig) -> Concepts | None:
    """Those that are read, if any."""
    return tower.concepts if config.concept_passes else None


def _views(read: Concepts | None, config: FacetFitConfig) -> int:
    return 1 if read is None else config.views


def _fit_clips(
    tower: ClipTower, answers: FacetAnswers, pictures: Pictures, *, targets: torch.Tensor, examples: Examples, key: Key,
    config: FacetFitConfig,
) -> FittedMembers:  # fmt: skip
    """Heads of facets that only clips have; no members where there are no such facets, or no answer about them."""
    count = len(config.picture_facets)
    left_out = torch.zeros(len(answers), len(config.clip_facets))
    rows = answers.mask[:, count:].any(1).nonzero().flatten()
    if not len(rows):
        return FittedMembers(members=(), left_out=left_out, share=torch.zeros(left_out.shape[1]))
    fitted = fit_clip_heads(
        answers.take(rows), tower, pictures, targets=targets[rows, count:], mask=answers.mask[rows, count:],
        weight=examples.weight[rows], fold=examples.fold[rows], names=config.clip_facets, key=key, config=config,
    )  # fmt: skip
    left_out[rows] = fitted.left_out
    return replace(fitted, left_out=left_out)


def _judge(
    answers: FacetAnswers, targets: torch.Tensor, logits: torch.Tensor, *, weight: torch.Tensor, config: FacetFitConfig
) -> dict[str, Any]:
    """What the card tells of the predictions that members made of prompts they had left out."""
    mask, facets = answers.mask, answers.facets
    constant = _constant(answers)
    scale = [
        _scale_of_mean(targets[rows, column], weight[rows])
        if name in constant
        else fit_scale(logits[rows, column], targets[rows, column], weights=weight[rows])
        for column, (name, rows) in enumerate(zip(facets, mask.T, strict=True))
    ]
    slope, shift = torch.tensor(scale).unbind(1)
    predicted = torch.sigmoid(slope * logits + shift)
    shown = torch.ones_like(mask)
    shown[:, len(config.picture_facets) :] = answers.of_clips[:, None]
    labels = facet_correlations(targets, mask=mask, weights=weight)
    predictions = facet_correlations(predicted, mask=shown, weights=weight)
    metrics = {f"{name}/{what}": value for column, name in enumerate(facets) for what, value in _column_metrics(
        predicted[mask[:, column], column], targets[mask[:, column], column]
    ).items() if what != "r2" or name not in constant}  # fmt: skip
    people = rater_effects(answers.values - predicted, answers.rater, mask=mask, count=len(answers.raters))
    return {
        "rated": tuple(bool(rated) for rated in mask.any(0)),
        "constant": constant,
        "scale": tuple(scale),
        "standards": {
            name: _standard(predicted[shown[:, column], column], weight[shown[:, column]])
            for column, name in enumerate(facets)
        },
        "labels": _rows(labels),
        "predictions": _rows(predictions),
        "alarms": tuple(
            FacetAlarm(first=pair.first, second=pair.second, correlation=pair.correlation, of="labels")
            for pair in entwined(labels, facets, alarm=config.alarm)
        )
        + tuple(
            FacetAlarm(first=pair.first, second=pair.second, correlation=pair.correlation, of="predictions")
            for pair in entwined(predictions, facets, alarm=config.alarm)
        ),
        "reliability": {
            name: tuple(
                FacetBin(predicted=point.predicted, answered=point.answered, count=point.count)
                for point in reliability(predicted[rows, column], targets[rows, column], weights=weight[rows])
            )
            for column, (name, rows) in enumerate(zip(facets, mask.T, strict=True))
        },
        "metrics": metrics | {"raters/spread": people.spread, "raters/slip": people.slip},
    }


def _constant(answers: FacetAnswers) -> tuple[str, ...]:
    """Facets that were rated, by answers that are all the same."""
    columns = zip(answers.facets, answers.values.T, answers.mask.T, strict=True)
    return tuple(name for name, values, rows in columns if len(values[rows].unique()) == 1)


def _scale_of_mean(answered: torch.Tensor, weight: torch.Tensor) -> tuple[float, float]:
    """(0, shift): what people answered on average, of every picture. What members tell of such a facet is noise, which
    the blend would take for its spread.
    """
    mean = (weight * answered).sum().double() / weight.sum().double()
    return 0.0, torch.logit(mean, eps=_NEAREST).item()


def _column_metrics(predicted: torch.Tensor, answered: torch.Tensor) -> dict[str, float]:
    found = {"count": float(len(answered))}
    if not len(answered):
        return found
    found["ece"] = expected_calibration_error(predicted, answered)
    spread = (answered.double() - answered.double().mean()).square().sum().item()
    if spread > _LEAST_SPREAD:
        found["r2"] = 1 - (predicted - answered).square().sum().item() / spread
    return found


def _standard(values: torch.Tensor, weight: torch.Tensor) -> FacetStandard:
    """Weighted mean and deviation; (0, 0) where there is nothing."""
    if not len(values):
        return FacetStandard(mean=0.0, std=0.0)
    share = weight / weight.sum()
    mean = (share * values).sum()
    return FacetStandard(mean=mean.item(), std=(share * (values - mean).square()).sum().sqrt().item())


def _rows(table: torch.Tensor) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if math.isnan(value) else value for value in row) for row in table.tolist())
