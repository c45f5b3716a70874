"""Accounts and keys from the command line, and the studio's refusal to listen unprotected."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from answers import Call

from redraft.store.points import Earned
from redraft.store.workspace import Workspace
from redraft.studio.identity.passwords import verify_password
from redraft.studio.identity.sessions import hashed

PASSWORD = "six green bottles"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_account_is_made_changed_and_shut_out(call: Call, space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    made = call("users", "add", "Ada", "--role", "admin", "--password-stdin", "-w", space, "--json").json()
    assert (made["name"], made["roles"], made["disabled"]) == ("Ada", ["admin"], False)
    typed(monkeypatch, PASSWORD + "\n")
    assert call("users", "add", "bob", "--password-stdin", "-w", space).code == 0
    call("users", "roles", "BOB", "--role", "moderator", "-w", space)
    call("users", "disable", "bob", "-w", space)
    listed = call("users", "list", "-w", space, "--json").json()["users"]
    assert [(row["name"], row["roles"], row["disabled"]) for row in listed] == [
        ("Ada", ["admin"], False), ("bob", ["moderator"], True),
    ]  # fmt: skip
    typed(monkeypatch, "seven green bottles\n")
    assert call("users", "password", made["id"], "--password-stdin", "-w", space).code == 0
    call("users", "enable", "bob", "-w", space)
    with Workspace.open(space) as workspace:
        assert verify_password(workspace.people.password(made["id"]), "seven green bottles")
        actions = [entry.action for entry in workspace.audit.entries()]
    assert actions == [
        "account enabled", "password", "account disabled", "roles", "account made", "account made",
    ]  # fmt: skip
    last = call("users", "disable", "ada", "-w", space)
    assert last.code == 2
    assert "the only administrator" in last.err


def test_a_key_is_shown_once(call: Call, space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    call("users", "add", "ann", "--password-stdin", "-w", space)
    made = call("keys", "create", "my app", "--user", "ann", "--scope", "generate", "--days", 30, "-w", space)
    secret = made.out.strip()
    assert made.code == 0
    assert "shown once" in made.err
    with Workspace.open(space) as workspace:
        found = workspace.logins.key(hashed(secret), at=0.0)
    assert found is not None
    key, account = found
    assert (key.name, key.scopes, account.name) == ("my app", ("generate",), "ann")
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == 30 * 86_400
    listed = call("keys", "list", "--user", "ann", "-w", space)
    assert secret not in listed.out
    assert key.id in listed.out
    assert call("keys", "revoke", key.id, "--user", "ann", "-w", space).code == 0
    assert "revoked" in call("keys", "list", "--user", "ann", "-w", space).out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("users", "add", "ann", "--role", "admn", "--password-stdin"), "did you mean 'admin'"),
        (("users", "add", " ", "--password-stdin"), "visible characters"),
        (("users", "disable", "nobody"), "user 'nobody' is unknown"),
        (("keys", "create", "k", "--user", "nobody"), "user 'nobody' is unknown"),
        (("keys", "revoke", "k", "--user", "local"), "is unknown"),
    ],
)
def test_what_cannot_be_done_is_said(
    call: Call, space: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], message: str
) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    answer = call(*command, "-w", space)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    with Workspace.open(space) as workspace:
        assert workspace.people.count() == 0


@pytest.mark.parametrize("password", ["", "short\n", "annannannann\n"])
def test_a_weak_password_makes_no_account(
    call: Call, space: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    typed(monkeypatch, password)
    answer = call("users", "add", "annannannann", "--password-stdin", "-w", space)
    assert answer.code == 2
    assert "password" in answer.err


@pytest.mark.parametrize("options", [(), ("--auth", "open")])
def test_the_studio_refuses_to_listen_unprotected(call: Call, space: Path, options: tuple[str, ...]) -> None:
    answer = call("studio", "--host", "0.0.0.0", *options, "-w", space)
    assert answer.code == 2
    assert "can be reached by others" in answer.err
    assert "--auth accounts" in answer.err
    assert not space.exists()


def test_the_ledger_says_what_each_person_earned_in_a_time(call: Call, space: Path) -> None:
    day = 86_400.0
    start = 1_793_491_200.0  # 2026-11-01, UTC
    with Workspace.open(space) as opened:
        for user in ("ann", "bob"):
            opened.people.create(user, name=user.title(), at=start)
        for number, (user, at) in enumerate((("ann", 0.0), ("ann", 1.0), ("ann", 2.0), ("bob", 1.0), ("bob", 40.0))):
            when = start + at * day
            earned = Earned(award=f"a{number}", user=user, day="2026-11-01", at=when)
            opened.points.enter([earned], amount=lambda _: 2.0, reason="review")
            if number != 2:
                opened.points.settle(f"a{number}", amount=2.0 if number != 1 else 0.0, reason="looked at", at=when + 60)
    found = call("users", "points", "--since", "2026-11-01", "--until", "2026-12-01", "-w", space, "--json").json()
    assert found["people"] == [
        {"name": "Ann", "user": "ann", "accepted": 1, "final": 2.0, "pending": 2.0},
        {"name": "Bob", "user": "bob", "accepted": 1, "final": 2.0, "pending": 0.0},
    ]
    assert "Bob  4.00 final, 0.00 pending, 2 accepted" in call("users", "points", "-w", space).out
    assert "nobody has an award" in call("users", "points", "--since", "2027-02-01", "-w", space).out
    wrong = call("users", "points", "--since", "November", "-w", space)
    assert (wrong.code, "'November' is no day: write it as 2026-11-01" in wrong.err) == (2, True)


def test_accounts_that_were_joined_by_mistake_are_separated(call: Call, space: Path) -> None:
    with Workspace.open(space) as opened:
        for user in ("ann", "bob"):
            opened.people.create(user, name=user, at=1.0)
        opened.people.set_cluster(["ann", "bob"], "copies", at=1.0)
    assert "ann was joined with others and is not any more" in call("users", "separate", "ann", "-w", space).out
    with Workspace.open(space) as opened:
        assert [opened.people.get(user).cluster for user in ("ann", "bob")] == [None, "copies"]
        assert opened.audit.entries()[0].detail == {"cluster": "copies"}
    assert "was joined with nobody" in call("users", "separate", "ann", "-w", space).out
