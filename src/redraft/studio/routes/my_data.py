"""One's own data: how much there is, all of it to take along, and erasing oneself with a receipt."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from redraft.core.errors import RedraftError
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body
from redraft.studio.times import iso

router = APIRouter(tags=["my data"])
Owner = Annotated[Person, Depends(require("account"))]
_PART = 256 * 1024


class DataCounts(BaseModel):
    """How many rows there are of the person, by table."""

    tables: dict[str, int]


class Erasing(Body):
    """The person's own name, typed, so that nobody erases themselves by a slip."""

    name: Annotated[str, Field(max_length=256)]


class ReceiptView(BaseModel):
    """What was removed, and which runs and checkpoints had learned from the person before."""

    receipt: str
    removed: dict[str, int]
    runs: list[str]
    checkpoints: list[str]
    at: str


@router.get("/api/v1/my-data")
def counts(studio: StudioDep, who: Owner) -> DataCounts:
    """What the studio holds of the person, counted."""
    found = Counter(table for table, _ in studio.workspace.personal_data.rows(who.id))
    return DataCounts(tables=dict(sorted(found.items())))


@router.get(
    "/api/v1/my-data/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def export(studio: StudioDep, who: Owner) -> StreamingResponse:
    """Everything of the person as a zip file: one JSON-lines file a table, and the pictures."""
    studio.audit("export", actor=who.id, subject=who.id)
    headers = {"Content-Disposition": 'attachment; filename="redraft-my-data.zip"'}
    return StreamingResponse(_archive(studio, who.id), media_type="application/zip", headers=headers)


@router.post("/api/v1/my-data/erase")
def erase(studio: StudioDep, who: Owner, body: Erasing, response: Response) -> ReceiptView:
    """Erase the account and all that is the person's. The next training set is without it."""
    if body.name.strip() != who.name:
        message = "the name does not match your account's: type it exactly as it is shown to erase yourself"
        raise Refused(400, "invalid_value", message, param="name")
    if who.via == "open":
        message = "an open studio has one person, who is always there: stop it and remove the workspace folder instead"
        raise Refused(409, "conflict", message)
    if "admin" in who.roles and _last_admin(studio, who.id):
        message = "you are the only administrator: make another one first, or nobody can look after this server"
        raise Refused(409, "conflict", message)
    receipt = studio.workspace.erasure.person(who.id, receipt=studio.new_id(), at=studio.now())
    studio.audit("erase person", actor=who.id, subject=who.id, receipt=receipt.id)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return ReceiptView(
        receipt=receipt.id,
        removed=receipt.removed,
        runs=list(receipt.runs),
        checkpoints=list(receipt.checkpoints),
        at=iso(receipt.at),
    )


def _last_admin(studio: Studio, user: str) -> bool:
    after = ""
    while page := studio.workspace.people.list(after=after, limit=200):
        if any("admin" in account.roles and not account.disabled and account.id != user for account in page):
            return False
        after = page[-1].login
    return True


class _Tail(io.RawIOBase):
    """A file that can only be written on: what was written is taken away part by part."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    @property
    def size(self) -> int:
        return self._size

    def take(self) -> bytes:
        data, self._parts, self._size = b"".join(self._parts), [], 0
        return data


def _archive(studio: Studio, user: str) -> Iterator[bytes]:
    """The zip file in parts, so that a large gallery needs no memory. Tables come one after the other."""
    tail, pictures = _Tail(), {}
    with zipfile.ZipFile(tail, "w", zipfile.ZIP_DEFLATED) as archive:
        name, file = "", None
        for table, row in studio.workspace.personal_data.rows(user):
            if table != name:
                if file is not None:
                    file.close()
                name, file = table, archive.open(f"{table}.jsonl", "w", force_zip64=True)
            if table == "gallery":
                pictures[row["id"]] = row["picture"]
            assert file is not None
            file.write(_line(row))
            if tail.size >= _PART:
                yield tail.take()
        if file is not None:
            file.close()
        for id, picture in pictures.items():
            try:
                data, media_type = (
                    studio.workspace.pictures.read(picture),
                    studio.workspace.pictures.media_type(picture),
                )
            except RedraftError:
                # A damaged file must not keep a person from all the rest; its row is in gallery.jsonl.
                continue
            archive.writestr(f"pictures/{id}.{media_type.removeprefix('image/')}", data, zipfile.ZIP_STORED)
            yield tail.take()
    yield tail.take()


def _line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row, default=_text, ensure_ascii=False) + "\n").encode()


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a row: add how it is written")
