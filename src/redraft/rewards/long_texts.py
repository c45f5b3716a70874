"""Texts that are longer than a text tower reads: refused, cut with a report, or read in windows. Never cut in silence.

No network here: rows of token numbers in, rows that fit out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch

from redraft.core.errors import UsageError

LongTexts = Literal["refuse", "truncate", "windows"]
"""refuse: an error. truncate: cut before the end token, counted and named in a warning, as the published models do it.
windows: split into parts of equal length that are read one by one and averaged."""


@dataclass(frozen=True, kw_only=True)
class FittedRows:
    """Rows that fit, each from its start to its end token; text: for each row the text it is of; cut: texts cut."""

    rows: tuple[tuple[int, ...], ...]
    text: tuple[int, ...]
    cut: int = 0


def fit_rows(
    rows: Sequence[Sequence[int]], texts: Sequence[str], *, longest: int, policy: LongTexts, reader: str
) -> FittedRows:
    """Bring rows of tokens (start token first, end token last) to at most `longest` tokens each.

    reader: who reads them, for messages. Raises UsageError for a text that is too long where the policy is "refuse".
    """
    long = [index for index, row in enumerate(rows) if len(row) > longest]
    if long and policy == "refuse":
        text = texts[long[0]]
        raise UsageError(
            f"the text {text[:60]!r} has {len(rows[long[0]])} tokens, {reader} reads {longest}: shorten it, or set "
            "long_texts to 'truncate' or 'windows' in the scorer's table"
        )
    if long and policy == "truncate":
        warnings.warn(
            f"{len(long)} of {len(texts)} texts are longer than the {longest} tokens that {reader} reads and were cut "
            f"before their end token; the first is {texts[long[0]][:60]!r}. Shorten them, use a model that reads more, "
            "or set long_texts to 'windows' in the scorer's table",
            stacklevel=5,
        )
    fitted, text_of = [], []
    for index, row in enumerate(rows):
        for part in _parts(row, longest=longest, windows=policy == "windows"):
            fitted.append(part)
            text_of.append(index)
    return FittedRows(rows=tuple(fitted), text=tuple(text_of), cut=len(long) if policy == "truncate" else 0)


def _parts(row: Sequence[int], *, longest: int, windows: bool) -> list[tuple[int, ...]]:
    if len(row) <= longest:
        return [tuple(row)]
    if not windows:
        return [(*row[: longest - 1], row[-1])]
    start, middle, end = row[0], row[1:-1], row[-1]
    count = -(-len(middle) // (longest - 2))
    edges = [len(middle) * index // count for index in range(count + 1)]  # equal parts: each has the same weight
    return [(start, *middle[first:last], end) for first, last in pairwise(edges)]


def padded(rows: Sequence[Sequence[int]], *, padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of one width, and the mask that is 1 where a token stands: both B,N int64 on the CPU."""
    width = max(len(row) for row in rows)
    identifiers = torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return identifiers, mask


def averaged(values: torch.Tensor, text: Sequence[int], *, count: int) -> torch.Tensor:
    """The mean over its rows for each of `count` texts: values R,... to count,...; rows of no text are an error."""
    if len(text) == count:
        return values
    index = torch.as_tensor(text, device=values.device)
    total = torch.zeros(count, *values.shape[1:], dtype=values.dtype, device=values.device)
    rows = torch.bincount(index, minlength=count).to(values.dtype)
    return total.index_add(0, index, values) / rows.reshape(-1, *[1] * (values.ndim - 1))
