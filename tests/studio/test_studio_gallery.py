"""The gallery over HTTP: filters, pages, cursors, favourites, erasing a picture, appeals and reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.studio.painted import EMBEDDING, Member, answer, clock_of, member, paint, rating_studio
from tests.studio.running_studio import StudioApp


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("gallery"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


def ids(person: Member, **wanted: Any) -> list[str]:
    """Ids of all pages of three."""
    found: list[str] = []
    after = None
    while True:
        query = {**wanted, "limit": 3} | ({"after": after} if after else {})
        reply = person.client.get("/api/v1/gallery", params=query)
        assert reply.status_code == 200, reply.text
        page = reply.json()
        found += [picture["id"] for picture in page["pictures"]]
        after = page["next"]
        if after is None:
            return found


def test_pages_by_time_confidence_and_facet_hold_everything_once(running: StudioApp, ann: Member) -> None:
    made = []
    for number in range(8):
        clock_of(running).forward(1)
        values = {"confidence": (5 * number % 8) / 8, "facets": {"semantics": (3 * number % 8) / 8}}
        made += paint(running.studio, ann.id, **values)
    assert ids(ann) == [painting.id for painting in reversed(made)]
    by_confidence = sorted(made, key=lambda painting: painting.confidence or 0)
    assert ids(ann, order="confidence") == [painting.id for painting in by_confidence]
    by_facet = sorted(made, key=lambda painting: painting.facets["semantics"])
    assert ids(ann, order="semantics") == [painting.id for painting in by_facet]
    bounded = [painting.id for painting in by_facet if 0.25 <= painting.facets["semantics"] <= 0.5]
    assert ids(ann, order="semantics", low=0.25, high=0.5) == bounded
    assert ids(ann, order="aesthetics") == []


def test_filters(running: StudioApp, ann: Member) -> None:
    plain, tuned, unsure, blurred = (
        paint(running.studio, ann.id, **values)[0].id
        for values in ({}, {"checkpoint": "c" * 64}, {"confidence": None}, {"safety": "blurred", "blurred": True})
    )
    everything = {plain, tuned, unsure, blurred}
    assert set(ids(ann, checkpoint="c" * 64)) == {tuned}
    assert set(ids(ann, checkpoint="")) == everything - {tuned}
    assert set(ids(ann, model="builtin:sd")) == everything
    assert ids(ann, model="builtin:sd3") == []
    assert set(ids(ann, safety="blurred")) == {blurred}
    assert set(ids(ann, order="confidence")) == everything - {unsure}
    assert ann.client.put(f"/api/v1/gallery/{tuned}/favourite", json={"favourite": True}).status_code == 204
    assert ids(ann, favourite=True) == [tuned]
    ann.client.post("/api/v1/answers", json=answer(plain, form="thumbs", payload={"up": False}))
    ann.client.post("/api/v1/answers", json=answer(tuned, form="thumbs"))
    assert set(ids(ann, answered=True)) == {plain, tuned}
    assert set(ids(ann, answered=False)) == {unsure, blurred}
    assert ids(ann, form="thumbs", most_mark=0) == [plain]
    assert ids(ann, form="sliders") == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"order": "semantic"}, "order"), ({"order": "__class__"}, "order"), ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"), ({"low": "nan"}, "low"), ({"high": "inf"}, "high"), ({"safety": "fine"}, "safety"),
        ({"after": "%%%"}, None), ({"after": "WzEsMl0"}, None), ({"after": "W05hTiwgIngiXQ"}, None),
        ({"model": "a\x00b"}, "model"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_reason(ann: Member, query: dict[str, Any], param: str | None) -> None:
    reply = ann.client.get("/api/v1/gallery", params=query)
    assert reply.status_code == 400
    if param is not None:
        assert reply.json()["error"]["param"] == param
    assert reply.json()["error"]["message"]


def test_an_unknown_order_is_named_with_the_nearest(ann: Member) -> None:
    message = ann.client.get("/api/v1/gallery", params={"order": "semantic"}).json()["error"]["message"]
    assert "order 'semantic' is unknown: did you mean 'semantics'" in message


def test_pictures_of_others_are_not_there(running: StudioApp, ann: Member) -> None:
    theirs = paint(running.studio, member(running).id)[0].id
    for method, path, body in (
        ("GET", "", None), ("PUT", "/favourite", {"favourite": True}), ("DELETE", "", None), ("POST", "/report", {}),
        ("POST", "/appeal", {}),
    ):  # fmt: skip
        for id in (theirs, "0" * 32, "../../etc/passwd".replace("/", "%2f"), "x" * 500):
            assert ann.client.request(method, f"/api/v1/gallery/{id}{path}", json=body).status_code == 404
    assert ids(ann) == []
    assert running.studio.workspace.gallery.find([theirs])[0].safety == "ok"


def test_erasing_a_picture_removes_row_bytes_embedding_and_what_refers_to_it(running: StudioApp, ann: Member) -> None:
    (painting,) = paint(running.studio, ann.id, embedding=[1.0, 2.0])
    folder = Path(running.studio.workspace.folder) / "images"
    assert [path for path in folder.rglob("*") if painting.picture in path.name]
    ann.client.post(f"/api/v1/gallery/{painting.id}/report", json={"text": "not nice"})
    assert ann.client.delete(f"/api/v1/gallery/{painting.id}").status_code == 204
    assert ann.client.get(f"/api/v1/gallery/{painting.id}").status_code == 404
    assert ann.client.delete(f"/api/v1/gallery/{painting.id}").status_code == 404
    assert not [path for path in folder.rglob("*") if painting.picture in path.name]
    gallery = running.studio.workspace.gallery
    assert gallery.embeddings(ann.id, [painting.id], fingerprint=EMBEDDING) == {}
    assert running.studio.workspace.reports.of_person(ann.id) == ()


def test_a_blurred_picture_has_a_reason_and_an_appeal_that_a_moderator_decides(running: StudioApp, ann: Member) -> None:
    moderator, reason = member(running, roles=("moderator",)), "looks unsafe to the safety check: 61 %"
    (painting,) = paint(running.studio, ann.id, safety="blurred", blurred=True, unsafe=True, safety_reason=reason)
    path = f"/api/v1/gallery/{painting.id}"
    assert ann.client.get(path).json()["safety_reason"] == reason
    made = ann.client.post(f"{path}/appeal", json={"text": "it is a statue"})
    assert (made.status_code, made.json()["state"]) == (201, "open")
    again = ann.client.post(f"{path}/appeal", json={"text": "once more"})
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert ann.client.get("/api/v1/reports").status_code == 403
    (waiting,) = [
        row for row in moderator.client.get("/api/v1/reports").json()["reports"] if row["picture"] == painting.id
    ]
    # The moderator sees it as it is, by a link that says so; without the signature the same link opens nothing.
    shown = moderator.client.get(waiting["picture_url"])
    assert shown.content == running.studio.workspace.pictures.read(painting.picture)
    assert moderator.client.get(waiting["picture_url"].replace("revealed-", "")).status_code == 403
    granted = moderator.client.post(f"/api/v1/reports/{waiting['id']}", json={"state": "granted"})
    assert granted.json()["state"] == "granted"
    cleared = ann.client.get(path).json()
    assert (cleared["safety"], cleared["blurred"]) == ("ok", False)
    assert ann.client.get("/api/v1/reports/own").json()["reports"][0]["state"] == "granted"
    refused = ann.client.post(f"{path}/appeal", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    # A decided report stays decided.
    moderator.client.post(f"/api/v1/reports/{waiting['id']}", json={"state": "refused"})
    assert ann.client.get(path).json()["safety"] == "ok"


def test_a_reported_picture_is_blurred_at_once_and_withheld_when_a_moderator_agrees(
    running: StudioApp, ann: Member
) -> None:
    moderator = member(running, roles=("moderator",))
    (painting,) = paint(running.studio, ann.id)
    report = ann.client.post(f"/api/v1/gallery/{painting.id}/report", json={"text": "a wound"}).json()
    assert ann.client.get(f"/api/v1/gallery/{painting.id}").json()["blurred"] is True
    assert ann.client.post(f"/api/v1/reports/{report['id']}", json={"state": "granted"}).status_code == 403
    moderator.client.post(f"/api/v1/reports/{report['id']}", json={"state": "granted"})
    found = ann.client.get(f"/api/v1/gallery/{painting.id}").json()
    assert found["safety"] == "withheld"
    assert ann.client.get(found["url"]).status_code == 404


def test_a_picture_has_all_that_the_page_shows(running: StudioApp, ann: Member) -> None:
    (painting,) = paint(running.studio, ann.id, prompt="a red cat")
    found = ann.client.get(f"/api/v1/gallery/{painting.id}").json()
    assert {name: found[name] for name in ("prompt", "seed", "width", "height", "steps", "guidance", "model")} == {
        "prompt": "a red cat", "seed": painting.seed, "width": 64, "height": 64, "steps": 4, "guidance": 1.0,
        "model": "builtin:sd",
    }  # fmt: skip
    assert found["terms"] == {"clip": 0.5, "aesthetic": 0.8, "unsafe": 0.9}
    image = ann.client.get(found["url"])
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    # The link opens it for whoever has it, and only this picture.
    assert running.client.get(found["url"]).status_code == 200
    (other,) = paint(running.studio, ann.id)
    assert running.client.get(found["url"].replace(painting.id, other.id)).status_code == 403
