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


class PipelineBackbone:
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
        self._trainable: dict[str, torch.nn.Parameter] = {}
        self._reference: dict[str, torch.Tensor] = {}
        self._lora: tuple[int, float, tuple[str, ...]] | None = None
        self._merged = False

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
        arguments = self._arguments(latents.to(self.denoiser.dtype), timesteps, text)
        if parameters is None:
            output = self.denoiser(**arguments)[0]
        else:
            self._require_names(parameters)
            # functional_call writes into its mapping, hence the copy; no weights of these networks are tied.
            output = torch.func.functional_call(self.denoiser, dict(parameters), (), arguments, tie_weights=False)[0]
        return output.float()  # type: ignore[no-any-return]

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

    # --- weights to train ---------------------------------------------------------------------------------------

    def train_lora(self, *, rank: int, alpha: float, seed_key: Key, targets: Sequence[str] | None = None) -> None:
        """Make a fresh LoRA the weights to train (any earlier one is taken off); it equals the base exactly.

        `targets`: endings of layer names, by default the family's attention projections. See `lora.attach`.
        """
        self._refuse_merged()
        chosen = self.lora_targets if targets is None else tuple(targets)
        self._lora = None
        lora.detach(self.denoiser)
        self.denoiser.requires_grad_(False)
        lora.attach(self.denoiser, rank=rank, alpha=alpha, targets=chosen, key=seed_key)
        self._lora = (rank, float(alpha), chosen)
        self._set_trainable({n: p for n, p in self.denoiser.named_parameters() if ".lora_" in n})
        for name, value in self._reference.items():
            if name.endswith(lora.FACTOR_B):
                value.zero_()

    def train_full(self) -> None:
        """Make every weight of the denoiser trainable, in float32; the reference is a copy of them as they are now."""
        self._refuse_merged()
        lora.detach(self.denoiser)
        self._lora = None
        self.denoiser.float()
        self._set_trainable(dict(self.denoiser.named_parameters()))

    def _set_trainable(self, parameters: dict[str, torch.nn.Parameter]) -> None:
        self._trainable = parameters
        self._reference = {name: value.detach().clone() for name, value in parameters.items()}
        for value in parameters.values():
            value.requires_grad_(True)

    def trainable(self) -> Mapping[str, torch.nn.Parameter]:
        """The parameters to train, by name; empty before train_lora or train_full."""
        return self._trainable

    def reference(self) -> Parameters:
        """Weights that give the model without training: LoRA with B = 0, or the copy made by train_full."""
        return self._reference

    @torch.no_grad()
    def load_parameters(self, parameters: Parameters) -> None:
        """Copy values into the trainable weights. Raises UsageError when names or shapes differ."""
        self._refuse_merged()
        expected = {name: tuple(value.shape) for name, value in self._trainable.items()}
        found = {name: tuple(value.shape) for name, value in parameters.items()}
        if expected != found:
            wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            raise UsageError(
                f"{len(wrong)} parameters do not fit the trainable ones of {self.base!r}, the first {wrong[0]!r} "
                f"(here {expected.get(wrong[0], 'absent')}, given {found.get(wrong[0], 'absent')}): prepare the "
                "backbone with the same kind, rank and targets (load_weights does)"
            )
        for name, value in self._trainable.items():
            value.copy_(parameters[name])

    @property
    def base_fingerprint(self) -> str:
        """Hash of the denoiser's files in the base folder: weights trained on one base fit no other."""
        part = next(name for name, value in self.pipeline.components.items() if value is self.denoiser)
        return fingerprint(self.folder / part)

    def weights(self, parameters: Parameters | None = None) -> DenoiserWeights:
        """A copy on the CPU of the trainable weights, or of `parameters` of the same names, as a record to save."""
        if not self._trainable:
            raise UsageError(f"the model {self.base!r} has nothing to save: call train_lora or train_full first")
        if parameters is not None:
            self._require_names(parameters)
        values = self._trainable if parameters is None else parameters
        rank, alpha, targets = self._lora or (0, 0.0, ())
        return DenoiserWeights(
            kind="lora" if self._lora else "full",
            parameters={name: value.detach().cpu().clone().contiguous() for name, value in values.items()},
            base=self.base,
            base_fingerprint=self.base_fingerprint,
            rank=rank,
            alpha=alpha,
            targets=targets,
        )

    def load_weights(self, weights: DenoiserWeights) -> None:
        """Take over saved weights: prepare a LoRA of the same shape, or full training, unless there, and copy them.

        Raises UsageError, naming both bases, for weights of another base.
        """
        from redraft.core.keys import Key

        weights.require_base(self.base, self.base_fingerprint)
        if weights.kind == "full":
            if self._lora is not None or not self._trainable:
                self.train_full()
        elif self._lora != (weights.rank, weights.alpha, weights.targets):
            if self._lora is None and self._trainable:
                raise UsageError(
                    f"the denoiser of {self.base!r} was prepared for full training, so its own weights may have "
                    "changed: open the model again before loading a LoRA of the base"
                )
            # The initial A is overwritten at once, so this key decides nothing.
            self.train_lora(rank=weights.rank, alpha=weights.alpha, targets=weights.targets, seed_key=Key(seed=0))
        self.load_parameters(weights.parameters)

    @contextmanager
    def merged(self, parameters: Parameters | None = None) -> Iterator[None]:
        """Within: the denoiser holds dense weights (its own, or `parameters`), fast and for gradient-free use only.

        Afterwards the very tensors of before are back. Raises UsageError when nested.
        """
        self._refuse_merged()
        if parameters is not None:
            self._require_names(parameters)
        values: Parameters = self._trainable if parameters is None else parameters
        self._merged = True
        try:
            with torch.no_grad():
                context = lora.merged(self.denoiser, values) if self._lora else self._exchanged(values)
                with context:
                    yield
        finally:
            self._merged = False

    @contextmanager
    def _exchanged(self, values: Parameters) -> Iterator[None]:
        originals = {name: parameter.data for name, parameter in self._trainable.items()}
        try:
            for name, parameter in self._trainable.items():
                parameter.data = values[name].detach().to(parameter.device, parameter.dtype)
            yield
        finally:
            for name, parameter in self._trainable.items():
                parameter.data = originals[name]

    def _refuse_merged(self) -> None:
        if self._merged:
            raise UsageError(f"the weights of {self.base!r} are merged: leave the merged() block first")

    def _require_names(self, parameters: Parameters) -> None:
        self._refuse_merged()
        if parameters.keys() != self._trainable.keys():
            wrong = sorted(parameters.keys() ^ self._trainable.keys())
            raise UsageError(
                f"{len(wrong)} parameter names differ from the trainable ones of {self.base!r}, the first "
                f"{wrong[0]!r}: give a value for each trainable name, and none besides"
            )
