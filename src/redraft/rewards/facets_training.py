"""Trains the members of a facet model on slider answers; each leaves out its share of the prompts.

    loss = sum m_nk q_n cross_entropy(R_k(x_n), y_nk - b_r) / sum m_nk q_n

m is the mask of sliders that were set, q = min(1 / probability, largest_weight) of the ask, b_r the person's shrunken
bias. Cross-entropy, not Huber's loss: sliders pile up at their ends, where an absolute error would fit the median and
forget the rare bad picture. What a member left out gives honest predictions for calibration and for the card.
Which answers, which calibration and which card: `facets_fit`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.facets_answers import FacetAnswers
from redraft.rewards.facets_clips import clip_features
from redraft.rewards.facets_config import FacetFitConfig
from redraft.rewards.facets_features import PictureFeatures, joined, picture_features
from redraft.rewards.facets_member import DECAY, DROPOUT, ConceptNetwork, FacetMember, stacking_share
from redraft.rewards.facets_network import FacetNetwork, network_like
from redraft.rewards.facets_raters import RaterEffects, rater_effects
from redraft.rewards.feature_heads import FeatureHeads, head_inputs
from redraft.rewards.fit import fit_head
from redraft.rewards.fit_config import RewardFitConfig
from redraft.rewards.preference_pictures import Pictures

ASKED_FACET = "semantics"
"""The facet that holds a picture against its prompt: left and right matter, so mirrored pictures teach it nothing."""
OnPass = Callable[[int, int, Mapping[str, float]], None]
"""Told after each pass: passes done of all members, passes in all, numbers of the pass."""
_WARM_UP = 40
_LARGEST_GRADIENT = 1.0
_COMPONENTS = 128
_RIDGE = 1e-2


@dataclass(frozen=True, kw_only=True)
class FittedMembers:
    """Members, and logits N,K of every answer's picture by the member that had not seen its prompt. share K: how far
    each facet is told by concepts.
    """

    members: tuple[FacetMember | FeatureHeads, ...]
    left_out: torch.Tensor
    share: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a fit reads of N answers. features: of P pictures; picture N: row of each. text: N,D. targets, mask: N,K.

    weight N. fold N: the member that leaves it out.
    """

    features: PictureFeatures
    mirrored: PictureFeatures | None
    picture: torch.Tensor
    text: torch.Tensor
    targets: torch.Tensor
    mask: torch.Tensor
    weight: torch.Tensor
    fold: torch.Tensor
    facets: tuple[str, ...]

    def of_concepts(self) -> Examples:
        """The same for whoever reads concepts alone: no maps, and nothing mirrored. What a CLIP tells of mirrored
        pictures is less often right, and a network that learns from it is worse on all others.
        """
        return replace(self, features=self.features.without_maps(), mirrored=None)


def collect(
    tower: ClipTower, pictures: Pictures, rows: torch.Tensor, *, views: int, mirrored: bool = False
) -> PictureFeatures:  # fmt: skip
    """Features of the pictures `rows`, in half precision, no gradient; mirrored left to right if wished."""
    parts = []
    with torch.no_grad():
        for part in torch.split(rows, tower.batch):
            inputs = pictures.inputs(part, tower.preprocessing)
            parts.append(picture_features(tower, inputs.flip(-1) if mirrored else inputs, views=views).halved())
    return joined(parts)


def folds(groups: tuple[str, ...], *, members: int) -> torch.Tensor:
    """N: which member leaves out each answer, by a hash of its prompt. Raises UsageError when a member has none."""
    places = [int.from_bytes(hashlib.sha256(f"fold {group}".encode()).digest()[:8], "big") for group in groups]
    fold = torch.tensor([place % members for place in places])
    empty = [number for number in range(members) if not bool((fold == number).any())]
    if empty:
        raise UsageError(
            f"answers about {len(set(groups))} prompts for {members} members, each of which leaves some prompts out: "
            "ask about more prompts, or fit fewer members"
        )
    return fold


def bias_of_people(examples: Examples, answers: FacetAnswers) -> RaterEffects:
    """Each person's bias, against a quick ridge regression on what the CLIP sees; refined by nobody's further fit."""
    features, rows = examples.features, examples.picture
    image = head_inputs(features.pooled[rows], examples.text, inputs="alignment")
    inputs = _components(torch.cat([image, features.energies[rows]], dim=1))
    predicted = torch.zeros_like(examples.targets)
    for column in range(examples.targets.shape[1]):
        known = examples.mask[:, column]
        if bool(known.any()):
            predicted[:, column] = inputs @ _ridge(inputs[known], examples.targets[known, column])
    return rater_effects(
        examples.targets - predicted, answers.rater, mask=examples.mask, count=len(answers.raters)
    )  # fmt: skip


def fit_members(
    examples: Examples, *, key: Key, config: FacetFitConfig, on_pass: OnPass | None = None
) -> FittedMembers:
    """The ensemble on still pictures. Raises NumericsError when the loss is not finite."""
    facets, features = len(examples.facets), examples.features
    passes = config.concept_passes if features.concepts.shape[1] else 0
    told_of = examples.of_concepts()
    seen, told = (torch.zeros(len(examples.targets), facets) for _ in range(2))
    members: list[FacetMember] = []
    report = _Report(on_pass, passes=config.members * (config.passes + passes))
    for number in range(config.members):
        own = key.child("member", number)
        network = network_like(features, facets=facets, width=config.width, dropout=config.dropout,
                               key=own.child("weights"))  # fmt: skip
        _train(network, examples, number, passes=config.passes, decay=config.decay, config=config, key=own,
               report=report)  # fmt: skip
        outside = (examples.fold == number).nonzero().flatten()
        seen[outside] = logits_of(network, examples, outside, batch=config.batch)
        concepts = None
        if passes:
            own = own.child("concepts")
            concepts = ConceptNetwork(concepts=features.concepts.shape[1], facets=facets, dropout=DROPOUT,
                                      key=own.child("weights"))  # fmt: skip
            _train(concepts, told_of, number, passes=passes, decay=DECAY, config=config, key=own, report=report)
            told[outside] = logits_of(concepts, told_of, outside, batch=config.batch)
        members.append(FacetMember(network, concepts, facets=facets))
    share = torch.zeros(facets)
    if passes:
        share = stacking_share(seen, told, examples.targets, weight=examples.mask * examples.weight[:, None])
    for member in members:
        member.get_buffer("share").copy_(share)
    return FittedMembers(members=tuple(members), left_out=torch.lerp(seen, told, share), share=share)


@dataclass
class _Report:
    """Counts the passes of all members."""

    on_pass: OnPass | None
    passes: int
    done: int = 0

    def __call__(self, loss: float) -> None:
        self.done += 1
        if self.on_pass is not None:
            self.on_pass(self.done, self.passes, {"loss": loss})


def _train(
    network: FacetNetwork | ConceptNetwork, examples: Examples, number: int, *, passes: int, decay: float,
    config: FacetFitConfig, key: Key, report: Callable[[float], None],
) -> None:  # fmt: skip
    """Train what member `number` has of one kind on the answers it may see."""
    inside = (examples.fold != number).nonzero().flatten()
    network.standardise(examples.features.take(examples.picture[inside]), examples.text[inside])
    trainer = _Trainer(network, examples, inside, passes=passes, decay=decay, config=config, key=key)
    for done in range(passes):
        report(trainer.one_pass(done))
    network.requires_grad_(False).eval()


def logits_of(
    network: FacetNetwork | ConceptNetwork, examples: Examples, rows: torch.Tensor, *, batch: int
) -> torch.Tensor:
    """Logits of the answers `rows`, without gradient."""
    with torch.no_grad():
        return torch.cat([
            network(examples.features.take(examples.picture[part]), examples.text[part])
            for part in torch.split(rows, batch)
        ])  # fmt: skip


def fit_clip_heads(
    answers: FacetAnswers, tower: ClipTower, pictures: Pictures, *, targets: torch.Tensor, mask: torch.Tensor,
    weight: torch.Tensor, fold: torch.Tensor, names: tuple[str, ...], key: Key, config: FacetFitConfig,
) -> FittedMembers:  # fmt: skip
    """Linear heads on the steps between frames, one set a member. All rows are answers about clips."""
    subjects = [answers.subjects[row] for row in answers.subject.tolist()]
    inputs = torch.cat([
        clip_features(collect(tower, pictures, torch.tensor(rows), views=1), count=len(rows)) for rows in subjects
    ])  # fmt: skip
    left_out, members = torch.zeros(len(inputs), len(names)), []
    fit = RewardFitConfig(inputs="image", l2=_RIDGE)
    for number in range(config.members):
        inside, outside = (fold != number).nonzero().flatten(), (fold == number).nonzero().flatten()
        groups = tuple(answers.groups[row] for row in inside.tolist())
        fitted = fit_head(
            inputs[inside], targets[inside], key=key.child("clips", number), config=fit, mask=mask[inside],
            weights=weight[inside], groups=groups, names=names,
        )  # fmt: skip
        with torch.no_grad():
            left_out[outside] = fitted.module(inputs[outside])
        members.append(fitted.module)
    return FittedMembers(members=tuple(members), left_out=left_out, share=torch.zeros(len(names)))


class _Trainer:
    """The passes of one network over the answers it may see."""

    def __init__(
        self, network: FacetNetwork | ConceptNetwork, examples: Examples, inside: torch.Tensor, *, passes: int,
        decay: float, config: FacetFitConfig, key: Key,
    ) -> None:  # fmt: skip
        self.network, self.examples, self.inside, self.config, self.key = network, examples, inside, config, key
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=decay)
        self.steps = passes * math.ceil(len(inside) / config.batch)
        self.step = 0
        weight = examples.mask[inside] * examples.weight[inside, None]
        self.usual = (weight.sum() / len(inside)).clamp(min=1e-9)
        self.straight_only = torch.tensor([name == ASKED_FACET for name in examples.facets])

    def one_pass(self, number: int) -> float:
        """Every answer once, in an order of the pass's own. Returns the mean loss."""
        total, own = 0.0, self.key.child("pass", number)
        order = self.inside[own.child("order").permutation(len(self.inside))]
        for place, rows in enumerate(torch.split(order, self.config.batch)):
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.learning_rate * self._share()
            self.optimizer.zero_grad()
            loss = self._loss(rows, own.child("step", place))
            if not math.isfinite(loss.item()):
                raise NumericsError(
                    f"the loss of a facet member became {loss.item()} in pass {number}: lower the learning rate; "
                    "nothing was kept"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
            self.optimizer.step()
            self.step += 1
            total += loss.item() * len(rows)
        return total / len(order)

    def _share(self) -> float:
        """Of the highest learning rate: a short rise, then half a cosine down to 0."""
        return min(1.0, (self.step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))

    def _loss(self, rows: torch.Tensor, key: Key) -> torch.Tensor:
        examples = self.examples
        features, mask = examples.features.take(examples.picture[rows]), examples.mask[rows]
        if examples.mirrored is not None:
            turned = key.child("mirror").uniform((len(rows),)) < self.config.mirrored
            features = examples.mirrored.take(examples.picture[rows]).where(turned, features)
            mask = mask & ~(turned[:, None] & self.straight_only)
        logits = self.network(features, examples.text[rows], key=key.child("drop"))
        each = functional.binary_cross_entropy_with_logits(logits, examples.targets[rows], reduction="none")
        # Divided by the usual weight, not by the batch's own: a batch of improbable answers must weigh more.
        return (each * mask * examples.weight[rows, None]).sum() / (self.usual * len(rows))


def _components(inputs: torch.Tensor) -> torch.Tensor:
    """The leading principal components N,<=_COMPONENTS of N,F, standardised, with a column of ones."""
    centred = (inputs - inputs.mean(0)) / inputs.std(0).clamp(min=1e-4)
    _, vectors = torch.linalg.eigh((centred.T @ centred).double())
    kept = centred @ vectors[:, -min(_COMPONENTS, len(inputs) // 4 + 1) :].float()
    return torch.cat([kept / kept.std(0).clamp(min=1e-6), torch.ones(len(inputs), 1)], dim=1)


def _ridge(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    gram = (inputs.T @ inputs).double() + _RIDGE * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
    solved: torch.Tensor = torch.linalg.solve(gram, (inputs.T @ targets).double())
    return solved.float()
