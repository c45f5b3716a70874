"""Logging in by name and password, with limits on guessing. Opens no session.

Attempts are counted in the store, so that several processes count together and a restart forgets nothing: of one name
from one address, of an address, and more loosely of a name, so that nobody can shut another person out at little cost.
Names and addresses are counted by keyed hashes; those of addresses change every day.
"""

from __future__ import annotations

from redraft.store.people import Account, folded
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.passwords import hash_password, outdated, verify_password

_OF_ADDRESS = 5
_OF_NAME = 10


def log_in(studio: Studio, *, name: str, password: str, address: str) -> Account:
    """The account with this name and password.

    Raises Refused: 401 `wrong_login`, the same for a wrong name, a wrong password and a disabled account; 429 after
    too many wrong ones.
    """
    attempts = _Attempts(studio, name=name, address=address)
    attempts.take()
    people = studio.workspace.people
    account = people.find(name)
    stored = None if account is None else people.password(account.id)
    right = verify_password(stored, password)
    if account is None or stored is None or not right or account.disabled:
        studio.metrics.logins.labels("wrong").inc()
        raise Refused(401, "wrong_login", "name or password is wrong: try again, or ask the administrator")
    attempts.give_back()
    studio.metrics.logins.labels("right").inc()
    if outdated(stored):
        # Not a change of the password: sessions stay, so this is entered only at a login, which opens a new one.
        people.set_password(account.id, hash_password(password), at=studio.now())
    return account


class _Attempts:
    """The attempts that one login counts for."""

    def __init__(self, studio: Studio, *, name: str, address: str) -> None:
        accounts, now = studio.settings.accounts, studio.now()
        self._counters, self._length = studio.workspace.counters, accounts.login_minutes * 60
        self._began = int(now // self._length) * self._length
        self._left = max(1, int(self._began + self._length - now))
        day = int(now // 86_400)
        who = studio.keys.blind("login name", folded(name))
        where = studio.keys.blind("login address", f"{day} {address}")
        self._owners = (
            (f"{who} {where}", accounts.wrong_logins),
            (where, accounts.wrong_logins * _OF_ADDRESS),
            (who, accounts.wrong_logins * _OF_NAME),
        )

    def take(self) -> None:
        """Count before the password is looked at, so that attempts at the same moment are all counted."""
        for place, (owner, most) in enumerate(self._owners):
            expires = float(self._began + 2 * self._length)
            if self._counters.take(owner, "login", window=str(self._began), most=most, expires_at=expires) is None:
                self._return(place)
                wait = self._left
                raise Refused(
                    429, "rate_limited", f"too many wrong passwords: wait {wait // 60 + 1} minutes", retry_after=wait
                )

    def give_back(self) -> None:
        """The password was right: this attempt does not count."""
        self._return(len(self._owners))

    def _return(self, most: int) -> None:
        for owner, _ in self._owners[:most]:
            self._counters.give_back(owner, "login", window=str(self._began))
