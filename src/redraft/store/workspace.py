"""A workspace: one folder (and its database) with everything Redraft keeps. Opens the parts; has no rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from redraft.store import garbage
from redraft.store.aliases import Aliases
from redraft.store.answers import Answers
from redraft.store.asks import Asks
from redraft.store.audit import Audit
from redraft.store.blobs import Blobs
from redraft.store.checkpoints import Checkpoints
from redraft.store.counters import Counters
from redraft.store.duels import Duels
from redraft.store.erasure import Erasure
from redraft.store.files import make_folder
from redraft.store.gallery import Gallery
from redraft.store.imports import Imports
from redraft.store.jobs import Jobs
from redraft.store.lease import TrainingLease
from redraft.store.ledger import Ledger
from redraft.store.logins import Logins
from redraft.store.people import People
from redraft.store.personal_data import PersonalData
from redraft.store.pictures import Pictures
from redraft.store.points import Points
from redraft.store.raters import Raters
from redraft.store.reports import Reports
from redraft.store.requests import Requests
from redraft.store.rooms import Rooms
from redraft.store.runs import Runs
from redraft.store.stage_files import StageFiles
from redraft.store.studies import Studies
from redraft.store.transactions import Database
from redraft.store.trials import Trials


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The parts of an open workspace. Threads may share it; another process opens its own."""

    folder: Path
    database: Database
    checkpoints: Checkpoints
    pictures: Pictures
    aliases: Aliases
    runs: Runs
    ledger: Ledger
    lease: TrainingLease
    stage_files: StageFiles
    people: People
    logins: Logins
    counters: Counters
    requests: Requests
    gallery: Gallery
    answers: Answers
    asks: Asks
    duels: Duels
    trials: Trials
    points: Points
    raters: Raters
    imports: Imports
    rooms: Rooms
    reports: Reports
    jobs: Jobs
    studies: Studies
    audit: Audit
    personal_data: PersonalData
    erasure: Erasure

    @classmethod
    def open(cls, folder: str | Path, *, database_url: str | None = None) -> Workspace:
        """Open the workspace in `folder`, making it when it is not there, and bring its schema up to date.

        `database_url` (SQLAlchemy's form), or else the environment's REDRAFT_DATABASE_URL, keeps the rows elsewhere
        than in `folder/redraft.db`; files stay in `folder`.
        Raises StorageError when the folder cannot be made or written, DamagedError when `redraft.db` is not a
        database, UsageError when a newer Redraft has made it.
        """
        root = Path(folder).absolute()
        for part in ("images", "checkpoints", "runs"):
            make_folder(root / part)
        database = database_of(root, database_url=database_url)
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
        pictures = Blobs(root / "images")
        return cls(
            folder=root,
            database=database,
            checkpoints=Checkpoints(database, Blobs(root / "checkpoints")),
            pictures=Pictures(database, pictures),
            aliases=Aliases(database),
            runs=Runs(database),
            ledger=Ledger(database),
            lease=TrainingLease(database),
            stage_files=StageFiles(root / "runs"),
            people=People(database),
            logins=Logins(database),
            counters=Counters(database),
            requests=Requests(database),
            gallery=Gallery(database),
            answers=Answers(database),
            asks=Asks(database),
            duels=Duels(database),
            trials=Trials(database),
            points=Points(database),
            raters=Raters(database),
            imports=Imports(database),
            rooms=Rooms(database),
            reports=Reports(database),
            jobs=Jobs(database),
            studies=Studies(database),
            audit=Audit(database),
            personal_data=PersonalData(database),
            erasure=Erasure(database, pictures),
        )

    def gc(self, *, before: float, remove: bool = True) -> garbage.Garbage:
        """Remove (or only find) blobs that no checkpoint or picture refers to, and half-written files, older than
        `before`.

        Aliases refer to checkpoints, so what an alias names always stays. Raises StorageError.
        """
        folders = {"checkpoints": self.folder / "checkpoints", "pictures": self.folder / "images"}
        return garbage.collect(self.database, runs=self.folder / "runs", before=before, remove=remove, **folders)

    def close(self) -> None:
        """Close the database. The files need no closing."""
        self.database.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def database_of(folder: Path, *, database_url: str | None = None) -> Database:
    """The database of the workspace in `folder`, opened as it is: its schema is not brought up to date."""
    given = database_url or os.environ.get("REDRAFT_DATABASE_URL")
    return Database(given or sa.URL.create("sqlite", database=str(folder / "redraft.db")))
