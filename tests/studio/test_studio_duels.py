"""Duels and rankings over HTTP: drawn uniformly, sides by a coin, own pictures only, answered once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import pytest

from redraft.feedback.forms import COMPARISON_RULES
from redraft.studio.duelling import DUEL_SECONDS, experiment_of, next_duel
from tests.studio.painted import Member, answer, clock_of, member, paint, rating_studio
from tests.studio.running_studio import StudioApp


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("duels"), database_url=database_url) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


def judge(person: Member, duel: str, choice: str) -> int:
    reply = person.client.post("/api/v1/answers", json=answer(duel, form="duel", payload={"choice": choice},
                                                               at=person.studio.now()))  # fmt: skip
    return reply.status_code


def test_every_pair_comes_once_and_then_none(running: StudioApp, ann: Member) -> None:
    paintings = [painting.id for painting in paint(running.studio, ann.id, count=4)]
    paint(running.studio, ann.id, prompt="another prompt alone")
    seen = []
    for choice in ("left", "right", "tie", "both_bad", "left", "right"):
        duel = ann.client.get("/api/v1/duels/next").json()["duel"]
        # The open one comes again until it is answered.
        assert ann.client.get("/api/v1/duels/next").json()["duel"]["id"] == duel["id"]
        seen.append(frozenset((duel["left"]["picture_id"], duel["right"]["picture_id"])))
        assert duel["rules"] == list(COMPARISON_RULES)
        assert (duel["left"]["width"], duel["left"]["height"]) == (64, 64)
        assert not {"checkpoint", "model", "confidence", "seed"} & set(duel["left"])
        assert judge(ann, duel["id"], choice) == 201
    assert ann.client.get("/api/v1/duels/next").json() == {"duel": None}
    assert sorted(map(sorted, seen)) == sorted(map(sorted, combinations(paintings, 2)))


def test_pairs_are_uniform_sides_are_a_coin_and_the_probability_is_stored(running: StudioApp) -> None:
    # 90 people with one duel each among the three pairs of three pictures: each pair 30 +- 4.5, swapped 45 +- 4.7.
    pairs: Counter[tuple[int, int]] = Counter()
    swapped = 0
    for _ in range(90):
        person = member(running)
        places = {painting.id: painting.place for painting in paint(running.studio, person.id, count=3)}
        drawn = next_duel(running.studio, person.person)
        assert drawn is not None
        duel = drawn.duel
        assert duel.probability == pytest.approx(1 / 3)
        assert duel.first is not None
        assert duel.second is not None
        low, high = sorted((places[duel.first], places[duel.second]))
        pairs[low, high] += 1
        left = drawn.left.painting.id
        assert left == (duel.second if duel.swapped else duel.first)
        swapped += duel.swapped
    assert all(abs(pairs[pair] - 30) < 4 * 4.5 for pair in ((0, 1), (0, 2), (1, 2)))
    assert abs(swapped - 45) < 4 * 4.7


def test_self_chosen_pairs_and_duels_of_others_are_refused(running: StudioApp, ann: Member) -> None:
    first, second = paint(running.studio, ann.id, count=2)
    duel = ann.client.get("/api/v1/duels/next").json()["duel"]["id"]
    bob = member(running)
    assert judge(bob, duel, "left") == 404
    for chosen in (f"{first.id}/{second.id}"[:64], f"{first.id[:30]} {second.id[:30]}", "0" * 32):
        assert judge(ann, chosen, "left") == 404
    assert running.studio.workspace.answers.of_person(ann.id) == ()
    assert running.studio.workspace.points.balance(bob.id).pending == 0


def test_a_duel_runs_out(running: StudioApp, ann: Member) -> None:
    paint(running.studio, ann.id, count=2)
    duel = ann.client.get("/api/v1/duels/next").json()["duel"]["id"]
    clock_of(running).forward(DUEL_SECONDS + 1)
    assert judge(ann, duel, "left") == 403
    # It was given: it is not drawn again, so that nobody can wait for sides or pairs that they like.
    assert ann.client.get("/api/v1/duels/next").json()["duel"] is None


def test_what_may_not_be_shown_takes_no_part(running: StudioApp, ann: Member) -> None:
    paint(running.studio, ann.id)
    paint(running.studio, ann.id, unsafe=True)
    paint(running.studio, ann.id, safety="blurred", blurred=True)
    paint(running.studio, ann.id, safety="withheld")
    assert ann.client.get("/api/v1/duels/next").json() == {"duel": None}


def test_a_picture_that_was_blurred_since_takes_its_duel_with_it(running: StudioApp, ann: Member) -> None:
    first, *_ = paint(running.studio, ann.id, count=2)
    assert ann.client.get("/api/v1/duels/next").json()["duel"] is not None
    running.studio.workspace.gallery.set_safety(first.id, "blurred", reason="reported")
    assert ann.client.get("/api/v1/duels/next").json() == {"duel": None}


def test_pairs_of_two_checkpoints_are_an_experiment_and_first_is_its_first(running: StudioApp, ann: Member) -> None:
    base, tuned = (paint(running.studio, ann.id, checkpoint=name)[0] for name in ("", "c" * 64))
    paint(running.studio, ann.id, prompt="another prompt", count=2)
    name = experiment_of("c" * 64, "")
    assert name == "base cccccccccccc"
    found = ann.client.get("/api/v1/duels/next", params={"experiment": name}).json()["duel"]
    duel = running.studio.workspace.duels.get(found["id"], user=ann.id)
    assert (duel.first, duel.second, duel.experiment, duel.probability) == (base.id, tuned.id, name, 1.0)
    assert (duel.first_checkpoint, duel.second_checkpoint) == ("", "c" * 64)
    assert judge(ann, found["id"], "left") == 201
    ((kept, said),) = running.studio.workspace.duels.answered(name)
    assert (kept.id, said.payload) == (duel.id, {"choice": "left"})
    assert ann.client.get("/api/v1/duels/next", params={"experiment": name}).json() == {"duel": None}
    assert ann.client.get("/api/v1/duels/next").json()["duel"] is not None


def test_a_ranking_is_of_one_request_and_ranks_all_of_it(running: StudioApp, ann: Member) -> None:
    paint(running.studio, ann.id, count=2)
    paintings = paint(running.studio, ann.id, count=4)
    found = ann.client.get("/api/v1/rankings/next").json()["ranking"]
    assert found["id"] == paintings[0].request
    assert sorted(picture["picture_id"] for picture in found["pictures"]) == sorted(p.id for p in paintings)
    ranks = {painting.id: place for place, painting in enumerate(paintings, 1)}
    few = {id: place for id, place in ranks.items() if place < 4}
    stranger = {**few, "0" * 32: 4}
    for wrong in (few, stranger):
        reply = ann.client.post("/api/v1/answers", json=answer(found["id"], form="rank", payload={"ranks": wrong}))
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "payload")
    sent = answer(found["id"], form="rank", payload={"ranks": ranks})
    assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
    assert ann.client.get("/api/v1/rankings/next").json() == {"ranking": None}


def test_the_order_on_the_table_is_random(running: StudioApp, ann: Member) -> None:
    paintings = paint(running.studio, ann.id, count=6)
    orders = {
        tuple(
            picture["picture_id"] for picture in ann.client.get("/api/v1/rankings/next").json()["ranking"]["pictures"]
        )
        for _ in range(5)
    }
    # Five draws of 720 orders are all the same with a chance of 4e-12.
    assert len(orders) > 1
    assert {len(order) for order in orders} == {len(paintings)}
