"""The suites: grouping of HPS v2, closed forms of distances, diversity, the world's rows, folders of pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_examples import RenderPainter, judged_by, judged_with, world
from PIL import Image

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.evaluation.benchmarks.benchmark import Benchmark
from redraft.evaluation.benchmarks.distribution import ClipFrechetBenchmark, closed_forms
from redraft.evaluation.benchmarks.diversity import DiversityBenchmark
from redraft.evaluation.benchmarks.features import InceptionFeatures, features_of_folder, judgement_of
from redraft.evaluation.benchmarks.hpsv2 import REWORDINGS, Hpsv2Benchmark, group_spread, read_styles
from redraft.evaluation.benchmarks.pictures import PictureFolder, read_picture
from redraft.evaluation.benchmarks.rows import mean_row, win_rate
from redraft.evaluation.benchmarks.runner import orders
from redraft.evaluation.benchmarks.scored import PromptsBenchmark
from redraft.evaluation.benchmarks.stability import by_size, by_wording
from redraft.evaluation.metrics import frechet_distance, kernel_distance, kernel_distances, kernel_subsets
from redraft.evaluation.suites import SuiteContext
from redraft.rewards.jpeg import JpegIncompressibilityScorer

KEY = Key(seed=5)


def jpeg() -> JpegIncompressibilityScorer:
    scorer = JpegIncompressibilityScorer.build(JpegIncompressibilityScorer.Config(), ModelContext(folder=""))
    assert isinstance(scorer, JpegIncompressibilityScorer)
    return scorer


class MeanColour:
    """Features that are the mean colour and its square: exact, and without a network."""

    fingerprint = "mean-colour"

    def image_features(self, images: Images) -> torch.Tensor:
        mean = images.pixels.mean(dim=(2, 3))
        return torch.cat([mean, mean**2], dim=1)


# --- HPS v2 ----------------------------------------------------------------------------------------------------------


def test_spread_is_the_population_std_of_ten_group_means() -> None:
    # Oracle C20: groups of 80 in file order with the means 0..9 have the population variance (10^2 - 1) / 12 = 8.25.
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(10, 80))
    noise -= noise.mean(axis=1, keepdims=True)
    scores = (np.arange(10.0)[:, None] + noise).ravel()
    mean, spread = group_spread(scores)
    assert mean == pytest.approx(4.5, abs=1e-12)
    assert spread == pytest.approx(8.25**0.5, abs=1e-12)
    shuffled = group_spread(rng.permutation(scores))[1]
    assert shuffled < 1  # file order matters
    assert group_spread(np.append(scores, 1000.0 * np.ones(30)))[1] == pytest.approx(8.25**0.5)
    # A picture that is not there moves no other one to another group.
    assert group_spread(np.where(np.arange(800) == 100, np.nan, scores))[1] == pytest.approx(8.25**0.5, abs=0.02)
    holed = np.append(np.nan, np.repeat(np.arange(10.0), 80)[1:])
    assert group_spread(holed) == (pytest.approx(np.nanmean(holed)), pytest.approx(8.25**0.5))
    with pytest.raises(UsageError, match="79 scores: a group has 80"):
        group_spread(scores[:79])


def test_the_real_photo_prompts_are_read_in_file_order(test_data: Path) -> None:
    prompts = read_styles(test_data / "hpsv2-photo")
    assert len(prompts) == 750
    first = (test_data / "hpsv2-photo" / "hps_v2_all.txt").read_text().splitlines()[0].strip()
    assert prompts[0].text == first
    assert {prompt.tag("style") for prompt in prompts} == {"photo"}


def test_rows_of_hps_are_a_hundred_times_the_cosine_by_style(tmp_path: Path) -> None:
    for style, count in (("anime", 160), ("photo", 90)):
        (tmp_path / f"{style}.json").write_text(json.dumps([f"{style} {number}" for number in range(count)]))
    benchmark = Hpsv2Benchmark.build(
        Hpsv2Benchmark.Config(judge="jpeg", wordings=("original", "a picture of")),
        SuiteContext(folder=str(tmp_path), scorer=lambda _: jpeg()),
    )
    assert isinstance(benchmark, Benchmark)
    assert len(benchmark.prompts) == 500
    assert benchmark.prompts[250].text == "a picture of anime 0"
    values = np.concatenate([np.repeat([0.2, 0.3], 80), np.full(90, 0.4), np.zeros(250)])
    rows = {row.name: row for row in benchmark.rows(judged_with(values), key=KEY)}
    assert list(rows) == ["average", "animation", "photo", "wording/a picture of"]
    assert rows["animation"].interval.value == pytest.approx(25)
    assert rows["animation"].details == {"group std": pytest.approx(5)}
    assert rows["average"].interval.value == pytest.approx(100 * values[:250].mean())
    assert rows["photo"].note == "90 of 800 prompts: not comparable with published tables"
    assert rows["wording/a picture of"].interval.value == 0


def test_hps_prompts_that_are_not_there_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no prompts of HPS v2: it must hold animation, concept-art, painting"):
        read_styles(tmp_path)
    (tmp_path / "photo.json").write_text("{}")
    with pytest.raises(UsageError, match=r"photo\.json is no list of texts"):
        read_styles(tmp_path)
    (tmp_path / "photo.json").write_text("[")
    with pytest.raises(UsageError, match=r"photo\.json cannot be read"):
        read_styles(tmp_path)


def test_rewordings_keep_the_words() -> None:
    text = "A red Bus on the road."
    said = {name: reword(text) for name, reword in REWORDINGS.items()}
    assert said == {
        "original": "A red Bus on the road.",
        "lower-case": "a red bus on the road",
        "a picture of": "a picture of a red Bus on the road.",
        "highly detailed": "A red Bus on the road, highly detailed",
    }


# --- distances -------------------------------------------------------------------------------------------------------


def test_closed_forms_of_the_frechet_distance() -> None:
    checks = closed_forms()
    assert [check.expected for check in checks] == ["25", "1", "1", "8", "0.771220448"]
    assert all(check.passed for check in checks)


def test_frechet_distance_is_symmetric_invariant_and_quadratic() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(40, 6)), 0.3 + rng.normal(size=(50, 6)) @ np.diag(np.linspace(0.5, 2, 6))
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    value = frechet_distance(first, second)
    assert frechet_distance(second, first) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(first @ rotation, second @ rotation) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(3 * first, 3 * second) == pytest.approx(9 * value, rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    # Fewer pictures than dimensions: singular covariances, on which general matrix roots fail.
    few = rng.normal(size=(5, 40))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_by_its_definition() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(part) for j, b in enumerate(part) if i != j])
        for part in (first, second)
    ]
    across = np.mean([kernel(a, b) for a in first for b in second])
    assert kernel_distance(first, second) == pytest.approx(sum(within) - 2 * across, rel=1e-12)
    assert kernel_distance(second, first) == pytest.approx(kernel_distance(first, second), rel=1e-12)
    with pytest.raises(UsageError, match="a kernel distance needs N,D and M,D of one extractor"):
        kernel_distance(first, second[:, :2])


def test_kernel_distances_of_many_subsets_are_those_of_each_alone() -> None:
    """More rows than one block has, so that sums over blocks are tried too."""
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(1100, 5)), 0.2 + rng.normal(size=(60, 5))
    kept = rng.uniform(size=(6, 1100)) < np.linspace(0.01, 1, 6)[:, None]
    kept_second = rng.uniform(size=(6, 60)) < 0.5
    alone = [kernel_distance(first[rows], second) for rows in kept]
    assert kernel_distances(first, second, kept=kept) == pytest.approx(alone, rel=1e-9)
    both = [kernel_distance(first[rows], second[others]) for rows, others in zip(kept, kept_second, strict=True)]
    assert kernel_distances(first, second, kept=kept, kept_second=kept_second) == pytest.approx(both, rel=1e-9)
    drawn = np.random.default_rng(KEY.entropy)
    subsets = [
        kernel_distance(first[drawn.permutation(1100)[:40]], second[drawn.permutation(60)[:40]]) for _ in range(5)
    ]
    assert kernel_subsets(first, second, key=KEY, subsets=5, size=40) == pytest.approx(subsets, rel=1e-9)
    kept[3] = False
    with pytest.raises(UsageError, match="at least 2 pictures each"):
        kernel_distances(first, second, kept=kept)


def test_kernel_distance_of_equal_distributions_is_zero_on_average() -> None:
    rng = np.random.default_rng(3)
    values = [kernel_distance(rng.normal(size=(60, 4)), rng.normal(size=(60, 4))) for _ in range(200)]
    # Unbiased: the mean of 200 lies within three standard errors of 0, and single ones are below it.
    assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5
    assert min(values) < 0
    subsets = kernel_subsets(rng.normal(size=(80, 4)), 1 + rng.normal(size=(80, 4)), key=KEY, subsets=20, size=40)
    assert len(subsets) == 20
    assert subsets.mean() > 0.5


def test_distances_of_judged_pictures_have_intervals_and_paired_differences() -> None:
    rng = np.random.default_rng(4)
    reference = rng.normal(size=(400, 4))
    near, far = rng.normal(size=(300, 4)) + 0.1, rng.normal(size=(300, 4)) + 0.6
    names = tuple(f"feature {index}" for index in range(4))
    benchmark = ClipFrechetBenchmark(
        judged_with(near, names=names).prompts, extractor=MeanColour(), reference=reference
    )
    one, other = judged_with(near, names=names), judged_with(far, model="far", names=names)
    rows = {row.name: row for row in benchmark.rows(one, key=KEY, against=other)}
    assert rows["frechet"].good == -1
    assert rows["frechet"].interval.value == pytest.approx(frechet_distance(near, reference), rel=1e-9)
    # True distances are 4 * 0.1^2 and 4 * 0.6^2, plus a bias of the sample size.
    difference = rows["frechet"].difference
    assert difference is not None
    assert difference.low < 4 * (0.01 - 0.36) < difference.high < 0
    assert rows["kernel"].interval.value == pytest.approx(kernel_distance(near, reference), rel=1e-9)
    assert rows["kernel"].difference is not None
    assert rows["kernel"].difference.high < 0
    assert set(rows["kernel"].details) == {"mean of 100 subsets", "std of subsets"}
    assert all(check.passed for check in benchmark.self_test())
    reference[-1] += 1
    other_references = ClipFrechetBenchmark(one.prompts, extractor=MeanColour(), reference=reference)
    assert other_references.fingerprint != benchmark.fingerprint


def test_a_distance_needs_a_reference_for_prompts_that_are_not_of_the_world() -> None:
    context = SuiteContext(prompts=(Prompt(text="a cat"),), scorer=lambda _: MeanColour())  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="a distance needs reference pictures"):
        ClipFrechetBenchmark.build(ClipFrechetBenchmark.Config(), context)


def test_inception_is_read_from_torchscript(tmp_path: Path) -> None:
    class Tiny(torch.nn.Module):
        def forward(self, pixels: torch.Tensor, return_features: bool) -> torch.Tensor:
            return pixels.float().mean(dim=(2, 3)) if return_features else pixels.float().flatten(1)

    path = tmp_path / "inception-2015-12-05.pt"
    torch.jit.script(Tiny()).save(str(path))
    features = InceptionFeatures(path).image_features(Images(pixels=torch.full((2, 3, 4, 4), 0.5)))
    assert torch.equal(features, torch.full((2, 3), 128.0))
    path.write_bytes(b"no network")
    with pytest.raises(UsageError, match="without it use the suite clip-fd"):
        InceptionFeatures(path)


def test_diversity_of_a_model_that_paints_one_picture_is_zero() -> None:
    prompts = [Prompt(text=f"p{number}") for number in range(6)]
    benchmark = DiversityBenchmark(prompts, extractor=MeanColour(), images_per_prompt=2)
    assert all(check.passed for check in benchmark.self_test())
    names = tuple("abc")
    rng = np.random.default_rng(6)
    various = judged_with(rng.normal(size=(12, 3)), names=names)
    same = judged_with(np.repeat(rng.normal(size=(6, 3)), 2, axis=0), names=names)
    group = np.arange(6).repeat(2)
    one, other = (
        type(judged)(**{**vars(judged), "group": group, "prompts": tuple(prompts), "images_per_prompt": 2})
        for judged in (various, same)
    )
    (row,) = benchmark.rows(other, key=KEY, against=one)
    assert row.interval.value == pytest.approx(0, abs=1e-12)
    assert row.difference is not None
    assert row.difference.high < 0
    with pytest.raises(UsageError, match="diversity compares at least 2 pictures a prompt"):
        DiversityBenchmark(prompts, extractor=MeanColour(), images_per_prompt=1)


# --- the world and rows ----------------------------------------------------------------------------------------------


def test_the_world_scores_true_renders_as_right_and_says_what_is_missing(tmp_path: Path) -> None:
    benchmark = world(prompts=36, tail=6)
    assert isinstance(benchmark, Benchmark)
    assert all(check.passed for check in benchmark.self_test())
    assert len(benchmark.self_test()) == 9
    judged = judged_by(benchmark, RenderPainter(), tmp_path / "right.jsonl")
    rows = {row.name: row for row in benchmark.rows(judged, key=KEY)}
    assert rows["overall"].interval.value == 1
    assert rows["overall"].interval.low < 1  # Wilson's: 36 right ones do not prove that all are
    wrong = judged_by(benchmark, RenderPainter(wrong=5), tmp_path / "wrong.jsonl", model="wrong")
    worse = benchmark.rows(wrong, key=KEY, against=judged)[0]
    assert worse.difference is not None
    assert worse.difference.high < 0
    assert worse.difference.value == pytest.approx(worse.interval.value - 1)


def test_a_share_stays_within_0_and_1() -> None:
    row = mean_row("x", judged_with(np.array([1.0] * 9 + [0.0])), head="score", key=KEY, unit="share")
    assert row is not None
    assert (row.interval.low, row.interval.high) == pytest.approx((0.595850, 0.982124), abs=1e-5)  # Wilson, 9 of 10
    strata = ["a"] * 5 + ["b"] * 5
    mixed = mean_row("x", judged_with(np.array([1.0] * 9 + [0.5])), head="score", key=KEY, unit="share", strata=strata)
    assert mixed is not None
    assert mixed.interval.high <= 1


def test_a_row_of_fewer_than_two_prompts_is_none() -> None:
    nearly = judged_with(np.array([1.0, np.nan, np.nan]))
    assert mean_row("x", nearly, head="score", key=KEY, unit="score") is None


def test_unlike_judges_are_never_compared() -> None:
    one, other = judged_with(np.arange(4.0)), judged_with(np.arange(4.0), model="n")
    unlike = type(other)(**{**vars(other), "fingerprints": ("g",)})
    with pytest.raises(UsageError, match="score of m and n has the fingerprints f and g"):
        mean_row("x", one, head="score", key=KEY, unit="score", against=unlike)
    shorter = judged_with(np.arange(3.0), model="n")
    with pytest.raises(UsageError, match="m and n were judged on other prompts"):
        mean_row("x", one, head="score", key=KEY, unit="score", against=shorter)


def test_win_rate_counts_ties_half_and_mirrors() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 4.0, np.nan]), np.array([0.0, 2.0, 5.0, 1.0, 7.0])
    wins = win_rate(first, second, key=KEY)
    assert (wins.value, wins.count) == (0.625, 4)
    assert win_rate(second, first, key=KEY).value == 0.375
    assert win_rate(first, second, key=KEY, good=-1).value == 0.375


def test_prompts_judged_by_any_scorer(tmp_path: Path) -> None:
    prompts = tuple(Prompt(text=f"a cat number {number}") for number in range(4))
    benchmark = PromptsBenchmark.build(
        PromptsBenchmark.Config(judge="jpeg"), SuiteContext(prompts=prompts, scorer=lambda _: jpeg())
    )
    assert isinstance(benchmark, Benchmark)
    assert all(check.passed for check in benchmark.self_test())
    with pytest.raises(UsageError, match="0 prompts: an interval needs at least 2; give --prompts FILE with more"):
        PromptsBenchmark.build(PromptsBenchmark.Config(), SuiteContext(scorer=lambda _: jpeg()))
    with pytest.raises(UsageError, match="the judge 'clip' is a scorer, and none can be built here"):
        PromptsBenchmark.build(PromptsBenchmark.Config(), SuiteContext(prompts=prompts))


def test_the_self_test_finds_a_judge_that_depends_on_the_batch() -> None:
    class Drifting:
        name, heads, fingerprint, differentiable = "drifting", ("drifting",), "d", False

        def score(self, images: Images, prompts: object) -> Scores:
            values = images.pixels.mean(dim=(1, 2, 3))[:, None] + len(images)
            return Scores(values=values, names=self.heads, fingerprints=("d",), mask=torch.ones_like(values).bool())

        def score_pixels(self, pixels: torch.Tensor, prompts: object) -> torch.Tensor:
            raise NotImplementedError

    benchmark = PromptsBenchmark([Prompt(text="a"), Prompt(text="b")], scorer=Drifting())
    assert [check.passed for check in benchmark.self_test()] == [True, True, False]


# --- stability -------------------------------------------------------------------------------------------------------


def test_a_clear_ranking_is_stable_and_a_noisy_one_is_not() -> None:
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(3, 400))
    clear = by_size({name: 2 * place + noise[place] for place, name in enumerate("abc")}, key=KEY, draws=50)
    assert [line.prompts for line in clear] == [10, 20, 40, 80, 160, 320]
    assert all(line.same_winner == 1 and line.kendall == 1 for line in clear[1:])
    noisy = by_size(dict(zip("abc", noise, strict=True)), key=KEY, draws=200)
    assert noisy[0].same_winner < 0.7
    assert noisy[-1].same_winner > noisy[0].same_winner


def test_wordings_that_turn_the_order_round_have_tau_minus_one() -> None:
    same, turned = {"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 3.0, "b": 2.0, "c": 1.0}
    lines = by_wording({"original": same, "other": turned})
    assert [line.kendall for line in lines] == [1, -1]
    assert lines[1].order == ("a", "b", "c")
    with pytest.raises(UsageError, match="every wording the same ones"):
        by_wording({"original": same, "other": {"a": 1.0}})


# --- folders of pictures ---------------------------------------------------------------------------------------------


def save(path: Path, *, size: tuple[int, int] = (8, 8), mode: str = "RGB", colour: object = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]


def test_layouts_of_picture_folders(tmp_path: Path) -> None:
    benchmark = world(prompts=12, images_per_prompt=2)
    save(tmp_path / "00000" / "samples" / "0000.png")
    save(tmp_path / "00000" / "samples" / "0001.jpg")
    save(tmp_path / "00003.png")
    folder = PictureFolder(tmp_path, benchmark)
    assert folder.found == 3
    with pytest.raises(UsageError, match=r"has no picture for world: name them 00000\.png"):
        PictureFolder(tmp_path / "nothing", benchmark)


def test_pictures_that_no_prompt_asks_for_are_named(tmp_path: Path) -> None:
    benchmark = world(prompts=12, images_per_prompt=2)
    save(tmp_path / "00003" / "samples" / "0000.png")
    save(tmp_path / "00003" / "grid.png")  # GenEval's own tool lays a sheet beside them
    for name in ("00012.png", "00003/samples/0002.png", "cover.jpg"):
        save(tmp_path / name)
    folder = PictureFolder(tmp_path, benchmark)
    assert folder.found == 1
    assert folder.unread == tuple(tmp_path / name for name in ("00003/samples/0002.png", "00012.png", "cover.jpg"))


def test_pictures_that_say_that_they_are_of_another_prompt(tmp_path: Path) -> None:
    benchmark = world(prompts=12, images_per_prompt=1)
    for place in (3, 4):
        save(tmp_path / f"{place:05d}" / "samples" / "0000.png")
    beside = tmp_path / "00003" / "metadata.jsonl"
    (tmp_path / "00004" / "metadata.jsonl").write_text("no JSON")
    beside.write_text(json.dumps({"tag": "counting", "prompt": benchmark.prompts[3].text}) + "\n")
    assert PictureFolder(tmp_path, benchmark).found == 2
    beside.write_text(json.dumps({"prompt": "a photo of a bench"}))
    with pytest.raises(UsageError, match=r"00003/metadata\.jsonl says that the pictures beside it are of 'a photo of"):
        PictureFolder(tmp_path, benchmark)


@pytest.mark.parametrize("below", ["", "samples"])
def test_pictures_named_by_their_text(tmp_path: Path, below: str) -> None:
    benchmark = world(prompts=12, images_per_prompt=2)
    text = benchmark.prompts[7].text
    for number in (10, 9, 11):
        save(tmp_path / below / f"{text}_{number:06d}.png", colour=(number, 0, 0))
    folder = PictureFolder(tmp_path, benchmark)
    pictures = [picture for picture in folder(orders(benchmark)) if picture is not None]
    assert [round(255 * float(picture[0, 0, 0])) for picture in pictures] == [9, 10]
    assert folder.unread == (tmp_path / below / f"{text}_000011.png",)


def test_the_first_prompts_of_each_style_keep_their_pictures(tmp_path: Path) -> None:
    for style in ("animation", "photo"):
        (tmp_path / f"{style}.json").write_text(json.dumps(["one", "two", "three"]))
    benchmark = Hpsv2Benchmark(read_styles(tmp_path), scorer=jpeg(), limit=2, wordings=("original", "lower-case"))
    assert [prompt.text for prompt in benchmark.prompts] == ["one", "two"] * 4
    own = [(stems[0], stems[-1]) for stems in benchmark.file_stems]
    assert own == [
        ("animation/00000", "00000"), ("animation/00001", "00001"), ("photo/00000", "00003"), ("photo/00001", "00004"),
        ("animation/00003", "00006"), ("animation/00004", "00007"), ("photo/00003", "00009"), ("photo/00004", "00010"),
    ]  # fmt: skip


@pytest.mark.parametrize("folder", ["animation", "anime"])
def test_styles_by_both_of_their_names(tmp_path: Path, folder: str) -> None:
    """The released tool writes `anime` and `paintings`, its tables say animation and painting."""
    (tmp_path / "anime.json").write_text(json.dumps(["one", "two"]))
    save(tmp_path / "pictures" / folder / "00001.jpg")
    benchmark = Hpsv2Benchmark(read_styles(tmp_path), scorer=jpeg())
    pictures = PictureFolder(tmp_path / "pictures", benchmark)(orders(benchmark))
    assert [picture is None for picture in pictures] == [True, False]


def test_styles_have_their_own_folders(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for style in ("animation", "photo"):
        (tmp_path / "data" / f"{style}.json").write_text(json.dumps(["one", "two"]))
        save(tmp_path / "pictures" / style / "00001.jpg", colour="red" if style == "photo" else "blue")
    benchmark = Hpsv2Benchmark(read_styles(tmp_path / "data"), scorer=jpeg())
    folder = PictureFolder(tmp_path / "pictures", benchmark)
    pictures = folder(orders(benchmark))
    assert [picture is None for picture in pictures] == [True, False, True, False]
    assert pictures[1] is not None
    assert pictures[3] is not None
    assert pictures[1][2].mean() > 0.9 > 0.1 > pictures[3][2].mean()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 51, (0.2, 0.2, 0.2)),
        ("RGBA", (0, 0, 0, 0), (1.0, 1.0, 1.0)),
        ("P", 0, (0.0, 0.0, 0.0)),
        ("CMYK", (0, 0, 0, 0), (1.0, 1.0, 1.0)),
        ("I;16", 257 * 51, (0.2, 0.2, 0.2)),
    ],
)
def test_pictures_of_every_kind(tmp_path: Path, mode: str, colour: object, expected: tuple[float, ...]) -> None:
    path = tmp_path / ("x.tiff" if mode == "CMYK" else "x.png")
    save(path, mode=mode, colour=colour)
    assert read_picture(path)[:, 0, 0].tolist() == pytest.approx(list(expected), abs=0.005)


def test_broken_pictures_and_bombs(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(UsageError, match=r"x\.png is no picture that can be read"):
        read_picture(tmp_path / "x.png")
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    with pytest.raises(UsageError, match="has 9000 x 9000 pixels: at most 64,000,000 are read"):
        read_picture(tmp_path / "bomb.png")


def test_features_of_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", colour="red")
    save(tmp_path / "sub" / "b.png", colour="blue", size=(4, 6))
    found = features_of_folder(MeanColour(), tmp_path)
    assert found[:, :3] == pytest.approx(np.array([[1, 0, 0], [0, 0, 1]]))
    with pytest.raises(UsageError, match="has no picture"):
        features_of_folder(MeanColour(), tmp_path / "nothing")
    judgement = judgement_of(MeanColour(), Images(pixels=torch.zeros(2, 3, 4, 4)))
    assert judgement.scores.values.shape == (2, 6)
