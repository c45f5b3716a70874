"""Fixtures of the loop: one tiny Stable Diffusion 3 folder for the session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_pipelines import tiny_stable_diffusion_3

# The tiny tokenizer knows single letters only, so every prompt is cut, and diffusers says so each time.
os.environ["DIFFUSERS_VERBOSITY"] = "error"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable_diffusion_3(tmp_path_factory.mktemp("models") / "sd3")
