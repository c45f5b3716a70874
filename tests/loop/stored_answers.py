"""A workspace with one person, her pictures and her answers, made through the store's own parts. Not a fixture file."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

from PIL import Image

from redraft.store.answer_records import Answer
from redraft.store.asks import AskDecisionEntry, Asks, AskState
from redraft.store.duels import Duel, Duels
from redraft.store.gallery import Gallery, Painting
from redraft.store.people import Consent, People
from redraft.store.requests import Request, Requests
from redraft.store.workspace import Workspace

ANNA = "anna"
PROMPT = "a red star"
_number = itertools.count(1)


def workspace_with_people(folder: Path, *, consent: bool = True) -> Workspace:
    space = Workspace.open(folder)
    people = People(space.database)
    people.create(ANNA, name="Anna", at=1.0)
    people.set_consent(ANNA, Consent(improve=consent), at=1.0)
    request = Request(
        id="request", owner=ANNA, prompt=PROMPT, prompt_hash="hash", base="builtin:sd3", checkpoint="", steps=4,
        guidance=1.0, width=64, height=64, created_at=1.0,
    )  # fmt: skip
    Requests(space.database).enter(request)
    return space


def painted(space: Workspace, colour: str) -> Painting:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(content, format="PNG")
    picture = space.pictures.put(content.getvalue(), at=1.0)
    painting = Painting(
        id=f"painting-{colour}", request="request", owner=ANNA, picture=picture, seed=1, base="builtin:sd3",
        checkpoint="", confidence=0.5, created_at=1.0,
    )  # fmt: skip
    Gallery(space.database).add([painting])
    return painting


def duel(space: Workspace, *, first: Painting, second: Painting, swapped: bool, choice: str) -> None:
    id = f"duel-{next(_number)}"
    Duels(space.database).issue(
        Duel(
            id=id, user=ANNA, experiment="", prompt_hash="hash", prompt=PROMPT, first=first.id, second=second.id,
            first_checkpoint="", second_checkpoint="", swapped=swapped, probability=0.5, issued_at=1.0, expires_at=9.0,
        )
    )  # fmt: skip
    _ingest(space, Answer(
        id=_uuid7(), user=ANNA, kind="duel", subject=id, form="duel", payload={"choice": choice}, created_at=2.0,
        received_at=2.0,
    ))  # fmt: skip


def thumb(space: Workspace, painting: Painting, mark: float, *, probability: float | None = None) -> None:
    _about(space, painting, form="thumbs", payload={"up": mark > 0.5}, mark=mark, probability=probability)


def sliders(space: Workspace, painting: Painting, payload: dict[str, Any], *, probability: float | None = None) -> None:
    _about(space, painting, form="sliders", payload=payload, mark=None, probability=probability)


def _about(
    space: Workspace, painting: Painting, *, form: str, payload: dict[str, Any], mark: float | None,
    probability: float | None,
) -> None:  # fmt: skip
    ask = None
    if probability is not None:
        ask = f"ask-{next(_number)}"
        entry = AskDecisionEntry(
            id=ask, user=ANNA, kind="picture", subject=painting.id, form=form, confidence=0.5, weakest="clip",
            threshold=0.4, rate=0.1, exploration=0.01, budget_left=3.0, probability=probability, coin=0.0,
            outcome="shown", policy="test", day="2026-01-01", created_at=1.5,
        )  # fmt: skip
        state = AskState(threshold=0.4, changed_at=1.5)
        Asks(space.database).decide(ANNA, lambda _before, _known: (state, [entry]))
    _ingest(space, Answer(
        id=_uuid7(), user=ANNA, kind="picture", subject=painting.id, form=form, payload=payload,
        mark=mark, ask=ask, created_at=2.0, received_at=2.0,
    ))  # fmt: skip


def _ingest(space: Workspace, answer: Answer) -> None:
    (outcome,) = space.answers.ingest([answer])
    assert outcome.status == "stored", outcome


def _uuid7() -> str:
    return f"00000000-0000-7000-8000-{next(_number):012x}"
