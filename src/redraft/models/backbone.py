"""What all families share: a diffusers pipeline seen as encode, predict, decode, with weights to train.

Not a family: how texts are encoded, how the network is called and which noise levels it knows is in `models.families`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from redraft.core.errors import UsageError
from redraft.core.records import NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import Conditioning, Images, Parameters
from redraft.models import lora
from redraft.models.folder import fingerprint
from redraft.models.weights import DenoiserWeights

if TYPE_CHECKING:
    from redraft.core.keys import Key

TEXTS_AT_ONCE = 64
PIXELS_AT_ONCE = 64 * 64 * 64


class PipelineBackbone(TrainableDenoiser):
    """A diffusers pipeline as a TrainableBackbone. Without train_lora or train_full it has nothing to train.

    denoiser: the UNet or transformer. base: name of the pipeline. latent_shape: C,H,W of one picture's latents.
    Not for two threads at once: `merged` and `parameters` exchange weights in place.
    """

    pipeline_class: ClassVar[str]
    lora_targets: ClassVar[tuple[str, ...]]
    prediction: Prediction
    latent_shape: tuple[int, int, int]

    def __init__(
        self,
        pipeline: Any,
        *,
        denoiser: Any,
        base: str,
        folder: Path,
        size: int,
        steps: int,
        guidance_scale: float,
        scaling: float,
        shift: float,
    ) -> None:
        self.pipeline, self.denoiser, self.base, self.folder = pipeline, denoiser, base, folder
        self.size, self._steps, self._guidance_scale = size, steps, guidance_scale
        self._scaling, self._shift = scaling, shift
        edge, rest = divmod(size, pipeline.vae_scale_factor)
        if rest:
            raise UsageError(
                f"pictures of {size} pixels: the autoencoder of {base!r} needs a multiple of "
                f"{pipeline.vae_scale_factor}; set size in redraft.json"
            )
        self.latent_shape = (int(denoiser.config.in_channels), edge, edge)

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
        return Conditioning(
            positive=whole.take([rows[text] for text in texts]).positive,
            negative=whole.take([rows[text] for text in negatives]).positive,
        )

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        """The network's raw output for latents B,C,H,W at timesteps B, in float32; see core.protocols.Backbone.

        Raises UsageError for `parameters` whose names are not the trainable ones, or within `merged`.
        """
        return self.call(self._arguments(latents, timesteps, text), parameters=parameters).float()

    def decode(self, latents: torch.Tensor) -> Images:
        """Latents B,C,H,W to pictures in 0..1; differentiable. Without a graph in chunks, to bound memory."""
        latents = (latents / self._scaling + self._shift).to(self.pipeline.vae.dtype)
        whole = torch.is_grad_enabled() and latents.requires_grad
        chunks = (latents,) if whole else latents.split(self._pictures_at_once())
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
        chunks = (images.pixels.to(vae.device, vae.dtype) * 2 - 1).split(self._pictures_at_once())
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
        """The recipe of the model's folder: deterministic kernel, its steps and guidance scale unless given."""
        names = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
        return Recipe(
            levels=self.levels(self._steps if steps is None else steps),
            guidance_scale=self._guidance_scale if guidance_scale is None else guidance_scale,
            dtype=names[self.pipeline.vae.dtype],  # type: ignore[arg-type]
        )

    def _encode_texts(self, texts: list[str]) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def _arguments(
        self, latents: torch.Tensor, timesteps: torch.Tensor, text: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        raise NotImplementedError
