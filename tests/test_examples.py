"""The examples are installed and run as a newcomer would. Not their mathematics alone: the way into the house."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

CHECK = """
from redraft.core import plugins
from redraft.core.config import build
from redraft.core.protocols import MethodContext
from redraft.core.records import Recipe
from redraft.models.load import open_backbone
from redraft.core.keys import Key
from redraft.testing import check_method
import sys

backbone = open_backbone(sys.argv[1], device="cpu", dtype="float32")
backbone.train_lora(rank=2, alpha=2.0, seed_key=Key(seed=0))
plugin = plugins.load("method", "rank_weighted")
method = plugin.build(
    build(plugin.Config, {"power": 2.0}, source="test"), MethodContext(recipe=backbone.default_recipe(), reward=None)
)
check_method(method, backbone)
print(type(method).__name__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the example package."""
    target = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(target), str(EXAMPLES / "toy-method")], check=True)
    return {**os.environ, "PYTHONPATH": str(target)}


@pytest.mark.slow
def test_a_method_of_another_package_conforms_and_trains(installed: dict[str, str], tmp_path: Path) -> None:
    from tiny_pipelines import tiny_stable_diffusion_3

    model = tiny_stable_diffusion_3(tmp_path / "sd3")
    checked = subprocess.run(
        [sys.executable, "-c", CHECK, str(model)], env=installed, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.split()[-1] == "RankWeighted"
    config = tmp_path / "small.toml"
    config.write_text(f"""
model = "{model}"
rounds = 1
reward = {{ clip = 1.0 }}
sampling = {{ steps = 2, guidance_scale = 1.0 }}
collect = {{ prompts = 4, pictures_per_prompt = 4 }}
adapter = {{ rank = 2, alpha = 2.0 }}
fit = {{ steps = 2, batch_size = 4 }}
examine = {{ prompts = 12, tail_prompts = 0, diversity_prompts = 0, reference_pictures = 16 }}
probes = {{ every = 0 }}
methods = {{ rank_weighted = {{ power = 2.0 }} }}
""")
    trained = subprocess.run(
        [sys.executable, "-m", "redraft.cli.main", "train", "rank_weighted", "-c", str(config), "-w",
         str(tmp_path / "workspace"), "--json"],
        env=installed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert '"method": "rank_weighted"' in trained.stdout
