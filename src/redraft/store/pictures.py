"""Encoded pictures by content hash: PNG and WebP bytes. Does not decode them: that is the caller's work."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from redraft.core.errors import DamagedError, UsageError
from redraft.store.blobs import BLOBS, Blobs
from redraft.store.lookup import not_here
from redraft.store.schema import PictureRow
from redraft.store.transactions import Database, exclude_others

SUFFIXES = {"image/png": ".png", "image/webp": ".webp"}

_WAY_OUT = "put back a copy of the file, or make the picture again from its prompt and seed"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"


class Pictures:
    """The pictures of a workspace. They are added, never changed."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def put(self, data: bytes, *, at: float) -> str:
        """Keep an encoded picture; durable when it returns. Returns its id, the SHA-256 of the bytes.

        Raises UsageError when the bytes are not a whole PNG or WebP, StorageError when the disk is full.
        """
        return self.put_all([data], at=at)[0]

    def put_all(self, pictures: Sequence[bytes], *, at: float) -> list[str]:
        """The same for several, their files written together and their rows in one transaction."""
        found = {hashlib.sha256(data).hexdigest(): data for data in pictures}
        types = {id: _media_type(data) for id, data in found.items()}
        self._blobs.write_all((id, SUFFIXES[types[id]], data) for id, data in found.items())
        with self._database.writing() as connection:
            exclude_others(connection, BLOBS, shared=True)
            there = set(connection.scalars(sa.select(PictureRow.id).where(PictureRow.id.in_(found))))
            rows = [
                {"id": id, "media_type": types[id], "bytes": len(data), "created_at": at}
                for id, data in found.items()
                if id not in there
            ]
            if rows:
                connection.execute(sa.insert(PictureRow), rows)
        # A garbage collection may have run between file and row; now that the row is there it keeps the file.
        for id, data in found.items():
            self._blobs.ensure(id, SUFFIXES[types[id]], data)
        return [hashlib.sha256(data).hexdigest() for data in pictures]

    def read(self, id: str) -> bytes:
        """The bytes of a picture, verified. Raises UnknownNameError, or DamagedError when they were changed or lost."""
        suffix = SUFFIXES[self.media_type(id)]
        data = self._blobs.read(id, suffix, what="picture", way_out=_WAY_OUT)
        found = hashlib.sha256(data).hexdigest()
        if found != id:
            raise DamagedError(
                f"picture {id}: its file {self._blobs.path(id, suffix)} is damaged ({len(data):,} bytes; their SHA-256 "
                f"must be its name, but is {found}): {_WAY_OUT}"
            )
        return data

    def media_type(self, id: str) -> str:
        """`image/png` or `image/webp`. Raises UnknownNameError."""
        with self._database.reading() as connection:
            found = connection.scalar(sa.select(PictureRow.media_type).where(PictureRow.id == id))
            if found is None:
                recent = sa.select(PictureRow.id).order_by(PictureRow.created_at.desc()).limit(10)
                raise not_here("picture", id, connection.scalars(recent))
        return found


def _media_type(data: bytes) -> str:
    if data.startswith(_PNG_START):
        media_type, whole = "image/png", data.endswith(_PNG_END)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        # A RIFF file states the length of all that follows its first 8 bytes.
        media_type, whole = "image/webp", int.from_bytes(data[4:8], "little") == len(data) - 8
    else:
        raise UsageError(f"a picture that begins with {data[:12]!r} is neither PNG nor WebP: encode it as one of them")
    if not whole:
        raise UsageError(f"a picture of {len(data):,} bytes is {media_type} but cut off: send the whole file")
    return media_type
