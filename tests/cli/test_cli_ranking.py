"""`redraft evaluate` with suites: folders of pictures, resuming, self-tests, duels needed, wrong usage."""

from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from answers import Call
from PIL import Image

from redraft.core.keys import Key
from redraft.evaluation.suites import WorldSuite
from redraft.world import parse, render

SMALL = ("--set", "prompts=12", "--set", "tail=0")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of true renders of the small examination, and one with every third picture empty."""
    folder = tmp_path_factory.mktemp("pictures")
    suite = WorldSuite(WorldSuite.Config(prompts=12, tail=0))
    for place, prompt in enumerate(suite.prompts(Key(seed=0).child("suite", "world"))):
        picture = render(parse(prompt.text), np.random.default_rng(place))
        for name in ("true", "partly"):
            (folder / name).mkdir(exist_ok=True)
            shown = np.full_like(picture, 255) if name == "partly" and place % 3 == 0 else picture
            Image.fromarray(shown).save(folder / name / f"{place:05d}.png")
    return folder


def test_folders_of_pictures_are_ranked(call: Call, pictures: Path, tmp_path: Path) -> None:
    command = ("evaluate", "--suite", "world", pictures / "true", pictures / "partly", *SMALL, "-o", tmp_path, "--json")
    answer = call(*command)
    assert answer.code == 0, answer.err
    found = answer.json()
    assert [model["model"] for model in found["models"]] == ["true", "partly"]
    assert found["models"][0]["metrics"]["overall"]["value"] == 1
    assert found["models"][1]["coverage"]["judged"] == 12
    page = Path(found["page"])
    assert page == tmp_path / "world" / "leaderboard.html"
    assert "<html" in page.read_text()[:200]
    assert json.loads((tmp_path / "world" / "leaderboard.json").read_text())["models"] == found["models"]
    journals = {path: path.read_bytes() for path in (tmp_path / "world").glob("*.jsonl")}
    assert len(journals) == 2
    again = call(*command)
    assert again.json()["models"] == found["models"]
    assert {path: path.read_bytes() for path in journals} == journals  # nothing was judged twice


def test_folders_that_are_called_alike_are_told_apart_by_their_ways(
    call: Call, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, name in (("ours", "true"), ("theirs", "partly")):
        shutil.copytree(pictures / name, tmp_path / folder / "images")
    monkeypatch.chdir(tmp_path)
    answer = call("evaluate", "-s", "world", "theirs/images", "ours/images", *SMALL, "-o", "out", "--json")
    assert answer.code == 0, answer.err
    assert [model["model"] for model in answer.json()["models"]] == ["ours/images", "theirs/images"]
    again = call("evaluate", "-s", "world", "ours/images", "./ours/images/", *SMALL, "-o", "out")
    assert again.code == 2
    assert "models ours/images ./ours/images/: each at most once" in again.err


def test_a_model_is_painted_and_ranked_beside_a_folder(call: Call, model: Path, pictures: Path, tmp_path: Path) -> None:
    answer = call(
        "evaluate", "-s", "world", model, pictures / "true", *SMALL, "-o", tmp_path, "-w", tmp_path / "w", "--steps", 1,
        "--guidance", 1.0, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    found = {entry["model"]: entry for entry in answer.json()["models"]}
    painted = found[str(model)]
    assert painted["made"]["steps"] == 1
    assert len(painted["made"]["weights"]) == 16
    assert found["true"]["ranks"] == [1, 1]
    assert painted["ranks"] == [2, 2]


def test_options_of_scorers_reach_the_judge_of_a_suite(call: Call, pictures: Path, tmp_path: Path) -> None:
    """[scorers.mine] makes a second JPEG scorer of another quality; without the file there is no scorer `mine`."""
    prompts, config = tmp_path / "prompts.txt", tmp_path / "run.toml"
    prompts.write_text("\n".join(f"a red star {place}" for place in range(12)))
    config.write_text('[scorers.mine]\nplugin = "jpeg-compressibility"\nquality = 10\n')
    command = ("evaluate", "-s", "prompts", pictures / "true", "--prompts", prompts, "--json")
    mine = call(*command, "-o", tmp_path / "mine", "--judge", "mine", "--config", config)
    assert mine.code == 0, mine.err
    usual = call(*command, "-o", tmp_path / "usual", "--judge", "jpeg-compressibility")
    sizes = [answer.json()["models"][0]["metrics"]["distance"]["value"] for answer in (mine, usual)]
    assert sizes[0] < sizes[1] < 0  # minus the distance of the round trip, longer at the lower quality
    unknown = call(*command, "-o", tmp_path / "none", "--judge", "mine")
    assert unknown.code == 2
    assert "scorer 'mine' is unknown" in unknown.err
    config.write_text("[scorer.mine]\nquality = 10\n")
    wrong = call(*command, "-o", tmp_path / "wrong", "--config", config)
    assert wrong.code == 2
    assert "did you mean 'scorers'" in wrong.err


def test_other_options_on_the_same_output_are_refused(call: Call, pictures: Path, tmp_path: Path) -> None:
    assert call("evaluate", "-s", "world", pictures / "true", *SMALL, "-o", tmp_path).code == 0
    answer = call(
        "evaluate", "-s", "world", pictures / "true", "--set", "prompts=12", "--set", "tail=2", "-o", tmp_path
    )
    assert answer.code == 2
    assert "was begun with" in answer.err
    assert "choose another output folder" in answer.err


def test_two_runs_never_share_a_file(call: Call, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "world" / "true.jsonl"
    path.parent.mkdir()
    with open(path, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = call("evaluate", "-s", "world", pictures / "true", *SMALL, "-o", tmp_path)
    assert answer.code == 1
    assert "is being written by another process" in answer.err


def test_self_tests(call: Call) -> None:
    answer = call("evaluate", "--self-test", "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    assert found["world"]["state"] == "passed"
    assert found["clip-fd"]["state"] == "passed"
    assert found["fid"]["state"] == "not here"
    assert "FID needs that file" in found["fid"]["why"]
    assert all(check["passed"] for check in found["diversity"]["checks"])


def test_a_self_test_is_of_the_judge_that_was_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red star\na blue circle\n")
    command = ("evaluate", "--self-test", "--suite", "prompts", "--prompts", tmp_path / "prompts.txt")
    assert call(*command, "--judge", "clip").code == 0
    unknown = call(*command, "--judge", "nojudge")
    assert unknown.code == 2
    assert "scorer 'nojudge' is unknown" in unknown.err
    option = call(*command, "--set", "foo=1")
    assert option.code == 2
    assert "the key 'foo' is unknown" in option.err


def test_a_repeated_prompt_would_shift_the_pictures_and_is_refused(call: Call, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red star\na blue circle\n\na red star\n")
    answer = call("evaluate", "-s", "prompts", "--prompts", tmp_path / "prompts.txt", "--judge", "clip",
                  pictures / "true", "-o", tmp_path)  # fmt: skip
    assert answer.code == 2
    assert "prompts.txt line 4 repeats the prompt of line 1: each is judged once" in answer.err
    assert not (tmp_path / "prompts").exists()


def test_pictures_that_belong_to_no_prompt_are_told(call: Call, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red star\na blue circle\n")
    answer = call("evaluate", "-s", "prompts", "--prompts", tmp_path / "prompts.txt", "--judge", "clip",
                  pictures / "true", "-o", tmp_path)  # fmt: skip
    assert answer.code == 0, answer.err
    assert f"warning: 10 of the pictures in '{pictures / 'true'}' will not be judged" in answer.err
    assert f"'{pictures / 'true' / '00002.png'}' is the first" in answer.err


def test_prompts_that_a_suite_would_not_hear_are_refused(call: Call, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red star\na blue circle\n")
    answer = call("evaluate", "-s", "world", "--prompts", tmp_path / "prompts.txt", pictures / "true", "-o", tmp_path)
    assert answer.code == 2
    assert "--prompts with the suite 'world': it has prompts of its own and would not hear yours" in answer.err
    assert not (tmp_path / "world").exists()


def test_pictures_that_are_others_than_those_judged_are_refused(call: Call, pictures: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pictures / "true", tmp_path / "mine"))
    command = ("evaluate", "-s", "world", folder, *SMALL, "-o", tmp_path / "out")
    (folder / "00005.png").rename(tmp_path / "later.png")
    assert "11 of 12 pictures judged" in call(*command).out
    (tmp_path / "later.png").rename(folder / "00005.png")  # what was missing may come later
    assert "12 of 12 pictures judged" in call(*command).out
    shutil.copy(pictures / "partly" / "00003.png", folder / "00003.png")
    answer = call(*command)
    assert answer.code == 2
    assert "1 of the 12 pictures in" in answer.err
    assert "were judged from files that are others now, or gone (picture 3 is one)" in answer.err


def test_notes_stand_beside_the_numbers(call: Call, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.json").write_text(json.dumps(["a red star", "a blue circle"]))
    answer = call("evaluate", "-s", "hpsv2", "--data", tmp_path, "--judge", "clip", pictures / "true", "-o", tmp_path)
    assert answer.code == 0, answer.err
    assert "2 of 800 prompts: not comparable with published tables" in answer.out


def test_duels_needed(call: Call) -> None:
    answer = call("evaluate", "--duels-needed", 0.6, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    assert found["fixed"] == 194
    assert 194 < found["anytime"] < 600
    text = call("evaluate", "--duels-needed", 0.6, "--votes-per-person", 5, "--correlation", 0.25)
    assert "388 duels by 78 people" in text.out
    assert "either one better in 2.5 % of studies (5 % two-sided)" in text.out
    assert "the second the candidate in at most 5 % (one-sided, all looks together)" in text.out


def test_sampling_is_refused_where_nothing_is_painted(call: Call, pictures: Path, tmp_path: Path) -> None:
    answer = call("evaluate", "-s", "world", pictures / "true", "--steps", 5, *SMALL, "-o", tmp_path)
    assert answer.code == 2
    assert "--steps beside folders of pictures alone: nothing is painted; leave it out" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "wurld"), "suite 'wurld' is unknown: did you mean 'world'?"),
        (("--suite", "world", "--set", "promts=3"), "the key 'promts' is unknown: did you mean 'prompts'?"),
        (("--suite", "world", "--set", "prompts"), "--set prompts: write NAME=VALUE"),
        (("--suite", "world", "--exam-prompts", "12"), "--exam-prompts with a suite"),
        (("--images-per-prompt", "2"), "--images-per-prompt without --suite"),
        (("--self-test", "--judge", "clip"), "--judge without --suite: it belongs to a benchmark"),
        (("--ties", "0.3"), "--ties without --duels-needed: it belongs to a plan of duels"),
        (
            ("--duels-needed", "0.55", "--suite", "world"),
            "--suite beside --duels-needed: a plan of duels looks at noth",
        ),
        (("--duels-needed", "0.55", "base"), "MODEL beside --duels-needed"),
        (("--suite", "world", "--data", "."), "--data with the suite 'world': it reads no data; leave it out"),
        (("--suite", "world", "--set", "judge=a", "--judge", "b"), "--judge b beside --set judge=a: both say the same"),
        (("--duels-needed", "0.5"), "share 0.5: it must be between 0 and 1"),
        (("--suite", "hpsv2", "--judge", "clip"), "has no prompts of HPS v2"),
        (("--suite", "world", "base", "base"), "each at most once"),
        ((".",), "is a folder of pictures: name the benchmark"),
    ],
)
def test_wrong_usage(call: Call, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    answer = call("evaluate", *arguments, "-w", tmp_path / "w", "-o", tmp_path)
    assert answer.code == 2
    assert message in answer.err
