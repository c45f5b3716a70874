"""Studies of blind pairs and duels: who is given what, what they chose, what others never see; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
from places import Place
from studio_rows import answer, paint, person, png, uuid7

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.duels import Duel
from redraft.store.studies import Choice, Study, StudyAnswer, StudyAssignment, StudyPair
from redraft.store.workspace import Workspace

QUESTIONS = ("appeal", "faithfulness")


def prepare(space: Workspace, *, pairs: int = 3, people: Sequence[str] = ("ann", "bob")) -> None:
    for name in ("owner", *people):
        person(space, name)
    first, second = space.pictures.put(png(1), at=1.0), space.pictures.put(png(2), at=1.0)
    made = [
        StudyPair(
            id=f"pair {number}",
            study="s",
            number=number,
            prompt=f"prompt {number}",
            first=first,
            second=second,
            first_system="champion",
            second_system="challenger",
        )
        for number in range(pairs)
    ]
    space.studies.create(Study(id="s", owner="owner", title="Night 3", questions=QUESTIONS, created_at=1.0), made)


def give(user: str, count: int) -> Callable[[Mapping[str, int], int], list[StudyAssignment]]:
    """The pairs that were given least, the first picture on the right for every second one."""

    def choose(given: Mapping[str, int], place: int) -> list[StudyAssignment]:
        least = sorted(given, key=lambda pair: (given[pair], pair))[:count]
        return [
            StudyAssignment(
                id=f"{user} {pair}",
                study="s",
                user=user,
                pair=pair,
                place=place + number,
                swapped=(place + number) % 2 == 1,
                assigned_at=2.0,
            )
            for number, pair in enumerate(least)
        ]

    return choose


def choice(assignment: str, question: str, chosen: Choice, *, at: float = 5.0) -> StudyAnswer:
    return StudyAnswer(
        assignment=assignment, question=question, choice=chosen, lead_ms=900, created_at=at, received_at=at
    )


def test_a_participant_goes_through_the_pairs_in_order(space: Workspace) -> None:
    prepare(space)
    assert space.studies.next("s", user="ann") is None
    given = space.studies.assign("s", "ann", give("ann", 2))
    assert [(item.pair, item.place, item.swapped) for item in given] == [("pair 0", 0, False), ("pair 1", 1, True)]
    seen = []
    while (found := space.studies.next("s", user="ann")) is not None:
        assignment, pair, questions = found
        seen.append((pair.prompt, questions))
        assert space.studies.answer(choice(assignment.id, questions[0], "left"), user="ann")
    assert seen == [
        ("prompt 0", QUESTIONS),
        ("prompt 0", QUESTIONS[1:]),
        ("prompt 1", QUESTIONS),
        ("prompt 1", QUESTIONS[1:]),
    ]
    more = space.studies.assign("s", "ann", give("ann", 9))
    assert [(item.pair, item.place) for item in more] == [("pair 2", 2)], "no pair is given twice"


def test_a_choice_is_made_once_and_by_whom_it_was_given_to(space: Workspace) -> None:
    prepare(space)
    space.studies.assign("s", "ann", give("ann", 2))
    assert space.studies.answer(choice("ann pair 0", "appeal", "left"), user="ann")
    assert not space.studies.answer(choice("ann pair 0", "appeal", "right"), user="ann")
    for user, assignment in (("bob", "ann pair 0"), ("ann", "absent")):
        with pytest.raises(UnknownNameError, match=rf"^assignment '{assignment}' was not given to this person$"):
            space.studies.answer(choice(assignment, "appeal", "left"), user=user)
    with pytest.raises(UsageError, match="'beauty' is not one of this study: it asks appeal, faithfulness"):
        space.studies.answer(choice("ann pair 0", "beauty", "left"), user="ann")
    space.studies.close("s", at=9.0)
    with pytest.raises(UsageError, match="the study 'Night 3' is closed"):
        space.studies.answer(choice("ann pair 1", "appeal", "left"), user="ann")
    with pytest.raises(UsageError, match="the study 'Night 3' is closed"):
        space.studies.assign("s", "bob", give("bob", 1))
    assert len(space.studies.results("s")) == 1


@pytest.mark.parametrize(
    ("chosen", "swapped", "first"), [("left", 0, 1), ("left", 1, 0), ("right", 0, 0), ("right", 1, 1)]
)
def test_results_say_which_system_was_chosen_wherever_it_stood(
    space: Workspace, chosen: Choice, swapped: int, first: int
) -> None:
    prepare(space)
    space.studies.assign("s", "ann", give("ann", 2))
    space.studies.answer(choice(f"ann pair {swapped}", "appeal", chosen), user="ann")
    (result,) = space.studies.results("s")
    assert (result.user, result.question, result.chose_first) == ("ann", "appeal", bool(first))
    assert result.pair == space.studies.pairs("s")[swapped]


def test_names_that_are_not_there(space: Workspace) -> None:
    prepare(space)
    assert [study.id for study in space.studies.list()] == ["s"]
    assert space.studies.get("s").questions == QUESTIONS
    for call in (
        lambda: space.studies.get("t"),
        lambda: space.studies.close("t", at=1.0),
        lambda: space.studies.results("t"),
        lambda: space.studies.next("t", user="ann"),
        lambda: space.studies.assign("t", "ann", give("ann", 1)),
    ):
        with pytest.raises(UnknownNameError, match="study 't' is unknown"):
            call()


def take_part(place: Place, user: str, barrier: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        space.studies.assign("s", user, give(user, 2))


def test_participants_who_come_together_share_the_pairs_evenly(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    people = [f"person {number}" for number in range(6)]
    with place.open() as space:
        prepare(space, pairs=4, people=people)
    barrier = fork.Barrier(6)
    processes = [start(take_part, place, user, barrier) for user in people]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    with place.open() as space:
        counts: dict[str, int] = {}

        def look(given: Mapping[str, int], _place: int) -> list[StudyAssignment]:
            counts.update(given)
            return []

        space.studies.assign("s", "owner", look)
    assert counts == {f"pair {number}": 3 for number in range(4)}


def duel(id: str, user: str, **values: object) -> Duel:
    made = Duel(
        id=id,
        user=user,
        experiment="night 3",
        prompt_hash="0" * 16,
        prompt="a red cat",
        first="p",
        second="q",
        first_checkpoint="",
        second_checkpoint="c" * 64,
        swapped=True,
        probability=0.05,
        issued_at=1.0,
        expires_at=100.0,
    )
    return replace(made, **values)  # type: ignore[arg-type]


def test_duels_and_their_answers(space: Workspace) -> None:
    for name in ("ann", "bob"):
        person(space, name)
    paint(space, "p", "ann")
    paint(space, "q", "ann")
    given = [duel("d1", "ann"), duel("d2", "ann", issued_at=2.0), duel("d3", "bob"), duel("d4", "bob", experiment="x")]
    for item in given:
        space.duels.issue(item)
    assert space.duels.get("d1", user="ann") == given[0]
    for id in ("d3", "absent"):
        with pytest.raises(UnknownNameError, match=rf"^duel '{id}' was not given to this person$"):
            space.duels.get(id, user="ann")
    assert [item.id for item in space.duels.open("ann", at=5.0)] == ["d1", "d2"]
    assert space.duels.open("ann", at=100.0) == ()
    marks = {"d1": "left", "d2": "tie", "d3": "both_bad", "d4": "right"}
    space.answers.ingest(
        [
            answer(item.id, item.user, item.id, kind="duel", form="duel", payload={"choice": marks[item.id]})
            for item in given
        ]
    )
    space.answers.ingest([answer("stray", "bob", "d1", kind="duel", form="duel", payload={"choice": "right"})])
    space.answers.ingest([answer("again", "ann", "d1", kind="duel", form="duel", payload={"choice": "right"})])
    assert space.duels.open("ann", at=5.0) == ()
    found = space.duels.answered("night 3")
    assert [(item.id, given.payload["choice"]) for item, given in found] == [
        ("d1", "right"),
        ("d2", "tie"),
        ("d3", "both_bad"),
    ]
    assert found[0][1].id == uuid7("again")
    assert [item.id for item, _ in space.duels.answered("night 3", after="d1", limit=1)] == ["d2"]
