"""Pictures that wait, shared fairly between people: round robin over them, whatever anyone has entered. Paints nothing.

A batch is led by the next person's oldest picture; its free places go round the others (the leader last) for pictures
of the same group. So a batch is full when it can be, and nobody waits for more than one batch a person before them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from redraft.studio.engine.messages import Group, Item


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A picture that waits. alone: it must have a batch of its own, for it was in one that crashed the engine."""

    user: str
    job: str
    group: Group
    item: Item
    alone: bool = False


class QueueFullError(Exception):
    """There is no room. whose: "all" when the queue is full, "person" when this person has too much in it."""

    def __init__(self, whose: Literal["all", "person"], *, waiting: int, most: int) -> None:
        super().__init__(f"{waiting} pictures wait, at most {most} may")
        self.whose, self.waiting, self.most = whose, waiting, most


class FairQueue:
    """A bounded queue. Not for several threads at once."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self.most, self.most_each = most, most_each
        self._people: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def check_room(self, user: str, count: int) -> None:
        """Raise QueueFullError when `count` more pictures of this person have no room."""
        own = len(self._people.get(user, ()))
        if own + count > self.most_each:
            raise QueueFullError("person", waiting=own, most=self.most_each)
        if self._length + count > self.most:
            raise QueueFullError("all", waiting=self._length, most=self.most)

    def put(self, pictures: Sequence[Waiting]) -> None:
        """Enter pictures behind the others of their people. The room was checked before."""
        for picture in pictures:
            self._people.setdefault(picture.user, deque()).append(picture)
        self._length += len(pictures)

    def put_back(self, pictures: Sequence[Waiting]) -> None:
        """Enter pictures, that were taken already, before all others of their people; they need no room."""
        for picture in reversed(pictures):
            self._people.setdefault(picture.user, deque()).appendleft(picture)
            self._people.move_to_end(picture.user, last=False)
        self._length += len(pictures)

    def take(self, most: Callable[[Group], int]) -> list[Waiting]:
        """Take the next batch; `most` tells how many pictures of a group fit into one: 0 if none can be painted yet."""
        for user in self._people:
            lead = next((picture for picture in self._people[user] if most(picture.group) > 0), None)
            if lead is not None:
                return self._led_by(lead, size=1 if lead.alone else most(lead.group))
        return []

    def _led_by(self, lead: Waiting, *, size: int) -> list[Waiting]:
        self._people.move_to_end(lead.user)
        self._people[lead.user].remove(lead)
        batch = [lead]
        found = True
        while found and len(batch) < size:
            found = False
            for queue in self._people.values():
                match = next((each for each in queue if each.group == lead.group and not each.alone), None)
                if match is not None and len(batch) < size:
                    queue.remove(match)
                    batch.append(match)
                    found = True
        self._length -= len(batch)
        self._sweep()
        return batch

    def remove(self, unwanted: Callable[[Waiting], bool]) -> list[Waiting]:
        """Take out the pictures that are `unwanted`, such as those of a cancelled job."""
        gone = [picture for queue in self._people.values() for picture in queue if unwanted(picture)]
        for picture in gone:
            self._people[picture.user].remove(picture)
        self._length -= len(gone)
        self._sweep()
        return gone

    def checkpoints(self) -> set[str]:
        """The checkpoints that waiting pictures are to be painted with."""
        return {picture.group.checkpoint for queue in self._people.values() for picture in queue}

    def position(self, job: str) -> int | None:
        """How many pictures are painted before a job's first one, if nothing is painted together; None: none waits."""
        for user, queue in self._people.items():
            own = next((index for index, picture in enumerate(queue) if picture.job == job), None)
            if own is not None:
                before, ahead = own, True
                for other, theirs in self._people.items():
                    if other == user:
                        ahead = False
                    else:
                        before += min(len(theirs), own + 1 if ahead else own)
                return before
        return None

    def _sweep(self) -> None:
        for user in [user for user, queue in self._people.items() if not queue]:
            del self._people[user]
