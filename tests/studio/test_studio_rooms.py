"""Critique sessions over HTTP: who opens one, who sees it, what lies on its table, and what is said there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from redraft.store.points import Earned
from tests.studio.painted import Member, answer, clock_of, member, paint, rating_studio
from tests.studio.running_studio import StudioApp


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("rooms"), database_url=database_url) as running:
        yield running


@pytest.fixture
def host(running: StudioApp) -> Member:
    """Somebody of the tier Platinum who is known long enough."""
    person = member(running)
    ledger = running.studio.workspace.points
    for number in range(3):
        award = f"{person.id[:20]} {number}"
        earned = Earned(award=award, user=person.id, day=f"2026-01-0{number + 1}", at=1.0)
        ledger.enter([earned], amount=lambda _place: 1.0, reason="test")
        ledger.settle(award, amount=20_000, reason="test", at=1.0)
    clock_of(running).forward(8 * 86_400)
    return person


def opened(host: Member, title: str = "hands") -> str:
    reply = host.client.post("/api/v1/rooms", json={"title": title})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def test_members_judge_the_same_pictures_and_nobody_else_sees_them(running: StudioApp, host: Member) -> None:
    guests, stranger = [member(running), member(running)], member(running)
    pictures = [painting.id for painting in paint(running.studio, host.id, count=2)]
    room = opened(host)
    path = f"/api/v1/rooms/{room}"
    names = {"names": [guest.name for guest in guests]}
    assert host.client.post(f"{path}/members", json=names).status_code == 204
    assert host.client.post(f"{path}/pictures", json={"pictures": pictures}).status_code == 204
    for guest in guests:
        found = guest.client.get(path).json()
        assert (found["own"], sorted(picture["id"] for picture in found["pictures"])) == (False, sorted(pictures))
        assert set(found["members"]) == {host.name, *names["names"]}
        assert "confidence" not in found["pictures"][0]
        assert guest.client.get(found["pictures"][0]["url"]).status_code == 200
        for picture in pictures:
            assert guest.client.post("/api/v1/answers", json=answer(picture)).status_code == 201
    assert len(running.studio.workspace.answers.about(pictures[0])) == 2
    assert stranger.client.get(path).status_code == 404
    assert stranger.client.get("/api/v1/rooms").json() == {"rooms": []}
    assert stranger.client.post("/api/v1/answers", json=answer(pictures[0])).status_code == 404
    # A guest is no host.
    for verb, body in (("members", {"names": [stranger.name]}), ("pictures", {"pictures": pictures}), ("close", None)):
        assert guests[0].client.post(f"{path}/{verb}", json=body).status_code == 404
    assert host.client.post(f"{path}/close").status_code == 204
    assert guests[0].client.post("/api/v1/answers", json=answer(pictures[0])).status_code == 404
    assert host.client.post(f"{path}/members", json=names).status_code == 409


def test_only_the_highest_tier_opens_one(running: StudioApp, host: Member) -> None:
    ordinary = member(running)
    refused = ordinary.client.post("/api/v1/rooms", json={"title": "mine"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "perk_missing")
    assert opened(host)
    assert opened(member(running, roles=("moderator",)))


def test_nobody_lays_out_anothers_or_an_unsafe_picture_or_invites_nobody(running: StudioApp, host: Member) -> None:
    path = f"/api/v1/rooms/{opened(host)}"
    theirs = paint(running.studio, member(running).id)[0].id
    unsafe = paint(running.studio, host.id, unsafe=True)[0].id
    for picture, status in ((theirs, 404), (unsafe, 409), ("absent", 404)):
        assert host.client.post(f"{path}/pictures", json={"pictures": [picture]}).status_code == status
    refused = host.client.post(f"{path}/members", json={"names": ["nobody at all"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "names")
    assert host.client.get(path).json()["pictures"] == []
