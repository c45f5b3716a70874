"""Backup and restore: while others write and erase, killed, on a full disk, damaged, hostile; real SQLite and files."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from studio_rows import answer, paint, person, png

from redraft.core.errors import DamagedError, StorageError, UnknownNameError, UsageError
from redraft.core.records import Lineage
from redraft.store import backup
from redraft.store.backup import back_up
from redraft.store.restoring import restore
from redraft.store.workspace import Workspace


def fill(folder: Path, lineage: Lineage) -> str:
    """A workspace with a person, two pictures, an answer, a checkpoint, a run's file and a secret."""
    with Workspace.open(folder) as space:
        person(space, "ann")
        paint(space, "cat", "ann", shade=1)
        paint(space, "dog", "ann", shade=2)
        space.answers.ingest([answer("a", "ann", "cat")], amount=lambda _: 10.0)
        checkpoint = space.checkpoints.put(b"weights", kind="lora", lineage=lineage, at=1.0)
        space.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
        space.stage_files.save("improve-0001", "round-0-train.safetensors", b"state")
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "signing.json").write_text("{}")
    (folder / "images" / ".half.png.host.1.2.partial").write_bytes(b"half")
    (folder / "images" / "link.png").symlink_to("/etc/hostname")
    return checkpoint.id


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(("redraft.db", ".")) and not path.is_symlink()
    }


def test_a_workspace_comes_back_as_it_was(folder: Path, tmp_path: Path, lineage: Lineage) -> None:
    checkpoint = fill(folder, lineage)
    made = back_up(folder, tmp_path / "to" / "b.tar", at=77.0)
    assert (made.files, made.missing, made.made_at) == (5, (), 77.0)
    assert (tmp_path / "to" / "b.tar").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["b.tar"]
    assert restore(tmp_path / "to" / "b.tar", tmp_path / "back") == made
    assert files_of(tmp_path / "back") == files_of(folder)
    assert (tmp_path / "back" / "secrets" / "signing.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "back" / "secrets").stat().st_mode & 0o777 == 0o700
    with Workspace.open(tmp_path / "back") as space:
        assert [item.user for item in space.answers.about("cat")] == ["ann"]
        assert space.points.balance("ann") is not None
        assert space.checkpoints.read(checkpoint) == b"weights"
        assert space.pictures.read(space.gallery.get("dog", owner="ann").painting.picture) == png(2)
        assert space.stage_files.load("improve-0001", "round-0-train.safetensors") == b"state"


def test_what_is_in_the_write_ahead_log_is_in_the_backup(folder: Path, tmp_path: Path, lineage: Lineage) -> None:
    fill(folder, lineage)
    with Workspace.open(folder) as space:
        # Acknowledged, and by now only in redraft.db-wal: the connection stays open.
        outcome = space.answers.ingest([answer("b", "ann", "dog")], amount=lambda _: 10.0)
        assert outcome[0].status == "stored"
        assert (folder / "redraft.db-wal").stat().st_size > 0
        back_up(folder, tmp_path / "b.tar", at=1.0)
    restore(tmp_path / "b.tar", tmp_path / "back")
    with Workspace.open(tmp_path / "back") as space:
        assert len(space.answers.about("dog")) == 1


def test_while_pictures_come_and_go_every_row_of_the_backup_has_its_file(folder: Path, tmp_path: Path) -> None:
    with Workspace.open(folder) as space:
        person(space, "ann")
        for number in range(30):
            paint(space, f"p{number}", "ann", shade=number)
        stop = threading.Event()

        def come_and_go() -> None:
            with Workspace.open(folder) as other:
                number = 30
                while not stop.is_set():
                    paint(other, f"p{number}", "ann", shade=number)
                    other.erasure.paintings([f"p{number - 30}"], owner="ann")
                    number += 1

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            for number in range(5):
                made = back_up(folder, tmp_path / f"{number}.tar", at=1.0)
                restore(tmp_path / f"{number}.tar", tmp_path / str(number))
                with closing(sqlite3.connect(tmp_path / str(number) / "redraft.db")) as raw:
                    named = {row[0] for row in raw.execute("SELECT id FROM pictures")}
                there = {path.stem for path in (tmp_path / str(number) / "images").rglob("*.png")}
                # Five tries, each while pictures go: what it could not find it says.
                assert named - there == set(made.missing)
                assert len(named) >= 30
        finally:
            stop.set()
            thread.join()
        # Pictures went meanwhile, or this tested nothing.
        with pytest.raises(UnknownNameError):
            space.gallery.get("p0", owner="ann")


def test_a_file_that_is_gone_is_said(folder: Path, tmp_path: Path, lineage: Lineage) -> None:
    checkpoint = fill(folder, lineage)
    (path,) = (folder / "checkpoints").rglob("*.safetensors")
    path.unlink()
    assert back_up(folder, tmp_path / "b.tar", at=1.0).missing == (checkpoint,)


def test_nothing_is_overwritten(folder: Path, tmp_path: Path, lineage: Lineage) -> None:
    fill(folder, lineage)
    taken = tmp_path / "b.tar"
    taken.write_text("mine")
    with pytest.raises(UsageError, match=r"b\.tar' exists already: choose another name"):
        back_up(folder, taken, at=1.0)
    assert taken.read_text() == "mine"
    back_up(folder, tmp_path / "c.tar", at=1.0)
    before = files_of(folder)
    with pytest.raises(UsageError, match="is not empty: stop what uses it and move it away"):
        restore(tmp_path / "c.tar", folder)
    assert files_of(folder) == before
    with pytest.raises(UsageError, match=r"holds no redraft\.db"):
        back_up(tmp_path / "nowhere", tmp_path / "d.tar", at=1.0)
    empty = tmp_path / "empty"
    empty.mkdir()
    restore(tmp_path / "c.tar", empty)
    assert files_of(empty) == before


@pytest.mark.parametrize("what", ["cut", "cut at a member", "changed file", "changed database", "no tar", "absent"])
def test_a_damaged_backup_restores_nothing(folder: Path, tmp_path: Path, lineage: Lineage, what: str) -> None:
    fill(folder, lineage)
    path, target = tmp_path / "b.tar", tmp_path / "back"
    back_up(folder, path, at=1.0)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive}
    if what == "cut":
        data = data[: len(data) // 2]
    elif what == "cut at a member":
        # As if the copy to another disk had stopped exactly there.
        data = data[: members["redraft.json"].offset]
    elif what == "changed file":
        data[members["runs/improve-0001/round-0-train.safetensors"].offset_data] ^= 1
    elif what == "changed database":
        data[members["redraft.db"].offset_data + members["redraft.db"].size - 10] ^= 1
    elif what == "no tar":
        data = bytearray(b"hello")
    path.write_bytes(data)
    if what == "absent":
        path.unlink()
    with pytest.raises(UsageError if what == "absent" else DamagedError, match=r"b\.tar'"):
        restore(path, target)
    assert not target.exists()
    assert not list(tmp_path.glob(".back.*"))


@pytest.mark.parametrize(
    "name", ["../out.txt", "/tmp/out.txt", "images/../../out.txt", "etc/passwd", "images", "runs/./x", "redraft.db-wal"]
)
def test_a_hostile_archive_writes_nothing_anywhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "deep" / "b.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        facts = tarfile.TarInfo(name)
        facts.size = 3
        archive.addfile(facts, io.BytesIO(b"out"))
    with pytest.raises(DamagedError, match="which no backup does: nothing was restored"):
        restore(path, tmp_path / "deep" / "back")
    assert [item.name for item in tmp_path.rglob("*")] == ["deep", "b.tar"]
    assert not Path("/tmp/out.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_other_kinds_are_no_part_of_a_backup(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "b.tar"
    with tarfile.open(path, "w") as archive:
        facts = tarfile.TarInfo("images/ab/x.png")
        facts.type, facts.linkname = kind, "/etc/passwd"
        archive.addfile(facts)
    with pytest.raises(DamagedError, match="which no backup does"):
        restore(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_another_format_names_the_way_out(folder: Path, tmp_path: Path, lineage: Lineage) -> None:
    fill(folder, lineage)
    path = tmp_path / "b.tar"
    with tarfile.open(path, "w") as archive:
        text = json.dumps({"format": 2}).encode()
        facts = tarfile.TarInfo("redraft.json")
        facts.size = len(text)
        archive.addfile(facts, io.BytesIO(text))
    with pytest.raises(UsageError, match="has the format 2, and this Redraft reads 1: restore with the Redraft"):
        restore(path, tmp_path / "back")


def test_a_database_that_is_none_is_said_and_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "redraft.db").write_bytes(b"not a database, but long enough to look like one" * 50)
    with pytest.raises(DamagedError, match=r"redraft\.db cannot be copied .*: put back an earlier backup"):
        back_up(folder, tmp_path / "b.tar", at=1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace"]


def test_killed_in_the_middle_there_is_no_backup(
    folder: Path, tmp_path: Path, lineage: Lineage, start: Callable[..., BaseProcess]
) -> None:
    fill(folder, lineage)
    (folder / "runs" / "improve-0001" / "large.bin").write_bytes(os.urandom(1 << 20) * 64)
    target = tmp_path / "to" / "b.tar"
    process = start(back_up_slowly, folder, target)
    last = time.monotonic() + 20
    while not any(path.stat().st_size > 1 << 20 for path in target.parent.glob(".b.tar.*")):
        assert process.is_alive()
        assert time.monotonic() < last
        time.sleep(0.001)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not target.exists()
    back_up(folder, target, at=2.0)
    assert restore(target, tmp_path / "back").made_at == 2.0


def back_up_slowly(folder: Path, target: Path) -> None:
    back_up(folder, target, at=1.0)


def test_on_a_full_disk_nothing_is_left(folder: Path, tmp_path: Path, lineage: Lineage, small_disk: Path) -> None:
    fill(folder, lineage)
    (folder / "runs" / "improve-0001" / "large.bin").write_bytes(bytes(5 << 20))
    with pytest.raises(StorageError, match="the disk or its quota is full"):
        back_up(folder, small_disk / "b.tar", at=1.0)
    assert list(small_disk.iterdir()) == []
    back_up(folder, tmp_path / "b.tar", at=1.0)
    with pytest.raises(StorageError, match="the disk or its quota is full"):
        restore(tmp_path / "b.tar", small_disk / "workspace")
    assert list(small_disk.iterdir()) == []


def test_a_database_that_does_not_fit_is_a_full_disk(folder: Path, small_disk: Path) -> None:
    with Workspace.open(folder):
        pass
    with closing(sqlite3.connect(folder / "redraft.db")) as raw:
        raw.execute("CREATE TABLE padding (bytes BLOB)")
        raw.execute("INSERT INTO padding VALUES (zeroblob(6000000))")
        raw.commit()
    with pytest.raises(StorageError, match="does not fit on the disk: make room"):
        back_up(folder, small_disk / "b.tar", at=1.0)
    assert list(small_disk.iterdir()) == []


def test_every_folder_of_a_workspace_is_backed_up(folder: Path) -> None:
    """A new folder must be named in backup.FOLDERS, or be known as one that need not be kept."""
    from redraft.studio.identity.signing import SigningKeys

    with Workspace.open(folder) as space:
        SigningKeys.load(space.folder)
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(backup.FOLDERS)


def test_garbage_can_be_looked_at_before_it_is_removed(folder: Path, lineage: Lineage) -> None:
    fill(folder, lineage)
    with Workspace.open(folder) as space:
        before = time.time() + 10
        found = space.gc(before=before, remove=False)
        assert [path.name for path in found.files] == [".half.png.host.1.2.partial"]
        assert found.bytes == 4
        assert found.files[0].exists()
        assert space.gc(before=before) == found
        assert not found.files[0].exists()
