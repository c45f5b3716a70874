"""Accounts, sessions, keys, audit, rooms, reports and raters: owned, hashed, refused; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
import sqlalchemy as sa
from places import Place
from studio_rows import answer, paint, person, uuid7

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.logins import ApiKey, Session
from redraft.store.people import Account, Asking, Consent, Profile
from redraft.store.raters import GoldItem, GoldResult, Quality
from redraft.store.reports import PictureReport
from redraft.store.rooms import Room
from redraft.store.workspace import Workspace


def test_an_account_and_everything_that_can_be_said_of_it(space: Workspace) -> None:
    made = space.people.create("u1", name="Änne", roles=["admin"], password="$argon2id$...", external="idp|7", at=1.0)
    assert made == Account(
        id="u1", login="änne", name="Änne", roles=("admin",), external="idp|7", created_at=1.0, changed_at=1.0
    )
    assert space.people.get("u1") == made
    assert (space.people.password("u1"), space.people.profile("u1")) == ("$argon2id$...", None)
    asking = Asking(less=True, opted_out=True, quiet_from=1320, quiet_until=420, timezone="Europe/Berlin")
    space.people.set_asking("u1", asking, at=2.0)
    space.people.set_consent("u1", Consent(improve=True, share=True, unsafe=True), at=2.0)
    space.people.set_preferences("u1", {"theme": "dark", "form": "stars"}, at=2.0)
    space.people.set_reviewing("u1", adult=True, trained_reviewer=True, at=2.0)
    space.people.set_roles("u1", ["reviewer", "member"], at=2.0)
    space.people.set_profile("u1", Profile(data=b"\x00\x01", fingerprint="clip:1"), at=2.0)
    space.people.rename("u1", "Anna", at=3.0)
    assert space.people.get("u1") == replace(
        made,
        login="anna",
        name="Anna",
        roles=("reviewer", "member"),
        adult=True,
        trained_reviewer=True,
        consent=Consent(improve=True, share=True, unsafe=True),
        asking=asking,
        preferences={"theme": "dark", "form": "stars"},
        changed_at=3.0,
    )
    assert space.people.profile("u1") == Profile(data=b"\x00\x01", fingerprint="clip:1")
    space.people.set_profile("u1", None, at=4.0)
    assert space.people.profile("u1") is None


def test_consent_is_nothing_until_it_was_given(space: Workspace) -> None:
    space.people.create("u1", name="ann", at=1.0)
    assert space.people.get("u1").consent == Consent(improve=False, share=False, unsafe=False)


def test_names_are_found_and_refused_without_regard_to_case_and_width(space: Workspace) -> None:
    space.people.create("u1", name=" Ann ", at=1.0)
    space.people.create("u2", name="bob", external="idp|2", at=1.0)
    for name in ("ann", "ANN", "ａｎｎ"):
        found = space.people.find(name)
        assert found is not None
        assert found.id == "u1"
        with pytest.raises(UsageError, match=f"the name '{name}' is taken .*choose another"):
            space.people.create("u3", name=name, at=1.0)
        with pytest.raises(UsageError, match="is taken"):
            space.people.rename("u2", name, at=1.0)
    with pytest.raises(UsageError, match="is taken"):
        space.people.create("u3", name="carl", external="idp|2", at=1.0)
    space.people.rename("u1", "ann", at=2.0)
    assert space.people.find("annabel") is None
    found = space.people.find_external("idp|2")
    assert found is not None
    assert found.id == "u2"
    assert space.people.find_external("idp|3") is None
    assert [item.login for item in space.people.list()] == ["ann", "bob"]
    assert [item.login for item in space.people.list(after="ann", limit=1)] == ["bob"]
    assert space.people.count() == 2


def test_people_who_are_not_there(space: Workspace) -> None:
    calls: list[Callable[[], object]] = [
        lambda: space.people.get("zoe"),
        lambda: space.people.password("zoe"),
        lambda: space.people.profile("zoe"),
        lambda: space.people.set_roles("zoe", [], at=1.0),
        lambda: space.people.set_disabled("zoe", True, at=1.0),
        lambda: space.people.set_password("zoe", "x", at=1.0),
        lambda: space.people.set_cluster(["zoe"], "c", at=1.0),
    ]
    for call in calls:
        with pytest.raises(
            UnknownNameError, match="user 'zoe' has no account here: it was never made, or it was erased"
        ):
            call()


def become_first(place: Place, name: str, barrier: object, outcomes: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        try:
            space.people.create(name, name=name, roles=["admin"], at=1.0, first=True)
            outcomes.put("first")  # type: ignore[attr-defined]
        except UsageError as error:
            outcomes.put(str(error))  # type: ignore[attr-defined]


def test_of_those_who_set_up_together_one_becomes_the_first(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    place.open().close()
    barrier, outcomes = fork.Barrier(4), fork.Queue()
    processes = [start(become_first, place, name, barrier, outcomes) for name in "abcd"]
    found = sorted(outcomes.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert found[0] == "first"
    assert found[1:] == ["this server has an account already: ask its administrator for one of your own"] * 3
    with place.open() as space:
        assert space.people.count() == 1


def session(id: str, user: str, **values: object) -> Session:
    made = Session(id=id, user=user, csrf=f"csrf {id}", label="phone", created_at=1.0, seen_at=1.0, expires_at=100.0)
    return replace(made, **values)  # type: ignore[arg-type]


def test_sessions_end_when_they_should(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    for id, user in (("s1", "ann"), ("s2", "ann"), ("s3", "ann"), ("t1", "bob")):
        space.logins.open(session(id, user))
    found = space.logins.session("s1", at=50.0)
    assert found is not None
    assert (found[0], found[1].id) == (session("s1", "ann"), "ann")
    assert space.logins.session("s1", at=100.0) is None
    assert space.logins.session("absent", at=50.0) is None
    space.logins.seen("s1", at=60.0, expires_at=200.0)
    later = space.logins.session("s1", at=150.0)
    assert later is not None
    assert later[0].seen_at == 60.0
    space.logins.seen("s2", at=150.0, expires_at=999.0)
    assert space.logins.session("s2", at=150.0) is None, "an expired session does not come back"
    assert [item.id for item in space.logins.sessions("ann", at=50.0)] == ["s1", "s2", "s3"]
    assert space.logins.close("ann", id="t1") == 0, "nobody ends another's session"
    assert space.logins.close("ann", id="s2") == 1
    assert space.logins.close("ann", but="s1") == 1
    assert space.logins.session("t1", at=50.0) is not None
    space.people.set_password("ann", "new", at=70.0)
    assert space.logins.session("s1", at=80.0) is None
    space.people.set_disabled("bob", True, at=70.0)
    space.logins.open(session("t2", "bob"))
    assert space.logins.session("t2", at=80.0) is None, "a shut account has no sessions"
    assert space.logins.sweep(before=101.0) == 1


def test_keys_are_found_by_their_hash_while_they_live(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    key = ApiKey(id="k1", user="ann", name="script", prefix="rd_ab", scopes=("images", "feedback"), created_at=1.0)
    space.logins.add_key(key, hash="h1")
    space.logins.add_key(replace(key, id="k2", expires_at=10.0), hash="h2")
    space.logins.add_key(replace(key, id="k3", user="bob"), hash="h3")
    found = space.logins.key("h1", at=5.0)
    assert found is not None
    assert (found[0], found[1].id) == (key, "ann")
    assert space.logins.key("h2", at=9.0) is not None
    assert space.logins.key("h2", at=10.0) is None
    assert space.logins.key("absent", at=5.0) is None
    space.logins.used("k1", at=6.0)
    assert [(item.id, item.used_at) for item in space.logins.keys("ann")] == [("k1", 6.0), ("k2", None)]
    for id in ("k3", "absent"):
        with pytest.raises(UnknownNameError, match=rf"^key '{id}' is not among the keys of this person$"):
            space.logins.revoke("ann", id=id, at=7.0)
    space.logins.revoke("ann", id="k1", at=7.0)
    space.logins.revoke("ann", id="k1", at=8.0)
    assert space.logins.keys("ann")[0].revoked_at == 7.0
    assert space.logins.key("h1", at=9.0) is None
    space.people.set_disabled("bob", True, at=9.0)
    space.people.set_disabled("bob", False, at=9.5)
    assert space.logins.key("h3", at=10.0) is None, "keys of an account that was shut stay revoked"


def test_the_audit_log_only_grows(space: Workspace) -> None:
    made = [
        space.audit.append("promote", actor=actor, subject="builtin:sd", detail={"to": number}, at=1.0)
        for number, actor in enumerate(("ann", "bob", "ann"))
    ]
    assert space.audit.entries() == tuple(reversed(made))
    assert space.audit.entries(actor="ann", before=made[2].id) == (made[0],)
    assert space.audit.entries(limit=1) == (made[2],)
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="audit is append-only"), space.database.writing() as connection:
            connection.execute(sa.text(statement))
    assert len(space.audit.entries()) == 3


def test_rooms_are_open_to_those_who_were_invited(space: Workspace) -> None:
    for name in ("ann", "bob", "cid"):
        person(space, name)
    paint(space, "p", "ann")
    paint(space, "q", "cid")
    space.rooms.create(Room(id="r", owner="ann", title="Hands", created_at=1.0))
    space.rooms.invite("r", ["bob", "bob"], owner="ann", at=2.0)
    space.rooms.lay_out("r", ["p"], owner="ann", at=3.0)
    space.rooms.lay_out("r", ["p"], owner="ann", at=4.0)
    assert space.rooms.members("r", user="bob") == ("ann", "bob")
    assert space.rooms.pictures("r", user="bob") == ("p",)
    assert [room.id for room in space.rooms.of_member("bob")] == ["r"]
    assert space.rooms.of_member("cid") == ()
    calls: list[Callable[[], object]] = [
        lambda: space.rooms.members("r", user="cid"),
        lambda: space.rooms.pictures("r", user="cid"),
        lambda: space.rooms.invite("r", ["cid"], owner="bob", at=1.0),
        lambda: space.rooms.lay_out("r", ["q"], owner="cid", at=1.0),
        lambda: space.rooms.close("r", owner="bob", at=1.0),
    ]
    for call in calls:
        with pytest.raises(UnknownNameError, match=r"^room 'r' is not among the rooms of this person$"):
            call()
    with pytest.raises(UnknownNameError, match="picture 'q' is not in this person's gallery"):
        space.rooms.lay_out("r", ["p", "q"], owner="ann", at=1.0)
    space.rooms.close("r", owner="ann", at=9.0)
    assert space.rooms.of_member("ann")[0].closed_at == 9.0


def test_reports_are_made_once_and_resolved_once(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    paint(space, "p", "ann")
    made = PictureReport(id="r1", user="ann", picture="p", kind="appeal", text="it is a statue", created_at=1.0)
    assert space.reports.enter(made) == made
    assert space.reports.enter(replace(made, id="r2", text="please")) == made
    other = replace(made, id="r3", user="bob", kind="report", created_at=2.0)
    assert space.reports.enter(other) == other
    assert space.reports.waiting() == (made, other)
    assert space.reports.of_person("bob") == (other,)
    resolved = space.reports.resolve("r1", "granted", by="bob", at=3.0)
    assert (resolved.state, resolved.resolved_by, resolved.resolved_at) == ("granted", "bob", 3.0)
    assert space.reports.resolve("r1", "refused", by="ann", at=4.0) == resolved
    assert space.reports.waiting() == (other,)
    with pytest.raises(UnknownNameError, match="report 'absent' does not exist"):
        space.reports.resolve("absent", "granted", by="bob", at=1.0)


def test_gold_items_and_the_quality_of_raters(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    gold = GoldItem(
        id="g", kind="picture", subject="p", form="sliders", expected={"semantics": [8, 10]}, created_at=1.0
    )
    space.raters.put_gold(gold)
    space.raters.put_gold(replace(gold, id="ignored", expected={"semantics": [9, 10]}))
    space.raters.put_gold(replace(gold, id="off", subject="q", active=False))
    assert space.raters.gold_about("p") == replace(gold, expected={"semantics": [9, 10]})
    assert space.raters.gold_about("r") is None
    space.answers.ingest([answer("a", "ann", "p")])
    assert [item.id for item in space.raters.unseen_gold("bob")] == ["g"]
    assert space.raters.unseen_gold("ann") == ()
    first = GoldResult(answer=uuid7("a"), item="g", user="ann", passed=False, at=2.0)
    space.raters.note_gold(first)
    space.raters.note_gold(replace(first, passed=True, at=3.0))
    assert space.raters.gold_results("ann") == (replace(first, passed=True, at=3.0),)
    assert space.raters.gold_results("ann", since=3.5) == ()
    assert space.raters.quality("ann") is None
    space.raters.set_quality(Quality(user="ann", weight=0.5, evidence={}, at=1.0))
    better = Quality(user="ann", weight=0.9, evidence={"passed": 3}, at=2.0)
    space.raters.set_quality(better)
    assert space.raters.quality("ann") == better
