"""Tunes a CLIP to people's choices, as HPS v2 does (2306.09341): the last layers of both towers learn from pairs.

    1  s = exp(logit_scale) * cos(image, text) of every picture of a batch; logit_scale is held in [0, ln 100]
    2  pairs: cross-entropy of the outcome under Bradley-Terry or a model with ties, at s_first - s_second
    3  ratings of single pictures: cross-entropy of sigmoid(s - offset)
    4  some pictures of the batch against themselves under noise, which must lose (`preference_noise`)
    5  after each pass: accuracy on choices of held-out prompts; the best weights are kept (`preference_passes`)

Differs from HPS v2's script: losses are averaged with their weights, where the script sums them over a device's batch
(AdamW makes up for the factor, but for its epsilon); ties may have a probability of their own; pictures are spoiled.
With `rewards/fit.py` the only file of this room that trains. Deterministic: same answers, config and key, same weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.preference import PreferenceScorer
from redraft.rewards.preference_accuracy import strict_agreement, tie_threshold
from redraft.rewards.preference_batches import (
    Encoded,
    augmented,
    batches,
    contrast_loss,
    is_sided,
    tokens_of,
    trainable_layers,
)
from redraft.rewards.preference_card import PreferenceCard
from redraft.rewards.preference_config import PreferenceFitConfig
from redraft.rewards.preference_data import PreferenceData, prompt_weights
from redraft.rewards.preference_losses import begun_ratings, pair_loss, rating_point_loss
from redraft.rewards.preference_noise import SPOILED_AT_ONCE, spoiled, spoiled_loss
from redraft.rewards.preference_passes import BestPass
from redraft.rewards.preference_pictures import Pictures
from redraft.rewards.ratings import split_by_group

MOST_SCALE = math.log(100)
"""Highest logit_scale, as in CLIP and HPS v2."""
_LARGEST_GRADIENT = 1.0
_ENTRIES_AT_ONCE = 128
_SCALES = 93

OnPass = Callable[[int, int, Mapping[str, float]], None]
"""Told after each pass: passes done, passes at most, the held-out metrics."""


def fit_preference(
    tower: ClipTower,
    data: PreferenceData,
    pictures: Pictures,
    *,
    key: Key,
    config: PreferenceFitConfig | None = None,
    name: str = "preference",
    on_pass: OnPass | None = None,
) -> PreferenceScorer:
    """Tune a copy of `tower` to the answers; `tower` stays as it is.

    Prompts are held out whole, by the hash of their text, so that no picture is on both sides. Raises UsageError when
    one side is empty or the CLIP has fewer layers than asked for, NumericsError when the loss is not finite.
    """
    config = config or PreferenceFitConfig()
    if not len(data.pairs) and not len(data.points):
        raise UsageError("no choice and no rating to fit to: equal stars of one rater say nothing about a pair")
    training = _Training(tower, data, pictures, config=config, key=key)
    training.run(on_pass)
    card = PreferenceCard(
        parent=tower.identity, image_layers=config.image_layers, text_layers=config.text_layers, ties=config.ties,
        tie=training.tie.item(), offset=training.offset.item(), tie_threshold=training.threshold,
        metrics=training.metrics, data_hash=data.data_hash, seed=key.seed, passes=training.best_pass,
    )  # fmt: skip
    tuned = ClipTower(training.model, tower.tokenizer, preprocessing=tower.preprocessing, batch=tower.batch)
    return PreferenceScorer(tuned, card=card, name=name)


@dataclass(frozen=True)
class _Side:
    """The answers of the fitted or of the held-out prompts."""

    data: PreferenceData
    pair_weight: torch.Tensor


class _Training:
    """The live side of a fit: a copy of the CLIP, two numbers beside it, the best weights so far."""

    def __init__(
        self, tower: ClipTower, data: PreferenceData, pictures: Pictures, *, config: PreferenceFitConfig, key: Key
    ) -> None:
        self.config, self.key, self.pictures, self.tower = config, key, pictures, tower
        self.model = copy.deepcopy(tower.model)
        inside, outside = split_by_group([prompt.id for prompt in data.prompts], share=config.holdout)
        self.fitted, self.held_out = self._side(data, inside), self._side(data, outside)
        self.layers = trainable_layers(self.model, image=config.image_layers, text=config.text_layers)
        device = tower.device
        self.tie = torch.nn.Parameter(torch.zeros((), device=device))
        self.offset = torch.nn.Parameter(torch.zeros((), device=device))
        self._tokens = tokens_of(tower, data)
        self._sided = torch.tensor([is_sided(prompt, config.sided) for prompt in data.prompts])
        self._averaged: dict[str, torch.Tensor] = {}
        self._start: dict[str, torch.Tensor] = {}
        self._steps = 0
        self._begin()
        self.metrics: dict[str, float] = {}
        self.threshold, self.best_pass = 0.0, 0

    def _side(self, data: PreferenceData, rows: torch.Tensor) -> _Side:
        part = data.of_prompts(rows)
        if not len(part.pairs) and not len(part.points):
            raise UsageError(
                f"{len(data.prompts)} prompts leave no answer on one side of the fit: give answers about more prompts"
            )
        return _Side(part, prompt_weights(part) if self.config.weighting == "prompt" else part.pair_weight)

    @torch.no_grad()
    def _begin(self) -> None:
        """Take the scale that explains the fitted pairs best, and the middle of the rated pictures' scores as offset.

        Ratings alone give both, jointly. A CLIP's own scale is that of a choice among hundreds of texts: for pairs and
        ratings it is far too sure, and its few confident errors would outweigh all other answers.
        """
        data, before = self.fitted.data, self.model.logit_scale.item()
        margin, logit = self.margins(data)
        steps = torch.linspace(0, MOST_SCALE, _SCALES) if self.layers else self.model.logit_scale.detach()[None].cpu()
        if not len(margin):
            best, offset = begun_ratings(logit, data.label, data.point_weight, factors=(steps - before).exp())
            self.model.logit_scale.fill_(steps[best])
            self.offset.fill_(offset)
            return
        if self.layers:
            losses = [
                pair_loss(margin * (step - before).exp(), data.outcome, ties=self.config.ties, tie=0.0).mean()
                for step in steps
            ]
            self.model.logit_scale.fill_(steps[int(torch.stack(losses).argmin())])
        if len(logit):
            self.offset.copy_(logit.mean() * math.exp(self.model.logit_scale.item() - before))

    @property
    def _own(self) -> dict[str, torch.nn.Parameter]:
        return {**self.layers, "tie": self.tie, "offset": self.offset}

    def encoded(self, data: PreferenceData, entries: torch.Tensor, *, key: Key | None) -> Encoded:
        """Entries B against each other; each distinct picture and text is encoded once. key: of the augmentation."""
        pictures, picture = torch.unique(data.entry_picture[entries], return_inverse=True)
        prompts, prompt = torch.unique(data.entry_prompt[entries], return_inverse=True)
        inputs = self.pictures.inputs(pictures, self.tower.preprocessing).to(self.tower.device, self.tower.dtype)
        if key is not None:
            fixed = torch.zeros(len(pictures), dtype=torch.bool)
            fixed[picture[self._sided[data.entry_prompt[entries]]]] = True
            inputs = augmented(
                inputs, jitter=self.config.jitter, shift=self.config.shift,
                mirrored=~fixed & self.config.mirror, key=key,
            )  # fmt: skip
        cosine = self._images(inputs) @ self._texts(prompts).T
        return Encoded(
            cosine=cosine, picture=picture.to(cosine.device), prompt=prompt.to(cosine.device),
            scale=self.model.logit_scale.exp().float(),
        )  # fmt: skip

    def _images(self, inputs: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.model.get_image_features(pixel_values=inputs).pooler_output.float(), dim=-1)

    def _texts(self, prompts: torch.Tensor) -> torch.Tensor:
        identifiers, mask = (part[prompts].to(self.tower.device) for part in self._tokens)
        width = int(mask.sum(1).max())
        text = self.model.get_text_features(input_ids=identifiers[:, :width], attention_mask=mask[:, :width])
        return functional.normalize(text.pooler_output.float(), dim=-1)

    def _spoiled(self, data: PreferenceData, entries: torch.Tensor, scores: torch.Tensor, *, key: Key) -> torch.Tensor:
        """The loss of some of the entries B, of these scores, against their spoiled copies."""
        some = key.child("which").permutation(len(entries))[:SPOILED_AT_ONCE]
        asked = entries[some]
        inputs = self.pictures.inputs(data.entry_picture[asked], self.tower.preprocessing)
        image = self._images(spoiled(inputs.to(self.tower.device, self.tower.dtype), key=key))
        below = self.model.logit_scale.exp().float() * (image * self._texts(data.entry_prompt[asked])).sum(-1)
        return spoiled_loss(scores[some.to(scores.device)], below)

    def loss(self, side: _Side, pairs: torch.Tensor, points: torch.Tensor, *, key: Key | None) -> torch.Tensor:
        """Weighted mean over pairs, plus `point_weight` times that over points, and the parts that are asked for."""
        data = side.data
        asked = torch.cat([data.pairs[pairs].flatten(), data.points[points]])
        entries, place = torch.unique(asked, return_inverse=True)
        encoded = self.encoded(data, entries, key=key)
        scores = encoded.scores[place.to(self.tower.device)]
        sides = scores[: 2 * len(pairs)].reshape(-1, 2)
        loss = scores.sum() * 0
        if self.config.spoiled and key is not None:
            loss = loss + self.config.spoiled * self._spoiled(data, entries, encoded.scores, key=key.child("spoiled"))
        if len(pairs):
            weight = side.pair_weight[pairs].to(scores)
            values = pair_loss(
                sides[:, 0] - sides[:, 1], data.outcome[pairs].to(scores), ties=self.config.ties, tie=self.tie
            )
            loss = loss + (weight * values).sum() / weight.sum()
            if self.config.contrast:
                won = data.outcome[pairs, :2] + data.outcome[pairs, 2:] / 2
                share = torch.zeros(len(entries)).index_add_(0, place[: 2 * len(pairs)], won.flatten())
                loss = loss + self.config.contrast * contrast_loss(encoded, share, scale=self.tower.scale)
        if len(points) and self.config.point_weight:
            weight = data.point_weight[points].to(scores)
            values = rating_point_loss(scores[2 * len(pairs) :], data.label[points], offset=self.offset)
            loss = loss + self.config.point_weight * (weight * values).sum() / weight.sum()
        return loss

    def run(self, on_pass: OnPass | None) -> None:
        """Train; leaves the weights of the best pass in the model, which is frozen again."""
        best, since = BestPass(self._judge()), 0
        kept = self._copy()
        if not self.layers:
            self._finish(kept)
            return
        self._averaged, self._start = self._copy(), self._copy()
        optimizer, schedule = self._optimizer()
        for epoch in range(self.config.epochs):
            self._pass(optimizer, schedule, key=self.key.child("pass", epoch))
            trained = self._copy()
            self._load(self._averaged)
            found, since = self._judge(), since + 1
            if on_pass:
                on_pass(epoch + 1, self.config.epochs, found)
            if best.takes(found):
                kept, self.best_pass, since = self._copy(), epoch + 1, 0
            self._load(trained)
            if since >= self.config.patience:
                break
        self._finish(kept)

    def _pass(self, optimizer: torch.optim.Optimizer, schedule: Any, *, key: Key) -> None:
        for number, (pairs, points) in enumerate(batches(self.fitted.data, size=self.config.batch, key=key)):
            optimizer.zero_grad()
            loss = self.loss(self.fitted, pairs, points, key=key.child("jitter", number))
            if not math.isfinite(loss.item()):
                raise NumericsError(
                    f"the loss of the preference model became {loss.item()}: lower the learning rate; nothing was kept"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(list(self._own.values()), _LARGEST_GRADIENT)
            optimizer.step()
            with torch.no_grad():
                self._pull(optimizer.param_groups[0]["lr"])
                self.model.logit_scale.clamp_(0, MOST_SCALE)
                self._follow()
            schedule.step()

    def _optimizer(self) -> tuple[torch.optim.Optimizer, Any]:
        decayed = [value for name, value in self.layers.items() if value.ndim > 1 and "norm" not in name]
        others = [value for value in self._own.values() if not any(value is one for one in decayed)]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.config.learning_rate,
            betas=(0.9, 0.98),
        )
        rows = len(self.fitted.data.pairs) + len(self.fitted.data.points)
        steps = max(1, self.config.epochs * math.ceil(rows / self.config.batch))

        def factor(step: int) -> float:
            rising = min(1.0, (step + 1) / self.config.warmup) if self.config.warmup else 1.0
            return rising * (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2

        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    @torch.no_grad()
    def margins(self, data: PreferenceData) -> tuple[torch.Tensor, torch.Tensor]:
        """Margins of all pairs and logits of all points, on the CPU."""
        used, place = torch.unique(torch.cat([data.pairs.flatten(), data.points]), return_inverse=True)
        parts = [self.encoded(data, part, key=None).scores.cpu() for part in torch.split(used, _ENTRIES_AT_ONCE)]
        scores = torch.cat(parts)[place]
        sides = scores[: data.pairs.numel()].reshape(-1, 2)
        return sides[:, 0] - sides[:, 1], scores[data.pairs.numel() :] - self.offset.item()

    def _judge(self) -> dict[str, float]:
        """Held-out loss and accuracies at the present weights."""
        data = self.held_out.data
        margin, logit = self.margins(data)
        found: dict[str, float] = {"loss": 0.0}
        if len(margin):
            weight = self.held_out.pair_weight
            losses = pair_loss(margin, data.outcome, ties=self.config.ties, tie=self.tie.item())
            found["loss"] += ((weight * losses).sum() / weight.sum()).item()
            agreement = strict_agreement(margin, data.outcome)
            found["pairs"] = float(len(agreement))
            if len(agreement):
                found["pair_accuracy"] = agreement.double().mean().item()
        if len(logit):
            losses = rating_point_loss(logit, data.label, offset=0.0)
            found["loss"] += self.config.point_weight * losses.mean().item()
            decided = data.label != 0.5  # three stars of five say neither
            found["points"] = decided.double().sum().item()
            if decided.any():
                right = (logit > 0) == (data.label > 0.5)
                found["point_accuracy"] = right[decided].double().mean().item()
        if not math.isfinite(found["loss"]):
            raise NumericsError(f"the held-out loss became {found['loss']}: lower the learning rate; nothing was kept")
        return found

    def _copy(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self._own.items()}

    @torch.no_grad()
    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, value in self._own.items():
            value.copy_(weights[name])

    def _pull(self, rate: float) -> None:
        """Towards where the weights began (L2-SP, 1802.01483), decoupled from the gradient as AdamW's decay is."""
        if self.config.anchor:
            for name, value in self.layers.items():
                if name != "logit_scale":
                    value.lerp_(self._start[name], rate * self.config.anchor)

    def _follow(self) -> None:
        """The averaged weights follow the trained ones; they are what is judged and kept."""
        self._steps += 1
        decay = min(self.config.average, self._steps / (9 + self._steps))
        for name, value in self._own.items():
            self._averaged[name].mul_(decay).add_(value, alpha=1 - decay)

    def _finish(self, kept: Mapping[str, torch.Tensor]) -> None:
        self._load(kept)
        self.model.requires_grad_(False).eval()
        self.metrics = {f"held_out/{name}": value for name, value in self._judge().items()}
        if len(self.held_out.data.pairs):
            self.threshold = tie_threshold(self.margins(self.held_out.data)[0], self.held_out.data.outcome)
