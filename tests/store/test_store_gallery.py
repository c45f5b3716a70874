"""The gallery against a plain model of it: pages, filters, orders, owners, and the indices it is read by."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from studio_rows import answer, paint, painting, person, png, request, uuid7

from redraft.core.errors import BusyError, UnknownNameError
from redraft.store.gallery import Exhibit, Painting, Selection
from redraft.store.workspace import Workspace


@pytest.fixture
def paintings(space: Workspace) -> dict[str, Painting]:
    """Two people with paintings whose every filtered value takes few values, so that ties abound."""
    draws = random.Random(11)
    made = []
    for owner in ("ann", "bob"):
        person(space, owner)
        picture = space.pictures.put(png(1), at=1.0)
        for number in range(60):
            confidence = draws.choice([None, 0.1, 0.2, 0.3])
            facets = {"semantics": draws.choice([0.25, 0.5])} if draws.random() < 0.7 else {}
            made.append(
                painting(
                    f"{owner}/{number:02}/{draws.random()}",
                    owner,
                    picture=picture,
                    request=f"request {owner} {number % 20}",
                    confidence=confidence,
                    weakest="" if confidence is None else "clip",
                    terms={} if confidence is None else {"clip": confidence},
                    facets=facets,
                    checkpoint=draws.choice(["", "c" * 64]),
                    safety=draws.choice(["ok", "blurred"]),
                    favourite=draws.random() < 0.3,
                    created_at=float(draws.randrange(6)),
                )
            )
        for number in range(20):
            space.requests.enter(request(f"request {owner} {number}", owner))
    space.gallery.add(made)
    rated = [item for item in made if item.owner == "ann"][::3]
    space.answers.ingest(
        [answer(item.id, "ann", item.id, form="thumbs", mark=float(n % 2)) for n, item in enumerate(rated)]
    )
    space.answers.ingest([answer(f"of bob {item.id}", "bob", item.id) for item in made if item.owner == "ann"])
    return {item.id: item for item in made}


def everything(space: Workspace, selection: Selection, *, limit: int) -> list[Exhibit]:
    found: list[Exhibit] = []
    after = None
    while True:
        page = space.gallery.page("ann", selection=selection, after=after, limit=limit)
        found += page.exhibits
        assert len(page.exhibits) == limit or page.next is None
        if page.next is None:
            return found
        after = page.next


@dataclass(frozen=True)
class Seen:
    """A painting as the model of the gallery has it: with the mark of the owner's answer, None while there is none."""

    item: Painting
    mark: float | None

    @property
    def confidence(self) -> float:
        return math.nan if self.item.confidence is None else self.item.confidence


SELECTIONS: list[tuple[Selection, Callable[[Seen], bool]]] = [
    (Selection(), lambda seen: seen is not None),
    (Selection(checkpoint=""), lambda seen: seen.item.checkpoint == ""),
    (Selection(low=0.2, high=0.2), lambda seen: seen.confidence == 0.2),
    (Selection(safety="blurred", favourite=True), lambda seen: seen.item.safety == "blurred" and seen.item.favourite),
    (Selection(order="confidence"), lambda seen: seen.confidence >= 0),
    (Selection(order="confidence", high=0.2, base="builtin:sd"), lambda seen: seen.confidence <= 0.2),
    (Selection(order="semantics"), lambda seen: "semantics" in seen.item.facets),
    (Selection(order="semantics", low=0.3), lambda seen: seen.item.facets.get("semantics", 0) >= 0.3),
    (Selection(base="builtin:sd3"), lambda seen: seen is None),
    (Selection(answered=True), lambda seen: seen.mark is not None),
    (Selection(answered=False, order="confidence"), lambda seen: seen.mark is None and seen.confidence >= 0),
    (Selection(answered=True, form="stars"), lambda seen: seen is None),
    (Selection(answered=True, form="thumbs", most_mark=0.5), lambda seen: seen.mark == 0.0),
    (Selection(answered=True, form="thumbs", least_mark=0.5), lambda seen: seen.mark == 1.0),
]


@pytest.mark.parametrize("limit", [7, 100])
def test_pages_hold_what_a_plain_filter_and_sort_give(
    space: Workspace, paintings: dict[str, Painting], limit: int
) -> None:
    mine = [item for item in paintings.values() if item.owner == "ann"]
    marks = {item.id: float(number % 2) for number, item in enumerate(mine[::3])}
    for selection, keep in SELECTIONS:
        kept = [item for item in mine if keep(Seen(item, marks.get(item.id)))]
        if selection.order == "newest":
            kept.sort(key=lambda item: (item.created_at, item.id), reverse=True)
        elif selection.order == "confidence":
            kept.sort(key=lambda item: (item.confidence or 0.0, item.id))
        else:
            kept.sort(key=lambda item: (item.facets["semantics"], item.id))
        found = everything(space, selection, limit=limit)
        assert [item.painting for item in found] == kept, selection
        assert [[given.mark for given in item.answers] for item in found] == [
            [marks[item.id]] if item.id in marks else [] for item in kept
        ], "the owner's own answers, and nobody else's"


def test_paintings_added_while_one_reads_do_not_shift_the_pages(
    space: Workspace, paintings: dict[str, Painting]
) -> None:
    first = space.gallery.page("ann", limit=10)
    template = next(item for item in paintings.values() if item.owner == "ann")
    space.gallery.add([replace(template, id="newer", created_at=99.0)])
    second = space.gallery.page("ann", after=first.next, limit=10)
    whole = [item.painting.id for item in everything(space, Selection(), limit=100)]
    assert whole == ["newer", *(item.painting.id for item in (*first.exhibits, *second.exhibits)), *whole[21:]]


def test_the_owner_sees_the_request_and_others_see_nothing(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    made = paint(space, "p", "ann", facets={"semantics": 0.5}, fingerprints={"clip": "1"})
    shown = space.gallery.get("p", owner="ann")
    assert shown.painting == made
    assert (shown.request.prompt, shown.request.steps) == ("a red cat", 20)
    assert space.gallery.of_request("request of p", owner="ann") == (made,)
    assert space.gallery.of_request("request of p", owner="bob") == ()
    assert space.gallery.page("bob").exhibits == ()
    assert space.gallery.embeddings("bob", ["p"], fingerprint="f") == {}
    calls: list[Callable[[str], object]] = [
        lambda id: space.gallery.get(id, owner="bob"),
        lambda id: space.gallery.set_favourite(id, True, owner="bob"),
        lambda id: space.gallery.put_embedding(id, owner="bob", fingerprint="f", data=b""),
    ]
    for call in calls:
        for id in ("p", "absent"):
            with pytest.raises(UnknownNameError, match=rf"^picture '{id}' is not in this person's gallery$"):
                call(id)
    assert space.gallery.get("p", owner="ann").painting == made
    with pytest.raises(UnknownNameError, match="request 'request of p' is not among the requests of this person"):
        space.gallery.add([replace(made, id="q", owner="bob")])


def test_marks_embeddings_and_safety(space: Workspace) -> None:
    person(space, "ann")
    paint(space, "p", "ann", shade=1)
    made = painting("q", "ann", picture=space.pictures.put(png(2), at=1.0), request="request of p", place=1)
    space.gallery.add([made], embeddings={"q": ("clip:1", b"\x00\xff")})
    space.gallery.put_embedding("p", owner="ann", fingerprint="clip:1", data=b"old")
    space.gallery.put_embedding("p", owner="ann", fingerprint="clip:1", data=b"new")
    assert space.gallery.embeddings("ann", ["p", "q"], fingerprint="clip:1") == {"p": b"new", "q": b"\x00\xff"}
    space.gallery.set_favourite("q", True, owner="ann")
    space.gallery.set_safety("q", "withheld", reason="leans unsafe")
    shown = space.gallery.get("q", owner="ann").painting
    assert (shown.favourite, shown.safety, shown.blurred, shown.safety_reason) == (
        True,
        "withheld",
        True,
        "leans unsafe",
    )
    space.gallery.set_safety("q", "ok", reason="appeal granted")
    assert not space.gallery.get("q", owner="ann").painting.blurred
    assert [item.id for item in space.gallery.find(["q", "p", "absent"])] == ["p", "q"]
    with pytest.raises(UnknownNameError, match="'absent' is not in"):
        space.gallery.set_safety("absent", "ok", reason="")


def test_the_histogram_counts_each_bin(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    values = [0.0, 0.05, 0.1, 0.19999, 0.2, 0.95, 1.0, None]
    for number, confidence in enumerate(values):
        paint(space, f"p{number}", "ann", confidence=confidence)
    paint(space, "other model", "ann", confidence=0.5, checkpoint="c")
    marks = [(0, 0.0), (1, 1.0), (5, 0.0), (6, 0.0), (7, 0.0)]
    space.answers.ingest([answer(n, "ann", f"p{n}", form="thumbs", mark=mark) for n, mark in marks])
    space.answers.ingest(
        [answer("foreign", "bob", "p2", form="thumbs", mark=0.0), answer("form", "ann", "p2", mark=0.0)]
    )
    found = space.gallery.histogram("builtin:sd", "", form="thumbs", low_mark=0.0, bins=10)
    expected = [(2, 2, 1), (2, 0, 0), (1, 0, 0), *[(0, 0, 0)] * 6, (2, 2, 2)]
    assert found == tuple(expected)


def test_requests_are_entered_once_and_link_to_what_did_not_please(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    first = request("r1", "ann", idempotency_key="k", parameters={"eta": 0.5}, negative_prompt="blur")
    assert space.requests.enter(first) == (first, True)
    assert space.requests.enter(replace(first, id="r2")) == (first, False)
    assert space.requests.enter(replace(first, id="r3", owner="bob"))[1], "another person's key is another key"
    again = request("r4", "ann", again_of="r1", created_at=2.0)
    space.requests.enter(again)
    space.requests.enter(request("r5", "ann", prompt_hash="1" * 16, created_at=3.0))
    assert space.requests.get("r4", owner="ann").again_of == "r1"
    for id in ("r3", "absent"):
        with pytest.raises(UnknownNameError, match=f"request '{id}' is not among the requests of this person"):
            space.requests.enter(request("r6", "ann", again_of=id))
        with pytest.raises(UnknownNameError, match=f"request '{id}' is not among"):
            space.requests.get(id, owner="ann")
        with pytest.raises(UnknownNameError, match=f"request '{id}' is not among"):
            space.requests.set_state(id, "running", owner="ann", at=1.0)
    space.requests.set_state("r1", "finished", owner="ann", at=7.0)
    assert (space.requests.get("r1", owner="ann").state, space.requests.get("r1", owner="ann").finished_at) == (
        "finished",
        7.0,
    )
    newest = space.requests.list("ann", limit=2)
    assert [item.id for item in newest] == ["r5", "r4"]
    assert [item.id for item in space.requests.list("ann", before=(2.0, "r4"))] == ["r1"]
    worst = space.requests.repeats()[0]
    assert (worst.prompt_hash, worst.requests, worst.again) == ("0" * 16, 3, 1)


def test_prompts_that_may_be_used_and_prompts_that_are_forgotten(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob", improve=False)
    space.requests.enter(request("old", "ann", created_at=1.0))
    space.requests.enter(request("new", "ann", created_at=5.0))
    space.requests.enter(request("private", "bob", created_at=5.0))
    assert [item.id for item in space.requests.recent_prompts(since=0.0)] == ["new", "old"]
    assert space.requests.forget_prompts(before=2.0) == 1
    assert space.requests.get("old", owner="ann").prompt is None
    assert space.requests.get("new", owner="ann").prompt == "a red cat"
    assert [item.id for item in space.requests.recent_prompts(since=0.0)] == ["new"]
    assert space.requests.forget_prompts(before=2.0) == 0


def test_a_painting_without_its_picture_in_the_store_is_refused(space: Workspace) -> None:
    person(space, "ann")
    space.requests.enter(request("r", "ann"))
    with pytest.raises(BusyError):
        space.gallery.add([painting("p", "ann", picture="0" * 64, request="r")])
    assert space.gallery.page("ann").exhibits == ()


@pytest.mark.parametrize(
    "selection",
    [Selection(), Selection(order="confidence"), Selection(order="semantics"), Selection(checkpoint="")],
    ids=lambda selection: f"{selection.order}{'' if selection.checkpoint is None else ' of a model'}",
)
def test_a_page_is_read_from_an_index_and_never_sorted(workspace: Workspace, selection: Selection) -> None:
    """So the cost of a page does not grow with the gallery; that it does not with the feedback is in benchmarks/."""
    statements: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
        statements.append((statement, parameters))

    with workspace.database.reading() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    workspace.gallery.page("ann", selection=selection, after=(0.5, uuid7("x")))
    sa.event.remove(engine, "before_cursor_execute", note)
    page = next(item for item in statements if "LIMIT" in item[0])
    with workspace.database.reading() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {page[0]}", page[1])]  # type: ignore[call-overload]
    assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
    assert any("INDEX ix_gallery" in step for step in plan), plan
