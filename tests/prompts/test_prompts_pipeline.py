"""The whole pipeline: every rule catches what it is for, nothing is lost, what is not yours to use is not kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from rsidiff_samples import SAMPLES

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.prompts.corpora import read_prompts
from redraft.prompts.judgement import Judgement
from redraft.prompts.pipeline import CONSENT, PromptsConfig, build_prompts
from redraft.prompts.provenance import RULES, Built

KEY = Key(seed=0)
DOG = "a furry brown dog on a mossy rock in a jungle at sunset, oil painting"


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(text=text, source="test") for text in texts]


def crawled(test_data: Path) -> list[Prompt]:
    return prompts(*(row["prompt"] for row in json.loads((test_data / "imagereward" / "test.json").read_text())))


def fates(built: Built) -> dict[str, str]:
    """Original text -> the rule that dropped it, or "kept"."""
    return {entry.original.text: "kept" for entry in built.kept} | {
        entry.original.text: entry.rule for entry in built.dropped
    }


def test_the_nine_published_samples_go_through() -> None:
    for clean in (True, False):
        built = build_prompts(prompts(*SAMPLES), config=PromptsConfig(clean=clean), key=KEY)
        assert [entry.original.text for entry in built.kept] == list(SAMPLES)
        assert built.dropped == ()
        assert [entry.prompt.tag("style") for entry in built.kept] == ["concept-art"] * 8 + ["painting"]
        assert [bool(entry.removed) for entry in built.kept] == [clean] * 9
        for entry in built.kept:
            assert (entry.prompt.text == entry.original.text) is not clean


def test_each_rule_catches_its_own() -> None:
    caught = {
        "  ": "empty",
        "masterpiece, best quality, 8k": "empty",
        "x" * 2001: "too-long",
        "a nude woman on a mossy rock in a jungle": "toxic",
        "a furry brown dog <lora:dog:1> on a mossy rock in a jungle": "clarity",
        "a dog": "specificity",
        DOG: "kept",
        DOG.upper(): "duplicate",
        DOG + ", by greg rutkowski, trending on artstation": "duplicate",
        DOG.replace("furry", "hairy"): "near-duplicate",
        DOG.replace("brown", "black"): "kept",
    }
    built = build_prompts(prompts(*caught), config=PromptsConfig(near=0.7), key=KEY)
    assert fates(built) == caught
    assert built.read == len(caught)
    counts = built.dropped_by_rule()
    assert tuple(counts) == RULES
    assert sum(counts.values()) + len(built.kept) == built.read
    assert (counts["empty"], counts["duplicate"], counts["consent"]) == (2, 2, 0)
    reasons = {entry.original.text: entry.reason for entry in built.dropped}
    kept = Prompt(text=DOG).id
    assert reasons[DOG.upper()] == f"says what {kept} says"
    assert reasons[DOG.replace("furry", "hairy")].startswith(f"says what {kept} says (similarity 0.7")
    assert reasons["a dog"].startswith("0.07 < 0.5: words that describe: dog (+0.07)")
    assert reasons["a nude woman on a mossy rock in a jungle"] == "nude"
    assert reasons["masterpiece, best quality, 8k"] == "nothing but masterpiece, best quality, 8k"


def test_thresholds_of_zero_keep_all_that_can_be_painted() -> None:
    built = build_prompts(prompts("a dog", "?", "42"), config=PromptsConfig(clarity=0, specificity=0), key=KEY)
    assert [entry.original.text for entry in built.kept] == ["a dog", "?", "42"]


def test_liked_prompts_need_consent_and_leave_no_text_without_it() -> None:
    secret = "my private picture of a furry brown cat on a mat at night"
    liked = [
        Prompt(text="two red apples on a wooden table at noon, photo", tags=(CONSENT, "liked"), source="studio"),
        Prompt(text=secret, tags=("liked",), source="studio"),
        Prompt(text="a nude woman on a wooden table at noon", tags=(CONSENT,), source="studio"),
        Prompt(text=DOG.upper(), tags=(CONSENT,), source="studio"),
    ]
    built = build_prompts(prompts(DOG), config=PromptsConfig(), key=KEY, liked=liked)
    assert [entry.prompt.text for entry in built.kept] == [DOG, liked[0].text]
    # The consent stays with the prompt, so that it can be found when it is withdrawn.
    assert CONSENT in built.kept[1].prompt.tags
    # What a corpus has too is the corpus's.
    assert built.kept[0].original.source == "test"
    assert [entry.rule for entry in built.dropped] == ["consent", "toxic", "duplicate"]
    assert secret not in repr(built)
    assert built.by_source() == {"studio": {"read": 4, "kept": 1}, "test": {"read": 1, "kept": 1}}


def test_a_corpus_that_tells_the_style_is_believed() -> None:
    tagged = Prompt(text=DOG, tags=("style:woodcut",))
    (entry,) = build_prompts([tagged], config=PromptsConfig(), key=KEY).kept
    assert entry.prompt.tag("style") == "woodcut"


def test_ones_own_toxic_words() -> None:
    built = build_prompts(prompts(DOG, "a dog on a mossy rock in a jungle at night"), config=PromptsConfig(), key=KEY,
                          more_toxic=frozenset({"at night"}))  # fmt: skip
    assert [(entry.rule, entry.reason) for entry in built.dropped] == [("toxic", "at night")]


def test_the_prompts_are_read_one_at_a_time() -> None:
    """A stream is never held whole: what is dropped at once is not read ahead."""
    read: list[int] = []
    seen: list[tuple[int, str]] = []

    def stream() -> Iterator[Prompt]:
        for number in range(600):
            read.append(number)
            yield Prompt(text=f"{DOG}, thing number {number}")

    def progress(stage: str, done: int, total: int | None) -> None:
        seen.append((len(read), stage))
        assert total is None or done <= total

    build_prompts(stream(), config=PromptsConfig(), key=KEY, on_progress=progress)
    assert seen[:3] == [(1, "clean"), (257, "clean"), (513, "clean")]
    assert list(dict.fromkeys(stage for _, stage in seen)) == ["clean", "clarity", "specificity", "duplicates"]


def test_judges_and_embeddings_can_be_given() -> None:
    asked: list[int] = []

    def by_length(texts: Sequence[str]) -> list[Judgement]:
        asked.append(len(texts))
        return [Judgement(score=min(1.0, len(text) / 10), reasons=(f"{len(text)} signs",)) for text in texts]

    def on_a_line(texts: Sequence[str]) -> np.ndarray:
        return np.array([[float(len(text) > 12), len(text) / 1000] for text in texts])

    texts = ["ab", "abcdefgh", "abcdefghij", "k" * 20, "l" * 21, "m" * 40]
    config = PromptsConfig(clarity=0.5, specificity=0.9, keep=2)
    built = build_prompts(
        prompts(*texts), config=config, key=KEY, clarity=by_length, specificity=by_length, embed=on_a_line
    )
    assert asked == [6, 5]
    # Of the three long ones the middle one is nearest to their mean, (20 + 21 + 40) / 3 = 27.
    assert fates(built) == {
        "ab": "clarity", "abcdefgh": "specificity", "abcdefghij": "kept", "k" * 20: "diversity", "l" * 21: "kept",
        "m" * 40: "diversity",
    }  # fmt: skip
    assert [(entry.group, entry.clarity.reasons) for entry in built.kept] == [(0, ("10 signs",)), (1, ("21 signs",))]


def test_real_prompts_nothing_lost_and_the_split_is_stable(test_data: Path) -> None:
    everything = crawled(test_data)
    config = PromptsConfig(held_out=0.2)
    whole = build_prompts(everything, config=config, key=KEY)
    assert whole.read == len(everything) == 466
    # 343 kept and one toxic when the rules were written; a band against rules that stop working or run wild.
    assert 0.65 < len(whole.kept) / whole.read < 0.85
    assert whole.dropped_by_rule()["toxic"] <= 5
    assert len(whole.on("train")) + len(whole.on("held-out")) == len(whole.kept)
    # Binomial: 0.2 +- 4 standard deviations of about 350 draws.
    assert abs(len(whole.on("held-out")) / len(whole.kept) - 0.2) < 4 * (0.16 / len(whole.kept)) ** 0.5
    half = build_prompts(everything[:200], config=config, key=KEY)
    sides = {entry.prompt.text: entry.split for entry in whole.kept}
    assert all(sides[entry.prompt.text] == entry.split for entry in half.kept)
    assert build_prompts(everything, config=config, key=KEY) == whole


def test_building_from_what_was_built_keeps_all(test_data: Path) -> None:
    """Cleaned, judged and distinct prompts pass again, unchanged."""
    first = build_prompts(crawled(test_data), config=PromptsConfig(), key=KEY)
    again = build_prompts([Prompt(text=entry.prompt.text) for entry in first.kept], config=PromptsConfig(), key=KEY)
    assert [entry.prompt.text for entry in again.kept] == [entry.prompt.text for entry in first.kept]


def test_rows_are_read_back(tmp_path: Path) -> None:
    built = build_prompts(prompts(*SAMPLES), config=PromptsConfig(), key=KEY)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(entry.as_row()) + "\n" for entry in built.kept))
    assert read_prompts(path) == tuple(entry.prompt for entry in built.kept)


def test_diversity_keeps_at_most_so_many(test_data: Path) -> None:
    built = build_prompts(crawled(test_data), config=PromptsConfig(keep=50), key=KEY)
    assert len(built.kept) == 50
    assert len({entry.group for entry in built.kept}) == 50
    few = build_prompts(prompts(*SAMPLES), config=PromptsConfig(keep=50), key=KEY)
    assert len(few.kept) == 9


def test_nothing_left_says_what_happened() -> None:
    with pytest.raises(
        UsageError, match=r"none of 2 prompts is left \(1 by clarity, 1 by specificity\): lower the least"
    ):
        build_prompts(prompts("a dog", "a cat <lora:cat:1>"), config=PromptsConfig(), key=KEY)
    with pytest.raises(UsageError, match=r"none of 0 prompts is left \(nothing was read\)"):
        build_prompts([], config=PromptsConfig(keep=3), key=KEY)


@pytest.mark.parametrize("wrong", [{"clarity": 2}, {"near": 0}, {"keep": 0}, {"held_out": 1}, {"unknown": 1}])
def test_wrong_knobs(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PromptsConfig(**wrong)
