"""What all families share: a diffusers pipeline seen as encode, predict, decode, with weights to train.

Not a family: how texts are encoded, how the network is called and which noise levels it knows is in `models.families`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from redraft.core.errors import UsageError
from redraft.core.records import NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import Conditioning, Images, Parameters
from redraft.models import tokens
from redraft.models.denoiser import TrainableDenoiser

TEXTS_AT_ONCE = 64
PIXELS_AT_ONCE = 64 * 64 * 64


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a model wants to be sampled: edge of the pictures in pixels, steps, guidance scale and dtype.

    max_sequence_length: T5 tokens of a prompt, None for families without.
    """

    size: int
    steps: int
    guidance_scale: float
    dtype: Literal["float32", "bfloat16", "float16"]
    max_sequence_length: int | None = None


class PipelineBackbone(TrainableDenoiser):
    """A diffusers pipeline as a TrainableBackbone; see TrainableDenoiser for its weights.

    latent_shape: C,H,W of one picture's latents. scaling, shift: latents = (encoder's mean - shift) * scaling.
    """

    pipeline_class: ClassVar[str]
    prediction: Prediction
    latent_shape: tuple[int, int, int]

    def __init__(
        self, pipeline: Any, *, denoiser: Any, base: str, part: Path, sampling: Sampling, scaling: float, shift: float
    ) -> None:
        super().__init__(denoiser, base=base, part=part)
        self.pipeline, self.sampling = pipeline, sampling
        self._scaling, self._shift = scaling, shift
        edge, rest = divmod(sampling.size, pipeline.vae_scale_factor)
        if rest:
            raise UsageError(
                f"pictures of {sampling.size} pixels: the autoencoder of {base!r} needs a multiple of "
                f"{pipeline.vae_scale_factor}; set size in redraft.json"
            )
        self.latent_shape = (int(denoiser.config.in_channels), edge, edge)

    @property
    def size(self) -> int:
        """Edge of the pictures in pixels."""
        return self.sampling.size

    # --- the four functions -------------------------------------------------------------------------------------

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        """Encode texts and negative texts through the pipeline's own encode_prompt, each distinct text once."""
        if not prompts:
            raise UsageError("no prompt to encode: give at least one")
        texts, negatives = [prompt.text for prompt in prompts], [prompt.negative_text for prompt in prompts]
        rows = {text: row for row, text in enumerate(dict.fromkeys([*texts, *negatives]))}
        distinct = list(rows)
        with torch.no_grad():
            chunks = [
                self._encode_texts(distinct[start : start + TEXTS_AT_ONCE])
                for start in range(0, len(distinct), TEXTS_AT_ONCE)
            ]
        encoded = {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}
        whole = Conditioning(positive=encoded, negative={})
        positive = dict(whole.take([rows[text] for text in texts]).positive)
        negative = dict(whole.take([rows[text] for text in negatives]).positive)
        if self._tokens is not None and self._tokens.guidance_bank != "positive":
            device, bank = self.denoiser.device, tokens.BANKS.index(self._tokens.guidance_bank)
            positive[tokens.BANK_OF_ROW] = torch.zeros(len(prompts), dtype=torch.long, device=device)
            negative[tokens.BANK_OF_ROW] = torch.full((len(prompts),), bank, device=device)
        return Conditioning(positive=positive, negative=negative)

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        """The network's raw output for latents B,C,H,W at timesteps B, in float32; see core.protocols.Backbone.

        The network runs in its own dtype; float32 weights run under autocast for latents in half precision. Raises
        UsageError for `parameters` whose names are not the trainable ones, or within `merged`.
        """
        if parameters is not None:
            self._require_names(parameters)
        codes = text.get(tokens.BANK_OF_ROW)
        if codes is None or self._tokens is None:
            return self._answer(latents, timesteps, text, parameters)
        own: Parameters = self._trainable if parameters is None else parameters
        parts = tokens.rows_of_bank(codes)
        answers = [
            self._answer(
                latents[rows], timesteps[rows], {name: value[rows] for name, value in text.items()},
                tokens.reading(own, bank),
            )
            for bank, rows in parts
        ]  # fmt: skip
        return torch.cat(answers)[torch.cat([rows for _, rows in parts]).argsort()]

    def _answer(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None,
    ) -> torch.Tensor:
        dtype = self.compute_dtype
        arguments = self._arguments(latents.to(dtype), timesteps, text)
        if dtype == torch.float32 and latents.dtype in (torch.bfloat16, torch.float16):
            with torch.autocast(latents.device.type, latents.dtype):
                return self.call(arguments, parameters=parameters).float()
        return self.call(arguments, parameters=parameters).float()

    def decode(self, latents: torch.Tensor) -> Images:
        """Latents B,C,H,W to pictures in 0..1; differentiable. Without a graph in chunks, to bound memory."""
        latents = (latents / self._scaling + self._shift).to(self.pipeline.vae.dtype)
        whole = torch.is_grad_enabled() and latents.requires_grad
        chunks = (latents,) if whole else torch.split(latents, self._pictures_at_once())
        decoded = [self.pipeline.vae.decode(chunk, return_dict=False)[0].float() for chunk in chunks]
        return Images(pixels=(torch.cat(decoded) / 2 + 0.5).clamp(0, 1))

    @torch.no_grad()
    def encode_images(self, images: Images) -> torch.Tensor:
        """Pictures to latents B,C,H,W: the mean of the encoder's distribution, scaled as the denoiser wants it."""
        if tuple(images.pixels.shape[1:]) != (3, self.size, self.size):
            raise UsageError(
                f"pictures of shape {tuple(images.pixels.shape)}: the model {self.base!r} takes B,3,{self.size},"
                f"{self.size}; resize them first"
            )
        vae = self.pipeline.vae
        chunks = torch.split(images.pixels.to(vae.device, vae.dtype) * 2 - 1, self._pictures_at_once())
        mean = torch.cat([vae.encode(chunk, return_dict=False)[0].mean.float() for chunk in chunks])
        return (mean - self._shift) * self._scaling

    def _pictures_at_once(self) -> int:
        return max(1, PIXELS_AT_ONCE // (self.size * self.size))

    # --- noise levels and recipe --------------------------------------------------------------------------------

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(alpha, sigma), each B, of the training noise path at real timesteps B in 0..1000."""
        raise NotImplementedError

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        """The model's own sampling schedule: steps + 1 levels, noisiest first, the last at sigma 0."""
        raise NotImplementedError

    def default_recipe(self, *, steps: int | None = None, guidance_scale: float | None = None) -> Recipe:
        """The recipe of the model's folder: deterministic kernel, its own steps and guidance scale unless given."""
        return Recipe(
            levels=self.levels(self.sampling.steps if steps is None else steps),
            guidance_scale=self.sampling.guidance_scale if guidance_scale is None else guidance_scale,
            dtype=self.sampling.dtype,
        )

    def _encode_texts(self, texts: list[str]) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def _arguments(
        self, latents: torch.Tensor, timesteps: torch.Tensor, text: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        raise NotImplementedError
