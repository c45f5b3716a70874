"""Good bodies and own things of a person for every route, for `generated_requests` to send and to spoil. No tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redraft.store.raters import GoldItem
from redraft.store.rooms import Room
from redraft.studio.identity.tokens import AskToken, Invitation, sign_ask, sign_invitation
from redraft.studio.picture_view import picture_url
from redraft.studio.study_invitations import invite
from redraft.studio.times import iso
from tests.store.studio_rows import png
from tests.studio.access_table import ACCESS, Thing
from tests.studio.painted import answer, new_id, paint, person_named
from tests.studio.running_studio import PASSWORD, StudioApp

EACH = 3
"""Own things of each kind: some requests remove one."""


def things_of(running: StudioApp, name: str, route: str) -> Sequence[Mapping[str, str]]:
    """Path and query of things that are this person's own, for one operation."""
    owner = person_named(running.studio, name).id
    access = ACCESS[route]
    make = _OTHERS.get(route.partition(" ")[2]) or access.thing
    if make is not None:
        return [{**(access.shared or {}), **make(running, owner)} for _ in range(EACH)]
    return [] if access.shared is None else [access.shared]


def bodies_of(running: StudioApp, name: str) -> dict[str, Sequence[Any]]:
    """By operation: bodies that are good, or nearly."""
    studio, who = running.studio, person_named(running.studio, name)
    now = iso(studio.now())
    pictures = [painting.id for painting in paint(studio, who.id, count=4)]
    ranked = paint(studio, who.id, count=3)
    (other,) = paint(studio, who.id, checkpoint="c" * 64)
    token = AskToken(
        id=studio.new_id(), user=who.id, kind="picture", subject=pictures[1], form="sliders", policy="v1",
        expires_at=studio.now() + 3600,
    )  # fmt: skip
    answers = [
        answer(pictures[1], token=sign_ask(studio.keys, token), lead_ms=900, created_at=now),
        answer(pictures[0], created_at=now), answer(pictures[0], form="thumbs", created_at=now),
        answer(pictures[2], payload={"semantics": 3, "text": "five legs"}, revision_of=new_id(), created_at=now),
        answer(ranked[0].request, form="rank", payload={"ranks": {p.id: p.place + 1 for p in ranked}}, created_at=now),
        answer(studio.new_id(), form="duel", created_at=now),
        answer(pictures[3], payload={}, retracted=True, created_at=now),
    ]  # fmt: skip
    taken = [painting.id for painting in paint(studio, who.id, count=2)]
    with running.browser(name) as browser:
        lease = browser.post("/api/v1/asks/lease", json={"pictures": taken}).json()["lease"]
    room = Room(id=studio.new_id(), owner=who.id, title="hands", created_at=studio.now())
    studio.workspace.rooms.create(room)
    invitation = Invitation(id=studio.new_id(), roles=(), expires_at=studio.now() + 3600)
    study = _study(running, who.id)["id"]
    joined, _ = invite(studio.workspace, studio.keys, study, count=1, days=1, at=studio.now())
    wish = {
        "prompt": "a red circle", "negative_prompt": "blue", "model": "champion", "n": 1, "size": "auto", "steps": 1,
        "guidance": 1.5, "seed": 7, "critique": False, "again_of": ranked[0].request, "ask": "auto",
    }  # fmt: skip
    found: dict[str, Sequence[Any]] = {
        route: [access.body] for route, access in ACCESS.items() if access.body is not None
    }
    return found | {
        "POST /api/v1/login": [{"name": name, "password": PASSWORD}],
        "POST /api/v1/setup": [{"token": "x", "name": "eve", "password": PASSWORD}],
        "POST /api/v1/sign-up": [
            {"invitation": sign_invitation(studio.keys, invitation), "name": "eve", "password": PASSWORD}
        ],
        "PATCH /api/v1/me": [
            {
                "name": name,
                "preferences": {"dark": [1]},
                "consent": {"improve": True, "share": False, "unsafe": True},
                "asking": {"less": True, "quiet_from": 1, "quiet_until": 2, "timezone": "Europe/Berlin"},
            }
        ],
        "POST /api/v1/me/password": [{"old": PASSWORD, "new": PASSWORD}],
        "POST /api/v1/keys": [{"name": "mine", "scopes": ["read"], "expires_in_days": 3}],
        "POST /api/v1/users": [{"name": "cleo", "roles": ["operator"]}],
        "PATCH /api/v1/users/{id}": [{"roles": [], "disabled": False, "adult": True, "trained_reviewer": True}],
        "POST /api/v1/invitations": [{"roles": ["operator"], "days": 3}],
        "POST /v1/images/generations": [
            {
                "prompt": "a red circle",
                "model": "champion",
                "n": 1,
                "size": "auto",
                "quality": "low",
                "user": "u",
                "response_format": "b64_json",
                "output_format": "webp",
                "output_compression": 50,
                "stream": False,
                "x_redraft": {"seed": 7, "steps": 1, "guidance": 1.0, "negative_prompt": "", "ask": "never"},
            }
        ],
        "POST /api/v1/jobs": [wish],
        "PUT /api/v1/gallery/{id}/favourite": [{"favourite": True}],
        "POST /api/v1/gallery/{id}/appeal": [{"text": "a statue"}],
        "POST /api/v1/gallery/{id}/report": [{"text": "not nice"}],
        "POST /api/v1/reports/{id}": [{"state": "refused"}, {"state": "granted"}],
        "POST /api/v1/asks/lease": [{"pictures": [painting.id for painting in paint(studio, who.id, count=2)]}],
        "POST /api/v1/asks/sync": [
            {
                "lease": lease,
                "decisions": [{"id": new_id(), "picture": id, "at": now, "session": "a"} for id in taken],
            }
        ],
        "POST /api/v1/answers": answers,
        "POST /api/v1/answers/bulk": [{"answers": [answer(pictures[0], created_at=now)]}],
        "POST /api/v1/rooms": [{"title": "hands"}],
        "POST /api/v1/rooms/{id}/members": [{"names": ["ann", "bob"]}],
        "POST /api/v1/rooms/{id}/pictures": [{"pictures": pictures}],
        "PUT /api/v1/gold": [
            {"picture": pictures[0], "form": "sliders", "expected": {"semantics": {"least": 2, "most": 4}}},
            {"picture": pictures[1], "form": "thumbs", "expected": {"up": True}, "active": False},
        ],
        "PUT /api/v1/models/challenger": [{"checkpoint": None, "reason": "enough"}],
        "POST /api/v1/models/promote": [{"checkpoint": "challenger", "reason": "better"}],
        "POST /api/v1/models/rollback": [{"reason": "worse"}],
        "POST /api/v1/runs": [
            {
                "kind": "train",
                "model": "builtin:sd",
                "method": "nft",
                "recipe": "short",
                "reward": {"oracle": 1.0},
                "rounds": 1,
                "train_steps": 2,
                "steps": 2,
                "seed": 1,
                "promote": False,
            }
        ],
        "POST /api/v1/studies": [
            {
                "title": "cats",
                "introduction": "look",
                "pairs": [{"first": pictures[0], "second": other.id}],
                "each": 1,
                "repeats": 0,
                "accounts": False,
            }
        ],
        "POST /api/v1/studies/join": [{"invitation": joined[0]}],
        "POST /api/v1/studies/{id}/answers": [
            {"answers": [{"assignment": "a", "question": "appeal", "choice": "left", "created_at": now, "lead_ms": 1}]}
        ],
        "POST /api/v1/studies/{id}/invitations": [{"count": 2, "days": 3}],
        "POST /api/v1/my-data/erase": [{"name": "somebody else"}],
    }


def _gold(running: StudioApp, owner: str) -> Mapping[str, str]:
    (painting,) = paint(running.studio, owner)
    item = GoldItem(
        id=running.studio.new_id(), kind="picture", subject=painting.id, form="thumbs", expected={"up": True},
        active=True, created_at=running.studio.now(),
    )  # fmt: skip
    running.studio.workspace.raters.put_gold(item)
    return {"picture": painting.id}


def _award(running: StudioApp, owner: str) -> Mapping[str, str]:
    """Points for an answer of one's own."""
    (painting,) = paint(running.studio, owner)
    with running.browser(running.studio.workspace.people.get(owner).name) as browser:
        sent = answer(painting.id, created_at=iso(running.studio.now()))
        browser.post("/api/v1/answers", json=sent)
    return {"award": sent["id"]}


def _linked(running: StudioApp, owner: str) -> Mapping[str, str]:
    """A picture by a signed link, which is good for whoever has it."""
    (painting,) = paint(running.studio, owner)
    return {"id": painting.id, **_link(picture_url(running.studio, painting.id)), "form": "png"}


def _paired(running: StudioApp, owner: str) -> Mapping[str, str]:
    """One side of a pair of a study, by the link that comes with it."""
    name = running.studio.workspace.people.get(owner).name
    study = dict(_study(running, owner))
    with running.browser(name) as browser:
        pair = browser.get(f"/api/v1/studies/{study['id']}/next").json()["pair"]
    return {**study, "assignment": pair["assignment"], "side": "left", **_link(pair["left"]["url"])}


def _link(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def _run(running: StudioApp, owner: str) -> Mapping[str, str]:
    """A run that has ended, with a curve, a grid and a report: whoever follows one that waits is never let go."""
    space, id = running.studio.workspace, f"train-{running.studio.new_id()[:12]}"
    space.runs.create(id, kind="train", config=json.dumps({"model": "builtin:sd", "method": "nft"}), at=100.0)
    space.stage_files.save(id, "curves.jsonl", b'{"name": "loss", "step": 1, "value": 0.5}\n')
    space.stage_files.save(id, "examined.json", json.dumps({"grid": ["a red cat"], "prompts": []}).encode())
    space.stage_files.save(id, "grid/0-before.png", png(1))
    space.stage_files.save(id, "report.html", b"<html>report</html>")
    metric = {"incumbent": 0.5, "candidate": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15, "unit": "", "role": "o"}
    result = {"verdict": "hold", "reasons": ["unclear"], "metrics": {"oracle": metric}}
    space.runs.set_status(id, "finished", at=150.0, result=json.dumps(result))
    return {"id": id, "place": "0", "side": "before"}


def _study(running: StudioApp, owner: str) -> Mapping[str, str]:
    make = ACCESS["GET /api/v1/studies/{id}/next"].thing
    assert make is not None
    return make(running, owner)


_STUDY = "/api/v1/studies/{id}"
_RUN = "/api/v1/runs/{id}"
_OTHERS: Mapping[str, Thing] = {
    "/api/v1/pictures/{id}.{form}": _linked,
    "/api/v1/gold/{picture}": _gold, "/api/v1/points/{award}/reverse": _award,
    f"{_STUDY}/pictures/{{assignment}}/{{side}}.png": _paired,
    f"{_STUDY}/report": _study, f"{_STUDY}/close": _study, f"{_STUDY}/invitations": _study,
    _RUN: _run, f"{_RUN}/report": _run, f"{_RUN}/grid/{{place}}/{{side}}.png": _run, f"{_RUN}/events": _run,
}  # fmt: skip
"""For what access_table.py names nobody's own thing."""
