"""The keys that the studio signs with, in a file of the workspace that only its owner reads. Says not what is signed.

Several keys may check while one signs, so that a key can be replaced without breaking what is under way.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from redraft.core.errors import DamagedError
from redraft.store.files import make_folder, translate_os_errors

_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class SigningKeys:
    """Keys of HMAC-SHA256 by their names; `current` signs, all check."""

    current: str
    secrets: Mapping[str, bytes]

    @classmethod
    def load(cls, folder: Path) -> SigningKeys:
        """The keys of a workspace, made at the first call. Of several processes that make them, one wins.

        Raises DamagedError when the file is no such file, StorageError when it cannot be read or written.
        """
        path = folder / "secrets" / "signing.json"
        if not path.exists():
            _make(path)
        with translate_os_errors(path, needed=0):
            text = path.read_text(encoding="utf-8")
        try:
            found = json.loads(text)
            keys = {name: base64.b64decode(value, validate=True) for name, value in found["keys"].items()}
            current = found["current"]
            if len(keys[current]) < _BYTES:
                raise ValueError("the key is too short")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError(
                f"{path} holds no signing keys ({error}): remove it and new ones are made at the next start; links and "
                "asks that are under way then stop working"
            ) from error
        return cls(current=current, secrets=keys)

    def sign(self, purpose: str, data: bytes) -> str:
        """`NAME.SIGNATURE` of `data`; what is signed for one purpose is not valid for another."""
        return f"{self.current}.{_encode(_digest(self.secrets[self.current], purpose, data))}"

    def valid(self, purpose: str, data: bytes, signature: str) -> bool:
        """Whether one of the keys signed `data` for this purpose. Takes the same time wherever they differ."""
        name, _, given = signature.partition(".")
        key = self.secrets.get(name)
        # Compared as bytes: the comparison refuses texts that are not ASCII, and this comes from outside.
        return key is not None and hmac.compare_digest(
            _encode(_digest(key, purpose, data)).encode(), given.encode("utf-8", "replace")
        )

    def blind(self, purpose: str, text: str) -> str:
        """A keyed hash of a text that should be recognised but not kept, such as an address: 32 hexadecimal digits."""
        return _digest(self.secrets[self.current], f"blind {purpose}", text.encode()).hex()[:32]


def _digest(key: bytes, purpose: str, data: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + data, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _make(path: Path) -> None:
    make_folder(path.parent)
    name = secrets.token_hex(4)
    text = json.dumps({"current": name, "keys": {name: base64.b64encode(secrets.token_bytes(_BYTES)).decode()}})
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    with translate_os_errors(path, needed=len(text)):
        path.parent.chmod(0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # A link does not replace: the first of several processes wins, and all read its file.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
