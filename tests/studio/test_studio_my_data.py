"""One's own data over HTTP: all of it to take along, and erasing oneself wherever it went."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.studio.painted import EMBEDDING, Member, answer, decide_ask, member, paint, rating_studio
from tests.studio.running_studio import StudioApp, studio_app

CANARY = "a canary that sings in a mine"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("my data"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    """A person with something in every table that rating fills."""
    ann = member(running)
    words = said(ann)
    for painting in paint(running.studio, ann.id, count=4, prompt=words, embedding=[1.0, 0.0], confidence=0.0):
        decide_ask(running.studio, ann.person, painting.id)
        sent = answer(painting.id, payload={"semantics": 3, "text": words})
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    ann.client.get("/api/v1/duels/next")
    ann.client.post(f"/api/v1/gallery/{painting.id}/report", json={"text": words})
    return ann


def said(person: Member) -> str:
    """Words that only this person ever said."""
    return f"{CANARY} {person.name}!"


def archive(person: Member) -> zipfile.ZipFile:
    reply = person.client.get("/api/v1/my-data/export")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(reply.content))


def rows(file: zipfile.ZipFile, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read(f"{table}.jsonl").decode().splitlines()]


def test_the_export_holds_every_row_and_picture_and_no_secret(running: StudioApp, ann: Member) -> None:
    counts = ann.client.get("/api/v1/my-data").json()["tables"]
    file = archive(ann)
    assert file.testzip() is None
    for table in ("answers", "ask_decisions", "gallery", "points", "requests", "duels", "reports", "embeddings"):
        assert len(rows(file, table)) == counts[table] > 0, table
    assert {row["payload"]["text"] for row in rows(file, "answers")} == {said(ann)}
    for row in rows(file, "gallery"):
        assert file.read(f"pictures/{row['id']}.png") == running.studio.workspace.pictures.read(row["picture"])
    words = b"".join(file.read(name) for name in file.namelist())
    for secret in (b"password", b"csrf", b'"hash"'):
        assert secret not in words


def test_nobody_gets_anothers_data(running: StudioApp, ann: Member) -> None:
    bob = member(running)
    file = archive(bob)
    assert CANARY.encode() not in b"".join(file.read(name) for name in file.namelist())
    assert running.client.get("/api/v1/my-data/export").status_code == 401


def test_erasing_reaches_pictures_answers_embeddings_points_and_the_next_training_set(
    running: StudioApp, ann: Member
) -> None:
    space = running.studio.workspace
    pictures = [row["picture"] for row in rows(archive(ann), "gallery")]
    run = space.runs.create("improve-7", kind="improve", config="{}", at=1.0)
    space.answers.note_training(run.name, [ann.id])
    assert any(row.answer.user == ann.id for row in space.answers.evidence(limit=10_000))
    assert said(ann) in _words_of(running)
    refused = ann.client.post("/api/v1/my-data/erase", json={"name": "somebody else"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "name")
    receipt = ann.client.post("/api/v1/my-data/erase", json={"name": ann.name}).json()
    assert receipt["removed"]["answers"] == receipt["removed"]["gallery"] == receipt["removed"]["pictures"] == 4
    assert receipt["removed"]["embeddings"] == 4
    assert receipt["runs"] == [run.name]
    assert ann.client.get("/api/v1/me").status_code == 401
    assert not any(row.answer.user == ann.id for row in space.answers.evidence(limit=10_000))
    # What stays are audit entries, which hold ids and no words.
    assert {name for name, _ in space.personal_data.rows(ann.id)} == {"audit"}
    assert space.gallery.embeddings(ann.id, [], fingerprint=EMBEDDING) == {}
    left = [path.name for path in Path(space.folder, "images").rglob("*") if path.is_file()]
    assert not [name for name in left if any(picture in name for picture in pictures)]
    # Her words are nowhere in the database, whatever table they were in.
    assert said(ann) not in _words_of(running)


def _words_of(running: StudioApp) -> str:
    """The rows of all tables, as text."""
    file = Path(running.studio.workspace.folder, "redraft.db")
    engine = sa.create_engine(running.studio.settings.database_url or f"sqlite:///{file}", poolclass=sa.NullPool)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [row for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
    return "\n".join(str(tuple(row)) for row in rows)


def test_the_only_administrator_stays(running: StudioApp) -> None:
    ada = member(running, roles=("admin",))
    reply = ada.client.post("/api/v1/my-data/erase", json={"name": ada.name})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conflict")
    assert "only administrator" in reply.json()["error"]["message"]
    other = member(running, roles=("admin",))
    assert ada.client.post("/api/v1/my-data/erase", json={"name": ada.name}).status_code == 200
    assert other.client.get("/api/v1/me").status_code == 200


def test_the_one_person_of_an_open_studio_is_not_erased_by_a_click(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        name = running.client.get("/api/v1/me").json()["name"]
        reply = running.client.post("/api/v1/my-data/erase", json={"name": name})
        assert reply.status_code == 409
        assert "remove the workspace folder" in reply.json()["error"]["message"]
        assert running.client.get("/api/v1/my-data/export").status_code == 200


def test_a_damaged_picture_keeps_nobody_from_the_rest(running: StudioApp, ann: Member) -> None:
    damaged = rows(archive(ann), "gallery")[0]
    for path in Path(running.studio.workspace.folder, "images").rglob(f"*{damaged['picture']}*"):
        path.chmod(0o600)
        path.write_bytes(b"no picture")
    file = archive(ann)
    assert f"pictures/{damaged['id']}.png" not in file.namelist()
    assert len([name for name in file.namelist() if name.startswith("pictures/")]) == 3
    assert len(rows(file, "gallery")) == 4
