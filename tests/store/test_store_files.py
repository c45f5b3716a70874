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
from redraft.store.files import write_file

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
