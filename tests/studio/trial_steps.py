"""What happens in a trial, step by step, without an engine: a challenger, a pair drawn and painted, a vote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redraft.core.records import Lineage
from redraft.store.gallery import Painting
from redraft.store.people import Consent
from redraft.store.points import Earned
from redraft.store.requests import Request
from redraft.studio.engine.making import Making
from redraft.studio.engine.messages import Group
from redraft.studio.recording import Recorder
from redraft.studio.trials import draw_trial
from tests.store.studio_rows import png
from tests.studio.painted import Member, answer, paint
from tests.studio.running_studio import StudioApp

BASE = "builtin:sd"


def checkpoint(running: StudioApp, name: str, *, alias: str = "challenger") -> str:
    """A checkpoint of a few bytes, with an alias."""
    lineage = Lineage(
        parent="", base=BASE, method="test", config="{}", data_hash=name, reward_fingerprints=(), code_version="0",
        seed=0, run="test",
    )  # fmt: skip
    space, now = running.studio.workspace, running.studio.now()
    found = space.checkpoints.put(name.encode(), kind="lora", lineage=lineage, at=now).id
    space.aliases.move(BASE, found, alias=alias, reason="test", at=now)  # type: ignore[arg-type]
    return found


def request_of(person: Member, **values: Any) -> Request:
    """An everyday request of a person, painted."""
    (painting,) = paint(person.studio, person.id, **values)
    return person.studio.workspace.requests.get(painting.request, owner=person.id)


def drawn(person: Member) -> tuple[Request, ...]:
    return draw_trial(person.studio, person.person, request_of(person))


def finish(person: Member, request: Request, *, shade: int, **values: Any) -> None:
    """What the engine does with a request of a trial: a picture, and its end."""
    studio = person.studio
    painting = Painting(
        id=studio.new_id(), request=request.id, owner=person.id, seed=1, base=BASE, checkpoint=request.checkpoint,
        picture=studio.workspace.pictures.put(png(shade), at=studio.now()), created_at=studio.now(),
    )  # fmt: skip
    studio.workspace.gallery.add([replace(painting, **values)])
    group = Group(checkpoint=request.checkpoint, steps=4, guidance=1.0, critique=False)
    making = Making(request=request, person=person.person, group=group, ask="never", session="", previews=False)
    Recorder(studio).end(making, "finished")


def next_duel(person: Member) -> Any:
    return person.client.get("/api/v1/duels/next").json()["duel"]


def vote(person: Member, choice: str) -> str:
    """Have a pair drawn, painted and judged: "candidate" or "incumbent" wherever it stands. Returns the duel's id."""
    first, second = drawn(person)
    finish(person, first, shade=1)
    finish(person, second, shade=2)
    given = next_duel(person)["id"]
    swapped = person.studio.workspace.duels.get(given, user=person.id).swapped
    side = {"candidate": ("right", "left"), "incumbent": ("left", "right")}.get(choice, (choice, choice))[swapped]
    sent = answer(given, form="duel", payload={"choice": side}, at=person.studio.now())
    assert person.client.post("/api/v1/answers", json=sent).status_code == 201
    return str(given)


def gold(person: Member) -> None:
    """Points, days and weight of the tier Gold."""
    space, now = person.studio.workspace, person.studio.now()
    space.people.set_consent(person.id, Consent(improve=True), at=now)
    for day in ("2027-01-01", "2027-01-02", "2027-01-03"):
        award = f"{person.id} {day}"
        space.points.enter([Earned(award=award, user=person.id, day=day, at=now)], amount=lambda _: 1.0, reason="test")
        space.points.settle(award, amount=4000.0, reason="test", at=now)
