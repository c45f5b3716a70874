"""Pictures as they are kept and shown: blurred where they lean unsafe, other formats, to whom. Requests left over."""

from __future__ import annotations

import io
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from redraft.core.errors import DamagedError, RedraftError
from redraft.store.requests import Request
from redraft.studio.context import Studio
from redraft.studio.engine.keeper import Finished
from redraft.studio.engine.making import Kept, Making
from redraft.studio.engine.messages import Group, Judgement, Painted, Pixels
from redraft.studio.identity.people import person_of
from redraft.studio.leftovers import end_leftovers, maker
from redraft.studio.picture_bytes import png_of, rendered
from redraft.studio.picture_view import picture_view
from redraft.studio.recording import Recorder
from tests.studio.running_studio import Clock, StudioApp, accounts_app, studio_app

EDGE = 48


def checkered(edge: int = EDGE) -> Pixels:
    """Black and white squares of 4 pixels: all detail, mean grey."""
    rows, columns = np.indices((edge, edge)) // 4
    values = (((rows + columns) % 2) * 255).astype(np.uint8)
    return Pixels(width=edge, height=edge, data=np.repeat(values[:, :, None], 3, axis=2).tobytes())


def opened(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def entered(studio: Studio, owner: str, *, count: int = 1, **more: Any) -> Request:
    request = Request(
        id=studio.new_id(), owner=owner, prompt="a red star", prompt_hash="x", base="builtin:sd", checkpoint="",
        steps=3, guidance=1.0, width=EDGE, height=EDGE, count=count, created_at=studio.now(),
        **{"parameters": {"seed": 9, **more.pop("parameters", {})}, **more},
    )  # fmt: skip
    studio.workspace.requests.enter(request)
    return request


def finished(studio: Studio, request: Request, *, unsafe: float | None = 0.1, place: int = 0) -> Finished:
    person = person_of(studio.workspace.people.get(request.owner), via="open")
    judgement = Judgement(
        confidence=0.4, weakest="clip", terms={"clip": 0.4, "aesthetic": 0.6, "unsafe": 0.9}, unsafe=unsafe,
        fingerprints={"embedding": "e"}, embedding=np.eye(4, dtype="<f4")[0].tobytes(),
    )  # fmt: skip
    making = Making(request=request, person=person, group=Group(checkpoint="", steps=3, guidance=1.0), ask="never")
    return Finished(
        making=making,
        number=place,
        place=place,
        painted=Painted(number=place, pixels=checkered(), judgement=judgement),
    )


def kept(studio: Studio, owner: str, *, unsafe: float | None = 0.1) -> Kept:
    (outcome,) = Recorder(studio).keep([finished(studio, entered(studio, owner), unsafe=unsafe)])
    assert isinstance(outcome, Kept), outcome
    return outcome


def test_blurring_leaves_the_colours_and_no_detail() -> None:
    png = png_of(checkered())
    plain, blurred = opened(png), opened(rendered(png, form="png", blurred=True))
    assert plain.shape == blurred.shape
    assert plain.std() > 120
    assert blurred.std() < 15
    assert abs(plain.mean() - blurred.mean()) < 10, "it is no black square"


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_other_formats_and_widths(form: Any) -> None:
    png = png_of(checkered())
    assert opened(rendered(png, form=form)).shape == (EDGE, EDGE, 3)
    assert opened(rendered(png, form=form, width=20)).shape == (20, 20, 3)
    assert opened(rendered(png, form=form, width=500)).shape == (EDGE, EDGE, 3), "never made larger"
    assert (opened(rendered(png, form="png")) == opened(png)).all()


def test_bytes_that_are_no_picture() -> None:
    with pytest.raises(DamagedError, match="no picture"):
        rendered(b"GIF89a, or so it says", form="png")


def test_what_leans_unsafe_is_kept_whole_and_shown_blurred_with_a_reason(tmp_path: Path) -> None:
    with accounts_app(tmp_path) as running:
        ann = id_of(running, "ann")
        safe, unsafe = kept(running.studio, ann, unsafe=0.49), kept(running.studio, ann, unsafe=0.5)
        assert (safe.painting.unsafe, safe.painting.safety, safe.painting.safety_reason) == (False, "ok", "")
        view = picture_view(running.studio, unsafe.painting)
        assert (view.unsafe, view.blurred, view.safety) == (True, True, "blurred")
        assert "50%" in view.safety_reason
        with running.browser("ann") as browser:
            assert opened(browser.get(view.url).content).std() < 15
            assert opened(browser.get(view.thumbnail_url).content).std() < 15
            path = f"/api/v1/pictures/{unsafe.painting.id}.png"
            assert opened(browser.get(path).content).std() < 15
            assert browser.get(path, params={"reveal": True}).json()["error"]["code"] == "adults_only"
            set_adult(running, ann)
            assert opened(browser.get(path, params={"reveal": True}).content).std() > 120
            assert opened(browser.get(picture_view(running.studio, safe.painting).url).content).std() > 120
        with running.browser() as nobody:
            assert nobody.get(f"{view.url}&reveal=true").status_code == 403
        running.studio.workspace.gallery.set_safety(unsafe.painting.id, "withheld", reason="test")
        with running.browser("ann") as browser:
            assert browser.get(path, params={"reveal": True}).status_code == 404
            assert browser.get(view.url).status_code == 404


def id_of(running: StudioApp, name: str) -> str:
    account = running.studio.workspace.people.find(name)
    assert account is not None
    return account.id


def set_adult(running: StudioApp, person: str) -> None:
    with running.browser("ada") as admin:
        assert admin.patch(f"/api/v1/users/{person}", json={"adult": True}).status_code == 200


def test_pictures_of_a_person_who_was_erased_meanwhile_do_not_harm_those_of_others(tmp_path: Path) -> None:
    with accounts_app(tmp_path) as running:
        studio = running.studio
        people = {name: id_of(running, name) for name in ("ann", "bob")}
        ones, others = (finished(studio, entered(studio, people[name])) for name in ("ann", "bob"))
        studio.workspace.erasure.person(people["ann"], receipt="r", at=studio.now())
        first, second = Recorder(studio).keep([ones, others])
        assert isinstance(first, RedraftError)
        assert isinstance(second, Kept)
        assert studio.workspace.gallery.get(second.painting.id, owner=people["bob"]).painting == second.painting


def test_a_failure_to_ask_does_not_take_the_picture_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("redraft.studio.recording.decide_asks", broken)
    with studio_app(tmp_path) as running:
        picture = finished(running.studio, entered(running.studio, "local"))
        picture.making.ask = "auto"
        (outcome,) = Recorder(running.studio).keep([picture])
        assert isinstance(outcome, Kept)
        assert outcome.ask is None
        assert running.studio.workspace.gallery.get(outcome.painting.id, owner="local").painting == outcome.painting


def test_every_picture_gets_a_decision_unless_the_client_decides_itself(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        studio = running.studio
        asked = entered(studio, "local", count=3)
        pictures = [finished(studio, asked, place=place) for place in range(3)]
        making = pictures[0].making
        making.ask = "auto"
        Recorder(studio).keep([replace(picture, making=making) for picture in pictures])
        Recorder(studio).keep([finished(studio, entered(studio, "local"))])  # ask="never"
        shown = studio.workspace.gallery.of_request(asked.id, owner="local")
        ids = {painting.id for painting in shown}
        other = studio.workspace.gallery.page("local").exhibits
        assert len(other) == 4
        every = {exhibit.painting.id for exhibit in other}
        assert studio.workspace.asks.decided("local", every) == ids


def test_several_pictures_are_entered_together_in_their_order(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        studio = running.studio
        request = entered(studio, "local", count=3)
        outcomes = Recorder(studio).keep([finished(studio, request, place=place) for place in range(3)])
        assert [outcome.painting.seed for outcome in outcomes if isinstance(outcome, Kept)] == [9, 10, 11]
        there = studio.workspace.gallery.of_request(request.id, owner="local")
        assert [painting.place for painting in there] == [0, 1, 2]
        # The same bytes are one file, whoever made them.
        assert len({painting.picture for painting in there}) == 1


def test_requests_whose_server_is_gone_are_ended(tmp_path: Path) -> None:
    clock = Clock()
    with studio_app(tmp_path, clock=clock) as running:
        studio = running.studio
        gone = f"{socket.gethostname()}:{_unused_pid()}"
        names = {"mine": maker(), "gone": gone, "elsewhere": "another-machine:1", "unknown": ""}
        made = {name: entered(studio, "local", parameters={"maker": value}).id for name, value in names.items()}

        def states() -> dict[str, str]:
            return {name: studio.workspace.requests.get(id, owner="local").state for name, id in made.items()}

        assert end_leftovers(studio) == 1
        assert states() == {"mine": "queued", "gone": "failed", "elsewhere": "queued", "unknown": "queued"}
        assert end_leftovers(studio, starting=True) == 1
        assert states()["mine"] == "failed", "a process that starts has made nothing yet"
        clock.forward(studio.settings.engine.job_seconds + 61)
        assert end_leftovers(studio) == 2
        assert set(states().values()) == {"failed"}
        answer = running.client.get(f"/api/v1/jobs/{made['gone']}").json()
        assert answer["state"] == "failed"
        assert "send it again" in answer["error"]["message"]


def _unused_pid() -> int:
    for number in range(4_000_000, 4_100_000):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return number
        except PermissionError:
            continue
    raise AssertionError("no free process id")


def test_without_an_engine_everything_says_so(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        for method, path, body in (
            ("POST", "/v1/images/generations", {"prompt": "a"}),
            ("POST", "/api/v1/jobs", {"prompt": "a"}),
            ("GET", "/v1/models", None),
            ("GET", "/api/v1/models", None),
        ):
            answer = running.client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "starting"), path
            assert answer.headers["retry-after"]
