"""DPG-Bench's question trees and answers, and PartiPrompts by category and challenge."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_examples import journal_of
from detector_examples import NumberedPainter, numbered
from PIL import Image

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.evaluation.benchmarks.answers import FileAnswers, ScorerAnswers
from redraft.evaluation.benchmarks.benchmark import Benchmark
from redraft.evaluation.benchmarks.dpg import DpgBenchmark
from redraft.evaluation.benchmarks.dpg_rules import COLUMNS, Item, Question, effective, read_items, tree_score
from redraft.evaluation.benchmarks.partiprompts import PartipromptsBenchmark, read_partiprompts
from redraft.evaluation.benchmarks.runner import run
from redraft.evaluation.suites import SuiteContext
from redraft.rewards.jpeg import JpegIncompressibilityScorer

KEY = Key(seed=1)


def question(number: int, *parents: int, category: str = "entity") -> Question:
    return Question(number=number, text=f"question {number}?", parents=parents, category=category)


# --- trees -----------------------------------------------------------------------------------------------------------


def test_a_no_takes_away_what_depends_on_it() -> None:
    # 1 <- 2 <- 4, 1 and 3 <- 5; children may stand before their parents.
    tree = [question(4, 2), question(2, 1), question(5, 1, 3), question(3), question(1)]
    yes = dict.fromkeys(range(1, 6), True)
    assert tree_score(tree, yes) == 1
    cases = {1: {3}, 2: {1, 3, 5}, 3: {1, 2, 4}, 4: {1, 2, 3, 5}, 5: {1, 2, 3, 4}}
    for number, left in cases.items():
        counted = effective(tree, {**yes, number: False})
        assert {name for name, holds in counted.items() if holds} == left
    assert tree_score(tree, dict.fromkeys(range(1, 6), False)) == 0


def test_an_answer_never_helps_by_being_no() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        tree = [question(n, *(p for p in range(1, n) if rng.random() < 0.3)) for n in range(1, 8)]
        answers = {n: bool(rng.random() < 0.7) for n in range(1, 8)}
        for number in range(1, 8):
            assert tree_score(tree, {**answers, number: False}) <= tree_score(tree, answers)
        assert tree_score(tree, answers) <= sum(answers.values()) / 7


def write_csv(path: Path, rows: list[tuple[str, str, str, str, str]]) -> Path:
    """Rows of item, text, number, dependency, tuple."""
    header = [
        "item_id", "text", "keywords", "proposition_id", "dependency", "category_broad", "category_detailed", "tuple",
        "question_natural_language",
    ]  # fmt: skip
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for item, text, number, dependency, tuple_ in rows:
            writer.writerow([item, text, "", number, dependency, "", "", tuple_, f"Is it {number}?"])
    return path


ROWS = [
    ("a", "a red car, left of a tree", "1", "0", "entity - whole (car)"),
    ("a", "a red car, left of a tree", "2", "0", "entity - whole (tree)"),
    ("a", "a red car, left of a tree", "3", "1", "attribute - color (car, red)"),
    ("a", "a red car, left of a tree", "4", "1, 2", "relation - spatial (car, tree, left)"),
    ("b", "a dog", "1", "0", "entity - whole (dog)"),
]


def test_the_published_layout(tmp_path: Path) -> None:
    items = read_items(write_csv(tmp_path / "dpg_bench.csv", ROWS))
    assert [item.id for item in items] == ["a", "b"]
    assert items[0].questions[3] == Question(number=4, text="Is it 4?", parents=(1, 2), category="relation")
    second_header = [("item", "text", "proposition", "dependency", "tuple"), *ROWS]
    assert read_items(write_csv(tmp_path / "x.csv", second_header)) == items


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("b", "a dog", "2", "7", "entity (x)"), r"the questions of b depend on \[7\], which it does not have"),
        (("b", "a dog", "2", "2", "entity (x)"), "the questions of b depend on each other in a circle"),
        (("b", "a dog", "1", "0", "entity (x)"), "b has two questions of one number"),
        (("b", "a dog", "two", "0", "entity (x)"), "line 7 is no row of DPG-Bench"),
        (("b", "a dog", "2", "", "entity (x)"), "line 7 is no row of DPG-Bench"),
        (("b", "a dog", "2", "0", ""), "an empty cell"),
    ],
)
def test_trees_that_cannot_be_scored(tmp_path: Path, row: tuple[str, str, str, str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_items(write_csv(tmp_path / "dpg_bench.csv", [*ROWS, row]))


def test_files_that_are_no_dpg(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("item_id,text\n1,2\n")
    with pytest.raises(UsageError, match=f"lacks {', '.join(COLUMNS[2:])}"):
        read_items(tmp_path / "x.csv")
    with pytest.raises(UsageError, match=r"folder with dpg_bench\.csv by --data"):
        read_items(tmp_path / "y.csv")


# --- answers ---------------------------------------------------------------------------------------------------------


class RedIsYes:
    """A scorer of questions: the probability of yes is how red the picture is; of question 2 nothing is known."""

    name, heads, fingerprint, differentiable = "red", ("yes",), "red", False

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def score(self, images: Images, prompts: list[Prompt]) -> Scores:
        values = self.factor * images.pixels[:, 0].mean(dim=(1, 2))[:, None]
        mask = torch.tensor([["2" not in prompt.text] for prompt in prompts])
        return Scores(values=values, names=self.heads, fingerprints=("red",), mask=mask)

    def score_pixels(self, pixels: torch.Tensor, prompts: object) -> torch.Tensor:
        raise NotImplementedError


def test_a_scorer_answers_yes_above_a_half() -> None:
    item = Item(id="a", text="a", questions=(question(1), question(2), question(3)))
    assert ScorerAnswers(RedIsYes()).answer(torch.full((3, 4, 4), 0.51), item) == {1: True, 3: True}  # type: ignore[arg-type]
    assert ScorerAnswers(RedIsYes()).answer(torch.full((3, 4, 4), 0.5), item) == {1: False, 3: False}  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="judge 'red' gave 3 for a question: it must give the probability of yes"):
        ScorerAnswers(RedIsYes(6.0)).answer(torch.full((3, 4, 4), 0.5), item)  # type: ignore[arg-type]


def write_answers(folder: Path, answers: dict[tuple[str, int, int], str]) -> Path:
    """Answers by item, number of the picture, and question; pictures are written beside them."""
    lines = []
    for (item, number, asked), answer in answers.items():
        name = f"{number:05d}.png"
        levels = (numbered(number) * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(levels).save(folder / name)
        lines.append(json.dumps({"item_id": item, "picture": name, "proposition_id": asked, "answer": answer}))
    path = folder / "answers.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_answers_of_a_file_belong_to_the_pixels(tmp_path: Path) -> None:
    path = write_answers(tmp_path, {("a", 7, 1): "yes", ("a", 7, 2): "No"})
    answers = FileAnswers(path)
    item = Item(id="a", text="a", questions=(question(1), question(2)))
    assert answers.answer(numbered(7), item) == {1: True, 2: False}
    assert answers.answer(numbered(8), item) == {}
    assert answers.answer(numbered(7), Item(id="b", text="b", questions=(question(1),))) == {}
    path.write_text(path.read_text().replace("No", "maybe"))
    with pytest.raises(UsageError, match=r"line 2 is no answer .*'maybe'"):
        FileAnswers(path)
    path.write_text(
        "\n".join([path.read_text().splitlines()[0], path.read_text().splitlines()[0].replace("yes", "no")])
    )
    with pytest.raises(UsageError, match="line 2 contradicts an earlier answer to question 1 of a"):
        FileAnswers(path)
    (tmp_path / "00007.png").unlink()
    with pytest.raises(UsageError, match=r"00007\.png"):
        FileAnswers(path)


def test_dpg_from_a_folder(tmp_path: Path) -> None:
    write_csv(tmp_path / "dpg_bench.csv", [*ROWS, ("c", "a cat", "1", "0", "entity - whole (cat)")])
    given = {("a", 0, 1): "no", ("a", 0, 2): "yes", ("a", 0, 3): "yes", ("a", 0, 4): "yes", ("b", 1, 1): "yes"}
    path = write_answers(tmp_path, given)
    context = SuiteContext(folder=str(tmp_path))
    benchmark = DpgBenchmark.build(DpgBenchmark.Config(answers=str(path), images_per_prompt=1), context)
    assert isinstance(benchmark, Benchmark)
    assert all(check.passed for check in benchmark.self_test())
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        judged = run(benchmark, paint=NumberedPainter(), journal=journal, model="m", examples=0)
        reasons = [journal.pictures[number].reason for number in range(3)]
    assert reasons == ["Is it 1?; and 2 that presuppose these", "", "a question has no answer"]
    assert judged.coverage.line == "2 of 3 pictures judged (66.7 %): 1 of 3 prompts lack pictures"
    rows = {row.name: row for row in benchmark.rows(judged, key=KEY, against=judged)}
    # Item a: of four questions only the tree counts; item b: all.
    assert rows["overall"].interval.value == pytest.approx(100 * (0.25 + 1) / 2)
    assert rows["entity"].interval.value == pytest.approx(100 * (0.5 + 1) / 2)
    assert rows["entity"].details == {"questions": pytest.approx(100 * 2 / 3)}
    assert list(rows) == ["overall", "entity"]  # attribute and relation are asked of one prompt only
    for config in (DpgBenchmark.Config(), DpgBenchmark.Config(judge="x", answers="y")):
        with pytest.raises(UsageError, match="say who answers, either --judge NAME"):
            DpgBenchmark.build(config, context)
    with pytest.raises(UsageError, match="1 prompts of DPG-Bench"):
        DpgBenchmark(read_items(tmp_path / "dpg_bench.csv")[:1], answerer=FileAnswers(path))


def test_dpg_with_a_judge_of_questions(tmp_path: Path) -> None:
    rows = [row for row in ROWS if row[2] != "2" and row[3] != "1, 2"]
    write_csv(tmp_path / "dpg_bench.csv", rows)
    benchmark = DpgBenchmark.build(
        DpgBenchmark.Config(judge="red", images_per_prompt=1),
        SuiteContext(folder=str(tmp_path), scorer=lambda _: RedIsYes()),  # type: ignore[arg-type, return-value]
    )
    pictures = torch.stack([torch.ones(3, 4, 4), torch.zeros(3, 4, 4)])
    judgement = benchmark.judge(Images(pixels=pictures), benchmark.prompts)
    assert judgement.scores.head("score").tolist() == [1, 0]
    assert judgement.scores.names == ("score", "yes to entity", "yes to attribute")
    assert bool(judgement.scores.mask.all())


# --- PartiPrompts ----------------------------------------------------------------------------------------------------


def jpeg() -> JpegIncompressibilityScorer:
    scorer = JpegIncompressibilityScorer.build(JpegIncompressibilityScorer.Config(), ModelContext(folder=""))
    assert isinstance(scorer, JpegIncompressibilityScorer)
    return scorer


def test_the_real_partiprompts(test_data: Path) -> None:
    prompts = read_partiprompts(test_data / "partiprompts" / "PartiPrompts.tsv")
    assert len(prompts) == len({prompt.id for prompt in prompts}) == 1632
    categories = Counter(prompt.tag("category") for prompt in prompts)
    assert (len(categories), categories["Animals"], categories["Indoor Scenes"]) == (12, 314, 40)
    challenges = Counter(prompt.tag("challenge") for prompt in prompts)
    assert (len(challenges), challenges["Basic"]) == (11, 272)
    assert any('The words "Fly an airplane" are written' in prompt.text for prompt in prompts)


def test_partiprompts_by_category_and_challenge(test_data: Path, tmp_path: Path) -> None:
    context = SuiteContext(folder=str(test_data / "partiprompts"), scorer=lambda _: jpeg())
    benchmark = PartipromptsBenchmark.build(PartipromptsBenchmark.Config(judge="jpeg", limit=2), context)
    assert isinstance(benchmark, Benchmark)
    assert len(benchmark.prompts) == 24
    assert all(check.passed for check in benchmark.self_test())
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        judged = run(benchmark, paint=NumberedPainter(missing=frozenset({0})), journal=journal, model="m", examples=0)
    assert judged.coverage.judged == 23
    rows = {row.name: row for row in benchmark.rows(judged, key=KEY)}
    assert next(iter(rows)) == benchmark.scorers[0].heads[0]
    assert rows["category/Animals"].interval.count == 2
    assert "category/Abstract" not in rows  # one of its two pictures is missing: no interval of one prompt
    assert rows["category/Animals"].note == "24 of 1,632 prompts"
    animals = [prompt.tag("category") == "Animals" for prompt in benchmark.prompts]
    main = judged.per_prompt(judged.names[0])
    assert rows["category/Animals"].interval.value == pytest.approx(main[animals].mean())
    basic = np.array([prompt.tag("challenge") == "Basic" for prompt in benchmark.prompts])
    assert rows["challenge/Basic"].interval.value == pytest.approx(np.nanmean(main[basic]))


def test_two_judges_have_rows_of_their_own(tmp_path: Path) -> None:
    tags = ("category:Animals", "challenge:Basic")
    prompts = [Prompt(text=f"prompt {number}", tags=tags) for number in range(3)]
    benchmark = PartipromptsBenchmark(prompts, scorers=[jpeg(), RedIsYes()])  # type: ignore[list-item]
    pictures = Images(pixels=torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    judgement = benchmark.judge(pictures, prompts)
    assert judgement.scores.names[-1] == "yes"
    assert judgement.scores.mask[:, -1].tolist() == [True, True, False]
    with open(tmp_path / "m.jsonl", "a+b") as file:
        judged = run(
            benchmark, paint=NumberedPainter(), journal=journal_of(file, benchmark), model="m", examples=0
        )  # fmt: skip
    names = [row.name for row in benchmark.rows(judged, key=KEY)]
    assert "yes: category/Animals" in names
    with pytest.raises(UsageError, match="each with heads of its own name"):
        PartipromptsBenchmark(prompts, scorers=[jpeg(), jpeg()])


def test_files_that_are_no_partiprompts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give the folder with PartiPrompts\.tsv by --data"):
        read_partiprompts(tmp_path / "PartiPrompts.tsv")
    (tmp_path / "PartiPrompts.tsv").write_text("Prompt\tCategory\tChallenge\tNote\na dog\tAnimals\t\t\n")
    with pytest.raises(UsageError, match="line 2 lacks Prompt, Category or Challenge"):
        read_partiprompts(tmp_path / "PartiPrompts.tsv")
