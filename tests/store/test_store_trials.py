"""Trials on both databases: which votes count, in which order, and that their pictures are shown nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from studio_rows import answer, paint, painting, person, png, request

from redraft.core.errors import UnknownNameError
from redraft.core.records import Lineage
from redraft.store.duels import Duel
from redraft.store.people import Consent
from redraft.store.raters import Quality
from redraft.store.requests import TRIAL
from redraft.store.trials import is_trial, trial_name
from redraft.store.workspace import Workspace

CHALLENGER = "c" * 64


def trial_duel(id: str, user: str, *, swapped: bool = False, champion: str = "", issued_at: float = 1.0) -> Duel:
    return Duel(
        id=id, user=user, experiment=trial_name(champion, CHALLENGER), prompt_hash="0" * 64, prompt="a cat",
        first=None, second=None, first_checkpoint=champion, second_checkpoint=CHALLENGER, swapped=swapped,
        probability=0.05, issued_at=issued_at, expires_at=100.0,
    )  # fmt: skip


def said(space: Workspace, name: str, user: str, duel: str, choice: str, *, at: float = 5.0, **values: Any) -> None:
    payload = {} if values.get("retracted") else {"choice": choice}
    made = answer(name, user, duel, kind="duel", form="duel", payload=payload, received_at=at, **values)
    (outcome,) = space.answers.ingest([made])
    assert outcome.status == "stored"


def test_votes_say_which_model_won_wherever_it_stood(space: Workspace) -> None:
    choices = [("left", False), ("left", True), ("right", False), ("right", True), ("tie", True), ("both_bad", False)]
    for number, (choice, swapped) in enumerate(choices):
        user = person(space, f"p{number}")
        space.duels.issue(trial_duel(f"d{number}", user, swapped=swapped))
        said(space, f"a{number}", user, f"d{number}", choice)
    names = ["incumbent", "candidate", "candidate", "incumbent", "tie", "both bad"]
    found = space.trials.of("", CHALLENGER)
    assert found.votes == tuple((f"p{number}", name) for number, name in enumerate(names))
    assert (found.pairs, found.left_out, found.number) == (6, 0, 1)
    assert space.duels.sides("p0") == (1, 0)
    assert space.duels.sides("p4") == (0, 0)
    # Of an answer that was changed the last one counts, in its place; what was taken back is no vote.
    said(space, "b0", "p0", "d0", "right")
    said(space, "b1", "p1", "d1", "", retracted=True)
    votes = space.trials.of("", CHALLENGER).votes
    assert [user for user, _ in votes] == ["p2", "p3", "p4", "p5", "p0"]
    assert votes[-1] == ("p0", "candidate")


@pytest.mark.parametrize("why", ["consent", "weight", "disabled", "painted before", "painted later", "was asked to"])
def test_whose_votes_do_not_count(space: Workspace, why: str) -> None:
    ann = person(space, "ann")
    space.duels.issue(trial_duel("d", ann))
    said(space, "a", ann, "d", "left")
    if why == "consent":
        space.people.set_consent(ann, Consent(), at=6.0)
    if why == "weight":
        space.raters.set_quality(Quality(user=ann, weight=0.0, evidence={}, at=6.0))
    if why == "disabled":
        space.people.set_disabled(ann, True, at=6.0)
    if why in ("painted before", "painted later", "was asked to"):
        # What the studio painted for the trial itself tells nobody anything.
        source, at = (TRIAL, 4.0) if why == "was asked to" else ("page", 4.0 if why == "painted before" else 6.0)
        space.requests.enter(request("r", ann, checkpoint=CHALLENGER, created_at=at, source=source))
        assert space.trials.knows(ann, CHALLENGER, at=10.0) is (source != TRIAL)
    counts = why in ("painted later", "was asked to")
    found = space.trials.of("", CHALLENGER)
    assert (len(found.votes), found.left_out) == ((1, 0) if counts else (0, 1))


def test_accounts_of_a_cluster_are_one_person_and_trials_inherit_nothing(space: Workspace) -> None:
    for number, user in enumerate(("ann", "bob")):
        space.duels.issue(trial_duel(user, person(space, user), issued_at=2.0 + number))
        said(space, f"of {user}", user, user, "left")
    space.people.set_cluster(["ann", "bob"], "farm", at=6.0)
    assert space.trials.of("", CHALLENGER).votes == (("farm", "incumbent"), ("farm", "incumbent"))
    other = space.trials.of("d" * 64, CHALLENGER)
    assert (other.votes, other.pairs, other.number) == ((), 0, 2)
    # By their first pair: one that began before is number one.
    space.duels.issue(trial_duel("early", "ann", champion="d" * 64, issued_at=1.0))
    assert space.trials.of("d" * 64, CHALLENGER).number == 1
    assert space.trials.of("", CHALLENGER).number == 2


def test_pairs_of_people_are_no_trials() -> None:
    assert is_trial(trial_name("", CHALLENGER))
    assert trial_name("a" * 64, CHALLENGER) == f"trial {'a' * 12} {'c' * 12}"
    assert not is_trial("")
    assert not is_trial("base cccccccccccc")
    assert len(trial_name("a" * 64, CHALLENGER)) <= 64


def test_the_current_trial_needs_a_challenger_that_is_another(space: Workspace, lineage: Lineage) -> None:
    assert space.trials.current("builtin:sd") is None
    tried = space.checkpoints.put(b"weights", kind="lora", lineage=lineage, at=1.0).id
    space.aliases.move("builtin:sd", tried, alias="challenger", reason="held", at=2.0)
    found = space.trials.current("builtin:sd")
    assert found is not None
    assert (found.champion, found.challenger, found.votes) == ("", tried, ())
    space.aliases.move("builtin:sd", tried, reason="promoted", at=3.0)
    assert space.trials.current("builtin:sd") is None


def test_what_was_painted_for_a_trial_is_in_no_list(space: Workspace) -> None:
    person(space, "ann")
    paint(space, "own", "ann", shade=1)
    picture = space.pictures.put(png(2), at=1.0)
    space.requests.enter(request("hidden", "ann", source=TRIAL))
    space.gallery.add([painting("trial", "ann", picture=picture, request="hidden", facets={"semantics": 0.5})])
    assert [exhibit.painting.id for exhibit in space.gallery.page("ann").exhibits] == ["own"]
    assert [found.id for found in space.requests.list("ann")] == ["request of own"]
    assert [found.id for found in space.requests.recent_prompts(since=0.0)] == ["request of own"]
    assert [row.requests for row in space.requests.repeats()] == [1]
    with pytest.raises(UnknownNameError):
        space.gallery.get("trial", owner="ann")
    assert space.gallery.get("trial", owner="ann", trials=True).painting.id == "trial"
    # It is the person's own all the same: it goes with them.
    space.erasure.person("ann", receipt="r", at=9.0)
    assert space.gallery.find(["trial"]) == ()
