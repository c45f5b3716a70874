"""A PostgreSQL cluster of the tests' own: started once, emptied for each test. Not a server to keep.

Durability of the server's disk is off: the tests kill clients, never the server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB", "listen_addresses=")


def missing_part() -> str:
    """What this machine lacks to run a cluster; "" when it has all."""
    lacking = [name for name in ("initdb", "pg_ctl", "postgres") if shutil.which(name) is None]
    if lacking:
        return f"PostgreSQL is not installed here ({', '.join(lacking)} not found): install its server package"
    if os.geteuid() == 0 and subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:
        return "PostgreSQL does not run as root, and there is no user 'postgres' to run it as: make one"
    return ""


class Cluster:
    """A running cluster with one database."""

    def __init__(self, folder: Path) -> None:
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"

    def empty(self) -> str:
        """Cut off whoever is still connected and remove all tables; returns the URL.

        A database for each test would be thousands of files to make and to remove.
        """
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        with engine.begin() as connection:
            connection.exec_driver_sql(f"{others} current_database()")
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        return self.url


@contextmanager
def running_cluster(*settings: str) -> Iterator[Cluster]:
    """Start a cluster in a new folder, with these settings after `SETTINGS`; stop it and remove the folder."""
    # A socket's path must be short, which pytest's own folders are not.
    with TemporaryDirectory(prefix="redraft-pg-") as made:
        folder = Path(made)
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        _run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", user=user)
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, f"unix_socket_directories={folder}", *settings))
        _run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start", user=user)
        try:
            yield Cluster(folder)
        finally:
            _run("pg_ctl", "-D", str(data), "-m", "immediate", "stop", user=user)


def _run(*command: str, user: str | None) -> None:
    # A real path: the commands find their libraries beside themselves, not beside a link to them.
    program = Path(shutil.which(command[0]) or command[0]).resolve()
    done = subprocess.run(
        [program, *command[1:]], user=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}")
