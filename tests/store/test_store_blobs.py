"""Checkpoints and pictures: identity, verification, damage, kills in the middle, full disks, garbage collection."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from PIL import Image

from redraft.core.errors import DamagedError, StorageError, UnknownNameError, UsageError
from redraft.core.records import Lineage
from redraft.store import checkpoints as checkpoints_module
from redraft.store.blobs import Blobs
from redraft.store.checkpoints import Checkpoints
from redraft.store.workspace import Workspace

WEIGHTS = bytes(range(256)) * 40


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def encoded(kind: str, *, shade: int = 10) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 20, 30)).save(buffer, kind)
    return buffer.getvalue()


def test_the_id_is_the_hash_of_weights_and_lineage(workspace: Workspace, lineage: Lineage) -> None:
    checkpoint = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    text = json.dumps(dataclasses.asdict(lineage), sort_keys=True, separators=(",", ":"))
    assert checkpoint.id == hashlib.sha256(WEIGHTS + b'\n["lora",' + text.encode() + b"]").hexdigest()
    assert len(checkpoint.id) == 64
    assert workspace.checkpoints.read(checkpoint.id) == WEIGHTS
    assert workspace.checkpoints.get(checkpoint.id) == checkpoint
    assert checkpoint.lineage == lineage


def test_every_part_of_a_checkpoint_is_in_its_id(workspace: Workspace, lineage: Lineage) -> None:
    others = [dataclasses.replace(lineage, reward_fingerprints=("oracle:2",)), dataclasses.replace(lineage, seed=8)]
    for name in ("parent", "base", "method", "config", "data_hash", "code_version", "run"):
        others.append(Lineage(**{**vars(lineage), name: "other"}))
    assert len(others) == len(dataclasses.fields(lineage))
    ids = {workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=other, at=1.0).id for other in (lineage, *others)}
    ids.add(workspace.checkpoints.put(WEIGHTS, kind="full", lineage=lineage, at=1.0).id)
    ids.add(workspace.checkpoints.put(WEIGHTS + b"\n", kind="lora", lineage=lineage, at=1.0).id)
    assert len(ids) == len(others) + 3
    assert {workspace.checkpoints.read(id) for id in ids} == {WEIGHTS, WEIGHTS + b"\n"}


def test_putting_twice_is_one_checkpoint(workspace: Workspace, lineage: Lineage, folder: Path) -> None:
    first = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    assert workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=2.0) == first
    assert workspace.checkpoints.list() == (first,)
    assert len(files_in(folder / "checkpoints")) == 1


def test_list_is_by_base_and_age(workspace: Workspace, lineage: Lineage) -> None:
    other = dataclasses.replace(lineage, base="builtin:sd3")
    late = workspace.checkpoints.put(b"late", kind="lora", lineage=lineage, at=3.0)
    foreign = workspace.checkpoints.put(b"other", kind="lora", lineage=other, at=2.0)
    early = workspace.checkpoints.put(b"early", kind="lora", lineage=lineage, at=1.0)
    assert workspace.checkpoints.list() == (early, foreign, late)
    assert workspace.checkpoints.list(base="builtin:sd") == (early, late)


def test_get_takes_the_beginning_of_an_id(workspace: Workspace, lineage: Lineage) -> None:
    # Among 600 hashes some two share four of 16^4 beginnings with probability 1 - exp(-600^2 / 2 / 65536) = 94 %; the
    # contents are fixed, so it holds each time or never.
    weights = [str(number).encode() for number in range(600)]
    ids = [
        checkpoints_module._identify(item, kind="lora", lineage=checkpoints_module._canonical(lineage))
        for item in weights
    ]
    pair = next((a, b) for a in range(600) for b in range(a) if ids[a][:4] == ids[b][:4])
    first, second = (workspace.checkpoints.put(weights[n], kind="lora", lineage=lineage, at=1.0) for n in pair)
    with pytest.raises(UsageError, match=rf"checkpoint '{first.id[:4]}' is ambiguous.*give more digits"):
        workspace.checkpoints.get(first.id[:4])
    assert workspace.checkpoints.get(first.id[:16]) == first
    assert workspace.checkpoints.get(second.id[:16]) == second
    for unknown in ("", first.id[:3], "____", "%" * 4, "f" * 64):
        with pytest.raises(UnknownNameError, match=r"known names: .*" + first.id[:12]):
            workspace.checkpoints.get(unknown)


def test_an_empty_workspace_says_so(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match=r"checkpoint 'abcdef' is unknown: this workspace has no checkpoint yet"):
        workspace.checkpoints.get("abcdef")


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
def test_damaged_weights(workspace: Workspace, lineage: Lineage, folder: Path, damage: str) -> None:
    checkpoint = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    flipped = bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:]
    (path,) = files_in(folder / "checkpoints")
    path.write_bytes({"flip": flipped, "cut": WEIGHTS[:-1], "grow": WEIGHTS + b"\0", "empty": b""}[damage])
    with pytest.raises(DamagedError) as caught:
        workspace.checkpoints.read(checkpoint.id)
    message = str(caught.value)
    assert str(path) in message
    assert "SHA-256" in message
    assert "use another checkpoint" in message
    # The workspace still works, and putting the same weights again mends the file.
    workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=2.0)
    assert workspace.checkpoints.read(checkpoint.id) == WEIGHTS


def test_lost_weights(workspace: Workspace, lineage: Lineage, folder: Path) -> None:
    checkpoint = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    files_in(folder / "checkpoints")[0].unlink()
    with pytest.raises(DamagedError, match=rf"checkpoint {checkpoint.id}: its file .* is gone; put back a copy"):
        workspace.checkpoints.read(checkpoint.id)


def test_a_changed_lineage_is_damage(workspace: Workspace, lineage: Lineage, folder: Path) -> None:
    checkpoint = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    with sqlite3.connect(folder / "redraft.db") as raw:
        raw.execute("UPDATE checkpoints SET lineage = replace(lineage, '\"seed\":7', '\"seed\":8')")
    with pytest.raises(DamagedError, match="SHA-256 of weights and lineage"):
        workspace.checkpoints.read(checkpoint.id)
    with sqlite3.connect(folder / "redraft.db") as raw:
        raw.execute("UPDATE checkpoints SET lineage = '{}'")
    with pytest.raises(DamagedError, match=r"its lineage in the database is damaged"):
        workspace.checkpoints.read(checkpoint.id)


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def put_and_die_at(point: str, folder: Path, lineage: Lineage) -> None:
    with Workspace.open(folder) as workspace:
        if point == "insert":
            workspace.database.writing = die  # type: ignore[method-assign, assignment]
        else:
            setattr(os, point, die)
        workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)


@pytest.mark.parametrize(("point", "whole"), [("fsync", 0), ("replace", 0), ("insert", 1)])
def test_killed_while_putting(
    start: Callable[..., BaseProcess], folder: Path, lineage: Lineage, point: str, whole: int
) -> None:
    Workspace.open(folder).close()
    if point == "fsync":
        # The folder of the blob is there already, so the first fsync is the one of the half-finished file.
        id = checkpoints_module._identify(WEIGHTS, kind="lora", lineage=checkpoints_module._canonical(lineage))
        (folder / "checkpoints" / id[:2]).mkdir()
    process = start(put_and_die_at, point, folder, lineage)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = files_in(folder / "checkpoints")
    assert len(left) == 1
    assert len([path for path in left if path.suffix == ".safetensors"]) == whole
    with Workspace.open(folder) as workspace:
        assert workspace.checkpoints.list() == (), "no checkpoint is visible"
        garbage = workspace.gc(before=time.time() + 10)
        assert garbage.files == tuple(left)
        assert garbage.bytes == len(WEIGHTS)
        again = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
        assert workspace.checkpoints.read(again.id) == WEIGHTS


def put_many(folder: Path, lineage: Lineage) -> None:
    with Workspace.open(folder) as workspace:
        for number in range(10_000):
            workspace.checkpoints.put(bytes([number % 256]) * 500_000, kind="lora", lineage=lineage, at=float(number))
            workspace.pictures.put(encoded("PNG", shade=number % 256), at=float(number))


def test_killed_at_random_moments_everything_visible_is_whole(
    start: Callable[..., BaseProcess], folder: Path, lineage: Lineage
) -> None:
    Workspace.open(folder).close()
    moments = random.Random(3)
    seen = 0
    for _ in range(5):
        process = start(put_many, folder, lineage)
        time.sleep(moments.uniform(0.05, 0.3))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with Workspace.open(folder) as workspace:
            for checkpoint in workspace.checkpoints.list():
                assert len(workspace.checkpoints.read(checkpoint.id)) == checkpoint.bytes
                seen += 1
    assert seen > 0, "the processes lived long enough to put something"


def test_full_disk_leaves_no_trace_and_the_workspace_works(small_disk: Path, lineage: Lineage) -> None:
    with Workspace.open(small_disk / "workspace") as workspace:
        with pytest.raises(StorageError, match=r"needs 6,000,000 bytes, but the disk or its quota is full.*make room"):
            workspace.checkpoints.put(bytes(6_000_000), kind="full", lineage=lineage, at=1.0)
        assert files_in(small_disk / "workspace" / "checkpoints") == []
        assert workspace.checkpoints.list() == ()
        small = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
        assert workspace.checkpoints.read(small.id) == WEIGHTS


def test_full_disk_under_the_database(small_disk: Path) -> None:
    with Workspace.open(small_disk / "workspace") as workspace:
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(small_disk).free == 0
        with pytest.raises(StorageError, match=r"redraft\.db cannot grow, the disk is full.*make room there"):
            workspace.runs.create("improve-0001", kind="improve", config="x" * 500_000, at=1.0)
        ballast.unlink()
        assert workspace.runs.list() == ()
        workspace.runs.create("improve-0001", kind="improve", config="x" * 500_000, at=1.0)
        assert len(workspace.runs.get("improve-0001").config) == 500_000


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("WEBP", ".webp")])
def test_pictures(workspace: Workspace, folder: Path, kind: str, suffix: str) -> None:
    data = encoded(kind)
    id = workspace.pictures.put(data, at=1.0)
    assert id == hashlib.sha256(data).hexdigest() == workspace.pictures.put(data, at=2.0)
    assert workspace.pictures.read(id) == data
    assert workspace.pictures.media_type(id) == f"image/{kind.lower()}"
    (path,) = files_in(folder / "images")
    assert path.name == id + suffix
    path.write_bytes(data[:-1] + b"?")
    with pytest.raises(DamagedError, match=rf"picture {id}: its file .*{suffix} is damaged.*make the picture again"):
        workspace.pictures.read(id)
    path.unlink()
    with pytest.raises(DamagedError, match="is gone"):
        workspace.pictures.read(id)
    with pytest.raises(UnknownNameError, match="picture 'abc' is unknown"):
        workspace.pictures.read("abc")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_cut_picture_is_refused(workspace: Workspace, kind: str) -> None:
    with pytest.raises(UsageError, match=f"image/{kind.lower()} but cut off: send the whole file"):
        workspace.pictures.put(encoded(kind)[:-3], at=1.0)


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a", encoded("JPEG"), encoded("BMP")])
def test_other_bytes_are_no_picture(workspace: Workspace, folder: Path, data: bytes) -> None:
    with pytest.raises(UsageError, match="neither PNG nor WebP: encode it as one of them"):
        workspace.pictures.put(data, at=1.0)
    assert files_in(folder / "images") == []


def test_gc_removes_only_old_files_that_no_row_knows(workspace: Workspace, lineage: Lineage, folder: Path) -> None:
    kept = workspace.checkpoints.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    picture = workspace.pictures.put(encoded("PNG"), at=1.0)
    workspace.stage_files.save("improve-0001", f"{'a' * 64}.safetensors", b"stage")
    orphans = [folder / "checkpoints" / "aa" / f"{'a' * 64}.safetensors", folder / "images" / "bb" / f"{'b' * 64}.png"]
    partial = folder / "runs" / "improve-0001" / ".report.html.host.1.2.partial"
    note = folder / "checkpoints" / "README.txt"
    for path in (*orphans, partial, note):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    assert workspace.gc(before=time.time() - 3600).files == (), "an hour ago nothing of this was there"
    garbage = workspace.gc(before=time.time() + 10)
    assert set(garbage.files) == {*orphans, partial}
    assert garbage.bytes == 15
    assert workspace.checkpoints.read(kept.id) == WEIGHTS
    assert workspace.pictures.read(picture) == encoded("PNG")
    assert workspace.stage_files.names("improve-0001") == (f"{'a' * 64}.safetensors",)
    assert note.exists()


def test_a_collection_between_file_and_row_loses_nothing(workspace: Workspace, lineage: Lineage, folder: Path) -> None:
    class Interrupted(Blobs):
        def write(self, id: str, suffix: str, data: bytes) -> None:
            super().write(id, suffix, data)
            assert len(workspace.gc(before=time.time() + 10).files) == 1

    interrupted = Checkpoints(workspace.database, Interrupted(folder / "checkpoints"))
    checkpoint = interrupted.put(WEIGHTS, kind="lora", lineage=lineage, at=1.0)
    assert workspace.checkpoints.read(checkpoint.id) == WEIGHTS
