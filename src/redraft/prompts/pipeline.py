"""Raw prompts to a clear, specific, diverse set, with the way of every single one. Reads and writes no file.

RSIDiff's prompt construction (arXiv 2502.09963, section 3.2) after the cleaning of HPD v2 (arXiv 2306.09341): consent,
cleaning, clarity, specificity, duplicates, diversity, split. The order is the order of the rules in `provenance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.prompts.clarity import judge_clarity
from redraft.prompts.cleaning import clean_style_words, style_of, toxic_terms
from redraft.prompts.corpora import LONGEST
from redraft.prompts.diversity import Embed, choose_diverse, embed_by_words
from redraft.prompts.duplicates import NEAR, find_duplicates
from redraft.prompts.judgement import Judge, Judgement
from redraft.prompts.provenance import Built, Dropped, Kept, Rule
from redraft.prompts.specificity import judge_specificity
from redraft.prompts.splits import split_of

CONSENT = "consent:training"
"""The tag of a person's prompt that says: its author agreed to training on it."""
JUDGED_AT_ONCE = 256
UNJUDGED = Judgement(score=0.0, reasons=("not judged yet",))

Progress = Callable[[str, int, int | None], None]
"""Stage, prompts done, prompts in all (None while nobody knows)."""


class PromptsConfig(Config):
    """The knobs of the pipeline."""

    clean: bool = Field(default=True, description="take out artists, web sites and praise")
    clarity: float = Field(default=0.5, ge=0, le=1, description="least score; 0 keeps all")
    specificity: float = Field(default=0.5, ge=0, le=1, description="least score; 0 keeps all")
    near: float = Field(default=NEAR, gt=0, le=1, description="similarity of near duplicates")
    keep: int | None = Field(default=None, ge=1, description="most prompts to keep, chosen for diversity; unset: all")
    groups: int | None = Field(default=None, ge=1, description="groups of the diversity step; unset: keep, at most 500")
    held_out: float = Field(default=0.1, ge=0, lt=1, description="share of the texts that training never sees")


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A prompt on its way."""

    original: Prompt
    prompt: Prompt
    removed: tuple[str, ...]
    style_terms: tuple[str, ...]
    clarity: Judgement = UNJUDGED
    specificity: Judgement = UNJUDGED
    group: int | None = None

    def dropped(self, rule: Rule, reason: str) -> Dropped:
        return Dropped(original=self.original, rule=rule, reason=reason)


def build_prompts(
    prompts: Iterable[Prompt],
    *,
    config: PromptsConfig,
    key: Key,
    liked: Iterable[Prompt] = (),
    clarity: Judge = judge_clarity,
    specificity: Judge = judge_specificity,
    embed: Embed | None = None,
    more_toxic: frozenset[str] = frozenset(),
    on_progress: Progress | None = None,
) -> Built:
    """Run the pipeline. Of duplicates the first stays, so put the corpus that you trust most first.

    liked: prompts of people, taken only with the tag `consent:training`; they come after all others, so that what a
    corpus has too is kept without a person behind it. embed: for the diversity step; by default TF-IDF of the words.
    more_toxic: further toxic terms in normal form. The prompts are read one at a time, so they may be a stream.

    Raises UsageError when there is no prompt, or when none is left.
    """
    on_progress = on_progress or _silent
    dropped: list[Dropped] = []
    left = list(_cleaned(_consenting(prompts, liked, dropped), config, more_toxic, dropped, on_progress))
    left = _judged(left, "clarity", clarity, least=config.clarity, dropped=dropped, on_progress=on_progress)
    left = _judged(left, "specificity", specificity, least=config.specificity, dropped=dropped, on_progress=on_progress)
    on_progress("duplicates", 0, len(left))
    left = _distinct(left, config.near, dropped)
    if config.keep is not None:
        on_progress("diversity", 0, len(left))
        left = _diverse(left, config, embed, key, dropped)
    built = Built(kept=tuple(_kept(entry, config) for entry in left), dropped=tuple(dropped))
    if not built.kept:
        counts = ", ".join(f"{count} by {rule}" for rule, count in built.dropped_by_rule().items() if count)
        raise UsageError(
            f"none of {built.read:,} prompts is left ({counts or 'nothing was read'}): lower the least clarity or "
            "specificity, or give more prompts"
        )
    return built


def _silent(stage: str, done: int, total: int | None) -> None:
    del stage, done, total


def _consenting(prompts: Iterable[Prompt], liked: Iterable[Prompt], dropped: list[Dropped]) -> Iterator[Prompt]:
    yield from prompts
    for prompt in liked:
        if CONSENT in prompt.tags:
            yield prompt
        else:
            unsaid = Prompt(text="", source=prompt.source)
            dropped.append(
                Dropped(original=unsaid, rule="consent", reason=f"no tag {CONSENT!r}; its text is not kept here")
            )


def _cleaned(
    prompts: Iterable[Prompt],
    config: PromptsConfig,
    more_toxic: frozenset[str],
    dropped: list[Dropped],
    on_progress: Progress,
) -> Iterator[_Candidate]:
    for number, prompt in enumerate(prompts):
        if number % JUDGED_AT_ONCE == 0:
            on_progress("clean", number, None)
        fault = _first_fault(prompt, more_toxic)
        if fault is not None:
            dropped.append(fault)
            continue
        style, terms = style_of(prompt.text)
        cleaned = clean_style_words(prompt.text) if config.clean else None
        text, removed = (cleaned.text, cleaned.removed) if cleaned else (prompt.text, ())
        if not text:
            dropped.append(Dropped(original=prompt, rule="empty", reason=f"nothing but {', '.join(removed)}"))
            continue
        # A corpus that says the style itself knows better.
        tags = prompt.tags if prompt.tag("style") else (*prompt.tags, f"style:{style}")
        yield _Candidate(
            original=prompt, prompt=replace(prompt, text=text, tags=tags), removed=removed, style_terms=terms
        )


def _first_fault(prompt: Prompt, more_toxic: frozenset[str]) -> Dropped | None:
    if not prompt.text.strip():
        return Dropped(original=prompt, rule="empty", reason="no text")
    if len(prompt.text) > LONGEST:
        reason = f"{len(prompt.text):,} characters, more than {LONGEST:,}"
        return Dropped(original=prompt, rule="too-long", reason=reason)
    terms = toxic_terms(prompt, more=more_toxic)
    return Dropped(original=prompt, rule="toxic", reason=", ".join(terms)) if terms else None


def _judged(
    candidates: Sequence[_Candidate],
    rule: Rule,
    judge: Judge,
    *,
    least: float,
    dropped: list[Dropped],
    on_progress: Progress,
) -> list[_Candidate]:
    """Those with at least the score, each with its judgement."""
    left: list[_Candidate] = []
    for start in range(0, len(candidates), JUDGED_AT_ONCE):
        part = candidates[start : start + JUDGED_AT_ONCE]
        on_progress(rule, start, len(candidates))
        judgements = judge([entry.prompt.text for entry in part])
        for entry, judgement in zip(part, judgements, strict=True):
            if judgement.score < least:
                reason = f"{judgement.score:.2f} < {least:g}: {'; '.join(judgement.reasons) or 'no reason given'}"
                dropped.append(entry.dropped(rule, reason))
            elif rule == "clarity":
                left.append(replace(entry, clarity=judgement))
            else:
                left.append(replace(entry, specificity=judgement))
    return left


def _distinct(candidates: Sequence[_Candidate], near: float, dropped: list[Dropped]) -> list[_Candidate]:
    found = find_duplicates([entry.prompt.text for entry in candidates], threshold=near)
    for number, duplicate in found.items():
        first = candidates[duplicate.of].prompt.id
        rule: Rule = "duplicate" if duplicate.exact else "near-duplicate"
        reason = f"says what {first} says" + ("" if duplicate.exact else f" (similarity {duplicate.similarity:.2f})")
        dropped.append(candidates[number].dropped(rule, reason))
    return [entry for number, entry in enumerate(candidates) if number not in found]


def _diverse(
    candidates: Sequence[_Candidate], config: PromptsConfig, embed: Embed | None, key: Key, dropped: list[Dropped]
) -> list[_Candidate]:
    if not candidates or config.keep is None:
        return list(candidates)
    texts = [entry.prompt.text for entry in candidates]
    rows = embed_by_words(texts, key=key) if embed is None else embed(texts)
    chosen = choose_diverse(rows, count=config.keep, groups=config.groups, key=key)
    group = dict(zip(chosen.indices, chosen.groups, strict=True))
    for number, entry in enumerate(candidates):
        if number not in group:
            dropped.append(
                entry.dropped("diversity", f"{config.keep:,} others are nearer to the centres of their groups")
            )
    return [replace(candidates[number], group=group[number]) for number in chosen.indices]


def _kept(entry: _Candidate, config: PromptsConfig) -> Kept:
    split = split_of(entry.prompt.text, held_out=config.held_out)
    return Kept(
        prompt=replace(entry.prompt, tags=(*entry.prompt.tags, f"split:{split}")),
        original=entry.original,
        split=split,
        removed=entry.removed,
        style_terms=entry.style_terms,
        clarity=entry.clarity,
        specificity=entry.specificity,
        group=entry.group,
    )
