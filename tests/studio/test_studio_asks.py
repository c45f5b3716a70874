"""Asks over HTTP: budget, stored probabilities, safety, tokens that serve once, and asks decided offline."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ask_decisions
from benchmarks.subject import QUICK
from redraft.feedback.asks import AskPolicy, Memory, Moment, Wishes, begun, decide
from redraft.feedback.local_time import local_day, local_minute
from redraft.store.asks import AskDecisionEntry
from redraft.studio.asking import AskView, coin_of, decide_asks, memory_of
from redraft.studio.housekeeping import sweep
from redraft.studio.identity.first_admin import LOCAL
from redraft.studio.identity.people import person_of
from redraft.studio.identity.tokens import AskToken, sign_ask
from redraft.studio.times import iso
from tests.studio.painted import (
    Member,
    answer,
    clock_of,
    decide_ask,
    make_reviewer,
    member,
    new_id,
    paint,
    rating_studio,
)
from tests.studio.running_studio import Clock, StudioApp, studio_app


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("asks"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


def decided(ann: Member, **values: Any) -> tuple[AskView | None, AskDecisionEntry]:
    """Paint a picture, decide about it, and return the ask and the stored decision."""
    # A second each, so that the newest decision is known from the one before.
    clock_of_member(ann).forward(1)
    (painting,) = paint(ann.studio, ann.id, **values)
    view = decide_ask(ann.studio, ann.person, painting.id, session="login")
    return view, ann.studio.workspace.asks.of_person(ann.id, limit=1)[0]


def warmed_up(ann: Member) -> None:
    """Let the pictures pass about which nobody is asked, and no more: about the next one a coin is thrown."""
    for _ in range(ann.studio.settings.asks.warm_up):
        assert decided(ann, confidence=0.9)[1].excluded == "warm_up"


def asked(ann: Member, **values: Any) -> AskView:
    """An ask, however many pictures it takes."""
    for _ in range(40):
        view, _ = decided(ann, **{"confidence": 0.0, **values})
        if view is not None:
            return view
    raise AssertionError("nobody was asked about forty pictures of no confidence")


def clock_of_member(ann: Member) -> Any:
    return ann.studio.clock


def test_nobody_is_asked_more_often_than_the_budget_allows_and_each_decision_is_stored(ann: Member) -> None:
    views = [decided(ann, confidence=0.02 * number % 1)[0] for number in range(60)]
    assert 1 <= sum(view is not None for view in views) <= 3
    budget = ann.client.get("/api/v1/asks/budget").json()
    assert budget["asked_today"] == sum(view is not None for view in views)
    assert budget["left"] == 3 - budget["asked_today"]
    log = ann.client.get("/api/v1/asks/log", params={"limit": 200}).json()["decisions"]
    assert len(log) == 60
    assert {row["excluded"] for row in log} >= {"warm_up", ""}


def test_every_stored_decision_can_be_worked_out_again(running: StudioApp, ann: Member) -> None:
    """The replay: from the pictures and the coins alone come the same thresholds, probabilities and asks."""
    for number in range(40):
        decided(ann, confidence=(7 * number % 40) / 40)
        clock_of(running).forward(7 * 3600)
    entries = list(reversed(running.studio.workspace.asks.of_person(ann.id, limit=50)))
    memory: Memory | None = None
    policy = running.studio.settings.asks
    for entry in entries:
        at = entry.created_at
        moment = Moment(
            confidence=entry.confidence, day=local_day(at, "UTC"), minute=local_minute(at, "UTC"), session=entry.session
        )
        coin = coin_of(running.studio, ann.id, entry.subject)
        memory, made = decide(policy, Wishes(), memory=memory, moment=moment, coin=coin)
        assert (entry.threshold, entry.probability, entry.coin, entry.excluded) == (
            made.threshold, made.probability, made.coin, made.excluded,
        )  # fmt: skip
        assert (entry.outcome == "shown") is made.asked
        assert (entry.rate, entry.exploration) == (made.rates.rate, made.rates.exploration)
        assert entry.policy == policy.version
    assert any(0 < entry.probability < 1 for entry in entries)


def test_coins_are_uniform_and_tell_nothing_across_people(running: StudioApp) -> None:
    coins = [coin_of(running.studio, "ann", f"picture {number}") for number in range(4000)]
    others = [coin_of(running.studio, "bob", f"picture {number}") for number in range(4000)]
    # Standard error of the mean of 4,000 uniform numbers: 0.0046; of the product's: 0.0035.
    assert sum(coins) / 4000 == pytest.approx(0.5, abs=4 * 0.0046)
    assert sum(a * b for a, b in zip(coins, others, strict=True)) / 4000 == pytest.approx(0.25, abs=4 * 0.0035)
    assert 0 <= min(coins) < max(coins) < 1


def test_threads_together_stay_within_the_budget(ann: Member) -> None:
    warmed_up(ann)
    pictures = [painting.id for painting in paint(ann.studio, ann.id, count=10, confidence=0.0)]
    views: list[AskView | None] = []

    def one(id: str) -> None:
        views.append(decide_ask(ann.studio, ann.person, id, session="login"))

    threads = [threading.Thread(target=one, args=(id,)) for id in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(views) == 10
    assert sum(view is not None for view in views) <= 3


def test_a_picture_much_like_one_asked_about_is_no_new_question(ann: Member) -> None:
    asked(ann, embedding=[1.0, 0.0, 0.0])
    _, same = decided(ann, confidence=0.0, embedding=[0.999, 0.01, 0.0])
    _, other = decided(ann, confidence=0.0, embedding=[0.0, 1.0, 0.0])
    assert same.excluded == "duplicate"
    assert other.excluded != "duplicate"


def test_pictures_of_one_request_are_decided_together_as_one_after_the_other(running: StudioApp) -> None:
    together, alone = member(running), member(running)
    for person in (together, alone):
        warmed_up(person)
    paintings = paint(running.studio, together.id, count=8, confidence=0.0, embedding=[1.0, 0.0])
    request = running.studio.workspace.requests.get(paintings[0].request, owner=together.id)
    views = decide_asks(
        running.studio, together.person, [(painting, 0.0) for painting in paintings], request=request, session="login"
    )  # fmt: skip
    entries = {entry.subject: entry for entry in running.studio.workspace.asks.of_person(together.id, limit=8)}
    # All are alike: one is asked about, and the others are no new question from then on.
    assert sum(view is not None for view in views) <= 1
    first = next((place for place, view in enumerate(views) if view is not None), 8)
    assert {entries[painting.id].excluded for painting in paintings[first + 1 :]} <= {"duplicate"}
    assert {entries[painting.id].excluded for painting in paintings[: first + 1]} == {""}
    assert [view is not None for view in views] == [entries[painting.id].outcome == "shown" for painting in paintings]
    # Of pictures that are not alike the outcome is that of single decisions: the same chain of thresholds.
    others = paint(running.studio, alone.id, count=5, confidence=0.3)
    request = running.studio.workspace.requests.get(others[0].request, owner=alone.id)
    before = running.studio.workspace.asks.state(alone.id)
    decide_asks(
        running.studio, alone.person, [(painting, None) for painting in others], request=request, session="login"
    )
    memory = memory_of(before)
    for painting in others:
        entry = next(e for e in running.studio.workspace.asks.of_person(alone.id) if e.subject == painting.id)
        moment = Moment(
            confidence=0.3, day=entry.day, minute=local_minute(entry.created_at, "UTC"), session=entry.session
        )
        coin = coin_of(running.studio, alone.id, painting.id)
        memory, made = decide(running.studio.settings.asks, Wishes(), memory=memory, moment=moment, coin=coin)
        assert (entry.threshold, entry.probability) == (made.threshold, made.probability)


@pytest.mark.parametrize(
    ("adult", "trained", "unsafe", "reviews"),
    [(True, True, True, True), (False, True, True, False), (True, False, True, False), (True, True, False, False)],
)
def test_what_leans_unsafe_goes_to_consenting_adult_trained_reviewers_only(
    ann: Member, adult: bool, trained: bool, unsafe: bool, reviews: bool
) -> None:
    make_reviewer(ann.studio, ann.name, adult=adult, trained=trained, unsafe=unsafe)
    warmed_up(ann)
    entries = [decided(ann, confidence=0.0, unsafe=True, weakest="unsafe")[1] for _ in range(12)]
    assert any(entry.outcome == "shown" for entry in entries) is reviews
    assert {entry.excluded for entry in entries} == ({"", "day_cap"} if reviews else {"unsafe"})


def test_withheld_pictures_are_never_asked_about(ann: Member) -> None:
    for safety in ("withheld", "quarantined"):
        assert decided(ann, confidence=0.0, safety=safety)[1].excluded == "withheld"
    assert decided(ann, confidence=None)[1].excluded == "not_scored"


def test_wishes_are_kept(running: StudioApp, ann: Member) -> None:
    """Over the route that sets them, in the person's own time zone."""
    warmed_up(ann)
    here = local_minute(running.studio.now(), "Asia/Tokyo")
    quiet = {"quiet_from": here, "quiet_until": (here + 60) % 1440, "timezone": "Asia/Tokyo"}
    assert ann.client.patch("/api/v1/me", json={"asking": quiet}).status_code == 200
    assert decided(ann, confidence=0.0)[1].excluded == "quiet_hours"
    assert ann.client.get("/api/v1/asks/budget").json()["paused"] == "quiet_hours"
    none = {"quiet_from": None, "quiet_until": None, "less": True}
    ann.client.patch("/api/v1/me", json={"asking": none})
    assert ann.client.get("/api/v1/asks/budget").json()["daily"] == 1
    assert sum(decided(ann, confidence=0.0)[0] is not None for _ in range(12)) <= 1
    ann.client.patch("/api/v1/me", json={"asking": {"opted_out": True}})
    assert decided(ann, confidence=0.0)[1].excluded == "opted_out"
    assert ann.client.get("/api/v1/asks/budget").json() == {
        "daily": 0, "asked_today": running.studio.workspace.asks.state(ann.id).asked_today, "left": 0,
        "per_session": 5, "paused": "opted_out",
    }  # fmt: skip


def test_a_session_ends_after_half_an_hour_without_pictures(running: StudioApp, ann: Member) -> None:
    names = []
    for pause in (0, 1798, 1801):
        clock_of(running).forward(pause)
        names.append(decided(ann)[1].session)
    assert names[0] == names[1] != names[2]


def test_a_second_pass_is_remembered(ann: Member) -> None:
    (painting,) = paint(ann.studio, ann.id, confidence=0.8)
    decide_ask(ann.studio, ann.person, painting.id, first_confidence=0.1)
    entry = ann.studio.workspace.asks.of_person(ann.id, limit=1)[0]
    assert (entry.first_confidence, entry.confidence) == (0.1, 0.8)


def test_how_asking_goes_is_counted_for_operators(tmp_path: Path) -> None:
    with rating_studio(tmp_path, asks={"daily_budget": 6, "session_cap": 50}) as running:
        ann, operator = member(running), member(running, roles=("operator",))
        for number in range(30):
            (painting,) = paint(running.studio, ann.id, confidence=number / 30)
            decide_ask(running.studio, ann.person, painting.id, first_confidence=0.0 if number % 2 else None)
        assert ann.client.get("/api/v1/asks/statistics").status_code == 403
        found = operator.client.get("/api/v1/asks/statistics").json()
        entries = running.studio.workspace.asks.of_person(ann.id, limit=50)
        eligible = [entry for entry in entries if not entry.excluded]
        assert (found["decisions"], found["eligible"]) == (30, len(eligible))
        assert found["excluded"] == Counter(entry.excluded for entry in entries if entry.excluded)
        assert 0 < found["asked"] == sum(entry.outcome == "shown" for entry in eligible)
        assert found["expected"] == pytest.approx(sum(entry.probability for entry in eligible))
        saved = [
            entry for entry in entries
            if entry.first_confidence == 0.0 < entry.threshold <= entry.confidence and entry.shown_at is None
        ]  # fmt: skip
        assert found["saved"] == len(saved) > 0
        assert found["outcomes"]["shown"] == found["asked"]


def test_an_ask_waits_and_shows_nothing_that_could_sway(running: StudioApp, ann: Member) -> None:
    assert ann.client.get("/api/v1/asks/pending").json() == {"ask": None, "duel": False}
    view = asked(ann)
    found = ann.client.get("/api/v1/asks/pending").json()["ask"]
    assert (found["id"], found["form"]) == (view.id, "sliders")
    assert not {"confidence", "terms", "facets", "weakest", "answers"} & set(found["picture"])
    assert ann.client.post(f"/api/v1/asks/{view.id}/decline").status_code == 204
    assert running.studio.workspace.asks.get(view.id, user=ann.id).outcome == "dismissed"
    # A dismissed ask can still be answered: telling is never refused.
    assert ann.client.post("/api/v1/answers", json=answer(view.picture.id, token=view.token)).status_code == 201


def test_an_ask_expires_after_a_day_and_its_token_after_a_week(running: StudioApp, ann: Member) -> None:
    view = asked(ann)
    clock_of(running).forward(86_401)
    sweep(running.studio)
    assert running.studio.workspace.asks.get(view.id, user=ann.id).outcome == "expired"
    assert ann.client.get("/api/v1/asks/pending").json() == {"ask": None, "duel": False}
    sent = answer(view.picture.id, token=view.token, at=running.studio.now())
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    clock_of(running).forward(7 * 86_400)
    # What is there stays known though the token is no longer believed.
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 200
    late = ann.client.post("/api/v1/answers", json={**sent, "id": new_id()})
    assert (late.status_code, late.json()["error"]["code"]) == (403, "token_expired")


def test_an_answer_to_an_ask_carries_its_decision(running: StudioApp, ann: Member) -> None:
    view = asked(ann)
    sent = answer(view.picture.id, token=view.token)
    assert ann.client.post("/api/v1/answers", json=sent).json()["first"] is True
    assert running.studio.workspace.asks.get(view.id, user=ann.id).outcome == "answered"
    mine = [row for row in running.studio.workspace.answers.evidence(limit=10_000) if row.answer.user == ann.id]
    assert [(row.answer.id, row.probability) for row in mine] == [(sent["id"], 1.0)]


def test_a_token_serves_once(running: StudioApp, ann: Member) -> None:
    view = asked(ann)
    again = ann.client.get("/api/v1/asks/pending").json()["ask"]["token"]
    first = answer(view.picture.id, token=view.token)
    assert ann.client.post("/api/v1/answers", json=first).status_code == 201
    assert ann.client.post("/api/v1/answers", json=first).json()["status"] == "known"
    for token in (view.token, again):
        replayed = ann.client.post("/api/v1/answers", json=answer(view.picture.id, token=token))
        assert (replayed.status_code, replayed.json()["error"]["code"]) == (409, "token_used")
    assert len(running.studio.workspace.answers.of_person(ann.id)) == 1


def _forged(token: str, **change: Any) -> str:
    data, _, rest = token.partition(".")
    values = json.loads(base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)))
    made = base64.urlsafe_b64encode(json.dumps({**values, **change}).encode()).decode().rstrip("=")
    return f"{made}.{rest}"


def test_forged_foreign_and_misused_tokens_change_nothing(running: StudioApp, ann: Member) -> None:
    bob = member(running)
    view, (other,) = asked(ann), paint(running.studio, ann.id)
    kept = AskToken(
        id="x", user=bob.id, kind="picture", subject=view.picture.id, form="thumbs", policy="", expires_at=4e9
    )
    attacks = [
        (ann, view.picture.id, _forged(view.token, subject=other.id), "token_forged"),
        (ann, view.picture.id, _forged(view.token, user=bob.id), "token_forged"),
        (ann, view.picture.id, view.token[:-1] + ("A" if view.token[-1] != "A" else "B"), "token_forged"),
        (ann, view.picture.id, "nonsense", "token_forged"),
        (ann, view.picture.id, "é.é.é", "token_forged"),
        (bob, view.picture.id, view.token, "token_foreign"),
        (ann, other.id, view.token, "token_foreign"),
        # Signed by this server for bob and another form: not for this answer.
        (bob, view.picture.id, sign_ask(running.studio.keys, kept), "token_foreign"),
    ]
    for person, subject, token, code in attacks:
        refused = person.client.post("/api/v1/answers", json=answer(subject, token=token))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, code), token
    for person in (ann, bob):
        assert running.studio.workspace.answers.of_person(person.id) == ()
        assert running.studio.workspace.points.entries(person.id) == ()
    assert running.studio.workspace.asks.get(view.id, user=ann.id).outcome == "shown"


def test_anothers_ask_is_not_there(running: StudioApp, ann: Member) -> None:
    view, bob = asked(ann), member(running)
    assert bob.client.post(f"/api/v1/asks/{view.id}/decline").status_code == 404
    assert bob.client.get("/api/v1/asks/log").json()["decisions"] == []
    assert running.studio.workspace.asks.get(view.id, user=ann.id).outcome == "shown"


def test_the_log_is_read_page_by_page(ann: Member) -> None:
    for _ in range(7):
        decided(ann)
    pages, before = [], None
    while True:
        page = ann.client.get("/api/v1/asks/log", params={"limit": 3} | ({"before": before} if before else {})).json()
        pages.append([row["id"] for row in page["decisions"]])
        before = page["next"]
        if before is None:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({id for page in pages for id in page}) == 7


class Device:
    """What a device does with a lease, by the rule alone."""

    def __init__(self, lease: dict[str, Any]) -> None:
        self.lease = lease
        self.memory = Memory(**{**lease["memory"], "recent": tuple(lease["memory"]["recent"])})

    def decide(self, picture: str, at: float) -> tuple[dict[str, str], bool]:
        facts, zone = self.lease["pictures"][picture], self.lease["timezone"]
        moment = Moment(
            confidence=facts["confidence"], day=local_day(at, zone), minute=local_minute(at, zone), session="offline/",
            withheld=facts["withheld"], unsafe=facts["unsafe"], reviewer=self.lease["reviewer"],
        )  # fmt: skip
        self.memory, made = decide(
            AskPolicy.model_validate(self.lease["policy"]), Wishes(**self.lease["wishes"]), memory=self.memory,
            moment=moment, coin=facts["coin"],
        )  # fmt: skip
        return {"id": new_id(at), "picture": picture, "at": iso(at)}, made.asked


def test_offline_asks_are_worked_out_again_charged_and_known_the_second_time(running: StudioApp, ann: Member) -> None:
    warmed_up(ann)
    pictures = [painting.id for painting in paint(running.studio, ann.id, count=10, confidence=0.0)]
    lease = ann.client.post("/api/v1/asks/lease", json={"pictures": pictures}).json()
    device, at = Device(lease), running.studio.now() + 1
    made = [device.decide(id, at + 60 * number) for number, id in enumerate(pictures)]
    clock_of(running).forward(3600)
    sent = {"lease": lease["lease"], "decisions": [decision for decision, _ in made]}
    found = ann.client.post("/api/v1/asks/sync", json=sent).json()
    assert [row["asked"] for row in found["decisions"]] == [asked for _, asked in made]
    assert sum(row["asked"] for row in found["decisions"]) == 3
    assert found["budget"]["left"] == 0
    assert {row["status"] for row in found["decisions"]} == {"stored"}
    entries = running.studio.workspace.asks.of_person(ann.id, limit=len(pictures))
    assert all(entry.offline for entry in entries)
    assert {entry.probability for entry in entries} <= {
        0.0,
        1.0,
        entries[0].exploration,
        *(e.exploration for e in entries),
    }
    state = running.studio.workspace.asks.state(ann.id)
    again = ann.client.post("/api/v1/asks/sync", json=sent).json()
    assert {row["status"] for row in again["decisions"]} == {"known"}
    assert replace(running.studio.workspace.asks.state(ann.id), changed_at=0) == replace(state, changed_at=0)
    # The tokens of both syncs are one: they serve for one answer.
    for row, second in zip(found["decisions"], again["decisions"], strict=True):
        if row["asked"]:
            sent_answer = answer(row["picture"], token=row["token"])
            assert ann.client.post("/api/v1/answers", json=sent_answer).status_code == 201
            reused = answer(row["picture"], token=second["token"])
            assert ann.client.post("/api/v1/answers", json=reused).status_code == 409


def test_a_device_that_lies_about_its_decisions_gains_nothing(running: StudioApp, ann: Member) -> None:
    """It may leave out, reorder and claim times; what is stored is the rule's, and never more than the budget."""
    warmed_up(ann)
    pictures = [painting.id for painting in paint(running.studio, ann.id, count=8, confidence=0.0)]
    lease = ann.client.post("/api/v1/asks/lease", json={"pictures": pictures}).json()["lease"]
    claims = [{"id": new_id(), "picture": id, "at": "2001-01-01T00:00:00Z"} for id in pictures]
    found = ann.client.post("/api/v1/asks/sync", json={"lease": lease, "decisions": claims}).json()["decisions"]
    assert sum(row["asked"] for row in found) <= 3
    entries = running.studio.workspace.asks.of_person(ann.id, limit=8)
    assert min(entry.created_at for entry in entries) >= running.studio.now() - 1
    refused = ann.client.post("/api/v1/asks/sync", json={"lease": lease[:-2] + "xx", "decisions": claims})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "token_forged")
    bob = member(running)
    foreign = bob.client.post("/api/v1/asks/sync", json={"lease": lease, "decisions": claims})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "token_foreign")
    clock_of(running).forward(7 * 86_400 + 1)
    expired = ann.client.post("/api/v1/asks/sync", json={"lease": lease, "decisions": claims})
    assert (expired.status_code, expired.json()["error"]["code"]) == (403, "token_expired")


def test_a_picture_is_leased_to_its_owner_before_it_was_decided_about(running: StudioApp, ann: Member) -> None:
    (painting,) = paint(running.studio, ann.id)
    bob = member(running)
    assert bob.client.post("/api/v1/asks/lease", json={"pictures": [painting.id]}).status_code == 404
    lease = ann.client.post("/api/v1/asks/lease", json={"pictures": [painting.id]}).json()["lease"]
    decide_ask(running.studio, ann.person, painting.id)
    again = ann.client.post("/api/v1/asks/lease", json={"pictures": [painting.id]})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "decided")
    late = {"lease": lease, "decisions": [{"id": new_id(), "picture": painting.id, "at": iso(running.studio.now())}]}
    (found,) = ann.client.post("/api/v1/asks/sync", json=late).json()["decisions"]
    assert (found["status"], found["message"]) == ("refused", "about this picture it was decided elsewhere already")


def test_a_new_person_starts_at_everybodys_quantile(running: StudioApp, ann: Member) -> None:
    _, entry = decided(ann)
    assert entry.threshold == begun(running.studio.settings.asks, Wishes()).threshold


def test_the_benchmark_of_decisions_gives_its_figures() -> None:
    found = ask_decisions.measure(amount=QUICK)
    assert [figure.name for figure in found.figures] == [
        "the rule, p99", "decided and stored, p99", "decided and stored, median",
        "ten of a request together, each, median", "one row committed, p99",
        "one row committed, median",
    ]  # fmt: skip
    assert all(figure.value > 0 for figure in found.figures)


def test_an_open_studio_asks_its_one_person_again_in_a_new_session(tmp_path: Path) -> None:
    with studio_app(tmp_path, clock=Clock(), asks={"session_cap": 1, "warm_up": 0}) as running:
        who = person_of(running.studio.workspace.people.get(LOCAL), via="open")
        shown = []
        for _ in range(24):
            (painting,) = paint(running.studio, who.id, confidence=0.0)
            shown.append(decide_ask(running.studio, who, painting.id) is not None)
            clock_of(running).forward(1200 if len(shown) % 8 else 1900)
        assert 2 <= sum(shown) <= 3
