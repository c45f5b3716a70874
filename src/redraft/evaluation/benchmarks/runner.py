"""Runs a benchmark on one model: paints, judges and records picture by picture, and goes on where it was stopped.

It computes no number (see the benchmark's `rows`) and knows no model: pictures come from a `Painter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Benchmark, Judged, Judgement, fingerprint_of
from redraft.evaluation.benchmarks.journal import Journal, PictureLine
from redraft.evaluation.drawing import thumbnail_uri

if TYPE_CHECKING:
    import torch

BATCH = 16
EXAMPLES = 6
OnPicture = Callable[[int, int], None]
"""Told after each batch: pictures done (those of an earlier run too), pictures in all."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One picture to get: `number` counts all pictures of the run and alone decides its noise.

    prompt_number: place of the prompt in the benchmark. index: which picture of this prompt, from 0.
    """

    number: int
    prompt: Prompt
    prompt_number: int
    index: int


Painter = Callable[[Sequence[Order]], "Sequence[torch.Tensor | None]"]
"""Gives for each order a picture 3,H,W, float in 0..1, or None where there is none (then it is missing, and shown so).

The same order must always give the same picture, whatever else is ordered with it.
"""


@runtime_checkable
class FromFiles(Protocol):
    """A painter that reads files, which may be others when a run goes on."""

    def source(self, order: Order) -> str:
        """Hash of the file of this order, "" where there is none."""
        ...


def orders(benchmark: Benchmark) -> tuple[Order, ...]:
    """Every picture of a run, prompt by prompt."""
    count = benchmark.images_per_prompt
    return tuple(
        Order(number=place * count + index, prompt=prompt, prompt_number=place, index=index)
        for place, prompt in enumerate(benchmark.prompts)
        for index in range(count)
    )


def header_of(benchmark: Benchmark, *, model: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal says of itself: benchmark, its fingerprint, the model, and how the pictures were made."""
    return {
        "benchmark": benchmark.name,
        "fingerprint": benchmark.fingerprint,
        "prompts": len(benchmark.prompts),
        "prompts_hash": fingerprint_of(*(prompt.id for prompt in benchmark.prompts)),
        "images_per_prompt": benchmark.images_per_prompt,
        "model": model,
        **made,
    }


def run(
    benchmark: Benchmark,
    *,
    paint: Painter,
    journal: Journal,
    model: str,
    batch: int = BATCH,
    examples: int = EXAMPLES,
    on_picture: OnPicture | None = None,
) -> Judged:
    """Judge every picture that the journal does not have yet, then give all of them.

    Killed at any moment and called again with the same journal, no picture that was recorded is painted or judged a
    second time. Pictures that could not be had are asked for again.

    Args:
        benchmark: what to run.
        paint: where pictures come from.
        journal: where judgements go, and where those of an earlier run are.
        model: how the model is called.
        batch: pictures painted, judged and recorded at once.
        examples: of how many prompts, spread evenly, a small copy of the first picture is kept for the page.
        on_picture: told of the progress.

    Raises:
        NumericsError: when a score is not finite.
        UsageError: when the painter or the judge gives another number of answers than asked, or no picture at all;
            when files that were judged before are others now.
    """
    wanted = orders(benchmark)
    shown = set(example_places(len(benchmark.prompts), examples))
    source = paint.source if isinstance(paint, FromFiles) else None
    if source is not None:
        journal.require_sources(lambda number: source(wanted[number]))
    open_orders = [order for order in wanted if order.number not in journal.pictures]
    done = len(wanted) - len(open_orders)
    if on_picture is not None:
        on_picture(done, len(wanted))
    for start in range(0, len(open_orders), batch):
        part = open_orders[start : start + batch]
        pictures = paint(part)
        if len(pictures) != len(part):
            raise UsageError(f"the painter gave {len(pictures)} pictures for {len(part)} orders: it must answer each")
        for same in _same_size(part, pictures):
            _judge(benchmark, same, journal=journal, shown=shown, source=source)
        done += len(part)
        if on_picture is not None:
            on_picture(done, len(wanted))
    return judged_of(benchmark, journal, model=model)


def judged_of(benchmark: Benchmark, journal: Journal, *, model: str) -> Judged:
    """What the journal holds. Raises UsageError when it has no picture."""
    lines = [journal.pictures[number] for number in sorted(journal.pictures)]
    if not lines:
        raise UsageError(f"no picture of {model} was judged: {benchmark.name} needs pictures; check where they are")
    values = np.array([[np.nan if value is None else value for value in line.values] for line in lines])
    return Judged(
        model=model,
        prompts=benchmark.prompts,
        images_per_prompt=benchmark.images_per_prompt,
        group=np.array([line.prompt for line in lines], dtype=np.int64),
        names=tuple(name for name, _ in journal.heads),
        fingerprints=tuple(mark for _, mark in journal.heads),
        values=values,
        mask=np.isfinite(values),
    )


def example_places(prompts: int, count: int) -> tuple[int, ...]:
    """Up to `count` places of prompts at even distances."""
    number = min(prompts, count)
    return tuple(int((place + 0.5) * prompts / number) for place in range(number))


def noise_key(key: Key) -> Key:
    """The key from whose children, by number of the picture, the noise of a run is drawn: one for all models."""
    return key.child("benchmark", "noise")


def _same_size(
    part: Sequence[Order], pictures: Sequence[torch.Tensor | None]
) -> Iterator[list[tuple[Order, torch.Tensor]]]:
    """Neighbouring pictures of one size, those that are missing left out."""
    run_of_one: list[tuple[Order, torch.Tensor]] = []
    for order, picture in zip(part, pictures, strict=True):
        if picture is None:
            continue
        if run_of_one and run_of_one[0][1].shape != picture.shape:
            yield run_of_one
            run_of_one = []
        run_of_one.append((order, picture))
    if run_of_one:
        yield run_of_one


def _judge(
    benchmark: Benchmark, pairs: Sequence[tuple[Order, torch.Tensor]], *, journal: Journal, shown: set[int],
    source: Callable[[Order], str] | None,
) -> None:  # fmt: skip
    import torch

    from redraft.core.tensors import Images

    pixels = torch.stack([picture for _, picture in pairs]).float()
    judgement = benchmark.judge(Images(pixels=pixels), [order.prompt for order, _ in pairs])
    scores = judgement.scores.require_finite()
    _check(benchmark, judgement, len(pairs))
    journal.set_heads(scores.names, scores.fingerprints)
    values, mask = scores.values.double().tolist(), scores.mask.tolist()
    reasons = judgement.reasons or ("",) * len(pairs)
    journal.add(
        [
            PictureLine(
                number=order.number,
                prompt=order.prompt_number,
                values=tuple(value if known else None for value, known in zip(values[row], mask[row], strict=True)),
                reason=reasons[row],
                thumbnail=_thumbnail(picture) if order.index == 0 and order.prompt_number in shown else "",
                source=source(order) if source is not None else "",
            )
            for row, (order, picture) in enumerate(pairs)
        ]
    )


def _check(benchmark: Benchmark, judgement: Judgement, pictures: int) -> None:
    counts = {"scores": len(judgement.scores.values)}
    if judgement.reasons:
        counts["reasons"] = len(judgement.reasons)
    for what, count in counts.items():
        if count != pictures:
            raise UsageError(f"{benchmark.name} gave {count} {what} for {pictures} pictures: a judge answers for each")


def _thumbnail(picture: torch.Tensor) -> str:
    return thumbnail_uri(picture.float().permute(1, 2, 0).cpu().numpy())
