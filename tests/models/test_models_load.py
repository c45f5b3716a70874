"""Opening a model by name: each wrong name and each damaged folder gets its own message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from redraft.core.errors import DamagedError, EnvironmentFaultError, UnknownNameError, UsageError
from redraft.core.protocols import ModelContext
from redraft.models import builtin
from redraft.models.families import BackboneConfig, StableDiffusion3Backbone, StableDiffusionBackbone
from redraft.models.load import family_of, open_backbone


def test_the_family_follows_from_the_class_in_the_folder(folders: dict[str, Path]) -> None:
    assert family_of(str(folders["sd"])) is StableDiffusionBackbone
    assert family_of(str(folders["sd3"])) is StableDiffusion3Backbone
    assert open_backbone(str(folders["other"])).prediction == "v"


def test_a_pipeline_of_another_class_is_named_with_the_known_ones(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(
        UsageError, match=r"is a FluxPipeline: Redraft reads StableDiffusion3Pipeline, StableDiffusionPipeline; give"
    ):
        open_backbone(str(tmp_path))
    with pytest.raises(UsageError, match="holds a StableDiffusion3Pipeline, but StableDiffusionBackbone reads"):
        StableDiffusionBackbone.build(BackboneConfig(), ModelContext(folder=str(folders["sd3"])))


def test_folders_that_are_no_pipeline(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model folder '/no/such/folder' does not exist: give a folder that holds"):
        open_backbone("/no/such/folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file: give a folder"):
        open_backbone(str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"has no model_index\.json: it is not a diffusers pipeline folder"):
        open_backbone(str(folders["sd"] / "unet"))
    for content, message in [("{", "is not valid JSON"), ("[]", "holds no JSON object"), ("{}", "no pipeline class")]:
        (tmp_path / "model_index.json").write_text(content)
        with pytest.raises(DamagedError, match=f"{message}.*fetch or save the pipeline again"):
            open_backbone(str(tmp_path))
    (tmp_path / "model_index.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DamagedError, match="is not valid JSON"):
        open_backbone(str(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "garbage", "removed", "config"])
def test_a_damaged_part_is_an_error_that_names_the_folder(
    folders: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(folders["sd"], tmp_path / "sd")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "garbage":
        weights.write_bytes(b"\0" * 5000)
    elif damage == "removed":
        weights.unlink()
    else:
        (folder / "vae" / "config.json").write_text("{")
    with pytest.raises(DamagedError, match=r"cannot be read .*fetch or save the pipeline again") as caught:
        open_backbone(str(folder))
    assert str(folder) in str(caught.value)


def test_a_hub_id_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        UsageError, match="model 'nobody/nothing' is no folder here and could not be fetched from the hub"
    ):
        open_backbone("nobody/nothing")


def test_builtin_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(UnknownNameError, match="built-in model 'builtin:sd4' is unknown: did you mean 'builtin:sd"):
        open_backbone("builtin:sd4")
    monkeypatch.setattr(builtin, "_root", lambda: tmp_path)
    with pytest.raises(EnvironmentFaultError, match="'builtin:sd' has no weights in this installation"):
        open_backbone("builtin:sd")
    shutil.copytree(folders["sd"], tmp_path / "sd")
    assert open_backbone("builtin:sd").base == "builtin:sd"
    assert open_backbone(str(tmp_path / "sd")).base == "builtin:sd"


def test_a_calibration_is_not_of_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sd" / "unet").mkdir(parents=True)
    (tmp_path / "sd" / "unet" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(builtin, "_root", lambda: tmp_path)
    before = builtin.weights_that_ship()
    assert set(before) == {"sd"}
    (tmp_path / "sd" / "calibration.safetensors").write_bytes(b"of a judge")
    assert builtin.weights_that_ship() == before
    (tmp_path / "sd" / "unet" / "model.safetensors").write_bytes(b"others")
    assert builtin.weights_that_ship() != before
