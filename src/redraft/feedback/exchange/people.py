"""Takes what tells who somebody is out of another project's file. The pseudonyms that stay are not secret.

A person's pseudonym is made from their e-mail address alone, so that it is the same in every file; who knows an address
can work out its pseudonym.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*")
_PERSONAL = frozenset((
    "email", "first_name", "last_name", "username", "created_username", "initials", "avatar", "phone",
))  # fmt: skip


def pseudonym(address: str) -> str:
    """What stands for the person with this e-mail address or name, in any letter case."""
    return f"person-{hashlib.sha256(address.strip().lower().encode(errors='surrogatepass')).hexdigest()[:16]}"


def rater_of(value: Any) -> str:
    """The rater that a number, a name, or an object about a person stands for; "" for nobody."""
    if isinstance(value, dict):
        known = value.get("id")
        value = known if known is not None else value.get("email") or value.get("username")
        if known is None and isinstance(value, str):
            return pseudonym(value) if value.strip() else ""
    if value is None or isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return pseudonym(value) if isinstance(value, str) and "@" in value else str(value)


def without_names(value: Any) -> Any:
    """A JSON value without names, and with a pseudonym for every e-mail address in its texts."""
    if isinstance(value, dict):
        return {key: without_names(item) for key, item in value.items() if key not in _PERSONAL}
    if isinstance(value, list):
        return [without_names(item) for item in value]
    if isinstance(value, str) and "@" in value:
        return _ADDRESS.sub(lambda found: pseudonym(found[0]), value)
    return value
