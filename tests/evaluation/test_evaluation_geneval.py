"""GenEval: golden geometry, the rules' edge cases, the real metadata, and rows of known pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_examples import journal_of
from detector_examples import GivenDetector, NumberedPainter, packaged_clip, packaged_namer, save_tiny_mask2former, seen

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.evaluation.benchmarks.benchmark import Benchmark, Judged
from redraft.evaluation.benchmarks.colours import BACKGROUND, COLOURS, ColourNamer, cut_out, open_namer
from redraft.evaluation.benchmarks.detections import Box, Detection, duplicates, keep, overlap, relations
from redraft.evaluation.benchmarks.detector import read_names
from redraft.evaluation.benchmarks.geneval import GenevalBenchmark, geometry_checks, rule_checks
from redraft.evaluation.benchmarks.geneval_rules import TASKS, Clause, Rules, Scene, faults, read_scenes
from redraft.evaluation.benchmarks.runner import orders, run
from redraft.evaluation.suites import SuiteContext

KEY = Key(seed=3)
A: Box = (0, 0, 100, 100)


def no_colours(name: str, items: object) -> tuple[str, ...]:
    raise AssertionError(f"the colour of {name} was asked for")


# --- geometry: golden values of the published rules ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 9, 9), (10, 0, 19, 9), 0.0),
        ((0, 0, 9, 9), (5, 0, 14, 9), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.047619),
        ((3, 4, 30, 40), (3, 4, 30, 40), 1.0),
        ((9, 9, 0, 0), (9, 9, 0, 0), 0.0),
    ],
)
def test_overlap_counts_pixels_inclusively(first: Box, second: Box, expected: float) -> None:
    assert overlap(first, second) == pytest.approx(expected, abs=1e-6)
    assert overlap(second, first) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((200, 0, 300, 100), {"left of"}),  # -0.9
        ((110, 110, 210, 210), {"left of", "above"}),  # -0.5785 each
        ((15, 0, 115, 100), set()),  # 0
        ((30, 0, 130, 100), set()),  # -0.333
        ((50, 0, 150, 100), {"left of"}),  # -0.6
        ((0, 0, 100, 100), set()),  # one centre: no division by zero
        ((10, 10, 90, 90), set()),  # one centre, another size
        ((0, 200, 100, 300), {"above"}),
    ],
)
def test_relations_of_boxes(other: Box, expected: set[str]) -> None:
    assert relations(A, other) == expected
    opposite = {"left of": "right of", "above": "below"}
    assert relations(other, A) == {opposite[name] for name in expected}
    large = tuple(7.0 * edge for edge in A), tuple(7.0 * edge for edge in other)
    assert relations(*large) == expected  # type: ignore[arg-type]


def test_the_slack_decides_which_offsets_count() -> None:
    # (110 - slack * 200) / (110 * sqrt 2) passes 0.5 at slack = 0.55 * (1 - 1 / sqrt 2) = 0.16109.
    assert relations(A, (110, 110, 210, 210), slack=0.161) == {"left of", "above"}
    assert relations(A, (110, 110, 210, 210), slack=0.1612) == set()


def test_which_detections_are_kept() -> None:
    copies = [seen("cup", A, 0.8)] * 3
    assert len(keep(copies, above=0.3, most=16)["cup"]) == 3  # no suppression by default, not even of copies
    assert len(keep(copies, above=0.3, most=16, overlap_limit=0.99)["cup"]) == 1
    assert keep([seen("cup", A, 0.3)], above=0.3, most=16) == {}  # strictly above
    many = [seen("cup", (number, 0, number + 9, 9), 0.4 + number / 100) for number in range(30)]
    kept = keep([*many, seen("dog", A, 0.5)], above=0.3, most=16)
    assert [item.score for item in kept["cup"]] == pytest.approx([0.69 - number / 100 for number in range(16)])
    assert len(kept["dog"]) == 1
    # The limit comes before suppression: only the 16 surest are looked at.
    hidden = [seen("cup", A, 0.9)] * 16 + [seen("cup", (500, 0, 600, 100), 0.5)]
    assert len(keep(hidden, above=0.3, most=16, overlap_limit=0.5)["cup"]) == 1
    assert duplicates(A, (10, 10, 20, 20))
    assert not duplicates(A, (50, 0, 150, 100))


# --- rules -----------------------------------------------------------------------------------------------------------


def test_counting_needs_exactly_the_number() -> None:
    scene = Scene(task="counting", include=(Clause(name="cup", count=3),), exclude=(Clause(name="cup", count=4),))
    for number in range(6):
        kept = {"cup": [seen("cup", A)] * number} if number else {}
        assert (not faults(scene, kept, colours=no_colours)) == (number == 3), number
    three = [seen("cup", A, 0.95)] * 3
    assert not faults(scene, Rules().kept([*three, seen("cup", A, 0.9)], task="counting"), colours=no_colours)
    assert faults(scene, Rules().kept([*three, seen("cup", A, 0.9)], task="two_object"), colours=no_colours)


def test_only_the_surest_objects_are_looked_at_and_all_must_have_the_colour() -> None:
    scene = Scene(task="colors", include=(Clause(name="cup", count=2, colour="red"),))
    asked: list[int] = []

    def colours(name: str, items: object) -> list[str]:
        asked.append(len(list(items)))  # type: ignore[call-overload]
        return ["red", "red"] if len(asked) == 1 else ["red", "blue"]

    kept = {"cup": [seen("cup", A)] * 5}
    assert faults(scene, kept, colours=colours) == ()
    assert faults(scene, kept, colours=colours) == ("2 red cup wanted, found red, blue",)
    assert asked == [2, 2]
    assert faults(scene, {"cup": [seen("cup", A)]}, colours=no_colours) == ("2 cup wanted, 1 found",)


def test_a_miss_of_the_colour_skips_the_position_and_takes_the_target_away() -> None:
    scene = Scene(
        task="position",
        include=(
            Clause(name="cup", count=1),
            Clause(name="dog", count=1, colour="red", position=("left of", 0)),
            Clause(name="cat", count=1, position=("right of", 1)),
        ),
    )
    kept = {"cup": [seen("cup", A)], "dog": [seen("dog", (300, 0, 400, 100))], "cat": [seen("cat", (500, 0, 600, 100))]}
    # The dog is right of the cup, yet only its colour is named; and the cat, truly right of it, has lost its target.
    assert faults(scene, kept, colours=lambda *_: ["blue"]) == (
        "1 red dog wanted, found blue",
        "cat has nothing to be right of",
    )
    assert faults(scene, kept, colours=lambda *_: ["red"]) == (
        "dog left of cup wanted, found right of",
        "cat has nothing to be right of",
    )


def test_every_pair_of_objects_must_stand_so() -> None:
    scene = Scene(
        task="position", include=(Clause(name="cup", count=1), Clause(name="dog", count=2, position=("right of", 0)))
    )
    right, left = seen("dog", (300, 0, 400, 100)), seen("dog", (-300, 0, -200, 100))
    assert faults(scene, {"cup": [seen("cup", A)], "dog": [right, right]}, colours=no_colours) == ()
    assert faults(scene, {"cup": [seen("cup", A)], "dog": [right, left]}, colours=no_colours) == (
        "dog right of cup wanted, found left of",
    )
    same = seen("dog", A)
    assert faults(scene, {"cup": [seen("cup", A)], "dog": [same, same]}, colours=no_colours) == (
        "dog right of cup wanted, found neither",
    )


# --- colours ---------------------------------------------------------------------------------------------------------


def test_the_cut_out_has_grey_around_the_object() -> None:
    picture = torch.zeros(3, 10, 20)
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:4, 5:8] = True
    cut = cut_out(picture, Detection(name="cup", score=1, box=(4.6, 2.4, 9.4, 5.0), mask=mask))
    assert cut.shape == (3, 3, 4)  # columns 5..8, rows 2..4
    assert cut[0].tolist() == [[0, 0, 0, pytest.approx(0.6)], [0, 0, 0, pytest.approx(0.6)], [pytest.approx(0.6)] * 4]
    assert pytest.approx(153 / 255) == BACKGROUND
    assert cut_out(picture, seen("cup", (19.8, -5, 40, 0.2))).shape == (3, 1, 1)
    with pytest.raises(UsageError, match=r"a mask of \(10, 20\) for a picture of \(10, 10\)"):
        cut_out(picture[..., :10], Detection(name="cup", score=1, box=A, mask=mask))


def test_a_clip_names_the_object_and_not_its_surroundings() -> None:
    # The CLIP that ships with the package knows these colours; the red square lies on a blue ground.
    picture = torch.zeros(3, 64, 64)
    picture[2] = 1
    picture[:, 16:48, 16:48] = torch.tensor([1.0, 0, 0])[:, None, None]
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:48, 16:48] = True
    namer = packaged_namer()
    whole = Detection(name="square", score=1, box=(0, 0, 64, 64), mask=mask)
    ground = Detection(name="square", score=1, box=(0, 0, 14, 64))
    assert namer.names(picture, [whole, ground], name="square") == ("red", "blue")
    assert [check.passed for check in namer.checks()] == [True]


def test_a_judge_without_clip_or_without_sense_for_colours_is_refused() -> None:
    class Blind:
        def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.eye(3)[:1]

        def text_features(self, prompts: object) -> torch.Tensor:
            return torch.ones(30, 3)

    check = ColourNamer(Blind(), fingerprint="blind").checks()[0]
    assert not check.passed
    assert check.found == "1 (red)"  # all alike: always the first colour
    with pytest.raises(UsageError, match="colours are named by a CLIP"):
        open_namer("x", SuiteContext(scorer=lambda _: Blind()))  # type: ignore[arg-type, return-value]


# --- the real metadata -----------------------------------------------------------------------------------------------


def test_the_real_prompts(test_data: Path) -> None:
    scenes = read_scenes(test_data / "geneval" / "evaluation_metadata.jsonl")
    texts = (test_data / "geneval" / "generation_prompts.txt").read_text().splitlines()
    assert [prompt.text for prompt, _ in scenes] == [text.strip() for text in texts]
    assert len(dict(scenes)) == 553
    numbers = [sum(scene.task == task for _, scene in scenes) for task in TASKS]
    assert numbers == [80, 99, 80, 94, 100, 100]
    names = read_names(test_data / "geneval" / "object_names.txt")
    assert {name for _, scene in scenes for name in scene.names} <= set(names)
    assert {clause.colour for _, scene in scenes for clause in scene.include} == {None, *COLOURS}
    counting = [scene for _, scene in scenes if scene.task == "counting"]
    assert all(scene.exclude[0].count == scene.include[0].count + 1 for scene in counting)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 1 is no row of GenEval"),
        ('{"tag": "x", "prompt": "a", "include": [{"class": "cup", "count": 1}]}', "tag 'x' with 1 objects"),
        ('{"tag": "counting", "prompt": "a", "include": [{"class": "cup", "count": 0}]}', "count 0: a whole number"),
        (
            '{"tag": "colors", "prompt": "a", "include": [{"class": "cup", "count": 1, "color": "teal"}]}',
            "color 'teal': one of red, orange",
        ),
        (
            '{"tag": "position", "prompt": "a", "include": [{"class": "cup", "count": 1, "position": ["above", 0]}]}',
            "the place of an earlier object",
        ),
        ('{"tag": "counting", "include": [{"class": "cup", "count": 1}]}', "KeyError: 'prompt'"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "evaluation_metadata.jsonl"
    path.write_text(row)
    with pytest.raises(UsageError, match=message):
        read_scenes(path)


def test_metadata_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"GenEval's evaluation_metadata\.jsonl by --data"):
        read_scenes(tmp_path / "evaluation_metadata.jsonl")


# --- the benchmark ---------------------------------------------------------------------------------------------------


def right_boxes(scene: Scene) -> list[Detection]:
    """Detections for which the scene is right (colours are the namer's business)."""
    places: dict[str, Box] = {"left of": (0, 500, 99, 599), "right of": (900, 500, 999, 599)}
    places |= {"above": (500, 0, 599, 99), "below": (500, 900, 599, 999)}
    found = []
    for clause in scene.include:
        box = (500, 500, 599, 599) if clause.position is None else places[clause.position[0]]
        found += [seen(clause.name, box)] * clause.count
    return found


class SaysWhatIsWanted(ColourNamer):
    """Names every object in the colour that any prompt wants of it: the colour step has tests of its own."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self.wanted, self.fingerprint = wanted, "wanted"

    def names(self, picture: torch.Tensor, detections: object, *, name: str) -> tuple[str, ...]:
        return (self.wanted[name],) * len(detections)  # type: ignore[arg-type]


def judged_real(test_data: Path, path: Path, *, right: object, missing: frozenset[int] = frozenset()) -> tuple[
    GenevalBenchmark, Judged
]:  # fmt: skip
    """All real prompts but those of colours, four pictures each; `right(task, index)` says which are right."""
    scenes = list(read_scenes(test_data / "geneval" / "evaluation_metadata.jsonl"))
    names = read_names(test_data / "geneval" / "object_names.txt")
    benchmark = GenevalBenchmark(scenes, detector=GivenDetector(names, {}), namer=SaysWhatIsWanted({}))
    found = {}
    for order in orders(benchmark):
        scene = scenes[order.prompt_number][1]
        if "color" not in scene.task and right(scene.task, order.index):  # type: ignore[operator]
            found[order.number] = right_boxes(scene)
    benchmark.detector = GivenDetector(names, found)
    with open(path, "a+b") as file:
        journal = journal_of(file, benchmark)
        return benchmark, run(
            benchmark, paint=NumberedPainter(missing=missing), journal=journal, model="m", batch=256, examples=0
        )


def test_the_first_prompts_of_each_task_keep_their_pictures(test_data: Path) -> None:
    scenes = read_scenes(test_data / "geneval" / "evaluation_metadata.jsonl")
    names = read_names(test_data / "geneval" / "object_names.txt")
    few = GenevalBenchmark(scenes, detector=GivenDetector(names, {}), namer=SaysWhatIsWanted({}), limit=2)
    assert [int(stem) for (stem,) in few.file_stems] == [0, 1, 80, 81, 179, 180, 259, 260, 353, 354, 453, 454]
    assert few.prompts == tuple(scenes[int(stem)][0] for (stem,) in few.file_stems)


def test_overall_is_the_mean_of_task_means(test_data: Path, tmp_path: Path) -> None:
    benchmark, judged = judged_real(
        test_data, tmp_path / "m.jsonl", right=lambda task, index: task != "position" or index < 1
    )
    assert isinstance(benchmark, Benchmark)
    rows = {row.name: row for row in benchmark.rows(judged, key=KEY)}
    assert list(rows) == ["overall", *TASKS, "any of 4"]
    expected = {"single_object": 1, "two_object": 1, "counting": 1, "colors": 0, "position": 0.25, "color_attr": 0}
    assert {task: rows[task].interval.value for task in TASKS} == pytest.approx(expected)
    assert rows["overall"].interval.value == pytest.approx(3.25 / 6)  # over pictures it would be 0.514
    assert rows["any of 4"].interval.value == pytest.approx((80 + 99 + 80 + 100) / 553)
    assert rows["overall"].interval.low <= 3.25 / 6 <= rows["overall"].interval.high
    assert rows["single_object"].interval.low > 0.95  # Wilson: 80 of 80
    assert judged.coverage.line == "2,212 of 2,212 pictures judged (100.0 %), all 553 prompts complete"
    assert all(not row.note for row in rows.values())


def test_missing_pictures_show_and_differences_are_paired(test_data: Path, tmp_path: Path) -> None:
    benchmark, better = judged_real(test_data, tmp_path / "a.jsonl", right=lambda *_: True)
    _, worse = judged_real(
        test_data, tmp_path / "b.jsonl", right=lambda _, index: index % 2 == 0, missing=frozenset({0, 1, 2, 3, 4})
    )
    assert worse.coverage.line.startswith("2,207 of 2,212 pictures judged (99.8 %): 2 of 553 prompts lack")
    rows = {row.name: row for row in benchmark.rows(better, key=KEY, against=worse)}
    difference = rows["single_object"].difference
    assert difference is not None
    assert difference.count == 79  # the prompt without a picture is in neither
    # Prompt 1 has its pictures 1 to 3: one of three is right.
    assert difference.value == pytest.approx((78 * 0.5 + 2 / 3) / 79)
    any_of = rows["any of 4"].difference
    assert any_of is not None
    assert (any_of.count, any_of.value) == (551, 0)


def test_other_thresholds_are_said_and_have_another_fingerprint() -> None:
    scenes = [
        (Prompt(text=f"a photo of {name}", tags=("task:single_object",)), Scene(
            task="single_object", include=(Clause(name=name, count=1),)
        )) for name in ("a cup", "a dog")
    ]  # fmt: skip
    detector = GivenDetector(("a cup", "a dog"), {0: [seen("a cup", A, 0.35)], 1: [seen("a cup", A, 0.35)]})

    def benchmark(rules: Rules) -> GenevalBenchmark:
        return GenevalBenchmark(
            scenes, detector=detector, namer=SaysWhatIsWanted({}), rules=rules, images_per_prompt=1
        )  # fmt: skip

    usual, strict = benchmark(Rules()), benchmark(Rules(threshold=0.4))
    assert usual.fingerprint != strict.fingerprint
    pictures = Images(pixels=torch.stack([torch.zeros(3, 8, 8)] * 2))
    judgement = usual.judge(pictures, usual.prompts)
    assert judgement.scores.values.flatten().tolist() == [1, 0]
    assert judgement.reasons == ("", "1 a dog wanted, 0 found")
    assert strict.judge(pictures, strict.prompts).scores.values.flatten().tolist() == [0, 0]
    judged = Judged(
        model="m", prompts=usual.prompts, images_per_prompt=1, group=np.arange(2), names=("correct",),
        fingerprints=("f",), values=np.array([[1.0], [0.0]]), mask=np.ones((2, 1), dtype=bool),
    )  # fmt: skip
    assert strict.rows(judged, key=KEY)[0].note.startswith("not the published thresholds")
    assert [row.name for row in usual.rows(judged, key=KEY)] == ["overall", "single_object"]


def test_classes_that_the_detector_lacks_are_an_error(test_data: Path) -> None:
    scenes = read_scenes(test_data / "geneval" / "evaluation_metadata.jsonl")
    with pytest.raises(UsageError, match=r"the detector has no class .* \(79 of GenEval's\)"):
        GenevalBenchmark(scenes, detector=GivenDetector(("person",), {}), namer=SaysWhatIsWanted({}))


def test_the_self_test_is_made_of_golden_values() -> None:
    assert len(geometry_checks()) == 9
    assert len(rule_checks()) == 7
    assert all(check.passed for check in (*geometry_checks(), *rule_checks()))


def test_from_a_folder_with_real_parts(test_data: Path, tmp_path: Path) -> None:
    for name in ("evaluation_metadata.jsonl", "object_names.txt"):
        (tmp_path / name).write_bytes((test_data / "geneval" / name).read_bytes())
    save_tiny_mask2former(tmp_path / "detector", classes=80)
    clip = packaged_clip()
    config = GenevalBenchmark.Config(judge="clip", limit=2, images_per_prompt=2)
    benchmark = GenevalBenchmark.build(config, SuiteContext(folder=str(tmp_path), scorer=lambda _: clip))
    assert [prompt.tag("task") for prompt in benchmark.prompts] == [task for task in TASKS for _ in range(2)]
    checks = benchmark.self_test()
    assert all(check.passed for check in checks), [check for check in checks if not check.passed]
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        judged = run(benchmark, paint=NumberedPainter(), journal=journal, model="m", examples=0)
        reasons = [line.reason for line in journal.pictures.values()]
    assert judged.coverage.judged == 24
    assert judged.values.sum() == 0  # random weights are never as sure as 0.3 of one class among 80
    assert all(reason for reason in reasons)
    header = json.loads((tmp_path / "m.jsonl").read_text().splitlines()[0])
    assert header["fingerprint"] == benchmark.fingerprint
