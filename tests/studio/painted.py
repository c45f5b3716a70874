"""Pictures and people for the tests of rating: rows and bytes as the engine would enter them, without an engine."""

from __future__ import annotations

import contextlib
import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from redraft.feedback.answer_ids import answer_id
from redraft.store.gallery import Painting
from redraft.store.people import Consent
from redraft.store.requests import Request
from redraft.studio.asking import AskView, decide_asks
from redraft.studio.context import Studio
from redraft.studio.identity.api_keys import add_key
from redraft.studio.identity.people import Person, person_of
from redraft.studio.identity.roles import scopes_of
from redraft.studio.times import iso
from tests.store.studio_rows import png
from tests.studio.running_studio import Clock, StudioApp, studio_app

EMBEDDING = "clip test"
_number = itertools.count(1)


def paint(
    studio: Studio,
    owner: str,
    *,
    count: int = 1,
    prompt: str = "a red cat",
    embedding: Sequence[float] | None = None,
    request: Mapping[str, Any] | None = None,
    **values: Any,
) -> list[Painting]:
    """`count` pictures of a new request of a person; `values` of the paintings, such as confidence=0.2."""
    number, now = next(_number), studio.now()
    made = Request(
        id=studio.new_id(), owner=owner, prompt=prompt, prompt_hash=f"{hash(prompt) & (2**64 - 1):016x}",
        base="builtin:sd", checkpoint=values.get("checkpoint", ""), steps=4, guidance=1.0, width=64, height=64,
        count=count, created_at=now, **(request or {}),
    )  # fmt: skip
    studio.workspace.requests.enter(made)
    paintings = [
        Painting(
            id=studio.new_id(), request=made.id, owner=owner, place=place, seed=number,
            picture=values.get("picture") or studio.workspace.pictures.put(png(number * 16 + place), at=now),
            base="builtin:sd",
            checkpoint="", confidence=0.5, weakest="clip", terms={"clip": 0.5, "aesthetic": 0.8, "unsafe": 0.9},
            fingerprints={"embedding": EMBEDDING}, facets={"semantics": 0.5}, created_at=now + place / 1000,
        )
        for place in range(count)
    ]  # fmt: skip
    paintings = [replace(painting, **values) for painting in paintings]
    data = None if embedding is None else struct.pack(f"<{len(embedding)}f", *embedding)
    vectors = {painting.id: (EMBEDDING, data) for painting in paintings} if data is not None else None
    studio.workspace.gallery.add(paintings, embeddings=vectors)
    return paintings


def person_named(studio: Studio, name: str) -> Person:
    """The person of an account, as routes know them."""
    account = studio.workspace.people.find(name)
    assert account is not None, name
    return person_of(account, via="session", credential="a session")


def make_reviewer(studio: Studio, name: str, *, adult: bool = True, trained: bool = True, unsafe: bool = True) -> None:
    """Let a person review what leans unsafe; without one of the three they may not."""
    user = person_named(studio, name).id
    studio.workspace.people.set_reviewing(user, adult=adult, trained_reviewer=trained, at=studio.now())
    studio.workspace.people.set_consent(user, Consent(improve=True, unsafe=unsafe), at=studio.now())


def new_id(at: float = 1_800_000_000.0) -> str:
    """A fresh UUID of version 7."""
    number = next(_number)
    return answer_id(at=at, entropy=number * 0x9E3779B97F4A7C15F39C)


def answer(subject: str, form: str = "sliders", *, at: float = 1_800_000_000.0, **values: Any) -> dict[str, Any]:
    """An answer as a client sends it."""
    payloads: dict[str, dict[str, Any]] = {
        "sliders": {"semantics": 8, "coherence": 6}, "thumbs": {"up": True}, "duel": {"choice": "left"},
    }  # fmt: skip
    kinds = {"duel": "duel", "rank": "ranking"}
    made = {
        "id": new_id(at), "kind": kinds.get(form, "picture"), "subject": subject, "form": form,
        "payload": payloads.get(form, {}), "created_at": iso(at),
    }  # fmt: skip
    return {**made, **values}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person of their own for one test, with a key of every scope that is theirs."""

    id: str
    name: str
    client: TestClient
    studio: Studio

    @property
    def person(self) -> Person:
        """The person as routes know them now."""
        return person_named(self.studio, self.name)


def member(running: StudioApp, *, roles: tuple[str, ...] = ()) -> Member:
    """A new person, consenting that answers improve this instance; no password, so that tests need not hash one."""
    studio = running.studio
    id = studio.new_id()
    account = studio.workspace.people.create(id, name=f"person {id[:12]}", at=studio.now(), roles=roles)
    studio.workspace.people.set_consent(id, Consent(improve=True), at=studio.now())
    _, secret = add_key(
        studio.workspace, account, id=studio.new_id(), name="test", scopes=sorted(scopes_of(roles)), within=None,
        expires_at=None, at=studio.now(), actor=id,
    )  # fmt: skip
    return Member(id=id, name=account.name, client=running.program(secret), studio=studio)


@contextlib.contextmanager
def rating_studio(folder: Path, **settings: Any) -> Iterator[StudioApp]:
    """A studio with accounts whose clock stands, for many requests in no time."""
    many = {"requests_per_minute": 10**6, "address_requests_per_minute": 10**6, "wrong_keys_per_minute": 10**6}
    with studio_app(folder, clock=Clock(), authentication="accounts", limits=many, **settings) as running:
        running.studio.setup_token = None
        yield running


def clock_of(running: StudioApp) -> Clock:
    """The studio's clock, to be set forward."""
    clock = running.studio.clock
    assert isinstance(clock, Clock)
    return clock


def decide_ask(
    studio: Studio, person: Person, picture: str, *, session: str = "", first_confidence: float | None = None
) -> AskView | None:
    """Decide about one picture that is in the gallery already, as the studio does about those it just painted."""
    painting = studio.workspace.gallery.get(picture, owner=person.id).painting
    request = studio.workspace.requests.get(painting.request, owner=person.id)
    (view,) = decide_asks(studio, person, [(painting, first_confidence)], request=request, session=session)
    return view
