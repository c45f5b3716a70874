"""The queue of the engine: fairness, batches of one group, bounds, cancellation. Pure, no process."""

from __future__ import annotations

import pytest

from redraft.studio.engine.fair_queue import FairQueue, QueueFullError, Waiting
from redraft.studio.engine.messages import Group, Item

FAST, SLOW = Group(checkpoint="", steps=4, guidance=1.0), Group(checkpoint="", steps=50, guidance=1.0)
ELSEWHERE = Group(checkpoint="c", steps=4, guidance=1.0)


def pictures(user: str, count: int, *, group: Group = FAST, job: str = "", first: int = 0) -> list[Waiting]:
    return [
        Waiting(
            user=user, job=job or f"{user}-{group.steps}", group=group,
            item=Item(number=first + place, prompt="a", negative_prompt="", seed=place),
        )
        for place in range(count)
    ]  # fmt: skip


def queue_of(*entries: list[Waiting], most: int = 1000, each: int = 1000) -> FairQueue:
    queue = FairQueue(most=most, most_each=each)
    for entry in entries:
        queue.put(entry)
    return queue


def users(batch: list[Waiting]) -> str:
    return "".join(picture.user for picture in batch)


def test_whoever_has_entered_much_does_not_keep_others_waiting() -> None:
    queue = queue_of(pictures("a", 100), pictures("b", 2), pictures("c", 1))
    batch = queue.take(lambda _: 6)
    # The leader goes first, then round robin over all, the leader last in each round.
    assert users(batch) == "abcaba"
    assert len(queue) == 97


def test_a_thousand_pictures_of_one_person_delay_another_by_one_batch() -> None:
    queue = queue_of(pictures("a", 1000, group=SLOW))
    queue.take(lambda _: 8)
    queue.put(pictures("b", 1, group=FAST))
    first, second = queue.take(lambda _: 8), queue.take(lambda _: 8)
    assert "b" in users(first) + users(second)


def test_people_take_turns_when_their_recipes_differ() -> None:
    groups = [Group(checkpoint="", steps=steps, guidance=1.0) for steps in (3, 4, 5)]
    queue = queue_of(*(pictures(user, 4, group=group) for user, group in zip("abc", groups, strict=True)))
    assert [users(queue.take(lambda _: 2)) for _ in range(6)] == ["aa", "bb", "cc", "aa", "bb", "cc"]
    assert len(queue) == 0


def test_a_batch_has_one_recipe_and_the_order_within_a_job_is_kept() -> None:
    queue = queue_of(pictures("a", 2, group=SLOW), pictures("a", 3, group=FAST, first=10), pictures("b", 2, first=20))
    batch = queue.take(lambda _: 10)
    assert {picture.group for picture in batch} == {SLOW}
    batch = queue.take(lambda _: 10)
    assert {picture.group for picture in batch} == {FAST}
    assert [picture.item.number for picture in batch if picture.user == "a"] == [10, 11, 12]


def test_pictures_of_a_model_that_is_not_loaded_wait_and_let_others_pass() -> None:
    queue = queue_of(pictures("a", 1, group=ELSEWHERE), pictures("a", 1, group=FAST, first=5))
    batch = queue.take(lambda group: 0 if group.checkpoint else 4)
    assert [picture.item.number for picture in batch] == [5]
    assert queue.take(lambda group: 0 if group.checkpoint else 4) == []
    assert queue.checkpoints() == {"c"}
    assert len(queue.take(lambda _: 4)) == 1


def test_the_bounds_name_whose_they_are() -> None:
    queue = queue_of(pictures("a", 3), most=5, each=4)
    with pytest.raises(QueueFullError) as full:
        queue.check_room("a", 2)
    assert (full.value.whose, full.value.waiting, full.value.most) == ("person", 3, 4)
    with pytest.raises(QueueFullError) as full:
        queue.check_room("b", 3)
    assert (full.value.whose, full.value.waiting, full.value.most) == ("all", 3, 5)
    queue.check_room("b", 2)


def test_cancelling_takes_out_one_job_only() -> None:
    queue = queue_of(pictures("a", 2, job="one"), pictures("a", 2, job="two", first=5), pictures("b", 1, first=9))
    gone = queue.remove(lambda picture: picture.job == "one")
    assert [picture.item.number for picture in gone] == [0, 1]
    assert len(queue) == 3
    assert sorted(picture.item.number for picture in queue.take(lambda _: 10)) == [5, 6, 9]


def test_what_crashed_the_engine_is_painted_first_and_alone() -> None:
    queue = queue_of(pictures("a", 3))
    again = [
        Waiting(user=each.user, job=each.job, group=each.group, item=each.item, alone=True)
        for each in pictures("b", 2, first=50)
    ]
    queue.put_back(again)
    assert [[picture.item.number for picture in queue.take(lambda _: 8)] for _ in range(3)] == [[50], [0, 1, 2], [51]]


def test_the_position_counts_the_pictures_that_come_before() -> None:
    queue = queue_of(
        pictures("a", 3, job="x"), pictures("b", 2, job="y", first=10), pictures("a", 1, job="z", first=20)
    )
    assert queue.position("x") == 0
    assert queue.position("y") == 1  # one of a, then ours
    assert queue.position("z") == 5  # three of a's own, both of b
    assert queue.position("nobody's") is None
