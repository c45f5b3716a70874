"""A person's taste: a small vector, shrunk to nothing where little is known, on top of a preference model's score.

    score_person(x, y) = s(x, y) + v . phi(x, y),   phi = [sqrt(D) * image features, s(x, y)]

v is the mode of a logistic regression with the common score as offset and the prior v ~ N(0, 1 / strength): no answers
give v = 0, everybody's score. The last entry is how much more than others this person minds the prompt. The strength
is chosen by cross-validation, no profile at all being one choice. It changes no weight of the CLIP.

Ratings of single pictures have a constant besides, how easily this person is pleased. It is no taste, since it ranks no
picture above another: the prior does not shrink it, everybody's score is given it too, and it is not kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.head_files import write_whole
from redraft.rewards.preference import PreferenceConfig, PreferenceScorer
from redraft.rewards.preference_data import PreferenceData
from redraft.rewards.preference_losses import uncertain_loss
from redraft.rewards.preference_pictures import Pictures
from redraft.rewards.scorer_folders import found_place, named_folder

PROFILE = "card.json"
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Candidates of the prior's precision, besides infinity (no profile)."""
FOLDS = 5
LEAST_ANSWERS = 20
"""Below this many answers, a ranking being one, cross-validation says nothing: the strongest shrinkage is taken."""
_NEWTON_STEPS = 30
_CONVERGED = 1e-9


class ProfileCard(Config):
    """What stands in card.json. base: the scorer's folder, see `stored_place`; base_fingerprint: its version."""

    kind: Literal["profile"] = "profile"
    format: Literal[1] = 1
    rater: str
    base: str
    base_fingerprint: str
    strength: float | None = Field(description="precision of the prior; None: no profile was better")
    answers: int = Field(ge=0, description="of this person; a ranking is one, however many pairs it becomes")
    vector: tuple[float, ...]
    metrics: dict[str, float] = Field(default_factory=dict)


class ProfileConfig(Config):
    """Options of the scorer `profile`."""

    base: str = Field(default="", description="folder of the preference model; empty: the one of the card")
    name: str = Field(default="profile", min_length=1, description="name of the scorer and of its head")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class ProfileScorer:
    """A preference model's score and a person's own vector. Differentiable as its base is."""

    Config: ClassVar[type[BaseModel]] = ProfileConfig
    differentiable = True

    def __init__(self, base: PreferenceScorer, *, card: ProfileCard, name: str = "profile") -> None:
        """Raises UsageError for a vector that was fitted on another base."""
        if card.base_fingerprint != base.fingerprint or len(card.vector) != base.tower.dimension + 1:
            raise UsageError(
                f"the profile of {card.rater!r} was fitted on the preference model {card.base_fingerprint}, this one "
                f"is {base.fingerprint}: give that folder as `base`, or fit the profile again"
            )
        self.base, self.card, self.name = base, card, name
        self.tower = base.tower
        self.vector = torch.tensor(card.vector)
        self.heads = (name,)
        self.fingerprint = fingerprint_of("profile", base.fingerprint, hash_tensors({"vector": self.vector}))

    @classmethod
    def build(cls, config: ProfileConfig, context: ModelContext) -> ProfileScorer:
        """Open the folder `context.folder` on its base; errors as `read_profile` and the base raise them."""
        folder = named_folder(context.folder, scorer=config.name, holds="the profile", is_a_name=True)
        card = read_profile(folder)
        base = PreferenceScorer.build(
            PreferenceConfig(batch=config.batch),
            ModelContext(
                folder=config.base or found_place(card.base, folder=folder), device=context.device, dtype=context.dtype
            ),
        )
        return cls(base, card=card, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head named as the scorer; errors as the base's."""
        common = self.base.score(images, prompts).values[:, 0]
        features = self.tower.image_features(images.pixels)
        values = (common + self._own(features, common))[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as the base's."""
        common = self.base.score_pixels(pixels, prompts)
        return common + self._own(self.tower.image_features_differentiable(pixels), common)

    def _own(self, features: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
        return _inputs(features, common) @ self.vector.to(common)

    def save(self, folder: Path) -> None:
        """Write card.json, whole or not at all. Raises StorageError."""
        write_whole(folder / PROFILE, (self.card.model_dump_json(indent=2) + "\n").encode())


def read_profile(folder: Path) -> ProfileCard:
    """The profile in a folder. Raises UsageError when there is none, DamagedError when it cannot be read."""
    if not (folder / PROFILE).is_file():
        raise UsageError(
            f"folder {str(folder)!r} has no {PROFILE}: give one that `redraft reward fit --kind profile` wrote"
        )
    try:
        card = ProfileCard.model_validate_json((folder / PROFILE).read_bytes())
    except ValueError as error:
        raise DamagedError(f"{PROFILE} in {folder.name!r} is not a profile: fit it again") from error
    if not bool(torch.isfinite(torch.tensor(card.vector)).all()):
        raise DamagedError(f"{PROFILE} in {folder.name!r} holds NaN or infinity: fit it again")
    return card


def fit_profile(
    base: PreferenceScorer,
    data: PreferenceData,
    pictures: Pictures,
    *,
    key: Key,
    rater: str,
    base_folder: str = "",
    name: str = "profile",
) -> ProfileScorer:
    """The profile of the person whose answers `data` holds (`PreferenceData.of_rater`).

    The card's metrics compare it with the base by cross-validation over prompts: mean loss, its uncertainty counted
    in, and accuracy on what is strict, pairs that are no tie and ratings off the middle, of so many `answers`;
    where nothing is, it is left out. For ratings the base too gets a constant of this person. Warns when the loss is
    higher than the base's. Raises UsageError when there is no answer.
    """
    rows = _rows(base, data, pictures)
    if not len(rows.outcome):
        raise UsageError(f"no answers of {rater!r} to learn from: ask this person first")
    found = {strength: _cross_validated(rows, strength, key=key) for strength in STRENGTHS}
    plain = _cross_validated(rows, None, key=key)
    answers = len(torch.unique(rows.answer))
    if answers < LEAST_ANSWERS:
        strength: float | None = STRENGTHS[-1]
    else:
        strength = min(STRENGTHS, key=lambda each: found[each]["loss"])
        if found[strength]["loss"] >= plain["loss"]:
            strength = None
    chosen = plain if strength is None else found[strength]
    if chosen["loss"] > plain["loss"]:
        warnings.warn(
            f"the profile of {rater!r} foresees held-out answers worse than everybody's score does (loss "
            f"{chosen['loss']:.3g}, everybody's {plain['loss']:.3g}): {answers} answers tell little; give "
            f"{LEAST_ANSWERS} or more, or use the preference model itself",
            stacklevel=2,
        )
    width = base.tower.dimension + 1
    vector = torch.zeros(width) if strength is None else _mode(rows, strength)[0][:width].float()
    card = ProfileCard(
        rater=rater, base=base_folder, base_fingerprint=base.fingerprint, strength=strength,
        answers=answers, vector=tuple(vector.tolist()),
        metrics={
            **{f"held_out/{key}": value for key, value in chosen.items()},
            **{f"held_out/{key}/everybody": value for key, value in plain.items()},
            "held_out/answers": float(len(torch.unique(rows.answer[rows.outcome != 0.5]))),
        },
    )  # fmt: skip
    return ProfileScorer(base, card=card, name=name)


def rank_pictures(scores: torch.Tensor) -> torch.Tensor:
    """Row numbers of scores B, the best first; equal scores keep their order."""
    return scores.argsort(descending=True, stable=True)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Answers as a logistic regression: inputs N,F, offset N, outcome N in 0..1, weight N; float64.

    group, answer: N, of which prompt and which answer.
    """

    inputs: torch.Tensor
    offset: torch.Tensor
    outcome: torch.Tensor
    weight: torch.Tensor
    group: torch.Tensor
    answer: torch.Tensor

    def take(self, mask: torch.Tensor) -> _Rows:
        return _Rows(
            inputs=self.inputs[mask], offset=self.offset[mask], outcome=self.outcome[mask], weight=self.weight[mask],
            group=self.group[mask], answer=self.answer[mask],
        )  # fmt: skip


def _inputs(features: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
    scaled = features * features.shape[-1] ** 0.5
    return torch.cat([scaled.to(common.dtype), common[:, None]], -1)


def _rows(base: PreferenceScorer, data: PreferenceData, pictures: Pictures) -> _Rows:
    """Pairs by the difference of their inputs; ratings of one picture by themselves, with a constant of their own."""
    used, place = torch.unique(torch.cat([data.pairs.flatten(), data.points]), return_inverse=True)
    parts = [
        base.tower.embed(pictures.inputs(data.entry_picture[part], base.tower.preprocessing)).detach().cpu()
        for part in torch.split(used, base.tower.batch)
    ]
    image = torch.cat(parts) if parts else torch.zeros(0, base.tower.dimension)
    texts = [data.prompts[row] for row in data.entry_prompt[used].tolist()]
    text = base.tower.text_features(texts).cpu() if texts else image
    common = base.tower.scale * (image * text).sum(-1)
    inputs = _inputs(image, common).double()[place]
    common = common.double()[place]
    count = data.pairs.numel()
    pairs, sides = inputs[:count].reshape(-1, 2, inputs.shape[-1]), common[:count].reshape(-1, 2)
    is_point = torch.cat([torch.zeros(len(pairs)), torch.ones(len(data.points))]).double()
    halves = data.outcome[:, 0] + data.outcome[:, 2] / 2
    return _Rows(
        inputs=torch.cat([torch.cat([pairs[:, 0] - pairs[:, 1], inputs[count:]]), is_point[:, None]], -1),
        offset=torch.cat([sides[:, 0] - sides[:, 1], common[count:] - base.card.offset]),
        outcome=torch.cat([halves, data.label]).double(),
        weight=torch.cat([data.pair_weight, data.point_weight]).double(),
        group=torch.cat([data.pair_prompt, data.entry_prompt[data.points]]),
        answer=torch.cat([data.pair_answer, data.point_answer]),
    )


def _mode(rows: _Rows, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The mode of the vector, F, and its covariance F,F there (Laplace), by Newton's method with halved steps."""
    rows, shrunk, vector = _with_constant(rows)
    prior = strength * torch.diag(shrunk)

    def value(at: torch.Tensor) -> torch.Tensor:
        logit = rows.offset + rows.inputs @ at
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, rows.outcome, reduction="none")
        return (rows.weight * loss).sum() + strength / 2 * (shrunk * at).square().sum()

    hessian = prior
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(rows.offset + rows.inputs @ vector)
        gradient = rows.inputs.T @ (rows.weight * (chance - rows.outcome)) + strength * (shrunk * vector)
        spread = rows.weight * chance * (1 - chance)
        hessian = rows.inputs.T @ (spread[:, None] * rows.inputs) + prior
        step = torch.linalg.solve(hessian, gradient)
        size, before = 1.0, value(vector)
        while size > 1e-4 and value(vector - size * step) > before:
            size /= 2
        vector = vector - size * step
        if step.abs().max() < _CONVERGED:
            break
    return vector, torch.linalg.inv(hessian)


def _with_constant(rows: _Rows) -> tuple[_Rows, torch.Tensor, torch.Tensor]:
    """Rows that bound the constant of ratings; F: 1 for what the prior shrinks, 0 for that constant; F: where to begin.

    The constant is bounded by half a rating each for and against the average rated picture, as a person who likes
    everything would make it infinite. It begins where that picture is as likely liked as not: with a base whose offset
    was never fitted all chances may be 0 or 1 elsewhere, where Newton's method finds no slope.
    """
    width = rows.inputs.shape[1]
    shrunk, begin = torch.ones(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    is_point = rows.inputs[:, -1] == 1
    if not bool(is_point.any()):
        return rows, shrunk, begin
    ratings = rows.take(is_point)
    middle = ratings.offset.mean(0, keepdim=True)
    shrunk[-1], begin[-1] = 0.0, -middle.item()
    bounded = _Rows(
        inputs=torch.cat([rows.inputs, ratings.inputs.mean(0, keepdim=True)]),
        offset=torch.cat([rows.offset, middle]),
        outcome=torch.cat([rows.outcome, torch.full_like(middle, 0.5)]),
        weight=torch.cat([rows.weight, ratings.weight.mean(0, keepdim=True)]),
        group=torch.cat([rows.group, ratings.group[:1]]),
        answer=torch.cat([rows.answer, ratings.answer[:1]]),
    )
    return bounded, shrunk, begin


def _cross_validated(rows: _Rows, strength: float | None, *, key: Key) -> Mapping[str, float]:
    """Mean loss and, where an answer is strict, accuracy, on prompts left out in turn.

    strength: None is no profile, but a constant for ratings.
    """
    if strength is None:
        rows, strength = replace(rows, inputs=rows.inputs[:, -1:]), 1.0
    groups, group = torch.unique(rows.group, return_inverse=True)
    fold = (key.child("folds").permutation(len(groups)) % FOLDS)[group]
    loss, right, strict = 0.0, 0.0, 0.0
    for number in range(FOLDS):
        outside = rows.take(fold == number)
        if not len(outside.outcome):
            continue
        vector, covariance = _mode(rows.take(fold != number), strength)
        mean = outside.offset + outside.inputs @ vector
        deviation = ((outside.inputs @ covariance) * outside.inputs).sum(-1).clamp(min=0).sqrt()
        share = outside.outcome
        losses = share * uncertain_loss(mean, deviation) + (1 - share) * uncertain_loss(-mean, deviation)
        loss += (outside.weight * losses).sum().item()
        decided = share != 0.5
        right += ((mean > 0) == (share > 0.5))[decided].double().sum().item()
        strict += decided.sum().item()
    found = {"loss": loss / rows.weight.sum().item()}
    return {**found, "accuracy": right / strict} if strict else found
