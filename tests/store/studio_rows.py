"""Rows for the tests of the studio's store: people, pictures, answers and decisions, small and with known content."""

from __future__ import annotations

import hashlib
import struct
import uuid
import zlib
from dataclasses import replace
from typing import Any

from redraft.store.answer_records import Answer
from redraft.store.asks import AskDecisionEntry, AskState
from redraft.store.gallery import Painting
from redraft.store.people import Consent
from redraft.store.requests import Request
from redraft.store.workspace import Workspace

DAY = "2026-11-21"


def uuid7(name: object) -> str:
    """A UUID of version 7 that depends on `name` alone."""
    digest = int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:16], "big")
    return str(uuid.UUID(int=digest & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62))


def person(space: Workspace, name: str, *, improve: bool = True, share: bool = False) -> str:
    """An account whose id is its name."""
    space.people.create(name, name=name, at=1.0)
    space.people.set_consent(name, Consent(improve=improve, share=share), at=1.0)
    return name


def answer(name: object, user: str, subject: str, **values: Any) -> Answer:
    """An answer to six sliders about a picture; its id depends on `name` alone."""
    made = Answer(
        id=uuid7(name),
        user=user,
        kind="picture",
        subject=subject,
        form="sliders",
        payload={"semantics": 7, "coherence": None, "text": "the cat has five legs"},
        created_at=10.0,
        received_at=11.0,
        day=DAY,
    )
    return replace(made, **values)


def request(name: str, owner: str, **values: Any) -> Request:
    """A request to paint one picture."""
    made = Request(
        id=name,
        owner=owner,
        prompt="a red cat",
        prompt_hash="0" * 16,
        base="builtin:sd",
        checkpoint="",
        steps=20,
        guidance=5.0,
        width=64,
        height=64,
        created_at=1.0,
    )
    return replace(made, **values)


def painting(name: str, owner: str, *, picture: str, request: str, **values: Any) -> Painting:
    """A painting of a request."""
    made = Painting(
        id=name, owner=owner, picture=picture, request=request, seed=7, base="builtin:sd", checkpoint="", created_at=1.0
    )
    return replace(made, **values)


def paint(space: Workspace, name: str, owner: str, *, shade: int = 0, **values: Any) -> Painting:
    """A painting in the store with a request of its own and the bytes of a real picture."""
    picture = space.pictures.put(png(shade), at=1.0)
    space.requests.enter(request(f"request of {name}", owner, created_at=values.get("created_at", 1.0)))
    made = painting(name, owner, picture=picture, request=f"request of {name}", **values)
    space.gallery.add([made])
    return made


def decision(name: str, user: str, subject: str, **values: Any) -> AskDecisionEntry:
    """A decision to ask."""
    made = AskDecisionEntry(
        id=name,
        user=user,
        kind="picture",
        subject=subject,
        form="sliders",
        confidence=0.3,
        weakest="aesthetic",
        threshold=0.4,
        rate=0.1,
        exploration=0.02,
        budget_left=2.0,
        probability=1.0,
        coin=0.5,
        outcome="shown",
        policy="v1",
        day=DAY,
        created_at=5.0,
        shown_at=5.0,
    )
    return replace(made, **values)


def ask(space: Workspace, made: AskDecisionEntry) -> None:
    """Enter a decision as if a rule had made it."""
    space.asks.decide(made.user, lambda _state, _known: (AskState(threshold=0.5, changed_at=made.created_at), [made]))


def png(shade: int) -> bytes:
    """A picture of one pixel."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes([0, shade % 256, shade // 256, 0]))), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body
