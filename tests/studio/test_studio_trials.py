"""Blind duels of the challenger: who is asked, what they see, whose votes count; who may paint with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redraft.evaluation.people_gate import PeoplePolicy
from redraft.loop.answered import preferences_in
from redraft.loop.by_people import enter_challenger, people_say, promote_by_people
from redraft.store.people import Asking, Consent
from redraft.store.raters import Quality
from redraft.store.requests import TRIAL
from redraft.store.trials import trial_name
from redraft.studio.errors import Refused
from redraft.studio.trials import draw_trial, may_ask
from redraft.studio.trying import PREFERENCE, check_may_paint
from tests.studio.painted import Member, answer, clock_of, member, paint, rating_studio
from tests.studio.running_studio import StudioApp
from tests.studio.trial_steps import BASE, checkpoint, drawn, finish, gold, next_duel, request_of, vote


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StudioApp]:
    settings = {"trials": {"share": 1.0}, "asks": {"warm_up": 0, "daily_budget": 20, "session_cap": 20}}
    with rating_studio(tmp_path, **settings) as running:
        yield running


@pytest.fixture
def challenger(running: StudioApp) -> str:
    return checkpoint(running, "challenger")


def test_both_models_paint_the_same_words_from_the_same_noise_and_the_pair_is_given_when_both_are_there(
    running: StudioApp, challenger: str
) -> None:
    ann = member(running)
    asked = request_of(ann, prompt="a blue star")
    first, second = draw_trial(running.studio, ann.person, asked)
    assert (first.checkpoint, second.checkpoint) == ("", challenger)
    for name in ("prompt", "negative_prompt", "steps", "guidance", "width", "height", "owner"):
        assert getattr(first, name) == getattr(second, name) == getattr(asked, name), name
    assert first.parameters["seed"] == second.parameters["seed"]
    assert (first.count, first.source) == (1, TRIAL)
    # The later one may come first: the time it took tells nothing.
    finish(ann, second, shade=2)
    assert next_duel(ann) is None
    assert ann.client.get("/api/v1/asks/pending").json() == {"ask": None, "duel": False}
    finish(ann, first, shade=1)
    assert ann.client.get("/api/v1/asks/pending").json()["duel"]
    given = next_duel(ann)
    duel = running.studio.workspace.duels.get(given["id"], user=ann.id)
    assert duel.experiment == trial_name("", challenger) == f"trial base {challenger[:12]}"
    assert (duel.first_checkpoint, duel.second_checkpoint, duel.probability) == ("", challenger, 1.0)
    left = duel.second if duel.swapped else duel.first
    assert given["left"]["picture_id"] == left


def test_nothing_tells_which_is_which(running: StudioApp, challenger: str) -> None:
    ann = member(running)
    own = request_of(ann)
    first, second = draw_trial(running.studio, ann.person, own)
    finish(ann, first, shade=1)
    finish(ann, second, shade=2)
    given = next_duel(ann)
    assert set(given["left"]) == {"picture_id", "url", "width", "height"}
    assert challenger[:4] not in str(given)
    for side in ("left", "right"):
        id = given[side]["picture_id"]
        assert ann.client.get(f"/api/v1/gallery/{id}").status_code == 404
        # By its link the picture opens, by its id no file with the model's name does.
        assert ann.client.get(f"/api/v1/pictures/{id}.png", params={"download": True}).status_code == 404
        assert ann.client.get(given[side]["url"]).status_code == 200
    shown = ann.client.get("/api/v1/gallery").json()
    assert [item["id"] for item in shown["pictures"]] == [
        painting.id for painting in running.studio.workspace.gallery.of_request(own.id, owner=ann.id)
    ]
    assert {job["id"] for job in ann.client.get("/api/v1/jobs").json()["jobs"]} == {own.id}


def test_sides_are_a_coin(running: StudioApp, challenger: str) -> None:
    swapped = 0
    for _ in range(60):
        ann = member(running)
        first, second = drawn(ann)
        finish(ann, first, shade=1)
        finish(ann, second, shade=2)
        swapped += running.studio.workspace.duels.open(ann.id, at=running.studio.now())[0].swapped
    # 30 +- 3.9: five standard deviations.
    assert abs(swapped - 30) < 20


def test_a_share_of_requests_is_drawn_and_both_decisions_are_stored(tmp_path: Path) -> None:
    settings = {"trials": {"share": 0.2}, "asks": {"warm_up": 0, "daily_budget": 1000, "session_cap": 1000}}
    with rating_studio(tmp_path, **settings) as running:
        checkpoint(running, "challenger")
        ann = member(running)
        pairs = [drawn(ann) for _ in range(150)]
        entries = [
            entry for entry in running.studio.workspace.asks.of_person(ann.id, limit=200) if entry.kind == "duel"
        ]
        assert len(entries) == 150
        assert {entry.probability for entry in entries} == {0.2}
        asked = [entry for entry in entries if entry.outcome == "shown"]
        assert all((entry.coin or 0) < 0.2 for entry in asked)
        assert all((entry.coin or 0) >= 0.2 for entry in entries if entry.outcome == "suppressed")
        assert len(asked) == sum(map(bool, pairs))
        # 30 +- 4.9: four standard deviations.
        assert abs(len(asked) - 30) < 20


@pytest.mark.parametrize(
    "why",
    [
        "no consent",
        "asked for none",
        "second pass",
        "opted out",
        "quiet",
        "budget",
        "tried it",
        "no challenger",
        "champion",
    ],
)
def test_who_is_not_asked(running: StudioApp, why: str) -> None:
    ann, people = member(running), running.studio.workspace.people
    now, tried = running.studio.now(), ""
    if why != "no challenger":
        tried = checkpoint(running, "challenger")
    if why == "champion":
        running.studio.workspace.aliases.move(BASE, tried, reason="test", at=now)
    asking = Asking(opted_out=why == "opted out")
    people.set_asking(ann.id, replace(asking, quiet_from=0, quiet_until=1439) if why == "quiet" else asking, at=now)
    if why == "no consent":
        people.set_consent(ann.id, Consent(), at=now)
    if why == "tried it":
        request_of(ann, checkpoint=tried)
        clock_of(running).forward(1)
    if why == "budget":
        assert all(drawn(ann) for _ in range(20))
    if why in ("no consent", "asked for none", "second pass"):
        # What is looked at before anything is drawn; without an engine nothing is offered at all.
        parameters = {"asked for none": {"ask": "never"}, "second pass": {"ask": "auto", "critique": True}}.get(why)
        request = request_of(ann, request={"parameters": parameters or {"ask": "auto"}})
        assert not may_ask(running.studio, ann.person, request)
        return
    checkpoint_now = tried if why == "champion" else ""
    assert draw_trial(running.studio, ann.person, request_of(ann, checkpoint=checkpoint_now)) == ()


def test_an_ask_to_compare_counts_in_the_budget_and_an_answer_ends_it(running: StudioApp, challenger: str) -> None:
    ann = member(running)
    before = ann.client.get("/api/v1/asks/budget").json()["left"]
    given = vote(ann, "candidate")
    assert ann.client.get("/api/v1/asks/budget").json()["left"] == before - 1
    entry = running.studio.workspace.asks.get(given, user=ann.id)
    assert (entry.outcome, entry.form) == ("answered", "duel")
    assert ann.client.get("/api/v1/asks/pending").json() == {"ask": None, "duel": False}
    log = ann.client.get("/api/v1/asks/log").json()["decisions"]
    assert [(row["kind"], row["picture"]) for row in log] == [("duel", given)]


@pytest.mark.parametrize("what", ["unsafe", "equal", "failed"])
def test_a_pair_that_cannot_be_shown_or_tells_nothing_is_not_given(
    running: StudioApp, challenger: str, what: str
) -> None:
    ann = member(running)
    first, second = drawn(ann)
    finish(ann, first, shade=1, unsafe=what == "unsafe")
    if what == "failed":
        now = running.studio.now()
        running.studio.workspace.requests.set_state(second.id, "failed", owner=ann.id, at=now)
    else:
        finish(ann, second, shade=1 if what == "equal" else 2)
    assert next_duel(ann) is None


def test_votes_are_by_person_in_their_order_and_some_do_not_count(running: StudioApp, challenger: str) -> None:
    people = [member(running) for _ in range(6)]
    for person, choice in zip(
        people, ("candidate", "incumbent", "tie", "both_bad", "candidate", "candidate"), strict=True
    ):
        vote(person, choice)
    trial = running.studio.workspace.trials.current(BASE)
    assert trial is not None
    names = ["candidate", "incumbent", "tie", "both bad", "candidate", "candidate"]
    assert list(trial.votes) == list(zip([person.id for person in people], names, strict=True))
    assert (trial.pairs, trial.left_out, trial.number) == (6, 0, 1)
    space, now = running.studio.workspace, running.studio.now()
    space.people.set_disabled(people[0].id, True, at=now)
    space.people.set_consent(people[1].id, Consent(), at=now)
    space.raters.set_quality(Quality(user=people[2].id, weight=0.0, evidence={}, at=now))
    space.people.set_cluster([people[4].id, people[5].id], "copies", at=now)
    # Painting with it afterwards changes nothing that was said before.
    clock_of(running).forward(1)
    request_of(people[3], checkpoint=challenger)
    trial = space.trials.current(BASE)
    assert trial is not None
    assert trial.votes == ((people[3].id, "both bad"), ("copies", "candidate"), ("copies", "candidate"))
    assert trial.left_out == 3


def test_answers_of_who_painted_with_the_challenger_before_are_no_evidence(running: StudioApp, challenger: str) -> None:
    ann = member(running)
    first, second = drawn(ann)
    finish(ann, first, shade=1)
    finish(ann, second, shade=2)
    request_of(ann, checkpoint=challenger)
    clock_of(running).forward(1)
    sent = answer(next_duel(ann)["id"], form="duel", at=running.studio.now())
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    trial = running.studio.workspace.trials.current(BASE)
    assert trial is not None
    assert (trial.votes, trial.left_out) == ((), 1)


def test_pairs_that_people_made_themselves_are_no_evidence_and_trials_are_no_training(
    running: StudioApp, challenger: str
) -> None:
    ann = member(running)
    vote(ann, "candidate")
    assert preferences_in(running.studio.workspace) == ()
    paint(running.studio, ann.id, prompt="mine", checkpoint="")
    paint(running.studio, ann.id, prompt="mine", checkpoint=challenger)
    given = next_duel(ann)["id"]
    sent = answer(given, form="duel", at=running.studio.now())
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    assert running.studio.workspace.answers.get(sent["id"], user=ann.id).ask is None
    trial = running.studio.workspace.trials.current(BASE)
    assert trial is not None
    assert len(trial.votes) == 1
    assert len(preferences_in(running.studio.workspace)) == 1


def test_people_promote_a_challenger_and_never_a_few_of_them(running: StudioApp, challenger: str) -> None:
    space = running.studio.workspace
    for _ in range(12):
        vote(member(running), "candidate")
    few = people_say(space, BASE)
    assert few.verdict.decision == "hold"
    assert "only 12 people have voted, 50 are needed" in few.verdict.reasons[0]
    policy = PeoplePolicy(least_people=12)
    done = promote_by_people(space, BASE, at=running.studio.now(), policy=policy)
    # All twelve for it: the largest bet alone gives (1 + 0.9)^12 / 13 = 170, and trial 1 needs 32.9.
    assert done.standing.evidence > 32.9
    assert (done.verdict.decision, done.promoted) == ("promote", True)
    live = space.aliases.current(BASE)
    assert live is not None
    assert live.checkpoint == challenger
    assert "by people: better: 12 people prefer the challenger in 100.0 %" in live.reason
    # A new champion is another comparison: nothing is inherited.
    second = checkpoint(running, "another")
    fresh = space.trials.current(BASE)
    assert fresh is not None
    assert (fresh.challenger, fresh.votes, fresh.number) == (second, (), 2)


def test_a_held_back_candidate_does_not_end_a_trial_that_people_are_in(running: StudioApp, challenger: str) -> None:
    space = running.studio.workspace

    def enter(name: str) -> bool:
        lineage = space.checkpoints.get(challenger).lineage
        found = space.checkpoints.put(name.encode(), kind="lora", lineage=lineage, at=running.studio.now()).id
        return enter_challenger(space, BASE, found, reason="held", at=running.studio.now())

    def current() -> str:
        trial = space.trials.current(BASE)
        assert trial is not None
        return trial.challenger

    assert enter("second"), "nobody had voted yet"
    tried = current()
    vote(member(running), "tie")
    assert not enter("third")
    assert current() == tried
    clock_of(running).forward(13 * 86_400)
    vote(member(running), "candidate")
    clock_of(running).forward(13 * 86_400)
    assert not enter("fourth")
    # Nobody was given a pair for two weeks.
    clock_of(running).forward(86_400)
    assert enter("fifth")
    assert current() != tried
    # What people have decided is over too.
    for _ in range(14):
        vote(member(running), "incumbent")
    assert people_say(space, BASE).verdict.decision == "reject"
    assert enter("sixth")


def test_how_it_stands_is_for_operators(running: StudioApp, challenger: str) -> None:
    vote(member(running), "incumbent")
    assert member(running).client.get("/api/v1/models/duels").status_code == 403


def test_an_operator_begins_a_trial_and_ends_it(running: StudioApp) -> None:
    tried = checkpoint(running, "tried", alias="champion")
    running.studio.workspace.aliases.rollback(BASE, reason="test", at=running.studio.now())
    ada, ann = member(running, roles=("operator",)), member(running)

    def put(person: Member, **wish: Any) -> Any:
        return person.client.put("/api/v1/models/challenger", json=wish)

    assert put(ann, checkpoint=tried).status_code == 403
    begun = put(ada, checkpoint=tried[:8])
    assert begun.status_code == 200
    assert (begun.json()["trial"]["challenger"], begun.json()["trial"]["decision"]) == (tried, "hold")
    assert put(ada, checkpoint="0000").status_code == 404
    assert drawn(ann)
    ended = put(ada, checkpoint=None)
    assert (ended.status_code, ended.json()) == (200, {"trial": None})
    assert ada.client.get("/api/v1/models/duels").json() == {"trial": None}
    # What was taken back is no challenger to anybody: nothing is drawn, listed or served by that name.
    assert drawn(ann) == ()
    assert running.studio.workspace.aliases.current(BASE, "challenger") is None
    assert "challenger" not in [live.alias for live in running.studio.workspace.aliases.list()]
    assert put(ada, checkpoint=tried).json()["trial"]["challenger"] == tried


def test_who_may_paint_with_the_challenger(running: StudioApp, challenger: str) -> None:
    def check(person: Member, name: str = challenger) -> None:
        check_may_paint(running.studio, person.person, name, base=BASE, live="")

    def refused(person: Member) -> str:
        with pytest.raises(Refused) as caught:
            check(person)
        assert (caught.value.status, caught.value.code, caught.value.param) == (403, "perk_missing", "model")
        return str(caught.value)

    ann, ada = member(running), member(running, roles=("operator",))
    assert "was never promoted: it is a perk of the tier Gold" in refused(ann)
    check(ann, "")
    check(ada)
    clock_of(running).forward(10 * 86_400)
    gold(ann)
    assert "switch it on first" in refused(ann)
    assert ann.client.get("/api/v1/profile").json()["trying"] == {"allowed": True, "on": False}
    assert ann.client.patch("/api/v1/me", json={"preferences": {PREFERENCE: True}}).status_code == 200
    assert ann.client.get("/api/v1/profile").json()["trying"] == {"allowed": True, "on": True}
    check(ann)
    # Whoever only sets the switch gains nothing.
    bob = member(running)
    assert bob.client.patch("/api/v1/me", json={"preferences": {PREFERENCE: True}}).status_code == 200
    assert "perk of the tier Gold" in refused(bob)
    # What was champion once is finished for everybody.
    space = running.studio.workspace
    space.aliases.move(BASE, challenger, reason="test", at=running.studio.now())
    space.aliases.rollback(BASE, reason="test", at=running.studio.now())
    check(bob)


def test_trials_are_numbered_by_their_first_pair(running: StudioApp) -> None:
    seen: Counter[int] = Counter()
    for name in ("one", "two"):
        checkpoint(running, name)
        vote(member(running), "tie")
        clock_of(running).forward(1)
        trial = running.studio.workspace.trials.current(BASE)
        assert trial is not None
        seen[trial.number] += 1
    assert seen == {1: 1, 2: 1}
