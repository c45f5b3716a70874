"""The families of pipelines that Redraft drives: Stable Diffusion (UNet) and Stable Diffusion 3 (flow transformer).

Each is a plug-in: `Config` and `build(config, ModelContext)`. Not the shared work, which is in `models.backbone`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import NoiseLevel
from redraft.diffusion.levels import flow_levels, flow_noise_level, vp_levels, vp_noise_level
from redraft.models.backbone import PipelineBackbone, Sampling
from redraft.models.builtin import builtin_name
from redraft.models.folder import PipelineSettings, Quiet, load_pipeline, locate, read_index, read_settings
from redraft.models.tokens import TextStream

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class BackboneConfig(PipelineSettings):
    """`[backbones.NAME]`: the settings of redraft.json (a value here wins over the file) and how to compute.

    gradient_checkpointing: recompute activations of denoiser and autoencoder in the backward pass, to save memory.
    """

    gradient_checkpointing: bool = False


def _open(backbone: type[PipelineBackbone], pipeline_class: Any, config: BackboneConfig, context: ModelContext) -> Any:
    """Locate, check, load and place the pipeline; returns it with its folder, base name and resolved settings."""
    folder = locate(context.folder)
    found = str(read_index(folder)["_class_name"])
    if found != backbone.pipeline_class:
        raise UsageError(
            f"model folder {context.folder!r} holds a {found}, but {backbone.__name__} reads {backbone.pipeline_class} "
            "folders: open it with redraft.models.load.open_backbone, which picks the family"
        )
    settings = read_settings(folder)
    given = {name: value for name, value in config.model_dump().items() if value is not None}
    settings = settings.model_copy(
        update={name: given[name] for name in PipelineSettings.model_fields if name in given}
    )
    pipeline = load_pipeline(pipeline_class, folder, dtype=DTYPES[context.dtype]).to(context.device)
    if context.dtype == "float16":
        pipeline.vae.float()  # Stable Diffusion's autoencoders overflow in float16
    return pipeline, folder, builtin_name(folder) or context.folder, settings


def _sampling(
    settings: PipelineSettings,
    context: ModelContext,
    pipeline: Any,
    *,
    sample_size: int,
    steps: int,
    scale: float,
    tokens: int | None = None,
) -> Sampling:
    return Sampling(
        max_sequence_length=tokens and (settings.max_sequence_length or tokens),
        size=settings.size or sample_size * pipeline.vae_scale_factor,
        steps=settings.steps or steps,
        guidance_scale=scale if settings.guidance_scale is None else settings.guidance_scale,
        dtype=context.dtype,
    )


def _checkpointing(pipeline: Any, denoiser: Any, *, wanted: bool) -> None:
    if wanted:
        denoiser.enable_gradient_checkpointing()
        pipeline.vae.enable_gradient_checkpointing()


def _refuse(base: str, scheduler: Mapping[str, Any], options: tuple[str, ...]) -> None:
    """Raise UsageError when the scheduler uses one of `options`, which would change the pictures unnoticed."""
    for option in options:
        if scheduler.get(option):
            raise UsageError(
                f"the scheduler of {base!r} sets {option}={scheduler[option]!r}, which Redraft does not do: set it to "
                "false in scheduler/scheduler_config.json if the model does without"
            )


class StableDiffusionBackbone(PipelineBackbone):
    """A StableDiffusionPipeline folder (SD 1.x and 2.x sizes): UNet that predicts epsilon or v, one text encoder.

    Its levels are DDIM's (2010.02502) in the spacing of the folder's scheduler. The last step always ends at sigma 0,
    as DDIM does with set_alpha_to_one=true.
    """

    Config: ClassVar[type[BackboneConfig]] = BackboneConfig
    pipeline_class: ClassVar[str] = "StableDiffusionPipeline"
    lora_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")

    @classmethod
    def build(cls, config: BackboneConfig, context: ModelContext) -> StableDiffusionBackbone:
        """Open the folder or hub id `context.folder`.

        Raises UsageError for a folder of another class or an unknown scheduler option, DamagedError when unreadable.
        """
        with Quiet():
            from diffusers import DDIMScheduler, StableDiffusionPipeline

        pipeline, folder, base, settings = _open(cls, StableDiffusionPipeline, config, context)
        kinds = {"epsilon": "epsilon", "v_prediction": "v"}
        scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
        options = scheduler.config
        if options.prediction_type not in kinds or options.timestep_spacing not in ("leading", "trailing"):
            raise UsageError(
                f"the scheduler of {base!r} has prediction_type={options.prediction_type!r} and timestep_spacing="
                f"{options.timestep_spacing!r}: Redraft knows epsilon and v_prediction, leading and trailing; mend "
                "scheduler/scheduler_config.json"
            )
        # clip_sample is not asked for: StableDiffusionPipeline itself turns it off.
        _refuse(base, options, ("thresholding",))
        _checkpointing(pipeline, pipeline.unet, wanted=config.gradient_checkpointing)
        backbone = cls(
            pipeline,
            denoiser=pipeline.unet,
            base=base,
            part=folder / "unet",
            sampling=_sampling(
                settings, context, pipeline, sample_size=int(pipeline.unet.config.sample_size), steps=50, scale=7.5
            ),
            scaling=float(pipeline.vae.config.scaling_factor),
            shift=0.0,  # StableDiffusionPipeline knows no shift_factor
        )
        backbone.prediction = kinds[options.prediction_type]  # type: ignore[assignment]
        backbone._scheduler = scheduler
        return backbone

    _scheduler: Any

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(alpha, sigma), each B, of the training noise path at real timesteps B in 0..1000."""
        return vp_noise_level(self._scheduler.alphas_cumprod.to(timesteps.device), timesteps)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        """DDIM's levels: steps + 1, noisiest first, the last at sigma 0."""
        options = self._scheduler.config
        return vp_levels(
            self._scheduler.alphas_cumprod, steps, spacing=options.timestep_spacing, steps_offset=options.steps_offset
        )

    def _encode_texts(self, texts: list[str]) -> dict[str, torch.Tensor]:
        device = self.denoiser.device
        states, _ = self.pipeline.encode_prompt(texts, device, 1, do_classifier_free_guidance=False)
        return {"states": states}

    def _arguments(
        self, latents: torch.Tensor, timesteps: torch.Tensor, text: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        states = text["states"].to(self.compute_dtype)
        return {"sample": latents, "timestep": timesteps, "encoder_hidden_states": states, "return_dict": False}

    def _text_stream(self) -> TextStream:
        """Cross-attention stages, which all read the text as it was encoded; tokens stand after its first token.

        They begin as the first token of the empty prompt, as in SoftREPA.
        """
        unet = self.denoiser
        stages = {f"down_blocks.{index}": stage for index, stage in enumerate(unet.down_blocks)}
        stages |= {"mid_block": unet.mid_block}
        stages |= {f"up_blocks.{index}": stage for index, stage in enumerate(unet.up_blocks)}
        stages = {name: stage for name, stage in stages.items() if getattr(stage, "has_cross_attention", False)}
        with torch.no_grad():
            first = self._encode_texts([""])["states"][0, 0].float()
        return TextStream(
            blocks=stages,
            width=len(first),
            keyword="cross_attention_kwargs",
            arguments=("hidden_states", "temb"),
            before=1,
            shared=True,
            initial=first,
            default=tuple(name for name in stages if not name.startswith("up_blocks")),
        )


class StableDiffusion3Backbone(PipelineBackbone):
    """A StableDiffusion3Pipeline folder: transformer that predicts the flow velocity, two CLIP encoders, maybe a T5.

    Its levels are those of FlowMatchEulerDiscreteScheduler (2403.03206) with the folder's shift. Without a T5 the
    pipeline appends max_sequence_length zero tokens: a small number in redraft.json saves most of the time.
    """

    Config: ClassVar[type[BackboneConfig]] = BackboneConfig
    pipeline_class: ClassVar[str] = "StableDiffusion3Pipeline"
    lora_targets: ClassVar[tuple[str, ...]] = (
        "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
        "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
    )  # fmt: skip

    @classmethod
    def build(cls, config: BackboneConfig, context: ModelContext) -> StableDiffusion3Backbone:
        """Open the folder or hub id `context.folder`.

        Raises UsageError for a folder of another class or an unknown scheduler option, DamagedError when unreadable.
        """
        with Quiet():
            from diffusers import StableDiffusion3Pipeline

        pipeline, folder, base, settings = _open(cls, StableDiffusion3Pipeline, config, context)
        options = pipeline.scheduler.config
        _refuse(
            base,
            options,
            ("use_dynamic_shifting", "shift_terminal", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
             "invert_sigmas", "stochastic_sampling"),
        )  # fmt: skip
        _checkpointing(pipeline, pipeline.transformer, wanted=config.gradient_checkpointing)
        backbone = cls(
            pipeline,
            denoiser=pipeline.transformer,
            base=base,
            part=folder / "transformer",
            sampling=_sampling(
                settings,
                context,
                pipeline,
                sample_size=int(pipeline.transformer.config.sample_size),
                steps=28,
                scale=4.5,
                tokens=256,
            ),
            scaling=float(pipeline.vae.config.scaling_factor),
            shift=float(pipeline.vae.config.shift_factor or 0),
        )
        backbone.prediction = "flow"
        backbone._noise_shift = float(options.shift)
        return backbone

    _noise_shift: float

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(alpha, sigma), each B, of the straight path at real timesteps B in 0..1000."""
        return flow_noise_level(timesteps)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        """FlowMatchEulerDiscreteScheduler's levels: steps + 1, noisiest first, the last at sigma 0."""
        return flow_levels(steps, shift=self._noise_shift)

    def _encode_texts(self, texts: list[str]) -> dict[str, torch.Tensor]:
        states, _, pooled, _ = self.pipeline.encode_prompt(
            texts, None, None,
            device=self.denoiser.device,
            do_classifier_free_guidance=False,
            max_sequence_length=self.sampling.max_sequence_length,
        )  # fmt: skip
        return {"states": states, "pooled": pooled}

    def _arguments(
        self, latents: torch.Tensor, timesteps: torch.Tensor, text: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        return {
            "hidden_states": latents,
            "timestep": timesteps,
            "encoder_hidden_states": text["states"].to(self.compute_dtype),
            "pooled_projections": text["pooled"].to(self.compute_dtype),
            "return_dict": False,
        }

    def _text_stream(self) -> TextStream:
        """Joint blocks, through which the text evolves; tokens stand at its end (where does not matter: no positions).

        Each block has its own tokens, given up after it, in the width after the context projection.
        """
        transformer = self.denoiser
        blocks = {f"transformer_blocks.{index}": block for index, block in enumerate(transformer.transformer_blocks)}
        return TextStream(
            blocks=blocks,
            width=int(transformer.inner_dim),
            keyword="joint_attention_kwargs",
            arguments=("hidden_states", "encoder_hidden_states", "temb", "joint_attention_kwargs"),
            before=None,
            shared=False,
            initial=None,
            default=tuple(blocks)[:5],
        )
