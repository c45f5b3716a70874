"""Bad input: the message names value, rule and way out, the exit code is 2 or 1, and the workspace works afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from answers import Call


def no_run(call: Call, folder: Path) -> None:
    """A mistake on the command line leaves no run that `--resume` would take up."""
    assert call("runs", "list", "-w", folder, "--json").json() == {"runs": []}
    assert call("improve", "--resume", "-w", folder).code == 2


def test_an_unknown_key_of_the_configuration(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[fit]\nlearning_rat = 0.1\n")
    answer = call("improve", "-w", tmp_path / "w", "-c", path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {path}: the key 'fit.learning_rat' is unknown: did you mean 'learning_rate'?\n"
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[fit\n", "is not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"rounds = " + b"9" * 5000, "cannot be read: Exceeds the limit"),
        (b"rounds = " + b"[" * 5000 + b"]" * 5000, "cannot be read: "),
        (b"rounds = 0\n", "rounds = 0: Input should be greater than or equal to 1"),
        (b"model = 3\n", "model = 3, method = 'nft': both must be text"),
    ],
)
def test_a_configuration_that_is_wrong(call: Call, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    answer = call("improve", "-w", tmp_path / "w", "-c", path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert str(path) in answer.err
    assert message in answer.err


def test_an_unknown_method(call: Call, tmp_path: Path, config: Path) -> None:
    answer = call("improve", "-w", tmp_path, "-c", config, "--method", "draft-lw")
    assert answer.code == 2
    assert "method 'draft-lw' is unknown: did you mean 'draft-lv'" in answer.err
    assert "draft-5, draft-full, draft-lv, " in answer.err
    no_run(call, tmp_path)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (["clib"], "scorer 'clib' is unknown: did you mean 'clip'"),
        (["clip=heavy"], "clip=heavy"),
        (["clip", "clip=2"], "--reward clip was given twice"),
    ],
)
def test_a_wrong_reward(call: Call, tmp_path: Path, config: Path, reward: list[str], message: str) -> None:
    options = [part for name in reward for part in ("--reward", name)]
    answer = call("improve", "-w", tmp_path, "-c", config, *options)
    assert answer.code == 2
    assert message in answer.err


def test_a_model_folder_of_another_class(call: Call, tmp_path: Path, config: Path) -> None:
    folder = tmp_path / "flux"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    answer = call("improve", "-w", tmp_path / "w", "-c", config, "-m", folder)
    assert answer.code == 2
    assert f"model '{folder}' is a FluxPipeline: Redraft reads StableDiffusion3Pipeline" in answer.err
    answer = call("generate", "a red star", "-w", tmp_path / "w", "-m", tmp_path / "nowhere")
    assert answer.code == 2
    assert "does not exist: give a folder that holds model_index.json" in answer.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no prompt: give a file with at least one non-empty line"),
        (b" \n\n", "holds no prompt"),
        (b"a red star\ncaf\xe9\n", "line 2 is not UTF-8 (byte 0xe9)"),
        (b"a red star\n" + b"x" * 10_000, "line 2 has 10,000 characters: a prompt has at most 2,000"),
    ],
)
def test_a_prompts_file_that_is_none(call: Call, tmp_path: Path, config: Path, content: bytes, message: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    answer = call("improve", "-w", tmp_path / "w", "-c", config, "--prompts", path)
    assert (answer.code, answer.out) == (2, "")
    assert str(path) in answer.err
    assert message in answer.err
    no_run(call, tmp_path / "w")


def test_a_damaged_checkpoint(call: Call, tmp_path: Path, workspace: Path, model: Path) -> None:
    copy = tmp_path / "workspace"
    shutil.copytree(workspace, copy)
    (file,) = (copy / "checkpoints").rglob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    generate = ("generate", "a red star", "-w", copy, "-m", model, "--steps", 2, "-o", tmp_path / "pictures")
    answer = call(*generate, "--checkpoint", "challenger")
    assert (answer.code, answer.out) == (1, "")
    assert "damaged" in answer.err
    assert not (tmp_path / "pictures").exists()
    # The base still paints.
    assert call(*generate).code == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1


def test_names_that_are_not_there(call: Call, workspace: Path, model: Path) -> None:
    answer = call("generate", "a red star", "-w", workspace, "-m", model, "--checkpoint", "abcdef")
    assert answer.code == 2
    assert "checkpoint 'abcdef' is unknown" in answer.err
    answer = call("runs", "show", "improve-0002", "-w", workspace)
    assert answer.code == 2
    assert "did you mean 'improve-0001'" in answer.err
    assert call("improve", "--resume", "--run", "improve-0001", "-w", workspace).code == 2
    assert "no prompt was given" in call("generate", "  ", "-w", workspace, "-m", model).err
    answer = call("generate", "\udcff\udcfe", "-w", workspace, "-m", model)
    assert answer.code == 2
    assert "holds '\\udcff', which is no character: give it in UTF-8" in answer.err
    assert call("improve", "--no-such-option").code == 2
