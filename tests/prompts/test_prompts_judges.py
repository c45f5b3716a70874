"""Clarity and specificity by rules: faults one by one, monotone in detail, the published samples, real prompts."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from rsidiff_samples import SAMPLES

from redraft.core.errors import ConfigError
from redraft.prompts.clarity import judge_clarity
from redraft.prompts.cleaning import clean_style_words
from redraft.prompts.corpora import read_prompts
from redraft.prompts.judgement import Judgement
from redraft.prompts.specificity import judge_specificity


@pytest.mark.parametrize("text", SAMPLES)
@pytest.mark.parametrize("clean", [False, True])
def test_the_published_samples_pass_both_filters(text: str, clean: bool) -> None:
    text = clean_style_words(text).text if clean else text
    (clarity,), (specificity,) = judge_clarity([text]), judge_specificity([text])
    assert clarity.score == 1, clarity.reasons
    assert specificity.score >= 0.6, specificity.reasons


@pytest.mark.parametrize(
    ("text", "score", "reason"),
    [
        ("a red cat on a mat", 1.0, None),
        ("trending on artstation, 8k, by greg rutkowski", 0.4, "names nothing to be seen"),
        ("42 17 99", 0.0, "only 0 of 6 signs are letters"),
        ("красная кошка на ковре", 0.4, "19 of 19 letters are not Latin"),
        ("xqzrt bvvnkk", 0.4, "no words of a language: xqzrt, bvvnkk"),
        ("something with stuff on a table", 0.6, "vague: something, stuff"),
        ("a cat or a dog on a mat", 0.7, "leaves a choice: 'cat or a dog'"),
        ("can you draw a cat", 0.7, "speaks to an assistant"),
        ("a (cat:1.3) on a mat", 0.4, "syntax of another tool: '(cat:1.3)'"),
        ("a cat on a mat --ar 16:9", 0.4, "syntax of another tool"),
        ("a cat <lora:cat:1>", 0.4, "syntax of another tool: '<lora:cat:1>'"),
        ("a cat from https://example.org/cat", 0.4, "holds a link or an address"),
        ("write to jane@example.org, a cat", 0.4, "holds a link or an address"),
        ("a cat sitting on a", 0.7, "breaks off after 'a'"),
        ("a cat (sitting on a mat", 0.7, "has an open bracket"),
        ("cat cat cat cat cat cat cat dog", 0.4, "repeats itself: 2 different words of 8"),
    ],
)
def test_each_fault_has_its_price_and_its_reason(text: str, score: float, reason: str | None) -> None:
    (judgement,) = judge_clarity([text])
    assert judgement.score == pytest.approx(score)
    if reason is None:
        assert judgement.reasons == ()
    else:
        assert any(reason in given for given in judgement.reasons), judgement.reasons


def test_long_prompts_are_read_to_what_clip_reads() -> None:
    words = [f"thing{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(61)]
    assert judge_clarity([" ".join(words[:60])])[0].score == 1
    (long,) = judge_clarity([" ".join(words)])
    assert long == Judgement(score=0.7, reasons=("61 words: a text encoder reads about 60",))


def test_more_detail_never_scores_less() -> None:
    parts = [
        "a dog", "a furry dog", "a furry brown dog", "a furry brown dog on a rock",
        "a furry brown dog on a rock in a jungle", "a furry brown dog on a rock in a jungle at sunset",
        "a furry brown dog on a rock in a jungle at sunset, oil painting",
    ]  # fmt: skip
    scores = [judgement.score for judgement in judge_specificity(parts)]
    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(0.07)
    assert all(later > earlier for earlier, later in pairwise(scores))
    assert scores[-1] > 0.8


def test_specificity_adds_up_to_what_the_reasons_say() -> None:
    (judgement,) = judge_specificity(["two red cats on a mat at night, photo"])
    # cats, mat, night, red, two are words that describe; two and red attributes; on and at relate; night is light.
    assert judgement.score == pytest.approx(5 * 0.07 + 2 * 0.08 + 2 * 0.08 + 0.10 + 0.09)
    assert judgement.reasons == (
        "words that describe: two, red, cats, mat, night (+0.35)", "attributes: two, red (+0.16)",
        "relations and places: on, at (+0.16)", "light and framing: night (+0.10)", "medium: photo (+0.09)",
    )  # fmt: skip


def test_praise_adds_nothing_to_specificity() -> None:
    plain, praised = judge_specificity(
        ["a cat", "a cat, masterpiece, best quality, 8k, highly detailed, by greg rutkowski"]
    )
    assert praised.score == plain.score


def test_order_and_company_do_not_matter() -> None:
    texts = [*SAMPLES, "a cat", ""]
    for judge in (judge_clarity, judge_specificity):
        alone = [judge([text])[0] for text in texts]
        assert list(judge(texts)) == alone
        assert list(judge(texts[::-1])) == alone[::-1]
    assert judge_clarity([]) == ()


def test_captions_are_clear_and_single_objects_are_not_specific(test_data: Path) -> None:
    """Complete captions are clear; GenEval's "a photo of a bench" is clear and says little."""
    captions = [prompt.text for prompt in read_prompts(test_data / "hpsv2-photo" / "hps_v2_all.txt")]
    assert sum(judgement.score >= 0.5 for judgement in judge_clarity(captions)) >= 0.99 * len(captions)
    short = [prompt.text for prompt in read_prompts(test_data / "geneval" / "generation_prompts.txt")]
    assert all(judgement.score >= 0.5 for judgement in judge_clarity(short))
    single = [text for text in short if len(text.split()) == 5 and text.startswith("a photo of a ")]
    assert len(single) > 50
    assert all(judgement.score < 0.5 for judgement in judge_specificity(single))


@pytest.mark.parametrize(
    "text", ["and by " * 280, "(" * 2000, "art by " * 280, "highly " * 280, "- " * 1000, "a, " * 660]
)
def test_no_prompt_of_the_longest_length_takes_long(text: str) -> None:
    """Patterns that backtrack without bound would take minutes here; these take milliseconds."""
    began = time.process_time()
    clean_style_words(text)
    judge_clarity([text])
    judge_specificity([text])
    assert time.process_time() - began < 2


def test_a_score_is_between_0_and_1() -> None:
    with pytest.raises(ConfigError, match=r"a judgement of 1\.5: scores go from 0 to 1"):
        Judgement(score=1.5)
