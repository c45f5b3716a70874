"""Writes the trained models into the package in half precision, each with a model card. Trains nothing."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch

from scripts.builtin_models import autoencoder, denoiser
from scripts.builtin_models.training import BEFORE

TARGET = Path("src/redraft/builtin")
LIMIT = 24 * 10**6
RECIPES = {"sd": {"steps": 10, "guidance_scale": 1.0}, "sd3": {"steps": 10, "guidance_scale": 1.0}}


def ship(work: Path) -> None:
    """Write sd, sd3, clip and clip-heldout; raise when they are larger than 24 MB together."""
    for family in ("sd", "sd3"):
        if (work / family / "state.pt").exists():
            _ship_pipeline(work, family)
    for name in ("clip", "clip-heldout"):
        if (work / "models" / name).exists():
            _ship_clip(work, name)
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB in {TARGET}")
    if size > LIMIT:
        raise SystemExit(f"{size} bytes are more than the {LIMIT} that may ship: make a model smaller")


def _ship_pipeline(work: Path, family: str) -> None:
    state = torch.load(work / family / "state.pt", weights_only=True)
    model = denoiser.build(family).eval()
    model.load_state_dict(state["ema"])
    pipe = denoiser.pipeline(model, autoencoder.trained(work)).to(torch.float16)
    folder = TARGET / family
    pipe.save_pretrained(folder, safe_serialization=True)
    recipe: dict[str, Any] = {"size": 64, **RECIPES[family]}
    if family == "sd3":
        recipe["max_sequence_length"] = denoiser.T5_TOKENS
    (folder / "redraft.json").write_text(json.dumps(recipe, indent=2) + "\n")
    (folder / "README.md").write_text(_pipeline_card(family, state, recipe))


def _ship_clip(work: Path, name: str) -> None:
    from transformers import CLIPModel

    source, target = work / "models" / name, TARGET / name
    CLIPModel.from_pretrained(source, local_files_only=True).half().save_pretrained(target)
    for path in source.iterdir():
        if "tokenizer" in path.name or "preprocessor" in path.name or path.name.startswith(("heads", "concepts")):
            (target / path.name).write_bytes(path.read_bytes())
    second = work / f"{name}-layout" / "state.pt"
    state = torch.load(second if second.exists() else work / name / "state.pt", weights_only=True)
    kept = second.parent / BEFORE
    before = int(json.loads(kept.read_text())) if kept.exists() else 0
    (target / "README.md").write_text(_clip_card(name, state, second=second.exists(), before=before))


def _training_facts(state: dict[str, Any], *, before: int = 0) -> str:
    """before: steps of the runs that the last one went on from, with a warm-up of its own."""
    earlier = f", after {before} in runs from which it went on" if before else ""
    return (
        f"- optimiser steps: {state['step']}{earlier}; time{' of the last run' if before else ''}: "
        f"{state['seconds'] / 60:.0f} minutes\n  on one or two cores of a {platform.machine()} CPU (shared with other "
        "work)\n"
    )


def _pipeline_card(family: str, state: dict[str, Any], recipe: dict[str, Any]) -> str:
    rows = "\n".join(
        "| "
        + " | ".join([str(int(row["step"]))] + [f"{row[name]:.1f}" for name in row if name not in ("step", "seconds")])
        + " |"
        for row in state["history"]
    )
    names = [name for name in state["history"][-1] if name not in ("step", "seconds")]
    network = (
        "a UNet that predicts epsilon" if family == "sd" else "a joint-attention transformer that predicts the flow"
    )
    extra = f", max_sequence_length={recipe['max_sequence_length']}" if family == "sd3" else ""
    return f"""# builtin:{family}

A deliberately small *base* model of Redraft's picture world (64x64 pixels): {network}. It is good on common prompts and
weak on the tail. It knows nothing but the picture world.

- data: 60,000 renders of the picture world (seed 11), half of them drawn by Zipf's law; 20 % of the captions carry one
  error, as scraped captions do; a tenth of the captions is dropped for guidance
- seed: {50 if family == "sd" else 60}; text encoders trained together with the denoiser, then frozen
{_training_facts(state)}- default recipe: {recipe["steps"]} deterministic steps, guidance {recipe["guidance_scale"]}
- plain diffusers: `pipe(prompt, num_inference_steps={recipe["steps"]}, guidance_scale={recipe["guidance_scale"]},
  height=64, width=64{extra})`
- rebuild: `python -m scripts.builtin_models {family} --work FOLDER --steps {state["step"]}` (after the stages corpus,
  autoencoder and latents)
- licence: Apache-2.0

Oracle accuracy in percent on 384 balanced prompts while training (EMA weights, default recipe):

| step | {" | ".join(names)} |
|{"---|" * (len(names) + 1)}
{rows}
"""


def _rebuild(stage: str, *, steps: int) -> str:
    first = f"`python -m scripts.builtin_models {stage} --work FOLDER --steps {steps}`"
    return first + (",\n  then the stages `readouts` and `heads`" if stage.endswith("-layout") else "")


def _clip_card(name: str, state: dict[str, Any], *, second: bool, before: int) -> str:
    last, stage, steps = state["history"][-1], f"{name}-layout" if second else name, state["step"] + before
    more = (
        """- then, from these weights, in a vision tower twice as deep whose new layers began by adding nothing: renders
  with stray strokes, some that `builtin:sd` painted over and pictures that it painted; three wrong captions of each
  picture; for the patches what lies under them and how far it reaches (the renderer's layouts, as SigLIP 2 and LocCa
  learn from boxes), which pixels leave the ground (as MaskFeat learns from pixels), and which of these blobs are
  whole shapes, as the oracle's eye sees them: not independent of the oracle, which this CLIP learned to follow in what
  it recognises, painted pictures of `builtin:sd` included. No facet and no verdict was shown to it. What its state was
  asked for is kept in concepts.safetensors. The numbers below are of this second part
"""
        if second
        else ""
    )
    use = (
        "held out: it examines models and is never a training reward"
        if name == "clip-heldout"
        else "the similarity scorer"
    )
    return f"""# {name}

A tiny CLIP of Redraft's picture world (64x64 pixels, patches of 8), {use}.

- data: fresh renders (seed {40 if name == "clip-heldout" else 41}), degraded by blur, noise and brightness; one wrong
  caption of each picture as an extra negative
{more}{_training_facts(state, before=before)}- on 512 fresh degraded renders: true caption beats its wrong one
  {100 * last["true_beats_wrong"]:.1f} %;
  retrieval of one text among 512 {100 * last["retrieval"]:.1f} %
- rebuild: {_rebuild(stage, steps=steps)}
- licence: Apache-2.0
"""
