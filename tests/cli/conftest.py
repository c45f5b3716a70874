"""Fixtures of the command line: a tiny model folder, a configuration file, and one finished run in a workspace."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from answers import Answer, Call
from tiny_pipelines import tiny_stable_diffusion_3

# The tiny tokenizer knows single letters only, so every prompt is cut, and diffusers says so each time.
os.environ["DIFFUSERS_VERBOSITY"] = "error"

CONFIG = """
model = "{model}"
method = "nft"
rounds = {rounds}
reward = {{ clip = 1.0 }}
[sampling]
steps = 2
guidance_scale = 1.0
[collect]
prompts = 4
pictures_per_prompt = 4
[adapter]
rank = 2
alpha = 2.0
[fit]
steps = 6
batch_size = 4
learning_rate = 1e-3
ema_decay = 0.5
save_every = 2
[examine]
prompts = 12
tail_prompts = 3
diversity_prompts = 3
diversity_pictures = 2
reference_pictures = 16
[probes]
every = 3
prompts = 6
pictures_per_prompt = 2
[tripwires]
most_drift = 100.0
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable_diffusion_3(tmp_path_factory.mktemp("models") / "sd3")


@pytest.fixture(scope="session")
def config(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG.format(model=model, rounds=1))
    return path


@pytest.fixture(scope="session")
def long_config(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds: what the processes that are killed do."""
    path = tmp_path_factory.mktemp("config") / "long.toml"
    path.write_text(CONFIG.format(model=model, rounds=2))
    return path


def _call(capture: pytest.CaptureFixture[str], *arguments: object) -> Answer:
    from redraft.cli.main import run

    before, sys.argv = sys.argv, ["redraft", *map(str, arguments)]
    capture.readouterr()
    code = 0
    try:
        run()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        sys.argv = before
    out, err = capture.readouterr()
    return Answer(code, out, err)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process through the real entry point."""
    return lambda *arguments: _call(capsys, *arguments)


@pytest.fixture(scope="session")
def workspace(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one finished run; what `improve --json` printed is in `answer.json` beside it. Copy it."""
    import contextlib
    import io

    from redraft.cli.main import run

    folder = tmp_path_factory.mktemp("improved") / "workspace"
    out = io.StringIO()
    before, sys.argv = sys.argv, ["redraft", "improve", "-w", str(folder), "-c", str(config), "--json"]
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            run()
    finally:
        sys.argv = before
    (folder.parent / "answer.json").write_text(out.getvalue())
    return folder
