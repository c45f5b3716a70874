"""Real files of people's answers: every row comes in, and goes out as it was."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

from exchanged import read, write

from redraft.core.feedback import Preference, Rating
from redraft.feedback.exchange.tally import Tally


def test_the_crowds_answers_order_the_generators_as_published(test_data: Path) -> None:
    """notes/rewards-and-benchmarks.md, section 5: retrieval 3.10 < SD 2.1 3.34; five people on each of 400 pictures."""
    tally = Tally()
    for generator in ("clip", "sdv2"):
        rows, faults = read(test_data / f"geneval/annotations/annotations_{generator}.csv", "geneval-crowd")
        assert len(rows) == 2000
        assert faults == []
        pictures = [row.pictures[0] for row in rows]
        assert len(set(pictures)) == 400
        assert {pictures.count(name) for name in set(pictures)} == {5}
        for row in rows:
            tally.add(row)
    quality = {model: means["quality"] for model, means in tally.means().items()}
    assert {model: round(mean, 2) for model, mean in quality.items()} == {"clip": 3.10, "sdv2": 3.34}
    assert sorted(quality, key=quality.__getitem__) == ["clip", "sdv2"]


def test_the_crowds_file_is_written_back_byte_for_byte(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "geneval/annotations/annotations_sdv2.csv"
    rows, _ = read(source, "geneval-crowd")
    _, faults = write(rows, tmp_path / "out.csv", "geneval-crowd")
    assert faults == []
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()


def test_an_unanswered_question_has_a_scale_and_no_value(test_data: Path) -> None:
    rows, _ = read(test_data / "geneval/annotations/annotations_clip.csv", "geneval-crowd")
    first = rows[0].judgement  # its only object is donuts: nobody asked how real a second one looks
    assert isinstance(first, Rating)
    assert first.values == {"quality": 3.0, "real_0": 3.0}
    assert first.scales == {"quality": (1.0, 4.0), "real_0": (1.0, 3.0), "real_1": (1.0, 3.0)}
    assert rows[0].details["Answer.task-color-0"] == "red|yellow|blue|black|white"


def test_image_rewards_test_file_holds_6399_strict_and_831_tied_pairs(test_data: Path) -> None:
    source = test_data / "imagereward/test.json"
    rows, faults = read(source, "image-reward")
    tally = Tally()
    for row in rows:
        tally.add(row)
    assert faults == []
    assert (len(rows), sum(len(row.pictures) for row in rows)) == (466, 2720)
    assert (tally.strict, tally.tied) == (6399, 831)
    pairs, _ = read(source, "image-reward", pairs=True)
    answers = [row.judgement.answer for row in pairs if isinstance(row.judgement, Preference)]
    assert len(answers) == 7230
    assert answers.count((0.5, 0.5)) == 831


def test_pairs_say_what_the_ranks_say(test_data: Path) -> None:
    source = test_data / "imagereward/test.json"
    entry = json.loads(source.read_text())[0]
    ranks = dict(zip(entry["generations"], entry["ranking"], strict=True))
    pairs, _ = read(source, "image-reward", pairs=True)
    first = [row.judgement for row in pairs if row.item == entry["id"]]
    assert [said.pictures for said in first if isinstance(said, Preference)] == list(combinations(ranks, 2))
    for said in first:
        assert isinstance(said, Preference)
        one, two = (ranks[name] for name in said.pictures)
        assert said.answer == ((0.5, 0.5) if one == two else (float(one < two), float(two < one)))


def test_image_rewards_file_is_written_back_equal(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "imagereward/test.json"
    rows, _ = read(source, "image-reward")
    write(rows, tmp_path / "out.json", "image-reward")
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(source.read_text())
