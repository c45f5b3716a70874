"""Soft tokens: a few learned vectors in the text stream of a frozen model, from pictures with true and false captions.

SoftREPA (Lee et al., arXiv 2503.08250) and Alignment-Guided Score Matching, AGSM (Lee et al., arXiv 2605.30038).

    1  pictures x_b; captions p = 0 true, 1 .. M false (hard ones, or those of the other pictures)
    2  one t ~ timesteps and one e ~ N(0, I) for the whole batch (or each picture); x_t = alpha_t x_b + sigma_t e
    3  q_bp = prediction(x_t, t, caption p) by trained tokens, s_bp by slow ones (no gradient); E = mean of the square
    AGSM: true captions read the positive bank, false ones the negative bank
    4  w_b = softmax_p(-E(s_bp - target_b) / temperature);  d_bp = s_bp - sum_k w_bk s_bk
    5  L = mean_b E(q_b0 - (target_b + gamma_plus d_b0)) + mean_b,p>0 E(q_bp - (target_b - gamma_minus d_bp))
    SoftREPA: one bank
    6  L = mean_b -log softmax_p(4 exp(-E(q_bp - target_b) / 0.07))_0 + denoise_weight mean_b E(q_b0 - target_b)
    cfg_target: one bank; the first term of line 5 with d_b0 = s_b0 - mean_p>0 s_bp
    plain: one bank; mean_b E(q_b0 - target_b)

Slow tokens are the loop's `old` weights: they begin as an exact copy, and `fit.old_policy` says how they follow.
Under constant w line 5 bakes guidance of scale 1 / (1 - gamma_plus (1 - w_b0)) into the tokens, so judge them over a
sweep of guidance scales. Line 6 has no finite minimiser: false captions are pushed to be ever more wrong.

Differs from the papers:
- gamma_plus is 0.5, not 1, where the tokens may run away (`stop_reason` watches); below 1 the baked-in scale is at
  most 1 / (1 - gamma_plus).
- Hard false captions (another count, colour or relation) besides those of the other pictures, of which one that equals
  a picture's own is left out.
- The target may be the base's answer under the true caption, which has the same mean where the base fits its pictures
  and none of the noise; slow tokens that never follow then make line 5 a single step of its iteration.
- Shifts are in the network's raw prediction (epsilon, v or flow), without a factor by noise level, as released.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.utils.checkpoint import checkpoint

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs, TrainableBackbone
from redraft.core.tensors import (
    NEGATIVE_BANK,
    POSITIVE_BANK,
    Captioned,
    Conditioning,
    Examples,
    Loss,
    Parameters,
    Scored,
)
from redraft.methods.alignment import (
    RunawayRules,
    alignment_shift,
    contrastive_loss,
    mean_square,
    runaway,
    share_of_error,
    weight_parts,
)
from redraft.methods.captioned_noise import CaptionedNoise, noise_captioned
from redraft.methods.noising import TimestepDistribution

_DENOISE_WEIGHT = {"epsilon": 10.0, "v": 10.0, "flow": 0.0}


class SoftTokensConfig(Config):
    """Options of `soft_tokens`. How many tokens, and where, is the adapter's business."""

    objective: Literal["agsm", "softrepa", "cfg_target", "plain"] = "agsm"
    negatives: Literal["hard", "in_batch", "empty"] = Field(default="in_batch", description="which false captions")
    target: Literal["noise", "reference"] = Field(
        default="noise", description="the target: of the noise that was added, or the base's answer to the true caption"
    )
    gamma_plus: float = Field(default=0.5, ge=0, description="shift of the target under true captions")
    gamma_minus: float = Field(default=0.1, ge=0, description="shift under false ones (agsm); 0 drops their term")
    temperature: float = Field(default=0.1, gt=0, description="of the captions' weights (agsm); inf: all alike")
    reward_reduction: Literal["mean", "sum"] = Field(default="mean", description="of E in the weights (agsm)")
    dual_bank: bool = Field(default=True, description="false captions read a bank of their own (agsm)")
    logit_scale: float = Field(default=4.0, gt=0, description="of softrepa")
    error_temperature: float = Field(default=0.07, gt=0, description="of softrepa")
    denoise_weight: float | None = Field(
        default=None, ge=0, description="of softrepa; unset: 10, for flow models 0, as published"
    )
    timesteps: TimestepDistribution = "uniform"
    shared_noise: bool = Field(default=True, description="one level and one noise for a batch, else for a picture")
    rows_at_once: int | None = Field(
        default=None, ge=1, description="rows of a network call, which is then recomputed in the backward pass"
    )
    runaway: RunawayRules = RunawayRules()


@dataclass(frozen=True, kw_only=True)
class SoftTokens:
    """The method."""

    Config: ClassVar[type[SoftTokensConfig]] = SoftTokensConfig
    needs: ClassVar[Needs] = "captioned"

    config: SoftTokensConfig

    @classmethod
    def build(cls, config: SoftTokensConfig, context: MethodContext) -> SoftTokens:
        """The recipe and the scorer are not needed: nothing is painted and nothing rewarded."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """Always raises UsageError: captions come with the pictures."""
        del key
        raise UsageError(
            f"soft_tokens was given {len(scored.prompts)} scored pictures: it trains on Captioned, pictures with true "
            "captions, and needs no reward"
        )

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 2 to 6; with negatives "in_batch" the captions of one call compete.

        Raises UsageError for examples that are not Captioned, hard captions that are missing, or a backbone that
        trains no soft tokens or too few banks of them.
        """
        if not isinstance(examples, Captioned):
            raise UsageError(
                f"soft_tokens was given {type(examples).__name__}: it trains on Captioned, pictures with true captions"
            )
        options, backbone = self.config, context.backbone
        self._require_banks(backbone)
        noised = noise_captioned(
            examples,
            backbone=backbone,
            negatives="none" if options.objective == "plain" else options.negatives,
            timesteps=options.timesteps,
            shared=options.shared_noise,
            key=key,
        )
        if options.target == "reference":
            with torch.no_grad():
                noised = replace(noised, target=self._true(noised, backbone, parameters=context.reference))
        match options.objective:
            case "agsm":
                return self._agsm(noised, context)
            case "softrepa":
                return self._softrepa(noised, backbone)
            case "cfg_target":
                return self._cfg_target(noised, context)
            case "plain":
                error = mean_square(self._true(noised, backbone) - noised.target).mean()
                return Loss(value=error, parts={"own_error": error.item()})

    def stop_reason(self, log: Sequence[Mapping[str, float]]) -> str | None:
        """Why training should stop after the last entry of `log` (the named numbers of each step), or None.

        See `alignment.runaway`; the other objectives have no slow tokens that could feed on themselves. Against the
        base's own answers fresh tokens have no error to speak of, so the size of the shift says nothing.
        """
        rules = self.config.runaway
        if self.config.target == "reference":
            rules = rules.model_copy(update={"largest_shift": math.inf})
        return runaway(log, rules) if self.config.objective == "agsm" else None

    # --- objectives ---------------------------------------------------------------------------------------------

    def _agsm(self, noised: CaptionedNoise, context: LossContext) -> Loss:
        """Lines 3 to 5."""
        options, backbone, target = self.config, context.backbone, noised.target
        if options.target == "noise":  # else slow tokens usually stay, and with them the shift
            _warn_of_gamma(options.gamma_plus, captions=1 + noised.valid.shape[1])
        with torch.no_grad():
            slow = [
                self._true(noised, backbone, parameters=context.old)[:, None],
                self._false(noised, backbone, parameters=self._false_bank(context.old)),
            ]
            weight, shift = alignment_shift(
                torch.cat(slow, dim=1),
                target,
                noised.valid,
                temperature=options.temperature,
                reduction=options.reward_reduction,
            )
        own = self._true(noised, backbone)
        value = mean_square(own - (target + options.gamma_plus * shift[:, 0])).mean()
        parts = {"positive": value.item(), **weight_parts(weight, noised.valid)}
        parts["shift_share"] = share_of_error(shift[:, 0], target - own.detach())
        if options.gamma_minus and bool(noised.valid.any()):
            false = self._false(noised, backbone, parameters=self._false_bank(backbone.trainable()))
            aim = target[:, None] - options.gamma_minus * shift[:, 1:]
            negative = mean_square(false - aim)[noised.valid].mean()
            value, parts["negative"] = value + negative, negative.item()
        return Loss(value=value, parts=parts)

    def _softrepa(self, noised: CaptionedNoise, backbone: TrainableBackbone) -> Loss:
        """Line 6."""
        options = self.config
        own = mean_square(self._true(noised, backbone) - noised.target)
        false = mean_square(self._false(noised, backbone) - noised.target[:, None])
        contrast = contrastive_loss(
            torch.cat([own[:, None], false], dim=1),
            noised.valid,
            scale=options.logit_scale,
            temperature=options.error_temperature,
        )
        weight = _DENOISE_WEIGHT[backbone.prediction] if options.denoise_weight is None else options.denoise_weight
        parts = {"contrast": contrast.item(), "own_error": own.mean().item()}
        if bool(noised.valid.any()):
            parts["false_error"] = false[noised.valid].mean().item()
        return Loss(value=contrast + weight * own.mean(), parts=parts)

    def _cfg_target(self, noised: CaptionedNoise, context: LossContext) -> Loss:
        """Line 5 with guidance away from the mean of the false captions for its shift."""
        with torch.no_grad():
            slow = self._true(noised, context.backbone, parameters=context.old)
            false = self._false(noised, context.backbone, parameters=context.old)
            valid = noised.valid.to(slow)[:, :, None, None, None]
            count = valid.sum(dim=1)
            # Without a false caption there is no direction to shift in.
            shift = (slow - (valid * false).sum(dim=1) / count.clamp(min=1)) * (count > 0)
        own = self._true(noised, context.backbone)
        error = mean_square(own - (noised.target + self.config.gamma_plus * shift)).mean()
        share = share_of_error(shift, noised.target - own.detach())
        return Loss(value=error, parts={"positive": error.item(), "shift_share": share})

    # --- predictions --------------------------------------------------------------------------------------------

    def _require_banks(self, backbone: TrainableBackbone) -> None:
        names = backbone.trainable()
        if POSITIVE_BANK not in names:
            raise UsageError(
                "soft_tokens trains soft tokens in the text stream of a backbone, and this one trains "
                f"{', '.join(map(repr, sorted(names)[:3])) or 'nothing'}: prepare it with train_soft_tokens (adapter "
                "kind 'tokens'), or use a model whose family gives access to its text stream"
            )
        if self.config.objective == "agsm" and self.config.dual_bank and NEGATIVE_BANK not in names:
            raise UsageError(
                "agsm with dual_bank needs a second bank of soft tokens, and this backbone has one bank: prepare it "
                "with banks=2, or set dual_bank to false"
            )

    def _false_bank(self, parameters: Parameters) -> Parameters:
        """Parameters with which a prediction reads the tokens for false captions."""
        return {**parameters, POSITIVE_BANK: parameters[NEGATIVE_BANK]} if self.config.dual_bank else parameters

    def _true(
        self, noised: CaptionedNoise, backbone: TrainableBackbone, *, parameters: Parameters | None = None
    ) -> torch.Tensor:
        """Predictions under the true captions, B,C,H,W."""
        return self._answers(backbone, noised.latents, noised.timesteps, noised.true, parameters=parameters)

    def _false(
        self, noised: CaptionedNoise, backbone: TrainableBackbone, *, parameters: Parameters | None = None
    ) -> torch.Tensor:
        """Predictions under the false captions, B,M,C,H,W."""
        rows, count = noised.valid.shape
        if not count:
            return noised.latents[:, None][:, :0]
        latents, timesteps = (value.repeat_interleave(count, dim=0) for value in (noised.latents, noised.timesteps))
        answers = self._answers(backbone, latents, timesteps, noised.false, parameters=parameters)
        return answers.view(rows, count, *answers.shape[1:])

    def _answers(
        self,
        backbone: TrainableBackbone,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        captions: Conditioning,
        *,
        parameters: Parameters | None,
    ) -> torch.Tensor:
        def answer(rows: torch.Tensor) -> torch.Tensor:
            text, place = captions.take(rows).positive, rows.to(latents.device)
            return backbone.predict(latents[place], timesteps[place], text=text, parameters=parameters)

        parts = torch.split(torch.arange(len(latents)), self.config.rows_at_once or len(latents))
        if len(parts) == 1 or not torch.is_grad_enabled():
            return torch.cat([answer(rows) for rows in parts])
        return torch.cat([checkpoint(answer, rows, use_reentrant=False, preserve_rng_state=False) for rows in parts])


def _warn_of_gamma(gamma_plus: float, *, captions: int) -> None:
    if gamma_plus * (1 - 1 / captions) >= 1:
        warnings.warn(
            f"gamma_plus={gamma_plus} with {captions} captions a picture: gamma_plus * (1 - 1 / captions) is at least "
            "1, so the soft tokens run away even where all captions weigh alike; 0.5 is the default",
            UserWarning,
            stacklevel=3,
        )
