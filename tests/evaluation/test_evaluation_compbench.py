"""T2I-CompBench through a detector: how texts are read, the published scores of known detections, rows and coverage."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_examples import journal_of
from detector_examples import GivenDetector, NumberedPainter, packaged_namer, seen

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Benchmark
from redraft.evaluation.benchmarks.compbench import CompbenchBenchmark, read_prompts, read_wanted, rule_checks
from redraft.evaluation.benchmarks.compbench_rules import (
    Coloured,
    Number,
    Place,
    colours_score,
    numbers_score,
    place_score,
    place_share,
    product,
    read_colours,
    read_numbers,
    read_place,
)
from redraft.evaluation.benchmarks.detections import Box
from redraft.evaluation.benchmarks.detector import read_names
from redraft.evaluation.benchmarks.runner import run

NAMES = ("person", "cup", "dog", "sheep", "bus", "traffic light", "cell phone", "knife", "couch", "kite", "bear")
A: Box = (0, 0, 100, 100)


def moved(right: float, down: float) -> Box:
    return (right, down, right + 100, down + 100)


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two cups", {"cup": 2}),
        ("three buses and four sheep.", {"bus": 3, "sheep": 4}),
        ("two men and one woman played", {"person": 3}),  # what the detector calls by one name is added up
        ("eight traffic lights and a knife", {"traffic light": 8, "knife": 1}),
        ("five knives lay on two cellphones", {"knife": 5, "cell phone": 2}),
        ("six people, one sofa", {"person": 6, "couch": 1}),
        ("two cups and three dragons", None),  # half a prompt is never judged
        ("cups", None),
        ("two", None),
    ],
)
def test_numbers_of_a_text(text: str, expected: dict[str, int] | None) -> None:
    found = read_numbers(text, NAMES)
    assert (None if found is None else {item.name: item.count for item in found}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog on the left of a cup", ("dog", "cup", "left")),
        ("a dog on the right of a sofa", ("dog", "couch", "right")),
        ("a man on side of a woman", ("person", "person", "near")),
        ("a cup next to a traffic light", ("cup", "traffic light", "near")),
        ("a cup on top of a bear", ("cup", "bear", "top")),
        ("a dragon near a cup", None),
        ("a cup under a bear", None),
    ],
)
def test_places_of_a_text(text: str, expected: tuple[str, str, str] | None) -> None:
    found = read_place(text, NAMES)
    assert (None if found is None else (found.first, found.second, found.where)) == expected


def test_colours_of_a_text() -> None:
    assert read_colours("a red cup and a black dog", NAMES) == (
        Coloured(name="cup", colour="red"),
        Coloured(name="dog", colour="black"),
    )
    for text in ("a red cup on a table", "a golden cup", "a cup", "a red dragon and a black dog"):
        assert read_colours(text, NAMES) is None, text


# --- scores ----------------------------------------------------------------------------------------------------------


def test_numbers_give_half_for_being_there_and_half_for_the_count() -> None:
    wanted = (Number(name="cup", count=2), Number(name="dog", count=1))
    cups, dog = [seen("cup", A), seen("cup", moved(300, 0))], seen("dog", moved(0, 300))
    assert numbers_score(wanted, [*cups, dog]) == pytest.approx(1)
    assert numbers_score(wanted, cups) == pytest.approx(0.5)
    assert numbers_score(wanted, [cups[0], dog]) == pytest.approx(0.75)
    assert numbers_score(wanted, [*cups, seen("cup", moved(600, 0))]) == pytest.approx(0.25)
    assert numbers_score(wanted, []) == 0
    # A second box on the same object, or one within it, is no second object; on another name it is.
    assert numbers_score(wanted, [*cups, seen("cup", (10, 10, 50, 50)), dog]) == pytest.approx(1)
    assert numbers_score(wanted, [*cups, seen("dog", A)]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("where", "second", "expected"),
    [
        ("left", moved(200, 0), 1),
        ("left", moved(-200, 0), 0),
        ("right", moved(-200, 50), 1),
        ("left", moved(200, 200), 0),  # as far down as across
        ("top", moved(0, 200), 1),  # y grows downward
        ("bottom", moved(0, 200), 0),
        ("bottom", moved(0, -200), 1),
        ("left", moved(50, 0), 0.1 / (1 / 3)),  # overlap 1/3
        ("near", moved(149, 800), 1),  # one direction suffices
        ("near", moved(150, 300), 0.5),
        ("near", A, 1),
    ],
)
def test_shares_of_places(where: str, second: Box, expected: float) -> None:
    assert place_share(where, A, second) == pytest.approx(expected)


def test_the_score_of_a_place_and_its_cut_at_a_half() -> None:
    wanted = Place(first="dog", second="cup", where="left")
    dog, cup = seen("dog", A, 0.8), seen("cup", moved(200, 0), 0.6)
    assert place_score(wanted, [dog, cup]) == pytest.approx(0.25 * 0.8 + 0.25 * 0.6 + 0.5)
    assert place_score(wanted, [dog]) == 0
    assert place_score(Place(first="cup", second="dog", where="left"), [dog, cup]) == 0  # 0.35 is below the cut
    # The surest of each name is looked at.
    assert place_score(wanted, [dog, cup, seen("cup", moved(-200, 0), 0.9)]) == 0
    two = Place(first="person", second="person", where="near")
    first, second = seen("person", A, 1.0), seen("person", moved(300, 600), 0.9)
    assert place_score(two, [first]) == 0
    assert place_score(two, [first, second]) == pytest.approx(0.25 + 0.225 + 0.5 * 150 / 600)


def test_attributes_are_a_product_over_phrases() -> None:
    assert product([]) == 1  # a phrase that is not there takes nothing away
    assert product([0.5, 0.5, 1]) == 0.25
    red_cup, red_dog = Coloured(name="cup", colour="red"), Coloured(name="dog", colour="red")
    assert colours_score([red_cup], {"cup": ["blue", "red"]}) == 1
    assert colours_score([red_cup, red_dog], {"cup": ["red"], "dog": ["blue"]}) == 0
    assert colours_score([red_cup], {}) == 0
    assert all(check.passed for check in rule_checks())


# --- the benchmark ---------------------------------------------------------------------------------------------------


def test_the_real_prompts_that_a_coco_detector_can_judge(test_data: Path) -> None:
    prompts = read_prompts(test_data / "t2i-compbench", part="val")
    names = read_names(test_data / "geneval" / "object_names.txt")
    benchmark = CompbenchBenchmark(prompts, detector=GivenDetector(names, {}))
    assert isinstance(benchmark, Benchmark)
    assert len(prompts) == 600
    judged = [prompt.tag("task") for prompt in benchmark.prompts]
    assert benchmark.title == f"T2I-CompBench by detector: {len(judged)} of 600 prompts can be judged"
    # Everyday words that COCO does not have (desk, balloon, pig) are in most of them.
    assert 50 <= judged.count("numeracy") <= 100
    assert 80 <= judged.count("spatial") <= 150
    few = CompbenchBenchmark(prompts, detector=GivenDetector(names, {}), limit=20)
    assert few.title == f"T2I-CompBench by detector: {len(few.prompts)} of 40 prompts can be judged"
    # Pictures of the second category stay where a folder of the whole lists has them.
    assert few.prompts == tuple(prompts[int(stem)] for (stem,) in few.file_stems)
    assert max(int(stem) for (stem,) in few.file_stems) >= 300


def test_rows_say_how_many_prompts_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "numeracy_val.txt").write_text("two cups\nthree dogs\none dragon\ntwo cups\n")
    (tmp_path / "spatial_val.txt").write_text("a dog on the left of a cup\na cup next to a dog\n")
    prompts = read_prompts(tmp_path, part="val")
    assert len(prompts) == 6
    found = {
        0: [seen("cup", A), seen("cup", moved(200, 0))],
        1: [seen("dog", A)],
        2: [seen("dog", A, 1.0), seen("cup", moved(200, 0), 1.0)],
    }
    benchmark = CompbenchBenchmark(prompts, detector=GivenDetector(NAMES, found), images_per_prompt=1)
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        judged = run(benchmark, paint=NumberedPainter(), journal=journal, model="m", examples=0)
        reasons = [journal.pictures[number].reason for number in range(4)]
    assert reasons == ["", "seen: 1 dog", "", "seen: nothing"]
    rows = {row.name: row for row in benchmark.rows(judged, key=Key(seed=0), against=judged)}
    assert list(rows) == ["numeracy", "spatial"]
    assert rows["numeracy"].interval.value == pytest.approx(0.75)
    assert rows["numeracy"].note == "2 of 3 prompts; not the published detector"
    assert rows["numeracy"].details == {"prompts left out": 1}
    assert rows["spatial"].interval.value == pytest.approx(0.5)
    assert rows["spatial"].difference is not None
    assert rows["spatial"].difference.value == 0
    # The dragon is not judged and the cups once; the dog keeps the place of its line.
    assert benchmark.file_stems == (("00000",), ("00001",), ("00004",), ("00005",))


def test_colours_need_a_clip_and_are_named_on_the_object(tmp_path: Path) -> None:
    import torch

    from redraft.core.tensors import Images

    (tmp_path / "color_val.txt").write_text("a red cup\na blue cup and a red dog\na red dragon\n")
    prompts = read_prompts(tmp_path, part="val")
    detector = GivenDetector(NAMES, {0: [seen("cup", (0, 0, 32, 64)), seen("dog", (32, 0, 64, 64))]})
    with pytest.raises(UsageError, match=r"2 of 3 prompts speak only of things .* without a CLIP for colours"):
        CompbenchBenchmark(prompts, detector=detector)
    benchmark = CompbenchBenchmark(prompts, detector=detector, namer=packaged_namer(), images_per_prompt=1)
    picture = torch.zeros(3, 64, 64)
    picture[2, :, :32] = 1  # the cup is blue
    picture[0, 1:, 32:] = 1  # the dog is red; the corner 0,0 still says picture 0
    picture[2, 0, 0] = 1
    judgement = benchmark.judge(Images(pixels=torch.stack([picture, picture])), benchmark.prompts)
    assert judgement.scores.values.flatten().tolist() == [0, 1]
    assert judgement.reasons == ("seen: 1 cup, 1 dog", "")


def test_folders_and_prompts_that_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no prompts of T2I-CompBench: it must hold numeracy_val\.txt"):
        read_prompts(tmp_path, part="val")
    with pytest.raises(UsageError, match="0 of 1 prompts speak only of things that the detector has a name for"):
        CompbenchBenchmark([Prompt(text="two dragons", tags=("task:numeracy",))], detector=GivenDetector(NAMES, {}))
    assert read_wanted(Prompt(text="two cups", tags=("task:spatial",)), NAMES) is None
