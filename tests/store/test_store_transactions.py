"""Opening a workspace: schema, durability settings, bad databases, many processes at once."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from places import Place

import redraft.store.transactions
from redraft.core.errors import BusyError, DamagedError, EnvironmentFaultError, StorageError, UsageError
from redraft.core.records import Lineage
from redraft.store.schema import REVISION, Row
from redraft.store.transactions import Database
from redraft.store.workspace import Workspace
from tests.postgresql_cluster import Cluster

MIGRATIONS = Path(redraft.store.transactions.__file__).parent / "migrations"


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def test_importing_and_opening_the_store_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from redraft.store.workspace import Workspace; "
        f"assert 'alembic' not in sys.modules, 'alembic is loaded only to migrate'; Workspace.open({str(folder)!r}); "
        "print(sorted({'torch', 'numpy', 'safetensors', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_open_makes_the_folders_and_a_durable_database(workspace: Workspace, folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"images", "checkpoints", "runs"}
    with workspace.database.reading() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL


def test_migrations_make_exactly_the_declared_tables(space: Workspace) -> None:
    with space.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
        assert context.get_current_revision() == REVISION
    assert ScriptDirectory.from_config(scripts()).get_current_head() == REVISION


def test_migrations_are_also_postgresql() -> None:
    config = scripts()
    config.output_buffer = io.StringIO()
    config.attributes["dialect_name"] = "postgresql"
    command.upgrade(config, "head", sql=True)
    text = config.output_buffer.getvalue()
    assert all(f"CREATE TABLE {table} " in text for table in Row.metadata.tables)
    assert "BEFORE UPDATE OR DELETE ON ledger" in text
    assert "RAISE(ABORT" not in text


def open_first(place: Place, name: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with place.open() as space:
        space.audit.append(name, actor="", subject="", detail={}, at=1.0)


def test_processes_that_open_a_new_database_at_the_same_moment(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    barrier = fork.Barrier(8)
    processes = [start(open_first, place, name, barrier) for name in "abcdefgh"]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    with place.open() as space:
        assert sorted(entry.action for entry in space.audit.entries()) == list("abcdefgh")


def test_a_workspace_of_the_first_schema_comes_up_to_date_with_all_it_holds(place: Place, lineage: Lineage) -> None:
    """The first revision is made by the real one, without the revisions after it."""
    folder, url = place.folder, place.url
    folder.mkdir()
    engine = sa.create_engine(url or f"sqlite:///{folder / 'redraft.db'}")
    with engine.begin() as connection:
        config = scripts()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text("INSERT INTO runs VALUES ('improve-0001', 1, 'improve', '{}', 'finished', '', 3, 4)")
        )
        assert not sa.inspect(connection).has_table("answers")
    engine.dispose()
    with place.open() as space:
        assert [(run.name, run.changed_at) for run in space.runs.list()] == [("improve-0001", 4.0)]
        space.checkpoints.put(b"weights", kind="lora", lineage=lineage, at=1.0)
        assert space.answers.evidence() == ()


def test_the_environment_names_the_database(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRAFT_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    Workspace.open(folder).close()
    assert (tmp_path / "elsewhere.db").exists()
    Workspace.open(folder, database_url=f"sqlite:///{tmp_path}/named.db").close()
    assert (tmp_path / "named.db").exists(), "what the caller names goes first"
    assert not (folder / "redraft.db").exists()


@pytest.mark.postgres
def test_postgresql_plans_every_statement_for_what_its_tables_hold_now(cluster: Cluster, folder: Path) -> None:
    with Workspace.open(folder, database_url=cluster.empty()) as space, space.database.reading() as connection:
        for _ in range(20):
            connection.scalar(sa.text("SELECT count(*) FROM answers WHERE id = :id"), {"id": "x"})
        assert connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements")) == 0


def test_a_read_sees_one_moment(space: Workspace) -> None:
    with space.database.reading() as connection:
        count = sa.text("SELECT count(*) FROM audit")
        assert connection.scalar(count) == 0
        space.audit.append("meanwhile", actor="", subject="", detail={}, at=1.0)
        assert connection.scalar(count) == 0
    assert len(space.audit.entries()) == 1


def test_opening_again_keeps_everything(folder: Path) -> None:
    with Workspace.open(folder) as first:
        first.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
    with Workspace.open(folder) as second:
        assert [run.name for run in second.runs.list()] == ["improve-0001"]


def test_a_folder_with_a_percent_sign_and_spaces(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "100 % mine?") as opened:
        opened.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
    assert (tmp_path / "100 % mine?" / "redraft.db").stat().st_size > 0


def test_database_url_keeps_the_rows_elsewhere(folder: Path, tmp_path: Path) -> None:
    with Workspace.open(folder, database_url=f"sqlite:///{tmp_path}/elsewhere.db"):
        pass
    assert (tmp_path / "elsewhere.db").exists()
    assert not (folder / "redraft.db").exists()


def test_a_workspace_of_a_newer_redraft_is_refused_and_left_alone(folder: Path) -> None:
    Workspace.open(folder).close()
    with sqlite3.connect(folder / "redraft.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UsageError, match=r"schema '9999', newer than '0003'.*install the Redraft that made it"):
        Workspace.open(folder)
    with sqlite3.connect(folder / "redraft.db") as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_a_file_that_is_no_database(folder: Path) -> None:
    folder.mkdir()
    (folder / "redraft.db").write_bytes(b"this was once a database " * 100)
    with pytest.raises(DamagedError, match=r"redraft\.db is not a sound SQLite database .*put back a copy"):
        Workspace.open(folder)


def test_a_workspace_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"notes\.txt.*must be a folder.*choose another workspace"):
        Workspace.open(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_database_urls_that_cannot_work_do_not_show_the_password() -> None:
    with pytest.raises(UsageError, match="database URL cannot be read") as caught:
        Database("secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(EnvironmentFaultError, match=r"needs the Python package 'psycopg2'.*install it") as missing:
        Database("postgresql+psycopg2://user:secret@nowhere/name")
    assert "secret" not in str(missing.value)


def test_a_failed_transaction_leaves_nothing(workspace: Workspace) -> None:
    def fail() -> None:
        with workspace.database.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO runs VALUES ('improve-0001', 1, 'improve', '{}', 'running', '', 0, 0)"
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert workspace.runs.list() == ()


def test_an_entry_that_another_process_wrote_first(workspace: Workspace) -> None:
    insert = "INSERT INTO runs VALUES (?, 1, 'improve', '{}', 'running', '', 0, 0)"

    def add(name: str) -> None:
        with workspace.database.writing() as connection:
            connection.exec_driver_sql(insert, (name,))

    add("improve-0001")
    with pytest.raises(BusyError, match=r"another process wrote the same entry .*runs\.number.*; try again"):
        add("train-0001")


def test_a_statement_that_cannot_run_is_not_called_a_full_disk(workspace: Workspace) -> None:
    with pytest.raises(sa.exc.ProgrammingError), workspace.database.reading() as connection:
        connection.exec_driver_sql("SELECT ?", (1, 2))


def test_a_database_that_another_process_holds(workspace: Workspace, folder: Path) -> None:
    with workspace.database.reading() as connection:  # the pooled connection that the write below will use again
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(folder / "redraft.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match=r"held by another process.*let it finish or stop it"):
        workspace.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
    other.execute("ROLLBACK")
    other.close()
    workspace.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
