"""Names and passwords: which are allowed, and Argon2id hashes. Stores nothing and counts no attempts."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from redraft.core.errors import UsageError

_LONGEST_NAME = 64
_LONGEST_PASSWORD = 256
# Each hash takes 64 MiB: a flood of logins waits here instead of taking the machine's memory.
_SLOTS = threading.BoundedSemaphore(2)
_HASHER = PasswordHasher()


def check_name(name: str) -> str:
    """A name as it is kept. Raises UsageError for an empty, long or unprintable one."""
    kept = unicodedata.normalize("NFC", name).strip()
    # Categories C: control, format (also those that turn the direction of text), surrogates, private use.
    hidden = any(unicodedata.category(character).startswith("C") for character in kept)
    if not kept or len(kept) > _LONGEST_NAME or hidden:
        raise UsageError(f"a name has 1 to {_LONGEST_NAME} visible characters: choose another")
    return kept


def check_password(password: str, *, name: str, least: int) -> None:
    """Raises UsageError for a password that is too short, too long or the name. Length is what counts, nothing else."""
    if len(password) < least:
        raise UsageError(f"the password has {len(password)} characters, at least {least} are needed: use some words")
    if len(password) > _LONGEST_PASSWORD:
        raise UsageError(f"the password is longer than {_LONGEST_PASSWORD} characters: use a shorter one")
    if password.casefold().strip() == name.casefold().strip():
        raise UsageError("the password is the name: choose another")


def hash_password(password: str) -> str:
    """The Argon2id hash with its salt and parameters."""
    with _SLOTS:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Takes as long when there is none, so that time tells nothing."""
    with _SLOTS:
        try:
            right = _HASHER.verify(stored or _nobodys(), password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
    return right and stored is not None


def outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_bytes(16))
