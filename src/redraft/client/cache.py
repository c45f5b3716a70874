"""The client's file: pictures, leases, decisions and what waits to be sent (SQLite). Decides and sends nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import StorageError

_TABLES = (
    "CREATE TABLE IF NOT EXISTS pictures (id TEXT PRIMARY KEY, facts TEXT NOT NULL, data BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS leases (number INTEGER PRIMARY KEY, facts TEXT NOT NULL, memory TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS leased (picture TEXT PRIMARY KEY, lease INTEGER NOT NULL, facts TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS decisions (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
         lease INTEGER NOT NULL, picture TEXT UNIQUE NOT NULL, at REAL NOT NULL, session TEXT NOT NULL,
         asked INTEGER NOT NULL, token TEXT,
         synced INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS answers (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL,
         decision TEXT, refusal TEXT NOT NULL DEFAULT '')""",
)
Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Leased:
    """A picture that was taken along, with its lease. last: when the last decision of the lease was made, or 0."""

    number: int
    picture: Facts
    lease: Facts
    memory: Facts
    last: float


class Cache:
    """An open file. What a `writing` block does is on the disk when it ends, or not done at all."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None)
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *_TABLES):
                self._database.execute(statement)
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(
                f"the cache {str(path)!r} cannot be opened ({error}): give a file that can be written, or a new one"
            ) from error

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        self._database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction. Raises StorageError when the disk does not take it."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"the cache cannot be written ({error}): make room on the disk, then try again"
            ) from error

    def put_picture(self, facts: Mapping[str, Any], data: bytes) -> None:
        """Keep a picture."""
        values = (facts["id"], json.dumps(facts), data)
        self._database.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?)", values)

    def picture(self, id: str) -> bytes | None:
        """The bytes of a kept picture."""
        row = self._row("SELECT data FROM pictures WHERE id = ?", id)
        return None if row is None else bytes(row[0])

    def pictures(self) -> list[Facts]:
        """What is known of the kept pictures, the oldest first."""
        return [json.loads(row[0]) for row in self._database.execute("SELECT facts FROM pictures ORDER BY rowid")]

    def undecided(self) -> list[str]:
        """Pictures that were taken along and not decided about."""
        query = "SELECT picture FROM leased WHERE picture NOT IN (SELECT picture FROM decisions) ORDER BY rowid"
        return [row[0] for row in self._database.execute(query)]

    def put_lease(self, lease: Mapping[str, Any], pictures: Sequence[str]) -> None:
        """Keep a lease; its pictures are decided by it from now on."""
        facts = {name: value for name, value in lease.items() if name not in ("pictures", "memory")}
        row = (json.dumps(facts), json.dumps(lease["memory"]))
        number = self._database.execute("INSERT INTO leases (facts, memory) VALUES (?, ?)", row).lastrowid
        rows = [(id, number, json.dumps(lease["pictures"][id])) for id in pictures]
        self._database.executemany("INSERT OR REPLACE INTO leased VALUES (?, ?, ?)", rows)

    def leased(self, picture: str) -> Leased | None:
        """A picture that was taken along."""
        query = """SELECT leases.number, leased.facts, leases.facts, memory,
                     (SELECT COALESCE(MAX(at), 0) FROM decisions WHERE decisions.lease = leases.number)
                   FROM leased JOIN leases ON leases.number = leased.lease WHERE leased.picture = ?"""
        row = self._row(query, picture)
        if row is None:
            return None
        number, *texts, last = row
        facts, lease, memory = (json.loads(text) for text in texts)
        return Leased(number=number, picture=facts, lease=lease, memory=memory, last=last)

    def asked(self, picture: str) -> bool | None:
        """What was decided about a picture; None: nothing yet."""
        row = self._row("SELECT asked FROM decisions WHERE picture = ?", picture)
        return None if row is None else bool(row[0])

    def put_decision(self, leased: Leased, memory: Mapping[str, Any], **decision: Any) -> None:
        """Keep a decision (id, picture, at, session, asked) and the memory that it leaves."""
        self._database.execute(
            "UPDATE leases SET memory = ? WHERE number = ?", (json.dumps(dict(memory)), leased.number)
        )
        query = """INSERT INTO decisions (id, lease, picture, at, session, asked)
                   VALUES (:id, :lease, :picture, :at, :session, :asked)"""
        self._database.execute(query, {**decision, "lease": leased.number})

    def unsynced_leases(self) -> list[tuple[int, str]]:
        """Number and signed text of the leases by which something was decided that was not handed in."""
        query = """SELECT DISTINCT lease, facts FROM decisions JOIN leases ON leases.number = lease
                   WHERE synced = 0 ORDER BY lease"""
        return [(number, json.loads(facts)["lease"]) for number, facts in self._database.execute(query)]

    def decisions(self, lease: int) -> list[tuple[str, str, float, str]]:
        """Id, picture, time and session of the decisions of a lease, in the order in which they were made."""
        query = "SELECT id, picture, at, session FROM decisions WHERE lease = ? ORDER BY number"
        return list(self._database.execute(query, (lease,)))

    def mark_synced(self, decision: str, *, token: str | None) -> None:
        """Note that a decision was handed in, and the token that came for its answer."""
        self._database.execute("UPDATE decisions SET synced = 1, token = ? WHERE id = ?", (token, decision))

    def put_answer(self, body: Mapping[str, Any]) -> None:
        """Keep an answer until it is sent. The first one about a picture that was asked about here is for that ask."""
        decision = None
        if body["token"] is None and body["revision_of"] is None:
            row = self._row("SELECT id FROM decisions WHERE picture = ? AND asked AND NOT answered", body["subject"])
            decision = None if row is None else row[0]
            # A token serves once; later answers are revisions.
            self._database.execute("UPDATE decisions SET answered = 1 WHERE id = ?", (decision,))
        values = (body["id"], json.dumps(body), decision)
        self._database.execute("INSERT INTO answers (id, body, decision) VALUES (?, ?, ?)", values)

    def waiting(self) -> int:
        """How many answers wait."""
        row = self._row("SELECT COUNT(*) FROM answers WHERE refusal = ''")
        return 0 if row is None else int(row[0])

    def next_answers(self, count: int) -> list[Facts]:
        """The answers that wait longest, as they are sent."""
        query = """SELECT body, decisions.token FROM answers LEFT JOIN decisions ON decisions.id = answers.decision
                   WHERE refusal = '' ORDER BY answers.number LIMIT ?"""
        rows = self._database.execute(query, (count,)).fetchall()
        return [{**json.loads(body), **({} if token is None else {"token": token})} for body, token in rows]

    def drop_answer(self, id: str) -> None:
        """Forget an answer that the server has."""
        self._database.execute("DELETE FROM answers WHERE id = ?", (id,))

    def refuse_answer(self, id: str, reason: str) -> None:
        """Note that the server does not want an answer; it is kept, and not sent again."""
        self._database.execute("UPDATE answers SET refusal = ? WHERE id = ?", (reason, id))

    def refused(self) -> dict[str, str]:
        """The reasons of the answers that the server did not want, by id."""
        return dict(self._database.execute("SELECT id, refusal FROM answers WHERE refusal != '' ORDER BY number"))

    def _row(self, query: str, *values: Any) -> Any:
        return self._database.execute(query, values).fetchone()
