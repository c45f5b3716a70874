"""Atomic files: contents, kills at every point, a full disk, a read-only disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from redraft.core.errors import StorageError
from redraft.store.files import write_file, write_files

OLD, NEW = b"old" * 1000, b"new" * 2000


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_die_at(point: str, path: Path) -> None:
    setattr(os, point, die)
    write_file(path, NEW)


def test_write_makes_folders_and_leaves_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_file(path, OLD)
    write_file(path, NEW)
    assert path.read_bytes() == NEW
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_the_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "file", OLD)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("point", ["fsync", "replace"])
def test_killed_before_the_rename_leaves_the_old_content(
    tmp_path: Path, start: Callable[..., BaseProcess], point: str
) -> None:
    path = tmp_path / "file"
    write_file(path, OLD)
    process = start(write_and_die_at, point, path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_bytes() == OLD
    write_file(path, NEW)
    assert path.read_bytes() == NEW


def test_full_disk_names_the_size_and_keeps_the_old_content(small_disk: Path) -> None:
    path = small_disk / "file"
    write_file(path, OLD)
    with pytest.raises(
        StorageError, match=r"file needs 8,388,608 bytes, but the disk or its quota is full \([\d,]+ bytes free\)"
    ) as caught:
        write_file(path, bytes(8 << 20))
    assert "make room there" in str(caught.value)
    assert path.read_bytes() == OLD
    assert [entry.name for entry in small_disk.iterdir()] == ["file"], "the half-written file is gone"
    write_file(path, NEW)
    assert path.read_bytes() == NEW


def test_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(
        StorageError, match=r"file cannot be written or read \(Read-only file system\).*mend its rights"
    ):
        write_file(small_disk / "file", OLD)


def write_two_and_die_at_the_second(point: str, folder: Path) -> None:
    first = getattr(os, point)

    def once(*arguments: object) -> None:
        setattr(os, point, die)
        first(*arguments)

    setattr(os, point, once)
    write_files({folder / "a": NEW, folder / "b": NEW})


@pytest.mark.parametrize(("point", "first"), [("fsync", OLD), ("replace", NEW)])
def test_killed_between_two_files_each_is_whole(
    tmp_path: Path, start: Callable[..., BaseProcess], point: str, first: bytes
) -> None:
    write_files({tmp_path / "a": OLD, tmp_path / "b": OLD})
    process = start(write_two_and_die_at_the_second, point, tmp_path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == first
    assert (tmp_path / "b").read_bytes() == OLD


def test_several_files_are_synced_each_before_its_rename_and_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done is recorded on its way to the system, which does it."""
    files = {tmp_path / folder / name: NEW for folder in ("x", "y") for name in ("a", "b")}
    write_files(dict.fromkeys(files, OLD))
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        done.append(("fsync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def recorded_replace(source: Path, target: Path) -> None:
        done.append(("replace", f"{source.name} {target.name}"))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_files(files)
    assert all(path.read_bytes() == NEW for path in files)
    synced = [name for what, name in done if what == "fsync"]
    renamed = [name.split()[0] for what, name in done if what == "replace"]
    assert len(renamed) == 4
    assert sorted(synced) == sorted([*renamed, "x", "y"])
    assert all(
        done.index(("fsync", name.split()[0])) < done.index(("replace", name))
        for what, name in done
        if what == "replace"
    )
    assert synced[-2:] == ["x", "y"], "folders last: their renames are what must last"


def test_a_full_disk_under_several_files_leaves_all_of_them_as_they_were(small_disk: Path) -> None:
    write_files({small_disk / "a": OLD, small_disk / "b": OLD})
    with pytest.raises(StorageError, match=r"b needs 8,388,608 bytes, but the disk or its quota is full"):
        write_files({small_disk / "a": NEW, small_disk / "b": bytes(8 << 20)})
    assert {entry.name: entry.read_bytes() for entry in small_disk.iterdir()} == {"a": OLD, "b": OLD}


def write_over_the_limit(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        write_file(path, bytes(20_000))
    except StorageError as error:
        raise SystemExit(0 if "needs 20,000 bytes" in str(error) else 2) from error
    raise SystemExit(3)


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    process = start(write_over_the_limit, tmp_path / "file")
    process.join()
    assert process.exitcode == 0
    assert list(tmp_path.iterdir()) == []
