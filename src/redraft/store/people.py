"""Accounts: who somebody is, what they may, what they agreed to and how they want to be asked. Checks no password.

Password hashes are opaque text. Whether a role allows something is decided by the caller.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.schema_people import ApiKeyRow, SessionRow, UserRow
from redraft.store.transactions import Database, exclude_others


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a person agreed to: that answers improve this instance, go into released data; to review unsafe pictures."""

    improve: bool = False
    share: bool = False
    unsafe: bool = False


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a person wants to be asked. Quiet hours are minutes after local midnight; None: there are none."""

    less: bool = False
    opted_out: bool = False
    quiet_from: int | None = None
    quiet_until: int | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A person's account. login: the name as it is compared. cluster: accounts that share one budget of points."""

    id: str
    login: str
    name: str
    roles: tuple[str, ...] = ()
    external: str | None = None
    disabled: bool = False
    adult: bool = False
    trained_reviewer: bool = False
    consent: Consent = field(default_factory=Consent)
    asking: Asking = field(default_factory=Asking)
    preferences: Mapping[str, Any] = field(default_factory=dict)
    cluster: str | None = None
    created_at: float
    changed_at: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A person's taste: the bytes of a vector, and the fingerprint of what they are a vector for."""

    data: bytes
    fingerprint: str


class People:
    """The accounts of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        id: str,
        *,
        name: str,
        at: float,
        roles: Sequence[str] = (),
        password: str | None = None,
        external: str | None = None,
        first: bool = False,
    ) -> Account:
        """Make an account. `password` is a hash as opaque text, `external` the identity provider's name of the person.

        `first`: only if there is no account yet, so that of two who set up a server one becomes its administrator.
        Raises UsageError when the name (or the external name) is taken, and for `first` when there is an account.
        """
        account = Account(
            id=id, login=folded(name), name=name, roles=tuple(roles), external=external, created_at=at, changed_at=at
        )
        with self._database.writing() as connection:
            exclude_others(connection, "accounts")
            if first and connection.scalar(sa.select(UserRow.id).limit(1)) is not None:
                raise UsageError("this server has an account already: ask its administrator for one of your own")
            taken = UserRow.login == account.login
            if external is not None:
                taken = sa.or_(taken, UserRow.external == external)
            if connection.scalar(sa.select(UserRow.id).where(taken)) is not None:
                raise UsageError(f"the name {name!r} is taken (upper and lower case count as one): choose another")
            connection.execute(sa.insert(UserRow).values(**_values(account, password=password)))
        return account

    def count(self) -> int:
        """How many accounts there are."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(UserRow)) or 0

    def get(self, id: str) -> Account:
        """The account with this id, enabled or not. Raises UnknownNameError."""
        found = self._one(UserRow.id == id)
        if found is None:
            raise _nobody(id)
        return found

    def find(self, name: str) -> Account | None:
        """The account that logs in by this name, or None."""
        return self._one(UserRow.login == folded(name))

    def find_external(self, external: str) -> Account | None:
        """The account of whom an identity provider calls so, or None."""
        return self._one(UserRow.external == external)

    def password(self, id: str) -> str | None:
        """The hash of an account's password as it was given, None where there is none. Raises UnknownNameError."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(UserRow.password).where(UserRow.id == id)).one_or_none()
        if row is None:
            raise _nobody(id)
        found: str | None = row.password
        return found

    def list(self, *, after: str = "", limit: int = 100) -> tuple[Account, ...]:
        """Accounts by login, those after `after`. For administrators."""
        query = sa.select(*account_columns()).where(UserRow.login > after).order_by(UserRow.login).limit(limit)
        with self._database.reading() as connection:
            return tuple(account_of(row) for row in connection.execute(query))

    def rename(self, id: str, name: str, *, at: float) -> None:
        """Change what a person is called and logs in by. Raises UsageError when it is taken, UnknownNameError."""
        with self._database.writing() as connection:
            exclude_others(connection, "accounts")
            taken = sa.select(UserRow.id).where(UserRow.login == folded(name), UserRow.id != id)
            if connection.scalar(taken) is not None:
                raise UsageError(f"the name {name!r} is taken (upper and lower case count as one): choose another")
            _change(connection, id, {"name": name, "login": folded(name)}, at=at)

    def set_password(self, id: str, password: str | None, *, at: float) -> None:
        """Replace the hash of the password, and close every session. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _change(connection, id, {"password": password}, at=at)
            connection.execute(sa.delete(SessionRow).where(SessionRow.user == id))

    def set_roles(self, id: str, roles: Sequence[str], *, at: float) -> None:
        """Replace the roles. Raises UnknownNameError."""
        self._set(id, {"roles": list(roles)}, at=at)

    def set_disabled(self, id: str, disabled: bool, *, at: float) -> None:
        """Shut an account out (its sessions and keys end with it) or let it in again. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _change(connection, id, {"disabled": disabled}, at=at)
            if disabled:
                connection.execute(sa.delete(SessionRow).where(SessionRow.user == id))
                keys = sa.update(ApiKeyRow).where(ApiKeyRow.user == id, ApiKeyRow.revoked_at.is_(None))
                connection.execute(keys.values(revoked_at=at))

    def set_reviewing(self, id: str, *, adult: bool, trained_reviewer: bool, at: float) -> None:
        """Say whether the person is an adult, and trained to review what leans unsafe. Raises UnknownNameError."""
        self._set(id, {"adult": adult, "trained_reviewer": trained_reviewer}, at=at)

    def set_consent(self, id: str, consent: Consent, *, at: float) -> None:
        """Replace what the person agreed to. Raises UnknownNameError."""
        self._set(id, _consent(consent), at=at)

    def set_asking(self, id: str, asking: Asking, *, at: float) -> None:
        """Replace how the person wants to be asked. Raises UnknownNameError."""
        self._set(id, _asking(asking), at=at)

    def set_preferences(self, id: str, preferences: Mapping[str, Any], *, at: float) -> None:
        """Replace the settings of the person's page, JSON-able. Raises UnknownNameError."""
        self._set(id, {"preferences": dict(preferences)}, at=at)

    def set_cluster(self, ids: Sequence[str], cluster: str | None, *, at: float) -> None:
        """Put these accounts into one cluster, or into none. Raises UnknownNameError; then none was moved."""
        with self._database.writing() as connection:
            for id in sorted(ids):
                _change(connection, id, {"cluster": cluster}, at=at)

    def set_profile(self, id: str, profile: Profile | None, *, at: float) -> None:
        """Replace the person's taste; None forgets it. Raises UnknownNameError."""
        data, fingerprint = (None, "") if profile is None else (profile.data, profile.fingerprint)
        self._set(id, {"profile": data, "profile_fingerprint": fingerprint}, at=at)

    def profile(self, id: str) -> Profile | None:
        """The person's taste, or None. Raises UnknownNameError."""
        query = sa.select(UserRow.profile, UserRow.profile_fingerprint).where(UserRow.id == id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _nobody(id)
        return None if row.profile is None else Profile(data=row.profile, fingerprint=row.profile_fingerprint)

    def _one(self, condition: sa.ColumnElement[bool]) -> Account | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*account_columns()).where(condition)).one_or_none()
        return None if row is None else account_of(row)

    def _set(self, id: str, values: Mapping[str, Any], *, at: float) -> None:
        with self._database.writing() as connection:
            _change(connection, id, values, at=at)


def folded(name: str) -> str:
    """A name as it is compared: without differences of case, width and surrounding blanks."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _change(connection: sa.Connection, id: str, values: Mapping[str, Any], *, at: float) -> None:
    change = sa.update(UserRow).where(UserRow.id == id).values(**values, changed_at=at)
    if connection.execute(change).rowcount != 1:
        raise _nobody(id)


def _nobody(id: str) -> UnknownNameError:
    return UnknownNameError(f"user {id!r} has no account here: it was never made, or it was erased")


def account_columns() -> list[sa.ColumnElement[Any]]:
    """The columns of an account: all but the secret and the heavy ones."""
    heavy = ("password", "profile", "profile_fingerprint")
    return [column for column in UserRow.__table__.columns if column.name not in heavy]


def _consent(consent: Consent) -> dict[str, Any]:
    return {"consent_improve": consent.improve, "consent_share": consent.share, "consent_unsafe": consent.unsafe}


def _asking(asking: Asking) -> dict[str, Any]:
    values = vars(asking)
    return {"ask_me_less": asking.less, **{name: values[name] for name in values if name != "less"}}


def _values(account: Account, *, password: str | None) -> dict[str, Any]:
    values = {**vars(account), **_consent(account.consent), **_asking(account.asking)}
    del values["consent"], values["asking"]
    lists = {"roles": list(account.roles), "preferences": dict(account.preferences)}
    return {**values, **lists, "password": password, "profile": None, "profile_fingerprint": ""}


def account_of(row: sa.Row[Any]) -> Account:
    """The record of a row that has the columns of `account_columns`."""
    return Account(
        id=row.id,
        login=row.login,
        name=row.name,
        roles=tuple(row.roles),
        external=row.external,
        disabled=row.disabled,
        adult=row.adult,
        trained_reviewer=row.trained_reviewer,
        consent=Consent(improve=row.consent_improve, share=row.consent_share, unsafe=row.consent_unsafe),
        asking=Asking(
            less=row.ask_me_less,
            opted_out=row.opted_out,
            quiet_from=row.quiet_from,
            quiet_until=row.quiet_until,
            timezone=row.timezone,
        ),
        preferences=row.preferences,
        cluster=row.cluster,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
