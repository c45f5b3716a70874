"""Training states from the weights that ship: so that training can go on on a machine that never saw the states.

Optimiser moments are not shipped, so the first few hundred steps after this are a warm restart, not a resumed run.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from scripts.builtin_models.ship import TARGET


def restore_autoencoder(work: Path) -> None:
    """Write the autoencoder's state and scaling from the shipped `sd3` pipeline, which keeps the shift."""
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(TARGET / "sd3" / "vae", local_files_only=True).float()
    folder = work / "autoencoder"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"ema": vae.state_dict()}, folder / "state.pt")
    scaling = {"scaling_factor": vae.config.scaling_factor, "shift_factor": vae.config.shift_factor}
    (folder / "scaling.json").write_text(json.dumps(scaling))


def restore_denoiser(model: torch.nn.Module, family: str) -> None:
    """Copy the shipped weights of `family` into a model of `denoiser.build`."""
    from diffusers import StableDiffusion3Pipeline, StableDiffusionPipeline

    kind = StableDiffusionPipeline if family == "sd" else StableDiffusion3Pipeline
    pipe = kind.from_pretrained(TARGET / family, local_files_only=True)
    for name, part in model.named_children():
        part.load_state_dict({key: value.float() for key, value in getattr(pipe, name).state_dict().items()})
