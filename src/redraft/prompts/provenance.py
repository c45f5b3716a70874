"""What became of every prompt, and why: records of the pipeline, their rows, the counts. Decides and writes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, get_args

from redraft.core.records import Prompt
from redraft.prompts.judgement import Judgement
from redraft.prompts.splits import Split

Rule = Literal[
    "consent", "empty", "too-long", "toxic", "clarity", "specificity", "duplicate", "near-duplicate", "diversity"
]
RULES: tuple[Rule, ...] = get_args(Rule)
"""In the order in which they are applied; a prompt is dropped by the first that catches it."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A prompt that went through. `original` is as it was read; `removed` what cleaning took out.

    group: its group of the diversity step, None if there was none.
    """

    prompt: Prompt
    original: Prompt
    split: Split
    removed: tuple[str, ...]
    style_terms: tuple[str, ...]
    clarity: Judgement
    specificity: Judgement
    group: int | None

    def as_row(self) -> dict[str, Any]:
        """The row of a jsonl file; `read_prompts` reads it back."""
        return {
            "prompt": self.prompt.text,
            "id": self.prompt.id,
            "tags": list(self.prompt.tags),
            "source": self.prompt.source,
            "licence": self.prompt.licence,
            "split": self.split,
            "provenance": {
                "original": self.original.text,
                "removed": list(self.removed),
                "style_terms": list(self.style_terms),
                "clarity": {"score": self.clarity.score, "reasons": list(self.clarity.reasons)},
                "specificity": {"score": self.specificity.score, "reasons": list(self.specificity.reasons)},
                "group": self.group,
            },
        }


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A prompt that did not, as it was read, with the rule and the reason. Without consent its text is not kept."""

    original: Prompt
    rule: Rule
    reason: str

    def as_row(self) -> dict[str, Any]:
        """The row of a jsonl file. It says `dropped`, not `prompt`, so that no reader takes it for one."""
        return {"dropped": self.original.text, "source": self.original.source, "rule": self.rule, "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class Built:
    """The outcome of a build. `read` prompts came in: len(kept) + len(dropped)."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]

    @property
    def read(self) -> int:
        """How many prompts came in."""
        return len(self.kept) + len(self.dropped)

    def on(self, split: Split) -> tuple[Kept, ...]:
        """The kept prompts of one side."""
        return tuple(entry for entry in self.kept if entry.split == split)

    def dropped_by_rule(self) -> dict[str, int]:
        """How many each rule dropped, in the order of the rules, zeros too."""
        counts = Counter(entry.rule for entry in self.dropped)
        return {rule: counts[rule] for rule in RULES}

    def kept_by_style(self) -> dict[str, int]:
        """How many kept prompts carry each style tag, the most frequent first."""
        return dict(Counter(entry.prompt.tag("style") or "other" for entry in self.kept).most_common())

    def by_source(self) -> dict[str, dict[str, int]]:
        """For each source how many were read and kept."""
        read = Counter([entry.original.source for entry in self.kept])
        read.update(entry.original.source for entry in self.dropped)
        kept = Counter(entry.original.source for entry in self.kept)
        return {source: {"read": count, "kept": kept[source]} for source, count in sorted(read.items())}
