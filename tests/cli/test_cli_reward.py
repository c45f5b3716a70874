"""`redraft reward` through the real entry point: fit, score, rank, calibrate, and what it says to bad input."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from answers import Call
from PIL import Image
from safetensors.torch import load_file, save_file

from redraft.world import draw_prompts, parse, render

SLIDERS = "members = 2\npasses = 1\nwidth = 8\nmirrored = 0.0\n"
FAST = "epochs = 1\nbatch = 16\nimage_layers = 1\ntext_layers = 0\nholdout = 0.3\n"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen prompts, a render and a darkened render each: everybody likes the bright one."""
    folder = tmp_path_factory.mktemp("answers")
    rng = np.random.default_rng(3)
    rows, stars, ratings, sliders = [], [], [], []
    for row, prompt in enumerate(draw_prompts(rng, 16)):
        bright = render(parse(prompt.text), rng)
        Image.fromarray(bright).save(folder / f"{row}a.png")
        Image.fromarray((bright * 0.3).astype(np.uint8)).save(folder / f"{row}b.png")
        names = [f"{row}a.png", f"{row}b.png"]
        common = {"prompt": prompt.text, "pictures": names, "rater": "anna" if row % 2 else "ben"}
        rows.append({**common, "kind": "pair", "answer": [1, 0]})
        stars.append({**common, "kind": "stars", "answer": [5, 2]})
        for name, quality in zip(names, (9, 3), strict=True):
            one = {**common, "pictures": [name], "kind": "rating"}
            ratings.append({**one, "answer": {"quality": quality}, "scales": {"quality": [1, 10]}})
            set_ = {"semantics": 8, "subject_detail": row % 11, "aesthetics": quality}
            sliders.append({**one, "answer": set_, "scales": {name: [0, 10] for name in set_}, "weight": 2})
    path = folder / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    (folder / "stars.jsonl").write_text("\n".join(map(json.dumps, stars)))
    (folder / "ratings.jsonl").write_text("\n".join(map(json.dumps, ratings)))
    (folder / "sliders.jsonl").write_text("\n".join(map(json.dumps, sliders)))
    (folder / "fast.toml").write_text(FAST)
    (folder / "sliders.toml").write_text(SLIDERS)
    named = [{"prompt": row["prompt"], "picture": name} for row in rows for name in row["pictures"]]
    (folder / "pictures.jsonl").write_text("\n".join(map(json.dumps, named)))
    return path


@pytest.fixture(scope="module")
def reward(answers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import sys

    from redraft.cli.main import run

    folder = tmp_path_factory.mktemp("rewards") / "taste"
    before = sys.argv
    sys.argv = ["redraft", "reward", "fit", str(answers), "-o", str(folder), "-c", str(answers.parent / "fast.toml")]
    try:
        with contextlib.suppress(SystemExit):
            run()
    finally:
        sys.argv = before
    return folder


def test_fit_score_and_rank(call: Call, answers: Path, reward: Path) -> None:
    card = json.loads((reward / "card.json").read_text())
    assert card["metrics"]["held_out/pairs"] >= 2
    prompt = json.loads(answers.read_text().split("\n")[0])["prompt"]
    pictures = [answers.parent / "0b.png", answers.parent / "0a.png"]
    result = call("reward", "rank", reward, *pictures, "--prompt", prompt, "--json").json()
    assert [Path(row["picture"]).name for row in result["order"]] == ["0a.png", "0b.png"]
    assert 0.5 <= result["order"][0]["beats_next"] <= 1
    assert result["order"][1]["beats_next"] is None
    scored = call("reward", "score", reward, *pictures, "--prompt", prompt, "--json").json()
    assert scored["fingerprints"] == {str(reward): result["fingerprint"]}
    values = [row["scores"][str(reward)] for row in scored["pictures"]]
    assert values[::-1] == [row["score"] for row in result["order"]]
    shown = call("reward", "rank", reward, *pictures, "--prompt", prompt)
    assert "% against the next" in shown.out
    printed = call("reward", "score", reward, *pictures, "--prompt", prompt).out
    assert printed.endswith(f"fingerprint {result['fingerprint']} of {reward}\n")
    assert len({path.stat().st_mode for path in reward.iterdir()}) == 1  # what one may read, so the other


def test_a_profile_and_heads(call: Call, answers: Path, reward: Path, tmp_path: Path) -> None:
    done = call(
        "reward",
        "fit",
        answers,
        "-o",
        tmp_path / "anna",
        "--kind",
        "profile",
        "--base",
        reward,
        "--rater",
        "anna",
        "--json",
    )
    assert done.code == 0, done.err
    assert done.json()["card"]["answers"] == 8
    scored = call(
        "reward", "score", tmp_path / "anna", answers.parent / "0a.png", "--prompt", "a star", "--json"
    ).json()
    assert list(scored["pictures"][0]["scores"]) == [str(tmp_path / "anna")]
    done = call("reward", "fit", answers.parent / "stars.jsonl", "-o", tmp_path / "head", "--kind", "head", "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "head" / "head.safetensors").is_file()


def test_a_preference_model_learns_from_ratings_of_one_to_ten(call: Call, answers: Path, tmp_path: Path) -> None:
    fast = answers.parent / "fast.toml"
    done = call("reward", "fit", answers.parent / "ratings.jsonl", "-o", tmp_path / "taste", "-c", fast, "--json")
    assert done.code == 0, done.err
    metrics = done.json()["card"]["metrics"]
    assert metrics["held_out/points"] == 2 * metrics["held_out/pairs"] > 0  # two of a prompt by one rater are a pair
    wrong = call(
        "reward", "fit", answers.parent / "ratings.jsonl", "-o", tmp_path / "no", "--question", "beauty", "-c", fast
    )
    assert wrong.code == 2
    assert "line 1: question 'beauty' is unknown: known names: quality" in wrong.err


def test_facets_are_fitted_to_sliders_and_score(call: Call, answers: Path, tmp_path: Path) -> None:
    out, quick = tmp_path / "facets", answers.parent / "sliders.toml"
    fit = ("reward", "fit", answers.parent / "sliders.jsonl", "-o", out, "--kind", "facets", "-c", quick)
    done = call(*fit)
    assert done.code == 0, done.err
    assert f"facets reward in {out}: use it with --reward {out}" in done.out
    assert {path.name for path in out.iterdir()} == {"facets.safetensors", "card.json", "card.html"}
    card = json.loads((out / "card.json").read_text())
    assert card["clip_folder"] == ""
    assert card["rated"] == [True, True, False, False, True, False]
    assert card["metrics"]["aesthetics/count"] == 32
    assert "warning: all answers of semantics are the same" in done.err  # 8, of every picture
    assert "semantics/r2" not in card["metrics"]
    assert "data:image/png" in (out / "card.html").read_text()
    scored = call("reward", "score", out, answers.parent / "0a.png", "--prompt", "a star", "--json").json()
    found = scored["pictures"][0]["scores"]
    assert list(found)[1:] == card["picture_facets"]
    assert [found[name] is None for name in list(found)[1:]] == [not rated for rated in card["rated"]]
    clip = answers.parent / "clips.jsonl"
    still = {"prompt": "a star", "picture": "0a.png"}
    clip.write_text(f"{json.dumps(still)}\n{json.dumps({'prompt': 'a star', 'frames': ['0a.png'] * 3})}")
    one, three = call("reward", "score", out, "--rows", clip, "--json").json()["pictures"]
    assert three["frames"] == [str(answers.parent / "0a.png")] * 3
    # Three equal frames are as good as one.
    assert three["scores"]["aesthetics"] == pytest.approx(one["scores"]["aesthetics"], abs=1e-5)
    assert (
        "frames for the scorer 'clip': only facets judge clips" in call("reward", "score", "clip", "--rows", clip).err
    )
    clip.write_text(json.dumps({"prompt": "a star", "frames": ["0a.png"] * 2}))
    assert "line 1: is no row" in call("reward", "score", out, "--rows", clip).err
    again = call(*fit, "--json")
    assert again.code == 2
    assert "is not empty" in again.err
    assert "--question x chooses among the numbers" in call(*fit[:4], tmp_path / "b", *fit[5:], "--question", "x").err


def test_calibrate(call: Call, answers: Path, tmp_path: Path) -> None:
    from redraft.rewards.calibrate import load_calibrations

    out = tmp_path / "calibration.safetensors"
    result = call(
        "reward", "calibrate", "clip", "--rows", answers.parent / "pictures.jsonl", "-o", out, "--json"
    ).json()
    assert (result["pictures"], result["failures"]) == (32, [])
    assert result["heads"]["clip"]["kind"] == "linear"
    head = result["heads"]["clip"]
    found = load_calibrations(out)["clip"]
    assert found.fingerprint == head["fingerprint"]
    assert head["low"] < head["middle"] < head["high"]
    assert found(torch.tensor(head["middle"]), fingerprint=found.fingerprint).item() == pytest.approx(0.5, abs=1e-5)


def test_calibrate_overwrites_nothing(call: Call, answers: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.png"
    victim.write_bytes((answers.parent / "0a.png").read_bytes())
    for out, message in ((victim, f"{str(victim)!r} exists: name a new file"), (tmp_path, "is a folder: name a new")):
        answer = call("reward", "calibrate", "clip", "--rows", answers.parent / "pictures.jsonl", "-o", out)
        assert answer.code == 2
        assert message in answer.err
    assert victim.read_bytes() == (answers.parent / "0a.png").read_bytes()
    assert list(tmp_path.iterdir()) == [victim]


def test_a_picture_that_cannot_be_read_loses_its_own_score_only(call: Call, answers: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    answer = call("reward", "score", "clip", answers.parent / "0a.png", broken, "--prompt", "a star", "--json")
    assert answer.code == 0
    result = answer.json()
    assert [row["scores"]["clip"] is None for row in result["pictures"]] == [False, True]
    assert len(result["failures"]) == 1
    assert "broken.png" in answer.err


def test_bad_input(call: Call, answers: Path, reward: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    slider = {"prompt": "a star", "picture": "a.png", "sliders": {"safety": 3}}
    (tmp_path / "own.jsonl").write_text(f"{json.dumps(slider)}\n{json.dumps(slider | {'sliders': {'safty': 3}})}\n")
    (tmp_path / "pear.jsonl").write_text(answers.read_text().replace('"pair"', '"pear"'))
    cases = [
        (("fit", tmp_path / "none.jsonl", "-o", out), "cannot be read"),
        (("fit", "-o", out), "give a file of answers or --workspace FOLDER, one of them"),
        (("fit", answers, "-w", tmp_path, "-o", out), "give a file of answers or --workspace FOLDER, one of them"),
        (("fit", "-w", tmp_path / "none", "-o", out), "is no workspace: give its folder"),
        (("fit", answers, "-o", out, "--kind", "facets"), "line 1: an answer of kind 'pair': facets are learned"),
        (
            ("fit", tmp_path / "own.jsonl", "-o", out, "--kind", "facets"),
            "own.jsonl line 2: slider 'safty' is unknown: did",
        ),
        (
            ("fit", tmp_path / "pear.jsonl", "-o", out),
            "pear.jsonl line 1: kind 'pear' of an answer is unknown: choose one "
            "of pair, choice, ranks, stars, thumbs, rating",
        ),
        (("fit", answers, "-o", reward), "is not empty: give a new one"),
        (("fit", answers, "-o", out, "--kind", "profile"), "needs --base FOLDER"),
        (("fit", answers, "-o", out, "--rater", "anna"), "belong to --kind profile"),
        (
            ("fit", answers, "-o", out, "--kind", "profile", "--base", reward, "--rater", "anna", "-c", "a.toml"),
            "--config with --kind profile: a profile has no options",
        ),
        (
            ("fit", answers, "-o", out, "--kind", "profile", "--base", reward, "--rater", "anna", "--clip", reward),
            "--clip with --kind profile: a profile has no options",
        ),
        (("fit", answers, "-o", out, "--question", "foo"), "--question foo chooses among the numbers of ratings, and"),
        (("fit", answers, "-o", out, "--kind", "head"), "no stars and no thumbs"),
        (
            ("fit", answers, "-o", out, "--kind", "profile", "--base", reward, "--rater", "zoe"),
            "no answer of the rater",
        ),
        (("fit", answers, "-o", out, "--clip", tmp_path), "has no config.json"),
        (("score", "clip"), "nothing to score"),
        (("score", "clipp", answers.parent / "0a.png", "--prompt", "x"), "did you mean 'clip'"),
        (("score", "nowhere", answers.parent / "0a.png", "--prompt", "x"), "there is no folder of that name either"),
        (("score", answers, answers.parent / "0a.png", "--prompt", "x"), "it is a file, no folder"),
        (("rank", "clip", answers.parent / "0a.png", "--prompt", "x"), "at least two"),
        (("calibrate", "clip", "--rows", answers, "-o", out), "line 1: is no row"),
    ]
    for arguments, message in cases:
        answer = call("reward", *arguments)
        assert answer.code == 2, (arguments, answer.err)
        assert message in answer.err
    (tmp_path / "slow.toml").write_text("epoch = 3")
    answer = call("reward", "fit", answers, "-o", out, "-c", tmp_path / "slow.toml")
    assert answer.code == 2
    assert "did you mean 'epochs'" in answer.err
    assert not out.exists()


def test_a_configuration_gives_options_of_scorers(call: Call, answers: Path, reward: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f'[scorers.mine]\nplugin = "pickscore"\nfolder = "{reward}"\nlong_texts = "refuse"\n')
    pictures = [answers.parent / "0a.png", answers.parent / "0b.png"]
    common = ("mine", *pictures, "--prompt", "a red star", "-c", file, "--json")
    assert list(call("reward", "score", *common).json()["fingerprints"]) == ["mine"]
    assert len(call("reward", "rank", *common).json()["order"]) == 2
    assert list(call("reward", "calibrate", *common, "-o", tmp_path / "c").json()["heads"]) == ["mine"]
    long = call("reward", "score", "mine", *pictures, "--prompt", "a red star " * 30, "-c", file)
    assert long.code == 2
    assert "tokens, this CLIP reads" in long.err
    file.write_text("[scorer.mine]\n")
    wrong = call("reward", "score", *common)
    assert wrong.code == 2
    assert "the key 'scorer' is unknown: did you mean 'scorers'" in wrong.err


def test_a_reward_finds_the_folder_that_it_was_fitted_on_from_anywhere(
    call: Call, answers: Path, reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, away = tmp_path / "work", tmp_path / "away"
    work.mkdir()
    shutil.copytree(reward, work / "taste")
    monkeypatch.chdir(work)
    quick = answers.parent / "sliders.toml"
    fits = {
        "head": (answers.parent / "stars.jsonl", "--clip", "taste"),
        "facets": (answers.parent / "sliders.jsonl", "--clip", "taste", "-c", quick),
        "profile": (answers, "--base", "taste", "--rater", "anna"),
    }
    for kind, options in fits.items():
        done = call("reward", "fit", *options, "-o", kind, "--kind", kind)
        assert done.code == 0, done.err
    work.rename(away)
    monkeypatch.chdir(tmp_path)
    for kind in fits:
        scored = call("reward", "score", away / kind, answers.parent / "0a.png", "--prompt", "a star", "--json")
        assert scored.code == 0, scored.err
    card = away / "profile" / "card.json"
    stored = json.loads(card.read_text())
    assert stored["base"] == "../taste"
    card.write_text(json.dumps(stored | {"base": "away/taste"}))  # as older cards said it, from where the fit ran
    assert call("reward", "score", away / "profile", answers.parent / "0a.png", "--prompt", "a star").code == 0


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('"  "', "the prompt '  ' is empty: say what"),
        ('""', "the prompt '' is empty: say what"),
        ('"a \\udcff star"', "holds '\\udcff', which is no character: give it in UTF-8"),
        ("9" * 5000, "a number with thousands of digits"),
    ],
)
def test_prompts_that_say_nothing_are_refused_with_their_line(
    call: Call, answers: Path, tmp_path: Path, written: str, message: str
) -> None:
    kinds = {"answers": "preference", "sliders": "facets"}
    for name, kind in kinds.items():
        row = (answers.parent / f"{name}.jsonl").read_text().split("\n")[0]
        prompt = json.dumps(json.loads(row)["prompt"])
        (tmp_path / f"{name}.jsonl").write_text(f"{row}\n{row.replace(prompt, written)}\n")
        answer = call("reward", "fit", tmp_path / f"{name}.jsonl", "-o", tmp_path / "new", "--kind", kind)
        assert answer.code == 2, answer.err
        assert f"{name}.jsonl line 2: " in answer.err
        assert message in answer.err
    rows = tmp_path / "rows.jsonl"
    rows.write_text(f'{{"picture": "a.png", "prompt": {written}}}')
    answer = call("reward", "score", "clip", "--rows", rows)
    assert answer.code == 2
    assert message in answer.err
    if not written.startswith("9"):
        given = call("reward", "score", "clip", answers.parent / "0a.png", "--prompt", json.loads(written))
        assert given.code == 2
        assert message in given.err


def test_a_long_prompt_is_told_as_a_warning_and_in_json(call: Call, answers: Path) -> None:
    asked = ("reward", "score", "clip", answers.parent / "0a.png", "--prompt", "a red star " * 20)
    shown = call(*asked)
    assert shown.err.startswith("warning: 1 of 1 texts are longer than the 20 tokens that this CLIP reads")
    assert ".py" not in shown.err
    assert "UserWarning" not in shown.err
    (told,) = call(*asked, "--json").json()["warnings"]
    assert shown.err == f"warning: {told}\n"
    assert call(*asked[:-1], "a red star", "--json").json()["warnings"] == []


def test_the_list_of_scorers_tells_what_each_needs(call: Call) -> None:
    from redraft.cli.reward_list import KNOWN, NOTHING
    from redraft.core import plugins

    listed = call("reward", "list", "--json").json()
    assert {*plugins.names("scorer"), "clip-heldout"} <= {*listed}
    assert {name for name, told in listed.items() if told["needs"] == NOTHING} >= {"clip", "oracle", "safety"}
    assert set(KNOWN) <= set(listed)
    shown = call("reward", "list").out
    assert "\nhps                          HPS v1, v2 or v2.1, people's preferences; needs a folder with the" in shown


def test_a_profile_without_a_taste_of_its_own_says_so(call: Call, answers: Path, reward: Path, tmp_path: Path) -> None:
    for name in ("0a.png", "same.png"):  # of which no choice tells anything
        shutil.copy(answers.parent / "0a.png", tmp_path / name)
    row = {"prompt": "a star", "pictures": ["0a.png", "same.png"], "kind": "pair", "answer": [1, 0], "rater": "zoe"}
    (tmp_path / "zoe.jsonl").write_text("\n".join(json.dumps({**row, "prompt": f"star {n}"}) for n in range(24)))
    done = call("reward", "fit", tmp_path / "zoe.jsonl", "-o", tmp_path / "zoe", "--kind", "profile", "--base", reward,
                "--rater", "zoe")  # fmt: skip
    assert json.loads((tmp_path / "zoe" / "card.json").read_text())["strength"] is None
    assert f"no taste of zoe's own foresaw the answers better than {reward}, so this profile scores as that" in done.out


@pytest.mark.parametrize("harm", ["pointer", "nan", "missing"])
def test_weights_that_cannot_be_used_are_wrong_usage(
    call: Call, answers: Path, reward: Path, tmp_path: Path, harm: str
) -> None:
    clip = shutil.copytree(reward, tmp_path / "clip")
    (clip / "card.json").unlink()
    weights = load_file(clip / "model.safetensors")
    name = "text_model.final_layer_norm.bias"
    if harm == "pointer":
        (clip / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    elif harm == "nan":
        save_file({**weights, name: weights[name] * torch.nan}, clip / "model.safetensors", metadata={"format": "pt"})
    else:
        del weights[name]
        save_file(weights, clip / "model.safetensors", metadata={"format": "pt"})
    message = {"pointer": "cannot be read", "nan": f"{name} of the CLIP holds NaN", "missing": f"{name} first: fetch"}
    scored = call("reward", "score", clip, answers.parent / "0a.png", "--prompt", "a star")
    fitted = call("reward", "fit", answers, "-o", tmp_path / "new", "--clip", clip)
    for answer in (scored, fitted):
        assert answer.code == 2, answer.err
        assert message[harm] in answer.err
        assert "LOAD REPORT" not in answer.err


@pytest.mark.parametrize(
    "name", ["preference", "pickscore", "profile", "facets", "fitted", "vision-reward", "hps", "aesthetic-v2"]
)
def test_a_scorer_without_a_folder_takes_none(
    call: Call, answers: Path, reward: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(reward)  # a CLIPModel, which some would have opened
    answer = call("reward", "score", name, answers.parent / "0a.png", "--prompt", "a star")
    assert answer.code == 2, answer.out
    assert f"{name} needs a folder, '' is none" in answer.err
    assert f"set folder = '...' in [scorers.{name}] to" in answer.err
    assert ("itself, or" in answer.err) == (name in ("preference", "profile", "facets", "fitted"))
