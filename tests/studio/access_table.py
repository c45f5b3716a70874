"""Who may use each route of the studio: one line for each. tests/studio/test_studio_access.py holds the studio to it.

A route that is not here fails the tests, and so does a line without a route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redraft.store.rooms import Room
from redraft.studio.studying import NewPair, StudyPlan, begin, create_study
from tests.store import studio_rows as rows
from tests.studio.running_studio import PASSWORD, StudioApp

Thing = Callable[[StudioApp, str], Mapping[str, str]]
"""Makes something of a person (by id) and returns the parameters of the path to it."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use a route.

    who: "all", "person" (anybody who is known) or a scope. thing: what of a person stands in the path; None when the
    path names nobody's. body: one that is good enough to reach the thing. shared: the path names what belongs to no
    person, such as a model. administers: whoever has the scope may reach other people's things by this route.
    """

    who: str
    thing: Thing | None = None
    body: Mapping[str, Any] | None = field(default=None)
    shared: Mapping[str, str] | None = None
    administers: bool = False


def _picture(running: StudioApp, owner: str) -> Mapping[str, str]:
    # The id of its request is made of this one and must fit its column.
    id = running.studio.new_id()[:24]
    rows.paint(running.studio.workspace, id, owner, shade=int(id[:3], 16), created_at=running.studio.now())
    return {"id": id, "form": "png"}


def _blurred(running: StudioApp, owner: str) -> Mapping[str, str]:
    params = _picture(running, owner)
    running.studio.workspace.gallery.set_safety(params["id"], "blurred", reason="it may be unsafe")
    return params


def _job(running: StudioApp, owner: str) -> Mapping[str, str]:
    id = f"request of {_picture(running, owner)['id']}"
    running.studio.workspace.requests.set_state(id, "finished", owner=owner, at=running.studio.now())
    return {"id": id}


def _ask(running: StudioApp, owner: str) -> Mapping[str, str]:
    picture, id = _picture(running, owner)["id"], running.studio.new_id()
    rows.ask(running.studio.workspace, rows.decision(id, owner, picture, created_at=running.studio.now()))
    return {"id": id}


def _session(running: StudioApp, owner: str) -> Mapping[str, str]:
    name = running.studio.workspace.people.get(owner).name
    with running.browser(name) as browser:
        return {"id": browser.get("/api/v1/me/sessions").json()["data"][0]["id"]}


def _key(running: StudioApp, owner: str) -> Mapping[str, str]:
    name = running.studio.workspace.people.get(owner).name
    with running.browser(name) as browser:
        return {"id": browser.post("/api/v1/keys", json={"name": "mine", "scopes": ["read"]}).json()["id"]}


def _account(_running: StudioApp, owner: str) -> Mapping[str, str]:
    return {"id": owner}


def _study(running: StudioApp, owner: str) -> Mapping[str, str]:
    """A study for invited people, in which this person has a pair."""
    space, now = running.studio.workspace, running.studio.now()
    pair = NewPair(prompt="a cat", first=rows.png(1), second=rows.png(2), first_system="a", second_system="b")
    study = create_study(
        space, [pair], title="cats", plan=StudyPlan(each=1, repeats=0, accounts=False), owner=None, at=now
    )
    begin(running.studio, study, owner)
    return {"id": study.id}


def _report(running: StudioApp, owner: str) -> Mapping[str, str]:
    picture = _picture(running, owner)["id"]
    with running.browser(running.studio.workspace.people.get(owner).name) as browser:
        answer = browser.post(f"/api/v1/gallery/{picture}/report", json={"text": "not nice"})
    return {"id": answer.json()["id"]}


def _room(running: StudioApp, owner: str) -> Mapping[str, str]:
    id = running.studio.new_id()
    running.studio.workspace.rooms.create(Room(id=id, owner=owner, title="hands", created_at=running.studio.now()))
    return {"id": id}


RUN = {"id": "absent"}
"""Runs belong to nobody: whoever may read sees them."""

_CHOICES = {
    "answers": [{"assignment": "a", "question": "appeal", "choice": "left", "created_at": "2026-11-21T10:00:00Z"}]
}
ACCESS: Mapping[str, Access] = {
    # accounts
    "GET /api/v1/session": Access(who="all"),
    "POST /api/v1/setup": Access(who="all"),
    "POST /api/v1/login": Access(who="all"),
    "POST /api/v1/sign-up": Access(who="all"),
    "GET /api/v1/oidc/login": Access(who="all"),
    "GET /api/v1/oidc/callback": Access(who="all"),
    "POST /api/v1/logout": Access(who="person"),
    "GET /api/v1/me": Access(who="person"),
    "PATCH /api/v1/me": Access(who="account", body={}),
    "POST /api/v1/me/password": Access(who="account", body={"old": PASSWORD, "new": PASSWORD}),
    "GET /api/v1/me/sessions": Access(who="account"),
    "DELETE /api/v1/me/sessions": Access(who="account"),
    "DELETE /api/v1/me/sessions/{id}": Access(who="account", thing=_session),
    "GET /api/v1/keys": Access(who="account"),
    "POST /api/v1/keys": Access(who="account", body={"name": "mine", "scopes": ["read"]}),
    "DELETE /api/v1/keys/{id}": Access(who="account", thing=_key),
    "GET /api/v1/users": Access(who="admin", administers=True),
    "POST /api/v1/users": Access(who="admin", body={"name": "cleo"}),
    "PATCH /api/v1/users/{id}": Access(who="admin", thing=_account, body={}, administers=True),
    "POST /api/v1/invitations": Access(who="admin", body={}),
    "GET /api/v1/audit": Access(who="admin", administers=True),
    # health
    "GET /health": Access(who="all"),
    "GET /ready": Access(who="all"),
    "GET /metrics": Access(who="metrics"),
    # painting
    "GET /v1/models": Access(who="generate"),
    "GET /v1/models/{model}": Access(who="generate", shared={"model": "champion"}),
    "POST /v1/images/generations": Access(who="generate", body={"prompt": "a red circle"}),
    "POST /api/v1/jobs": Access(who="generate", body={"prompt": "a red circle"}),
    "GET /api/v1/jobs": Access(who="read"),
    "GET /api/v1/jobs/{id}": Access(who="read", thing=_job),
    "DELETE /api/v1/jobs/{id}": Access(who="generate", thing=_job),
    "GET /api/v1/jobs/{id}/events": Access(who="read", thing=_job),
    "GET /api/v1/pictures/{id}.{form}": Access(who="all", thing=_picture),
    "GET /api/v1/models": Access(who="read"),
    "GET /api/v1/models/history": Access(who="read"),
    "GET /api/v1/models/duels": Access(who="run"),
    "PUT /api/v1/models/challenger": Access(who="run", body={"checkpoint": "absent"}),
    "GET /api/v1/models/repeats": Access(who="read"),
    "GET /api/v1/models/{model}/histogram": Access(who="read", shared={"model": "champion"}),
    # rating
    "GET /api/v1/forms": Access(who="person"),
    "GET /api/v1/gallery": Access(who="read"),
    "GET /api/v1/gallery/{id}": Access(who="read", thing=_picture),
    "PUT /api/v1/gallery/{id}/favourite": Access(who="rate", thing=_picture, body={"favourite": True}),
    "DELETE /api/v1/gallery/{id}": Access(who="account", thing=_picture),
    "POST /api/v1/gallery/{id}/appeal": Access(who="rate", thing=_blurred, body={"text": "a statue"}),
    "POST /api/v1/gallery/{id}/report": Access(who="rate", thing=_picture, body={"text": "not nice"}),
    "GET /api/v1/reports/own": Access(who="read"),
    "GET /api/v1/reports": Access(who="moderate", administers=True),
    "POST /api/v1/reports/{id}": Access(who="moderate", thing=_report, body={"state": "refused"}, administers=True),
    "GET /api/v1/asks/pending": Access(who="rate"),
    "POST /api/v1/asks/{id}/decline": Access(who="rate", thing=_ask),
    "GET /api/v1/asks/budget": Access(who="rate"),
    "GET /api/v1/asks/log": Access(who="rate"),
    "GET /api/v1/asks/statistics": Access(who="run", administers=True),
    "POST /api/v1/asks/lease": Access(who="rate", body={"pictures": []}),
    "POST /api/v1/asks/sync": Access(who="rate", body={"lease": "x", "decisions": []}),
    "POST /api/v1/answers": Access(who="rate", body={}),
    "POST /api/v1/answers/bulk": Access(who="rate", body={"answers": []}),
    "GET /api/v1/answers": Access(who="read"),
    "GET /api/v1/duels/next": Access(who="rate"),
    "GET /api/v1/rankings/next": Access(who="rate"),
    "GET /api/v1/reviews/next": Access(who="rate"),
    "GET /api/v1/profile": Access(who="read"),
    "GET /api/v1/profile/points": Access(who="read"),
    "GET /api/v1/profile/rater": Access(who="read"),
    "GET /api/v1/profile/taste": Access(who="read"),
    "DELETE /api/v1/profile/taste": Access(who="account"),
    "GET /api/v1/my-data": Access(who="account"),
    "GET /api/v1/my-data/export": Access(who="account"),
    "POST /api/v1/my-data/erase": Access(who="account", body={"name": "somebody else"}),
    "GET /api/v1/rooms": Access(who="rate"),
    "POST /api/v1/rooms": Access(who="rate", body={}),
    "GET /api/v1/rooms/{id}": Access(who="rate", thing=_room),
    "POST /api/v1/rooms/{id}/members": Access(who="rate", thing=_room, body={"names": ["ann"]}),
    "POST /api/v1/rooms/{id}/pictures": Access(who="rate", thing=_room, body={"pictures": []}),
    "POST /api/v1/rooms/{id}/close": Access(who="rate", thing=_room),
    "POST /api/v1/points/{award}/reverse": Access(
        who="moderate", shared={"award": "absent"}, body={"reason": "a mistake"}, administers=True
    ),
    "GET /api/v1/gold": Access(who="moderate", administers=True),
    "PUT /api/v1/gold": Access(who="moderate", body={}),
    "GET /api/v1/gold/{picture}": Access(who="moderate", shared={"picture": "absent"}, administers=True),
    # runs: everybody sees what the models learnt
    "POST /api/v1/models/promote": Access(who="run", body={"checkpoint": "absent"}),
    "POST /api/v1/models/rollback": Access(who="run", body={}),
    "GET /api/v1/runs": Access(who="read"),
    "GET /api/v1/runs/options": Access(who="run"),
    "POST /api/v1/runs": Access(who="run", body={"kind": "nothing"}),
    "GET /api/v1/runs/{id}": Access(who="read", shared=RUN),
    "DELETE /api/v1/runs/{id}": Access(who="run", shared=RUN),
    "GET /api/v1/runs/{id}/report": Access(who="read", shared=RUN),
    "GET /api/v1/runs/{id}/grid/{place}/{side}.png": Access(who="read", shared={**RUN, "place": "0", "side": "before"}),
    "GET /api/v1/runs/{id}/events": Access(who="read", shared=RUN),
    # studies
    "GET /api/v1/studies": Access(who="study"),
    "GET /api/v1/studies/all": Access(who="run", administers=True),
    "POST /api/v1/studies": Access(who="run"),
    "POST /api/v1/studies/join": Access(who="all", body={"invitation": "x"}),
    "GET /api/v1/studies/{id}/next": Access(who="study", thing=_study),
    "POST /api/v1/studies/{id}/answers": Access(who="study", thing=_study, body=_CHOICES),
    "GET /api/v1/studies/{id}/pictures/{assignment}/{side}.png": Access(
        who="all", shared={"id": "absent", "assignment": "absent", "side": "left"}
    ),
    "GET /api/v1/studies/{id}/report": Access(who="run", shared={"id": "absent"}),
    "POST /api/v1/studies/{id}/close": Access(who="run", shared={"id": "absent"}),
    "POST /api/v1/studies/{id}/invitations": Access(who="run", body={}, shared={"id": "absent"}),
}
