"""Erasing a person: a planted canary is searched for in every table and every file; others keep what is theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from places import Place
from studio_rows import answer, ask, decision, paint, painting, person, png, request, uuid7

from redraft.core.errors import UnknownNameError
from redraft.core.records import Lineage
from redraft.store.duels import Duel
from redraft.store.jobs import Job
from redraft.store.logins import ApiKey, Session
from redraft.store.people import Profile
from redraft.store.personal_data import exported_tables
from redraft.store.raters import GoldItem, GoldResult, Quality
from redraft.store.reports import PictureReport
from redraft.store.rooms import Room
from redraft.store.schema import Row
from redraft.store.studies import Study, StudyAnswer, StudyAssignment, StudyPair
from redraft.store.workspace import Workspace

CANARY = "canary-7f3a"
"""Stands in the id of the erased person and in every word of theirs."""
KEPT = {"erasures", "audit"}
"""Where an erased person's id stays, by design: the receipt, and the audit log, which cannot be changed."""
DERIVED = {"standing_answers", "gallery_facets"}
"""Tables that say again what exported ones say."""


def rows(space: Workspace) -> dict[str, list[dict[str, Any]]]:
    with space.database.reading() as connection:
        return {
            name: [row._asdict() for row in connection.execute(sa.select(table))]
            for name, table in Row.metadata.tables.items()
        }


def live_through_everything(space: Workspace, user: str, other: str) -> None:
    """Leave at least one row of `user` in every table that can hold one."""
    space.people.set_profile(user, Profile(data=f"{user} taste".encode(), fingerprint="clip:1"), at=1.0)
    session = Session(
        id=f"s {user}", user=user, csrf="", label=f"{user} phone", created_at=1.0, seen_at=1.0, expires_at=9.0
    )
    space.logins.open(session)
    space.logins.add_key(
        ApiKey(id=f"k {user}"[:36], user=user, name=user, prefix="r", scopes=(), created_at=1.0), hash=user
    )
    space.counters.take(user, "pictures", window="2026-11-21", most=9, expires_at=9.0)
    for number in range(2):
        paint(space, f"{user} p{number}", user, shade=number + (100 if user == CANARY else 0), facets={"safety": 0.5})
        space.gallery.put_embedding(f"{user} p{number}", owner=user, fingerprint="f", data=f"{user} vector".encode())
    space.requests.enter(request(f"{user} worded", user, prompt=f"a portrait of {user}", idempotency_key=user))
    mine, foreign = f"{user} p0", f"{other} p0"
    ask(space, decision(f"d {user}", user, mine))
    words = {"text": f"{user} writes this"}
    space.answers.ingest(
        [
            answer(f"1 {user}", user, mine, payload=words, ask=f"d {user}"),
            answer(f"2 {user}", user, foreign, payload=words),
        ],
        amount=lambda _n: 10.0,
    )
    space.raters.put_gold(
        GoldItem(id=f"g {user}", kind="picture", subject=f"{user} p1", form="sliders", expected={}, created_at=1.0)
    )
    space.raters.note_gold(GoldResult(answer=uuid7(f"1 {user}"), item=f"g {user}", user=user, passed=True, at=1.0))
    space.raters.set_quality(Quality(user=user, weight=1.0, evidence={}, at=1.0))
    space.rooms.create(Room(id=f"r {user}", owner=user, title=f"{user}'s room", created_at=1.0))
    space.rooms.lay_out(f"r {user}", [mine], owner=user, at=1.0)
    space.reports.enter(
        PictureReport(id=f"rep {user}", user=user, picture=mine, kind="appeal", text=f"{user} pleads", created_at=1.0)
    )
    space.jobs.enter(Job(id=f"j {user}", owner=user, kind="improve", payload={"note": user}, created_at=1.0))
    space.audit.append("log in", actor=user, subject="", detail={}, at=1.0)


def live_with_each_other(space: Workspace, lineage: Lineage) -> None:
    """What ties the erased person (the canary) and another one (bob) together."""
    for user, other in ((CANARY, "bob"), ("bob", CANARY)):
        duel = Duel(
            id=f"duel {user}",
            user=user,
            experiment="x",
            prompt_hash="0",
            prompt=f"a portrait of {other}",
            first=f"{other} p0",
            second=f"{user} p0",
            first_checkpoint="",
            second_checkpoint="",
            swapped=False,
            probability=1.0,
            issued_at=1.0,
            expires_at=9.0,
        )
        space.duels.issue(duel)
        space.rooms.invite(f"r {user}", [other], owner=user, at=1.0)
    first, second = space.pictures.put(png(900), at=1.0), space.pictures.put(png(901), at=1.0)
    pair = StudyPair(
        id="pair", study="s", number=0, prompt="x", first=first, second=second, first_system="a", second_system="b"
    )
    study = Study(id="s", owner=CANARY, title="a study", questions=("appeal",), created_at=1.0)
    space.studies.create(study, [pair])
    for user in (CANARY, "bob"):
        given = StudyAssignment(
            id=f"as {user}", study="s", user=user, pair="pair", place=0, swapped=False, assigned_at=1.0
        )
        space.studies.assign("s", user, lambda _counts, _place, given=given: [given])  # type: ignore[misc]
        space.studies.answer(
            StudyAnswer(assignment=given.id, question="appeal", choice="left", created_at=1.0, received_at=1.0),
            user=user,
        )
    space.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
    space.runs.create("improve-0002", kind="improve", config="{}", at=1.0)
    space.answers.note_training("improve-0001", [CANARY, "bob"])
    space.answers.note_training("improve-0002", ["bob"])
    space.checkpoints.put(b"weights", kind="lora", lineage=lineage, at=1.0)


@pytest.fixture
def lived(space: Workspace, lineage: Lineage) -> Workspace:
    """A workspace in which the canary and bob have left a row wherever a person can."""
    for name in (CANARY, "bob"):
        person(space, name)
        paint(space, f"{name} extra", name, shade=7)  # the same bytes, so the same file, for both
    for user, other in ((CANARY, "bob"), ("bob", CANARY)):
        live_through_everything(space, user, other)
    live_with_each_other(space, replace(lineage, run="improve-0001"))
    return space


def holding(found: dict[str, list[dict[str, Any]]], word: str) -> set[str]:
    return {name for name, held in found.items() if word in repr(held)}


def test_the_canary_sits_in_every_table_that_knows_people(lived: Workspace) -> None:
    """Otherwise the next tests would prove less than they say."""
    known = holding(rows(lived), CANARY)
    named = {
        name
        for name, table in Row.metadata.tables.items()
        if {"user", "owner", "actor"} & set(table.columns.keys()) or name == "users"
    }
    assert named - {"erasures"} <= known, "a table of people has no row here"


def test_nothing_of_an_erased_person_is_left(lived: Workspace, place: Place) -> None:
    before = rows(lived)
    bobs = {
        name: [row for row in held if "bob" in repr(row) and CANARY not in repr(row)] for name, held in before.items()
    }
    hashes = {row["picture"] for row in before["gallery"] if row["owner"] == CANARY}
    shared = {row["picture"] for row in before["gallery"] if row["owner"] == "bob"} & hashes
    assert len(shared) == 1

    receipt = lived.erasure.person(CANARY, receipt="receipt-1", at=50.0)

    after = rows(lived)
    # A duel of bob's, with the erased person's picture and prompt, keeps neither.
    answers_of_bob = [row for row in after["answers"] if row["subject"] == f"{CANARY} p0"]
    assert [row["user"] for row in answers_of_bob] == ["bob"]
    assert holding(after, CANARY) <= KEPT | {"answers", "standing_answers"}
    assert not [row for row in after["answers"] if row["user"] == CANARY or CANARY in repr(row["payload"])]
    (duel,) = after["duels"]
    assert (duel["user"], duel["first"], duel["second"], duel["prompt"]) == ("bob", None, "bob p0", None)
    for name, held in bobs.items():
        if name != "duels":
            assert all(row in after[name] for row in held), f"bob lost rows of {name}"
    assert [row["owner"] for row in after["studies"]] == [None]

    kept = {path.stem for path in (place.folder / "images").rglob("*.png")}
    assert kept & hashes == shared, "only what bob needs too is left of the pictures"
    assert {row["id"] for row in after["pictures"]} == kept
    assert not [path for path in files(place.folder) if CANARY.encode() in path.read_bytes()]

    assert receipt.runs == ("improve-0001",)
    assert receipt.checkpoints == tuple(row["id"] for row in after["checkpoints"])
    assert {name: len(before[name]) - len(after[name]) for name in receipt.removed} == receipt.removed
    assert lived.erasure.receipts() == (receipt,)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("redraft.db")]


def test_the_next_training_set_is_without_an_erased_person(lived: Workspace) -> None:
    assert {item.answer.user for item in lived.answers.evidence()} == {CANARY, "bob"}
    lived.erasure.person(CANARY, receipt="r", at=50.0)
    assert {item.answer.user for item in lived.answers.evidence()} == {"bob"}
    assert {item.user for item in lived.asks.log()} == {"bob"}
    assert {result.user for result in lived.studies.results("s")} == {"bob"}
    assert {item.owner for item in lived.requests.recent_prompts(since=0.0)} == {"bob"}


def test_erasing_again_gives_the_same_receipt(lived: Workspace) -> None:
    receipt = lived.erasure.person(CANARY, receipt="r", at=50.0)
    assert lived.erasure.person(CANARY, receipt="another", at=60.0) == receipt
    with pytest.raises(UnknownNameError, match="'zoe' has no account here, and none was erased: there is nothing"):
        lived.erasure.person("zoe", receipt="r2", at=1.0)


def test_an_erased_person_can_do_nothing_more(lived: Workspace) -> None:
    lived.erasure.person(CANARY, receipt="r", at=50.0)
    (outcome,) = lived.answers.ingest([answer("late", CANARY, "bob p0")])
    assert outcome.refusal == "no_account"
    assert lived.logins.session(f"s {CANARY}", at=2.0) is None
    assert lived.logins.key(CANARY, at=2.0) is None


def test_a_person_takes_along_all_that_is_known_of_them(lived: Workspace) -> None:
    tables = Row.metadata.tables.items()
    knowing = {name for name, table in tables if {"user", "owner", "actor"} & set(table.columns.keys())}
    assert exported_tables() >= knowing - DERIVED - {"erasures", "counters"}
    found: dict[str, list[dict[str, Any]]] = {}
    for name, row in lived.personal_data.rows(CANARY):
        found.setdefault(name, []).append(row)
    assert set(found) == exported_tables(), "every exported table has a row here"
    assert found["answers"][0]["payload"] == {"text": f"{CANARY} writes this"}
    assert found["embeddings"][0]["data"] == f"{CANARY} vector".encode()
    assert {row["prompt"] for row in found["requests"]} == {"a red cat", f"a portrait of {CANARY}"}
    assert {row["owner"] for row in found["gallery"]} == {CANARY}
    secrets = {"password", "csrf", "hash", "token"}
    assert not secrets & {column for held in found.values() for row in held for column in row}
    assert not [row for row in found["sessions"] if "id" in row]
    assert "bob writes" not in repr(found)
    assert list(lived.personal_data.rows("zoe")) == []


def test_single_paintings_are_erased_by_their_owner_only(lived: Workspace, place: Place) -> None:
    lived.gallery.add(
        [painting("twin", CANARY, picture=lived.pictures.put(png(100), at=1.0), request=f"request of {CANARY} p0")]
    )
    assert lived.erasure.paintings([f"{CANARY} p0", f"{CANARY} p1"], owner="bob") == 0
    assert lived.erasure.paintings([f"{CANARY} p0", f"{CANARY} p1", "absent"], owner=CANARY) == 2
    left = {item.painting.id for item in lived.gallery.page(CANARY).exhibits}
    assert left == {"twin", f"{CANARY} extra"}
    kept = {path.stem for path in (place.folder / "images").rglob("*.png")}
    shown = {row["picture"] for row in rows(lived)["gallery"]}
    assert kept == {row["id"] for row in rows(lived)["pictures"]}
    assert shown <= kept
    twin = lived.gallery.get("twin", owner=CANARY).painting
    assert lived.pictures.read(twin.picture) == png(100), "another painting of the same bytes keeps the file"
    assert lived.gallery.embeddings(CANARY, [f"{CANARY} p0"], fingerprint="f") == {}
