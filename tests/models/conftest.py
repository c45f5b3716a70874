"""Fixtures: one tiny folder of each family for the whole session, a fresh backbone for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_pipelines import tiny_stable_diffusion, tiny_stable_diffusion_3

from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {
        "sd": tiny_stable_diffusion(root / "sd"),
        "sd3": tiny_stable_diffusion_3(root / "sd3"),
        "other": tiny_stable_diffusion(root / "other", seed=1, prediction_type="v_prediction"),
    }


@pytest.fixture(params=["sd", "sd3"])
def backbone(request: pytest.FixtureRequest, folders: dict[str, Path]) -> PipelineBackbone:
    return open_backbone(str(folders[request.param]))
