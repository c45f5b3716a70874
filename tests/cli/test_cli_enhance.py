"""`redraft generate --enhance`: scores before and after, the cost, and what cannot be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers import Call

ROW = {"prompt", "file", "score_before", "score_after", "network_calls", "backward_calls"}
FACTS = {
    "name", "reward", "options", "score_before", "score_after", "network_calls", "backward_calls",
    "plain_network_calls",
}  # fmt: skip


def arguments(folder: Path, model: Path, *more: object) -> tuple[object, ...]:
    """Two pictures of each of two prompts, in two steps."""
    return (
        "generate", "a red star", "a blue circle", "-n", 2, "-w", folder / "w", "-m", model, "--steps", 2,
        "--guidance", 1.5, "-o", folder / "pictures", "--seed", 5, *more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reward", "options", "calls", "backward"),
    [
        ("best_of_n", "clip", {"count": "3"}, 6, 0),
        ("noise_search", "clip", {"rounds": "2", "learning_rate": "0.2"}, 10, 4),
        ("reward_guidance", "heads", {"strength": "5"}, 4, 1),
        # No picture of a random model is right, so each has its second pass of two pictures.
        ("self_critique", "oracle", {"attempts": "2"}, 6, 0),
    ],
)
def test_each_method_paints_scores_and_counts(
    call: Call, model: Path, tmp_path: Path, name: str, reward: str, options: dict[str, str], calls: int, backward: int
) -> None:
    settings = [part for option, value in options.items() for part in ("--set", f"{option}={value}")]
    answer = call(*arguments(tmp_path, model, "--enhance", name, "--reward", reward, *settings, "--json"))
    assert answer.code == 0, answer.err
    result = answer.json()
    assert set(result) == {"model", "checkpoint", "pictures", "enhancement"}
    facts = result["enhancement"]
    assert set(facts) == FACTS
    assert (facts["name"], facts["reward"], facts["plain_network_calls"]) == (name, reward, 2)
    assert (facts["network_calls"], facts["backward_calls"]) == (calls, backward)
    for option, value in options.items():
        assert facts["options"][option] == float(value)
    rows = result["pictures"]
    assert len(rows) == len({row["file"] for row in rows}) == 4
    for row in rows:
        assert set(row) == ROW
        assert Path(row["file"]).read_bytes()[1:4] == b"PNG"
        # Every method but guidance keeps the plain picture when nothing better was found.
        assert row["score_after"] >= row["score_before"] or name == "reward_guidance"
    for which in ("score_before", "score_after"):
        assert facts[which] == pytest.approx(sum(row[which] for row in rows) / 4, abs=1e-6)
    if name in ("best_of_n", "noise_search"):
        assert facts["score_after"] > facts["score_before"]


def test_one_candidate_is_the_plain_picture_and_the_answer_is_the_same_twice(
    call: Call, model: Path, tmp_path: Path
) -> None:
    plain = call(*arguments(tmp_path / "plain", model, "--json")).json()
    assert set(plain) == {"model", "checkpoint", "pictures"}
    one = ("--enhance", "best_of_n", "--reward", "clip", "--set", "count=1", "--json")
    best = call(*arguments(tmp_path / "one", model, *one)).json()
    for before, after in zip(plain["pictures"], best["pictures"], strict=True):
        assert Path(before["file"]).read_bytes() == Path(after["file"]).read_bytes()
    search = ("--enhance", "noise_search", "--reward", "clip", "--set", "rounds=2", "--json")
    first = call(*arguments(tmp_path / "a", model, *search)).json()
    second = call(*arguments(tmp_path / "b", model, *search)).json()
    assert first["enhancement"] == second["enhancement"]
    for one_row, other in zip(first["pictures"], second["pictures"], strict=True):
        assert Path(one_row["file"]).read_bytes() == Path(other["file"]).read_bytes()


def test_in_words(call: Call, model: Path, tmp_path: Path) -> None:
    answer = call(*arguments(tmp_path, model, "--enhance", "noise_search", "--reward", "clip", "--set", "rounds=1"))
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("4 pictures by ")
    assert lines[1].startswith("noise_search by clip: mean score ")
    assert lines[1].endswith("after; 6 network calls and 2 backward a picture, a plain one takes 2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ("--enhance", "best_of_m", "--reward", "clip"),
            "enhancement 'best_of_m' is unknown: did you mean 'best_of_n'",
        ),
        (("--enhance", "best_of_n", "--reward", "clib"), "scorer 'clib' is unknown: did you mean 'clip'"),
        (("--enhance", "best_of_n"), "--enhance best_of_n without --reward: nothing says what is better; add --reward"),
        (("--reward", "clip"), "--reward clip without --enhance: plain pictures are not scored; add --enhance"),
        (("--set", "count=2"), "--set count=2 without --enhance"),
        (
            ("--enhance", "noise_search", "--reward", "oracle"),
            "noise_search follows the gradient of a scorer, but 'oracle' gives none: choose a scorer with pixel",
        ),
        (("--enhance", "reward_guidance", "--reward", "oracle"), "reward_guidance follows the gradient of a scorer"),
        (
            ("--enhance", "best_of_n", "--reward", "clip", "--set", "cuont=2"),
            "--set of best_of_n: the key 'cuont' is unknown: did you mean 'count'",
        ),
        (("--enhance", "best_of_n", "--reward", "clip", "--set", "count=0"), "count = '0': Input should be greater"),
        (("--enhance", "best_of_n", "--reward", "clip", "--set", "count"), "--set count: write NAME=VALUE"),
        (
            ("--enhance", "best_of_n", "--reward", "clip", "--set", "count=2", "--set", "count=3"),
            "--set count was given twice",
        ),
    ],
)
def test_what_cannot_be_asked_for(
    call: Call, model: Path, tmp_path: Path, given: tuple[str, ...], message: str
) -> None:
    answer = call(*arguments(tmp_path, model, *given))
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "pictures").exists()
    assert not (tmp_path / "w").exists()


def test_a_prompt_that_the_oracle_cannot_read(call: Call, model: Path, tmp_path: Path) -> None:
    answer = call(
        "generate", "a red star", "my cat", "-w", tmp_path / "w", "-m", model, "--steps", 2,
        "-o", tmp_path / "pictures", "--enhance", "best_of_n", "--reward", "oracle",
    )  # fmt: skip
    assert answer.code == 2
    assert "scorer 'oracle' cannot score the prompt 'my cat'" in answer.err
    assert not (tmp_path / "pictures").exists()


def test_a_configuration_gives_options_of_scorers_and_what_the_command_line_leaves_open(
    call: Call, model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        f'model = "{model}"\nseed = 5\n[sampling]\nsteps = 2\nguidance_scale = 1.5\n[scorers.mine]\nplugin = "hps"\n'
    )
    alone = ("generate", "a red star", "-n", 2, "-w", tmp_path / "w", "-o", tmp_path / "p", "-c", file, "--json")
    made = call(*alone)
    assert made.code == 0, made.err
    assert made.json()["model"] == str(model)
    same = call(*arguments(tmp_path / "same", model, "--json")).json()
    for mine, other in zip(made.json()["pictures"], same["pictures"], strict=False):
        assert Path(mine["file"]).read_bytes() == Path(other["file"]).read_bytes()
    scored = call(*alone, "--enhance", "best_of_n", "--reward", "mine")
    assert scored.code == 2
    assert "hps needs a folder, '' is none" in scored.err
