"""Answers: the record's rules, files of answers and of pictures, pairs and points made of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference, Rating
from redraft.rewards.answer_lines import picture_files
from redraft.rewards.picture_files import read_picture
from redraft.rewards.pixels import Preprocessing
from redraft.rewards.preference_data import preference_data, prompt_weights
from redraft.rewards.preference_losses import pair_loss
from redraft.rewards.preference_pictures import FilePictures, NamedPictures, PixelPictures
from redraft.rewards.preference_rows import read_preferences, stars_of

ROWS = {name: row for row, name in enumerate("abcd")}


def answer(kind: Any, *values: float, prompt: str = "p", pictures: str = "abcd", rater: str = "r") -> Preference:
    shown = tuple(pictures[: len(values)])
    return Preference(prompt=prompt, pictures=shown, kind=kind, answer=values, rater=rater)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("duel", (1, 0), "kind 'duel' of an answer is unknown"),
        ("pair", (1.0,), "for at least 2"),
        ("pair", (1, 0, 0), "give kind 'ranks'"),
        ("pair", (0.7, 0.7), "add up to 1; a tie is"),
        ("choice", (1, 1, 0), "one picture is 1"),
        ("ranks", (0, 1), "ranks begin at 1"),
        ("stars", (6,), "stars run from 1 to 5"),
        ("thumbs", (0.5,), "a thumb is 1"),
        ("stars", (float("nan"),), "must be finite"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(kind: Any, values: tuple[float, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        answer(kind, *values)


def test_pairs_and_ranks() -> None:
    data = preference_data(
        [answer("pair", 0.5, 0.5), answer("pair", 0.7, 0.3), answer("ranks", 1, 2, 2)], pictures=ROWS
    )
    assert data.outcome.tolist() == [
        [0, 0, 1], [pytest.approx(0.7), pytest.approx(0.3), 0],
        [1, 0, 0], [1, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert data.pairs.tolist() == [[0, 1], [0, 1], [0, 1], [0, 2], [1, 2]]
    assert len(data.entry_picture) == 3
    assert data.pair_rater == ("r",) * 5


def test_a_choice_says_nothing_about_those_not_chosen() -> None:
    data = preference_data([answer("choice", 0, 1, 0)], pictures=ROWS)
    assert data.pairs.tolist() == [[0, 1], [1, 2]]
    assert data.outcome.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_ratings_are_points_and_pairs_within_one_rater_and_prompt() -> None:
    records = [
        answer("stars", 5, 1, 5),
        answer("stars", 2, rater="other"),
        answer("thumbs", 1, prompt="q"),
        answer("thumbs", 0, prompt="q", pictures="b"),
        answer("thumbs", 1, prompt="q", pictures="c", rater=""),
    ]
    data = preference_data(records, pictures=ROWS)
    assert data.label.tolist() == [1, 0, 1, 0.25, 1, 0, 1]
    # 5 against 1 twice, and the two thumbs of "r" for "q"; equal stars, other raters and unknown ones give none.
    assert data.outcome.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert data.pair_rater == ("r", "r", "r")
    assert [data.prompts[row].text for row in data.pair_prompt] == ["p", "p", "q"]


def test_answers_of_prompts_and_of_people() -> None:
    records = [answer("pair", 1, 0), answer("pair", 0, 1, prompt="q"), answer("stars", 4, prompt="q", rater="s")]
    data = preference_data(records, pictures=ROWS)
    assert (data.pair_answer.tolist(), data.point_answer.tolist()) == ([0, 1], [2])
    part = data.of_prompts(torch.tensor([1]))
    assert (part.pair_answer.tolist(), part.point_answer.tolist()) == ([1], [2])
    assert (part.pairs.tolist(), part.points.tolist()) == ([data.pairs[1].tolist()], data.points.tolist())
    assert data.of_rater("s").point_rater == ("s",)
    with pytest.raises(UsageError, match="no answer of the rater 'z' among 3: there are 2 raters, r, s first"):
        data.of_rater("z")
    with pytest.raises(UsageError, match="picture 'b' of an answer is not among"):
        preference_data(records, pictures={"a": 0})
    with pytest.raises(UsageError, match="no answers to fit to"):
        preference_data([], pictures=ROWS)


def test_doubling_the_rows_of_a_prompt_leaves_the_loss_by_prompt_as_it_was() -> None:
    one = [answer("pair", 1, 0), answer("pair", 0, 1, pictures="cd"), answer("pair", 1, 0, prompt="q")]
    losses = []
    for records in (one, [*one, *one[:2]]):
        data = preference_data(records, pictures=ROWS)
        scores = torch.tensor([0.3, -1.0, 0.4, 2.0, 1.0, -0.5])[: len(data.entry_prompt)]
        margin = scores[data.pairs[:, 0]] - scores[data.pairs[:, 1]]
        weight = prompt_weights(data)
        losses.append(((weight * pair_loss(margin, data.outcome)).sum() / weight.sum()).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-7)


def test_the_data_hash_knows_the_answers() -> None:
    first = preference_data([answer("pair", 1, 0)], pictures=ROWS).data_hash
    assert first == preference_data([answer("pair", 1, 0)], pictures=ROWS).data_hash
    assert first != preference_data([answer("pair", 0, 1)], pictures=ROWS).data_hash
    assert first != preference_data([answer("pair", 1, 0, prompt="q")], pictures=ROWS).data_hash


# --- files -----------------------------------------------------------------------------------------------------------

GOOD = {"prompt": "a star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": [1, 0]}


def test_a_file_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "rater": "anna", "weight": 2}) + "\n")
    records = read_preferences(path)
    assert [(record.rater, record.weight) for record in records] == [("", 1.0), ("anna", 2.0)]
    with pytest.raises(UsageError, match=r"2 of 2 pictures are missing, '.*a.png' first"):
        picture_files(records, folder=tmp_path)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    files, rows = picture_files(records, folder=tmp_path)
    assert (len(files), rows) == (2, {"a.png": 0, "b.png": 1})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: no JSON"),
        ("[1]", "line 2: is a JSON list"),
        (json.dumps({"prompt": "x"}), "line 2: lacks 'pictures': an answer has prompt, pictures, kind, answer"),
        (json.dumps({**GOOD, "ratr": "x"}), "unknown key 'ratr': did you mean 'rater'"),
        (json.dumps({**GOOD, "answer": ["1", 0]}), "answer must be a list of numbers"),
        (json.dumps({**GOOD, "rater": 7}), "prompt 'a star' and rater '7' must be texts"),
        (json.dumps({**GOOD, "answer": [1, 1]}), "line 2: answer .1.0, 1.0. of kind 'pair'"),
        (json.dumps({**GOOD, "pictures": ["a.png"] * 2}), "line 2: the picture 'a.png' stands twice .* kind 'pair'"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line)
    with pytest.raises(UsageError, match=message):
        read_preferences(path)


RATING = {
    "prompt": "a star", "pictures": ["a.png"], "kind": "rating", "answer": {"quality": 8, "safety": 2},
    "scales": {"quality": [1, 10], "safety": [0, 2], "realism": [1, 5]}, "rater": "anna", "weight": 2,
}  # fmt: skip


def test_ratings_on_any_scale_are_stars_and_so_points_and_pairs(tmp_path: Path) -> None:
    """8 of 1..10 lies 7/9 up its scale; 3 lies 2/9 up, so that the rater prefers the first picture."""
    lines = [RATING, {**RATING, "pictures": ["b.png"], "answer": {"quality": 3}}, {**RATING, "answer": {"safety": 1}}]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    records = read_preferences(path, question="quality")
    assert [record.kind for record in records] == ["stars", "stars"]  # the third leaves it unanswered
    data = preference_data(records, pictures={"a.png": 0, "b.png": 1})
    assert data.label.tolist() == pytest.approx([7 / 9, 2 / 9])
    assert data.point_weight.tolist() == [2, 2]
    assert data.outcome.tolist() == [[1, 0, 0]]
    with pytest.raises(UsageError, match="line 1: a rating of quality, safety, realism: say which of them to learn"):
        read_preferences(path)
    with pytest.raises(UsageError, match="question 'qualty' is unknown: did you mean 'quality'"):
        read_preferences(path, question="qualty")


def test_a_rating_of_one_question_needs_no_name_and_a_scale_needs_length() -> None:
    one = Rating(prompt="p", picture="a", values={"stars": 4.0}, scales={"stars": (1.0, 5.0)})
    stars = stars_of(one)
    assert stars is not None
    assert (stars.kind, stars.answer) == ("stars", (4.0,))
    flat = Rating(prompt="p", picture="a", values={"stars": 4.0}, scales={"stars": (4.0, 4.0)})
    with pytest.raises(UsageError, match="stars has a scale from 4 to 4: on it no picture is better"):
        stars_of(flat)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_preferences(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no answer"):
        read_preferences(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="give a UTF-8 JSONL file"):
        read_preferences(tmp_path / "latin.jsonl")


def test_pictures_by_row(tmp_path: Path) -> None:
    sizes = ((8, 8), (16, 8))
    for row, size in enumerate(sizes):
        Image.new("RGB", size, (row * 255, 0, 0)).save(tmp_path / f"{row}.png")
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    settings = Preprocessing(resize=8, crop=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    files = FilePictures(paths=paths).inputs(torch.tensor([1, 0]), settings)
    assert files.shape == (2, 3, 8, 8)
    assert files[:, 0].mean((1, 2)).tolist() == [1, -1]
    (tmp_path / "2.png").write_text("no picture")
    with pytest.raises(UsageError, match=r"2.png' is no picture"):
        FilePictures(paths=[tmp_path / "2.png"]).inputs(torch.tensor([0]), settings)
    named = NamedPictures(names=("0.png", "1.png"), read=lambda name: read_picture(tmp_path / name))
    assert torch.equal(named.inputs(torch.tensor([1, 0]), settings), files)
    assert len(named) == 2
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    pixels[1, 0] = 255
    held = PixelPictures(pixels=pixels)
    assert torch.equal(held.inputs(torch.tensor([1, 0]), settings), files)
    assert len(held) == len(FilePictures(paths=paths)) == 2
