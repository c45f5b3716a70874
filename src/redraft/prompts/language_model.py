"""Clarity and specificity by an instruction-following language model from a folder. Not a chat, and no rewriting.

RSIDiff (arXiv 2502.09963, section 3.2) asks Llama 3; its instructions are not published, ours stand below. The score is
the probability of "yes" against "no" as the next word: no sampling, nothing to parse, the same on every run.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redraft.core.errors import NumericsError, UsageError
from redraft.prompts.judgement import Judgement

CLARITY_QUESTION = (
    "You select prompts for a text-to-image model. A prompt is clear when it names what is to be seen and everybody "
    "would picture the same: no ambiguity, no contradiction, no broken or meaningless text. Is this prompt clear? "
    "Answer with yes or no only.\n\nPrompt: {prompt}"
)
SPECIFICITY_QUESTION = (
    "You select prompts for a text-to-image model. A prompt is specific when it gives detailed attributes and context "
    "of the wanted picture, such as looks, number, place, light or composition; praise such as 'masterpiece' does not "
    "count. Is the following prompt specific? Answer with yes or no only.\n\nPrompt: {prompt}"
)
_YES = ("yes", "Yes", " yes", " Yes")
_NO = ("no", "No", " no", " No")


class LanguageModel:
    """A causal language model with its tokenizer, frozen. `judge` is the `Judge` of one question."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, texts_at_once: int = 8) -> None:
        """Take a loaded model. Raises UsageError when its tokenizer cannot tell "yes" from "no"."""
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.name, self.texts_at_once = tokenizer, name, texts_at_once
        yes, no = self._first_tokens(_YES), self._first_tokens(_NO)
        # Some tokenizers begin " yes" and " no" with the same token for the space: it tells nothing.
        self._yes, self._no = sorted(yes - no), sorted(no - yes)
        if not self._yes or not self._no:
            raise UsageError(
                f"the tokenizer of {name!r} gives 'yes' and 'no' no different tokens: give an instruction-following "
                "model that reads English"
            )

    @classmethod
    def open(cls, folder: Path, *, device: str = "cpu", texts_at_once: int = 8) -> LanguageModel:
        """Load a folder as transformers saves it, in the number format of its weights. Nothing is fetched.

        Raises UsageError when it holds no causal language model with a tokenizer.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"{str(folder)!r} holds no language model that can be read ({error}): give a folder with config.json, "
                "weights and tokenizer of a causal language model"
            ) from error
        return cls(model.to(device), tokenizer, name=folder.name, texts_at_once=texts_at_once)

    def judge(self, texts: Sequence[str], *, question: str) -> tuple[Judgement, ...]:
        """One judgement for each text: p(yes) / (p(yes) + p(no)) after the question, where `{prompt}` is the text.

        Raises NumericsError when the model gives NaN.
        """
        asked = [self._ask(question.replace("{prompt}", text)) for text in texts]
        scores: list[float] = []
        for start in range(0, len(asked), self.texts_at_once):
            scores.extend(self._scores(asked[start : start + self.texts_at_once]))
        return tuple(
            Judgement(score=score, reasons=(f"{self.name} says yes with probability {score:.3f}",)) for score in scores
        )

    def clarity(self, texts: Sequence[str]) -> tuple[Judgement, ...]:
        """The `Judge` of clarity."""
        return self.judge(texts, question=CLARITY_QUESTION)

    def specificity(self, texts: Sequence[str]) -> tuple[Judgement, ...]:
        """The `Judge` of specificity."""
        return self.judge(texts, question=SPECIFICITY_QUESTION)

    def _ask(self, text: str) -> list[int]:
        if self.tokenizer.chat_template:
            said = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
            )
            return list(self.tokenizer(said, add_special_tokens=False)["input_ids"])
        return list(self.tokenizer(f"{text}\nAnswer:")["input_ids"])

    def _scores(self, rows: Sequence[Sequence[int]]) -> list[float]:
        """The probability of yes against no after each row of tokens, in one batch padded on the left."""
        from transformers import BatchEncoding

        width = max(len(row) for row in rows)
        padded = {
            "input_ids": [[0] * (width - len(row)) + list(row) for row in rows],
            "attention_mask": [[0] * (width - len(row)) + [1] * len(row) for row in rows],
            # Counted from the first real token, so that the answer does not depend on who else is in the batch.
            "position_ids": [[0] * (width - len(row)) + list(range(len(row))) for row in rows],
        }
        inputs = dict(BatchEncoding(padded, tensor_type="pt").to(self.model.device))
        taken = inspect.signature(self.model.forward).parameters
        if "position_ids" not in taken:
            del inputs["position_ids"]
        if "logits_to_keep" in taken:
            inputs["logits_to_keep"] = 1
        logits = self.model(**inputs).logits[:, -1].float()
        yes, no = logits[:, self._yes].logsumexp(-1), logits[:, self._no].logsumexp(-1)
        scores = [float(score) for score in (yes - no).sigmoid()]
        if any(math.isnan(score) for score in scores):
            raise NumericsError(
                f"the language model {self.name!r} gives NaN: load it in a wider number format, or give another one"
            )
        return scores

    def _first_tokens(self, words: Sequence[str]) -> set[int]:
        """The first token of each spelling."""
        unknown = self.tokenizer.unk_token_id
        rows = (self.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words)
        return {int(row[0]) for row in rows if row and row[0] != unknown}
