"""Backup, restore, gc and db upgrade from the command line, and what they say to a workspace on a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from answers import Call

from redraft.store.schema import REVISION
from redraft.store.workspace import Workspace


def test_a_workspace_goes_into_a_file_and_comes_back(call: Call, workspace: Path, tmp_path: Path) -> None:
    file, back = tmp_path / "b.tar", tmp_path / "back"
    answer = call("backup", file, "-w", workspace, "--json")
    assert answer.code == 0, answer.err
    made = answer.json()
    assert (made["file"], made["revision"], made["missing"]) == (str(file), REVISION, [])
    assert made["files"] > 5
    assert call("restore", file, "-w", back, "--json").json()["files"] == made["files"]
    # The restored workspace knows the run, its report and its checkpoint.
    runs = [call("runs", "list", "-w", place, "--json").json() for place in (workspace, back)]
    assert runs[0] == runs[1]
    models = [call("models", "list", "-w", place, "--json").json() for place in (workspace, back)]
    assert models[0] == models[1]
    assert (back / "runs" / "improve-0001" / "report.html").is_file()
    again = call("restore", file, "-w", back)
    assert again.code == 2
    assert "is not empty: stop what uses it and move it away" in again.err
    again = call("backup", file, "-w", workspace)
    assert again.code == 2
    assert "exists already" in again.err
    assert "Traceback" not in again.err


def test_a_server_is_backed_up_with_its_own_tools(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRAFT_DATABASE_URL", "postgresql+psycopg://ann:secret@db.example/redraft")
    answer = call("backup", tmp_path / "b.tar", "-w", tmp_path / "w")
    assert answer.code == 2
    assert "`pg_dump --format=custom --file=redraft.dump` for it first" in answer.err
    assert f"rsync -a {tmp_path / 'w' / 'images'}" in answer.err
    assert "secret" not in answer.err.replace("/secrets ", " ")
    answer = call("restore", tmp_path / "b.tar", "-w", tmp_path / "w")
    assert answer.code == 2
    assert "pg_restore" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_garbage_is_listed_then_removed(call: Call, workspace: Path, tmp_path: Path) -> None:
    own = tmp_path / "workspace"
    shutil.copytree(workspace, own)
    orphan = own / "images" / "ab" / ("ab" + "0" * 62 + ".png")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"1234")
    young = call("gc", "-w", own, "--json").json()
    assert (young["files"], young["bytes"]) == ([], 0), "what was just written may be in the making"
    looked = call("gc", "-w", own, "--older-than", 0, "--dry-run", "--json").json()
    assert (looked["removed"], looked["files"], looked["bytes"]) == (False, [str(orphan)], 4)
    assert orphan.exists()
    answer = call("gc", "-w", own, "--older-than", 0)
    assert answer.code == 0
    assert "1 files of 4 bytes removed" in answer.out
    assert not orphan.exists()
    # What has a row stays.
    assert call("models", "list", "-w", own, "--json").json()["checkpoints"]
    with Workspace.open(own) as space:
        (checkpoint,) = space.checkpoints.list()
        space.checkpoints.read(checkpoint.id)


def test_the_tables_are_brought_up_to_date(call: Call, tmp_path: Path) -> None:
    first = call("db", "upgrade", "-w", tmp_path / "w", "--json").json()
    assert (first["before"], first["after"]) == (None, REVISION)
    second = call("db", "upgrade", "-w", tmp_path / "w")
    assert second.code == 0
    assert f"is up to date (schema {REVISION})" in second.out
