"""Answers over HTTP: volunteered, revised, sent twice, in bulk; whose subject it is; farming and copies."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redraft.feedback.points import PointsPolicy, day_limit
from redraft.store.rooms import Room
from redraft.studio.again import record_again
from redraft.studio.housekeeping import sweep
from redraft.studio.settling import join_copies
from redraft.studio.times import iso
from tests.studio.painted import Member, answer, clock_of, member, new_id, paint, rating_studio
from tests.studio.running_studio import StudioApp


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("answers"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


def picture(person: Member, **values: Any) -> str:
    return paint(person.studio, person.id, **values)[0].id


def refusal(reply: Any) -> tuple[int, str, str | None]:
    error = reply.json()["error"]
    return reply.status_code, error["code"], error["param"]


def test_whoever_wants_to_say_something_may_and_it_costs_no_budget(running: StudioApp, ann: Member) -> None:
    sent = [answer(picture(ann), lead_ms=5400) for _ in range(12)]
    assert {ann.client.post("/api/v1/answers", json=each).status_code for each in sent} == {201}
    assert ann.client.get("/api/v1/asks/budget").json()["asked_today"] == 0
    evidence = [row for row in running.studio.workspace.answers.evidence(limit=10_000) if row.answer.user == ann.id]
    assert [(row.probability, row.answer.mark, row.answer.lead_ms) for row in evidence] == [(None, 7.0, 5400)] * 12


def test_a_changed_mind_is_a_revision_and_undo_takes_it_back(running: StudioApp, ann: Member) -> None:
    subject = picture(ann)
    first = answer(subject)
    second = answer(subject, payload={"semantics": 2}, revision_of=first["id"])
    undo = answer(subject, payload={}, retracted=True, revision_of=second["id"])
    for sent in (first, second):
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    standing = running.studio.workspace.answers.standing(ann.id, [subject])
    assert [(kept.id, kept.payload) for kept in standing] == [(second["id"], {"semantics": 2})]
    assert ann.client.post("/api/v1/answers", json=undo).status_code == 201
    assert running.studio.workspace.answers.standing(ann.id, [subject]) == ()
    assert ann.client.get(f"/api/v1/gallery/{subject}").json()["answers"] == []
    history = ann.client.get("/api/v1/answers", params={"subject": subject}).json()["answers"]
    assert [row["id"] for row in history] == [first["id"], second["id"], undo["id"]]
    # One review, however often it is changed: one award.
    assert len(running.studio.workspace.points.entries(ann.id)) == 1


def test_sending_again_does_no_harm_and_another_answer_with_the_id_is_refused(ann: Member) -> None:
    sent = answer(picture(ann))
    assert [ann.client.post("/api/v1/answers", json=sent).status_code for _ in range(3)] == [201, 200, 200]
    changed = ann.client.post("/api/v1/answers", json={**sent, "payload": {"semantics": 1}})
    assert refusal(changed)[:2] == (409, "id_taken")


@pytest.mark.parametrize(
    ("change", "status", "code", "param", "words"),
    [
        ({"payload": {"semantics": 11}}, 400, "invalid_value", "payload", "whole numbers from 0 to 10"),
        ({"payload": {"beauty": 3}}, 400, "invalid_value", "payload", "'beauty' is unknown"),
        ({"payload": {}}, 400, "invalid_value", "payload", "says nothing"),
        ({"form": "stars", "payload": {"stars": 3}}, 400, "invalid_value", "form", "form 'stars' is unknown"),
        (
            {"form": "duel", "kind": "picture", "payload": {"choice": "tie"}},
            400,
            "invalid_value",
            "form",
            "about a duel, not a picture",
        ),
        ({"id": "not an id"}, 400, "invalid_value", "id", "UUID of version 7"),
        ({"id": "6f0e6b0e-6c1c-4d8e-8b1a-0d0f6c1d2e3f"}, 400, "invalid_value", "id", "UUID of version 7"),
        ({"created_at": "yesterday"}, 400, "invalid_value", "created_at", "must be ISO 8601"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, 400, "invalid_value", "created_at", "outside 1970 to 3000"),
        ({"payload": {"semantics": "x" * 100_000}}, 400, "invalid_value", "payload", "whole numbers"),
        ({"payload": {"y" * 100_000: 1}}, 400, "invalid_value", "payload", "is unknown"),
        ({"payload": {"semantics": 3, "text": "\ud800"}}, 400, "invalid_value", "payload", "surrogate"),
        ({"revision_of": "\ud800"}, 400, "invalid_value", "revision_of", "unicode"),
        ({"payload": {"semantics": 3, "text": "a\0b"}}, 400, "invalid_value", "payload", "U+0000"),
        ({"kind": "request"}, 400, "invalid_value", "kind", "picture"),
        ({"points": 100}, 400, "invalid_value", "points", "not permitted"),
        ({"subject": "nobody's"}, 404, "not_found", "subject", "not yours to judge"),
    ],
)
def test_bad_answers_are_refused_with_words_and_kept_nowhere(
    running: StudioApp, ann: Member, change: dict[str, Any], status: int, code: str, param: str | None, words: str
) -> None:
    # json.dumps writes halves of surrogate pairs as escapes, as a hostile client would.
    body = json.dumps({**answer(picture(ann)), **change})
    reply = ann.client.post("/api/v1/answers", content=body, headers={"content-type": "application/json"})
    assert len(reply.content) < 2000
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert words in reply.json()["error"]["message"]
    if param is not None:
        assert reply.json()["error"]["param"] == param
    assert running.studio.workspace.answers.of_person(ann.id) == ()


def test_a_body_nested_without_end_is_refused(ann: Member) -> None:
    body = '{"payload": ' + "[" * 100_000
    reply = ann.client.post("/api/v1/answers", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400


def test_subjects_of_others_are_not_there(running: StudioApp, ann: Member) -> None:
    bob = member(running)
    theirs = paint(running.studio, bob.id, count=3)
    quarantined = picture(ann, safety="quarantined")
    ranks = {painting.id: 1 for painting in theirs}
    attacks = [
        answer(theirs[0].id),
        answer(theirs[0].request, form="rank", payload={"ranks": ranks}),
        answer(new_id(), form="duel"),
        answer(f"{theirs[0].id} {theirs[1].id}", form="duel"),
        answer(quarantined),
    ]
    for sent in attacks:
        assert refusal(ann.client.post("/api/v1/answers", json=sent))[:2] in (
            (404, "not_found"),
            (400, "invalid_value"),
        )
    assert running.studio.workspace.answers.of_person(ann.id) == ()


def test_in_a_critique_session_members_judge_the_same_pictures(running: StudioApp, ann: Member) -> None:
    bob, eve = member(running), member(running)
    subject, rooms, now = picture(bob), running.studio.workspace.rooms, running.studio.now()
    rooms.create(Room(id=running.studio.new_id(), owner=bob.id, title="hands", created_at=now))
    (room,) = rooms.of_member(bob.id)
    rooms.invite(room.id, [ann.id], owner=bob.id, at=now)
    rooms.lay_out(room.id, [subject], owner=bob.id, at=now)
    assert ann.client.post("/api/v1/answers", json=answer(subject)).status_code == 201
    assert eve.client.post("/api/v1/answers", json=answer(subject)).status_code == 404
    rooms.close(room.id, owner=bob.id, at=now)
    assert ann.client.post("/api/v1/answers", json=answer(subject)).status_code == 404


def test_one_refused_answer_of_many_harms_no_other(ann: Member) -> None:
    good, known = answer(picture(ann)), answer(picture(ann))
    ann.client.post("/api/v1/answers", json=known)
    bad = answer(picture(ann), payload={"semantics": 99})
    sent = [good, known, bad, answer("absent"), {**good}]
    outcomes = ann.client.post("/api/v1/answers/bulk", json={"answers": sent}).json()["outcomes"]
    assert [(row["id"], row["status"], row["http"]) for row in outcomes] == [
        (good["id"], "stored", 201), (known["id"], "known", 200), (bad["id"], "refused", 400),
        (sent[3]["id"], "refused", 404), (good["id"], "known", 200),
    ]  # fmt: skip
    assert outcomes[2]["message"].startswith("semantics = 99")
    again = ann.client.post("/api/v1/answers/bulk", json={"answers": sent}).json()["outcomes"]
    assert [row["status"] for row in again] == ["known", "known", "refused", "refused", "known"]


def test_bulk_takes_1_to_100(ann: Member) -> None:
    subject = picture(ann)
    for count, status in ((0, 400), (101, 400), (100, 200)):
        sent = [answer(subject, form="thumbs") for _ in range(count)]
        assert ann.client.post("/api/v1/answers/bulk", json={"answers": sent}).status_code == status


def test_the_same_answers_from_many_threads_are_kept_once(running: StudioApp, ann: Member) -> None:
    sent = [answer(picture(ann)) for _ in range(12)]
    statuses: list[str] = []

    def send() -> None:
        outcomes = ann.client.post("/api/v1/answers/bulk", json={"answers": sent}).json()["outcomes"]
        statuses.extend(row["status"] for row in outcomes)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["known"] * 60 + ["stored"] * 12
    assert len(running.studio.workspace.answers.of_person(ann.id)) == 12
    assert len(running.studio.workspace.points.entries(ann.id)) == 12


def test_words_come_back_as_they_were_said_and_nothing_of_them_is_markup(ann: Member) -> None:
    words = "<script>alert(1)</script> \"'& ‮ =cmd()"
    subject = picture(ann, prompt="<img src=x onerror=alert(1)>")
    sent = answer(subject, payload={"semantics": 3, "text": words})
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    reply = ann.client.get(f"/api/v1/gallery/{subject}")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert reply.json()["answers"][0]["payload"]["text"] == words
    assert reply.json()["prompt"] == "<img src=x onerror=alert(1)>"


def test_an_answer_given_offline_counts_for_its_own_day_within_a_week(running: StudioApp) -> None:
    ann = member(running)
    clock_of(running).forward(30 * 86_400)
    now = running.studio.now()
    for days in (0, 2, 400, -400):
        sent = answer(picture(ann), created_at=iso(now - 86_400 * days))
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    days = [entry.day for entry in reversed(running.studio.workspace.points.entries(ann.id))]
    today, two, week = (iso(now - 86_400 * back)[:10] for back in (0, 2, 7))
    assert days == [today, two, week, today]


def test_claiming_many_days_wins_a_week_of_points_at_most(running: StudioApp) -> None:
    """Points farming by a false clock: however many answers, the days they may claim are eight."""
    ann = member(running)
    clock_of(running).forward(100 * 86_400)
    now = running.studio.now()
    pictures = [painting.id for _ in range(20) for painting in paint(running.studio, ann.id, count=10)]
    sent = [answer(id, created_at=iso(now - 43_200 * (number % 180))) for number, id in enumerate(pictures)]
    for start in (0, 100):
        ann.client.post("/api/v1/answers/bulk", json={"answers": sent[start : start + 100]})
    entries = running.studio.workspace.points.entries(ann.id, limit=500)
    assert len(entries) == 200
    assert len({entry.day for entry in entries}) == 8
    assert math.fsum(entry.pending for entry in entries) <= 8 * day_limit(PointsPolicy())


def test_a_hundred_accounts_of_one_program_share_one_budget(tmp_path: Path) -> None:
    """Points farming: the same answers in the same order make accounts one before their awards are final."""
    with rating_studio(tmp_path, raters={"copies": 3}) as running:
        bots = [member(running) for _ in range(100)]
        bytes_of_all = paint(running.studio, bots[0].id)[0].picture
        for bot in bots:
            pictures = [painting.id for painting in paint(running.studio, bot.id, count=3, picture=bytes_of_all)]
            sent = [
                answer(id, payload={"semantics": (3 * number) % 11, "coherence": number}, at=running.studio.now())
                for number, id in enumerate(pictures)
            ]
            outcomes = bot.client.post("/api/v1/answers/bulk", json={"answers": sent}).json()["outcomes"]
            assert {row["status"] for row in outcomes} == {"stored"}
        points = running.studio.workspace.points
        # Before anybody looks, all together have 3,000 points.
        assert points.balance(bots[0].id).pending == pytest.approx(30)
        clock_of(running).forward(73 * 3600)
        sweep(running.studio)
        clusters = {running.studio.workspace.people.get(bot.id).cluster for bot in bots}
        assert len(clusters) == 1
        assert None not in clusters
        final = math.fsum(points.balance(bot.id).final for bot in bots)
        assert 50 < final <= day_limit(PointsPolicy()) + 1e-9
        assert math.fsum(points.balance(bot.id).pending for bot in bots) == pytest.approx(0, abs=1e-6)


def test_people_who_answer_their_own_way_are_not_joined(running: StudioApp) -> None:
    people = [member(running) for _ in range(3)]
    for shift, person in enumerate(people):
        pictures = [painting.id for painting in paint(running.studio, person.id, count=13)]
        sent = [answer(id, payload={"semantics": (3 * n + shift * n * n) % 11}) for n, id in enumerate(pictures)]
        person.client.post("/api/v1/answers/bulk", json={"answers": sent})
    join_copies(running.studio, [person.id for person in people])
    assert {running.studio.workspace.people.get(person.id).cluster for person in people} == {None}


@pytest.mark.parametrize(
    ("address", "program", "joined"),
    [
        ("203.0.113.{0}", "farm/1", False),  # documentation addresses are not public ones
        ("9.9.9.9", "farm/1", True),
        ("9.9.9.9", "farm/{0}", False),
        ("9.9.{0}.9", "farm/1", False),
        ("2a00:1:2:3::{0}", "farm/1", True),
        ("192.168.0.7", "farm/1", False),
    ],
)
def test_many_accounts_of_one_device_share_one_budget(tmp_path: Path, address: str, program: str, joined: bool) -> None:
    """Answers differ, so that only where they come from tells; an office behind a private address is left alone."""
    with rating_studio(tmp_path, raters={"same_device": 4}) as running:
        farm = [member(running) for _ in range(4)]
        for number, bot in enumerate(farm, 1):
            browser = running.browser(address=address.format(number))
            browser.headers["Authorization"] = bot.client.headers["Authorization"]
            browser.headers["User-Agent"] = program.format(number)
            for semantics in (number, 9 - number):
                (painting,) = paint(running.studio, bot.id)
                sent = answer(painting.id, payload={"semantics": semantics, "safety": 5}, at=running.studio.now())
                assert browser.post("/api/v1/answers", json=sent).status_code == 201
        (kept, _) = running.studio.workspace.answers.of_person(farm[0].id)
        assert "9.9.9.9" not in kept.device
        clock_of(running).forward(73 * 3600)
        sweep(running.studio)
        clusters = {running.studio.workspace.people.get(bot.id).cluster for bot in farm}
        assert (len(clusters) == 1 and None not in clusters) is joined
        final = math.fsum(running.studio.workspace.points.balance(bot.id).final for bot in farm)
        # Eight reviews: as eight of four people 80 points, as the eight of one 50 and 7.41, 5.49, 4.07.
        assert final == pytest.approx(66.96 if joined else 80.0, abs=0.01)


def test_do_it_again_is_feedback_with_the_confidence_that_the_model_had(running: StudioApp, ann: Member) -> None:
    (painting,) = paint(running.studio, ann.id, confidence=0.8)
    paint(running.studio, ann.id)
    record_again(running.studio, ann.person, painting.request, request_id="the new one")
    record_again(running.studio, ann.person, "no such request", request_id="the new one")
    (kept,) = running.studio.workspace.answers.of_person(ann.id)
    assert (kept.kind, kept.form, kept.subject) == ("request", "again", painting.request)
    request = running.studio.workspace.requests.get(painting.request, owner=ann.id)
    assert kept.payload == {
        "again": "the new one", "prompt_hash": request.prompt_hash, "confidence": 0.8, "pictures": 1,
    }  # fmt: skip
    assert running.studio.workspace.points.entries(ann.id) == ()
    # Nobody can claim it over HTTP.
    assert ann.client.post("/api/v1/answers", json=answer(painting.request, form="again")).status_code == 400


def test_own_answers_are_read_page_by_page_and_nobody_elses(running: StudioApp, ann: Member) -> None:
    for _ in range(5):
        ann.client.post("/api/v1/answers", json=answer(picture(ann)))
    first = ann.client.get("/api/v1/answers", params={"limit": 3}).json()
    rest = ann.client.get("/api/v1/answers", params={"limit": 3, "before": first["next"]}).json()
    assert (len(first["answers"]), len(rest["answers"]), rest["next"]) == (3, 2, None)
    bob = member(running)
    assert bob.client.get("/api/v1/answers").json()["answers"] == []
    subject = first["answers"][0]["subject"]
    assert bob.client.get("/api/v1/answers", params={"subject": subject}).json()["answers"] == []
