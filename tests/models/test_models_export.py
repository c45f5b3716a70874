"""Exports are read by plain diffusers in a process that does not know Redraft, and give the same pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from redraft.core.errors import StorageError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.diffusion.sample import initial_noise, sample
from redraft.models.backbone import PipelineBackbone
from redraft.models.export import LORA_FILE, export_lora, export_pipeline
from redraft.models.load import open_backbone

KEY = Key(seed=9)
TEXTS = ["a red circle", "two hats"]
STEPS, SCALE = 4, 2.0

PLAIN_SCRIPT = """
import json, sys
import numpy as np, torch
from diffusers import DiffusionPipeline

work = sys.argv[1]
noise = torch.from_numpy(np.load(work + "/noise.npy"))
for job in json.load(open(work + "/jobs.json")):
    absent = {"text_encoder_3": None, "tokenizer_3": None} if job["options"] else {}
    pipeline = DiffusionPipeline.from_pretrained(job["folder"], local_files_only=True, **absent)
    if job["lora"]:
        pipeline.load_lora_weights(job["lora"])
    pictures = pipeline(job["texts"], num_inference_steps=job["steps"], guidance_scale=job["scale"], height=64,
                        width=64, latents=noise, output_type="np", **job["options"]).images
    np.save(job["output"], pictures)
assert "redraft" not in sys.modules
"""


def trained(folder: Path, *, full: bool = False) -> PipelineBackbone:
    backbone = open_backbone(str(folder))
    if full:
        backbone.train_full()
    else:
        backbone.train_lora(rank=4, alpha=16, seed_key=KEY)
    size = 0.02 if full else 0.3
    backbone.load_parameters(
        {name: value + size * KEY.child(name).normal(value.shape) for name, value in backbone.trainable().items()}
    )
    return backbone


def pixels(backbone: PipelineBackbone) -> np.ndarray:
    recipe = backbone.default_recipe(steps=STEPS, guidance_scale=SCALE)
    prompts = [Prompt(text=text) for text in TEXTS]
    with torch.no_grad():
        latents = sample(backbone, backbone.encode(prompts), recipe=recipe, key=KEY).latents
        return backbone.decode(latents).pixels.permute(0, 2, 3, 1).numpy()


def test_plain_diffusers_gives_the_same_pictures(folders: dict[str, Path], tmp_path: Path) -> None:
    jobs, expected, base = [], [], []
    for name in ("sd", "sd3"):
        options = {"max_sequence_length": 1} if name == "sd3" else {}
        job = {"texts": TEXTS, "steps": STEPS, "scale": SCALE, "options": options}
        backbone = trained(folders[name])
        assert export_lora(backbone, tmp_path / f"{name}-lora") == tmp_path / f"{name}-lora" / LORA_FILE
        export_pipeline(backbone, tmp_path / f"{name}-merged")
        full = trained(folders[name], full=True)
        export_pipeline(full, tmp_path / f"{name}-full")
        for folder, lora, model in [
            (folders[name], tmp_path / f"{name}-lora", backbone),
            (tmp_path / f"{name}-merged", None, backbone),
            (tmp_path / f"{name}-full", None, full),
        ]:
            output = str(tmp_path / f"{len(jobs)}.npy")
            jobs.append(job | {"folder": str(folder), "lora": lora and str(lora), "output": output})
            expected.append(pixels(model))
            base.append(pixels(open_backbone(str(folders[name]))))
    np.save(tmp_path / "noise.npy", initial_noise(KEY, indices=range(2), shape=(4, 16, 16)).numpy())
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PLAIN_SCRIPT, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for job, mine, before in zip(jobs, expected, base, strict=True):
        assert np.abs(mine - before).max() > 0.02  # the weights matter: a lost alpha or a lost LoRA would show
        assert np.abs(np.load(job["output"]) - mine).max() <= 1e-3


def test_an_exported_pipeline_opens_with_the_same_settings(folders: dict[str, Path], tmp_path: Path) -> None:
    backbone = trained(folders["sd3"])
    export_pipeline(backbone, tmp_path / "out", parameters=backbone.reference())
    again = open_backbone(str(tmp_path / "out"))
    assert again.sampling == backbone.sampling
    np.testing.assert_array_equal(pixels(again), pixels(open_backbone(str(folders["sd3"]))))
    with pytest.raises(UsageError, match="is not empty: give a new one"):
        export_pipeline(backbone, tmp_path / "out")


def test_an_exported_lora_keeps_alpha_and_leaves_nothing_else_behind(folders: dict[str, Path], tmp_path: Path) -> None:
    backbone = trained(folders["sd"])
    with safe_open(export_lora(backbone, tmp_path / "a"), "pt") as file:
        metadata = json.loads(file.metadata()["lora_adapter_metadata"])
        assert (metadata["unet.r"], metadata["unet.lora_alpha"]) == (4, 16)
        assert metadata["unet.target_modules"] == sorted(backbone.lora_targets)
        assert len(file.keys()) == len(backbone.trainable())
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write to .*file/under.*: free some space or give a folder"):
        export_lora(backbone, tmp_path / "file" / "under")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "file"]
    with pytest.raises(UsageError, match="are full weights, not a LoRA: use export_pipeline"):
        export_lora(trained(folders["sd"], full=True), tmp_path / "c")
