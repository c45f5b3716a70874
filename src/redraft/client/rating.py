"""The client: what a program or a device does with a studio, with or without a network."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from redraft.client.cache import Cache, Leased
from redraft.client.connection import Connection, StudioRefusedError
from redraft.core.errors import BusyError, EnvironmentFaultError, RedraftError, UsageError
from redraft.feedback.answer_ids import answer_id
from redraft.feedback.asks import AskPolicy, Memory, Moment, Wishes, decide
from redraft.feedback.local_time import local_day, local_minute

_BATCH = 100
_LEASE_REFUSED = ("token_expired", "token_forged", "token_foreign")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A painted picture. token: of the ask that came with it, None where the studio did not ask."""

    id: str
    prompt: str
    url: str
    seed: int
    confidence: float | None
    token: str | None


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What a sync did. reached: everything that waited was taken or refused; refused: the reasons, by answer.

    waiting: answers that could not be sent yet.
    """

    reached: bool
    stored: int = 0
    refused: Mapping[str, str]
    waiting: int


class Client:
    """A person's door to a studio. cache: a file that keeps pictures, leases and what waits to be sent.

    key: an API key; an open studio needs none. clock: seconds since 1970. One thread at a time may use it.
    What needs the network raises EnvironmentFaultError when the studio cannot be reached, BusyError when it asks to
    come again later, and UsageError, in the studio's words, when it refuses.
    """

    def __init__(
        self,
        url: str,
        *,
        cache: str | Path,
        key: str | None = None,
        timeout: float = 60.0,
        clock: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._cache = Cache(Path(cache))
        self._studio = Connection(url, key=key, timeout=timeout, transport=transport)
        self._clock = clock

    def close(self) -> None:
        """Close connection and cache; what waits stays there."""
        self._studio.close()
        self._cache.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def generate(
        self,
        prompt: str,
        *,
        count: int = 1,
        model: str = "champion",
        ask: Literal["auto", "offline", "never"] = "auto",
        seed: int | None = None,
        patience: float = 600.0,
    ) -> tuple[Picture, ...]:
        """Paint, wait, and keep the pictures in the cache. ask "offline": it will be decided here, by `decide`."""
        wish = {"prompt": prompt, "n": count, "model": model, "ask": ask, "seed": seed}
        job = self._studio.call("POST", "/api/v1/jobs", json=wish).json()
        last = time.monotonic() + patience
        while job["state"] in ("queued", "running"):
            if time.monotonic() > last:
                raise BusyError(f"job {job['id']} was not finished in {patience:g} s: look for it in the gallery later")
            time.sleep(0.1)
            job = self._studio.call("GET", f"/api/v1/jobs/{job['id']}").json()
        if job["state"] != "finished":
            reason = (job["error"] or {"message": job["state"]})["message"]
            raise RedraftError(f"prompt {prompt[:80]!r} was not painted: {reason}")
        found = [{**facts, "prompt": prompt} for facts in job["pictures"]]
        for facts in found:
            self._keep(facts)
        return tuple(_picture(facts) for facts in found)

    def picture(self, id: str) -> bytes:
        """The bytes of a picture: from the cache, or else from the studio, and then kept."""
        data = self._cache.picture(id)
        return self._keep(self._studio.call("GET", f"/api/v1/gallery/{id}").json()) if data is None else data

    def cached(self) -> tuple[Picture, ...]:
        """The pictures in the cache, with their prompts."""
        return tuple(_picture(facts) for facts in self._cache.pictures())

    def take_along(self, pictures: Sequence[str]) -> None:
        """Cache these pictures and what is needed to decide about them without a network.

        What was decided before is handed in first, so that the budget that is taken along is the true one.
        """
        for id in pictures:
            self.picture(id)
        if not self.sync().reached:
            raise EnvironmentFaultError("the studio cannot be reached: take pictures along while there is a network")
        wanted = list(dict.fromkeys([*pictures, *self._cache.undecided()]))
        lease = self._studio.call("POST", "/api/v1/asks/lease", json={"pictures": wanted}).json()
        with self._cache.writing():
            self._cache.put_lease(lease, wanted)

    def decide(self, picture: str, *, session: str = "") -> bool:
        """Whether to ask the person about a picture that was taken along; asking again gives the same answer.

        session: names the sitting that asks are counted in. Raises UsageError for a picture that was not taken along.
        """
        with self._cache.writing():
            known = self._cache.asked(picture)
            if known is not None:
                return known
            leased = self._cache.leased(picture)
            if leased is None:
                raise UsageError(f"picture {picture!r} was not taken along: call take_along while there is a network")
            # The server reads milliseconds. A clock may go back, decisions do not.
            at = max(int(self._clock() * 1000) / 1000, leased.last)
            memory, asked = _decided(leased, at=at, session=f"offline/{session}")
            self._cache.put_decision(
                leased, memory, id=self._new_id(), picture=picture, at=at, session=session, asked=asked
            )
            return asked

    def rate(
        self,
        subject: str,
        form: str,
        payload: Mapping[str, Any],
        *,
        kind: Literal["picture", "duel", "ranking"] = "picture",
        token: str | None = None,
        revision_of: str | None = None,
        retracted: bool = False,
        lead_ms: int | None = None,
    ) -> str:
        """Say something; on the disk when it returns, and sent at the next `sync`. Returns the answer's id.

        token: of the ask that came with a picture; that of an ask decided here is found by itself. revision_of: the
        answer that this one takes the place of; retracted: it only takes that one back.
        """
        body = {
            "id": self._new_id(), "kind": kind, "subject": subject, "form": form, "payload": dict(payload),
            "token": token, "revision_of": revision_of, "retracted": retracted, "created_at": _iso(self._clock()),
            "lead_ms": lead_ms,
        }  # fmt: skip
        with self._cache.writing():
            self._cache.put_answer(body)
        return str(body["id"])

    def waiting(self) -> int:
        """Answers that were not sent yet."""
        return self._cache.waiting()

    def sync(self) -> Synced:
        """Hand in decisions, then answers, as far as the network goes. Doing it again does no harm."""
        stored, reached = 0, False
        try:
            self._sync_decisions()
            while batch := self._cache.next_answers(_BATCH):
                answer = self._studio.call("POST", "/api/v1/answers/bulk", json={"answers": batch})
                outcomes = answer.json()["outcomes"]
                stored += sum(outcome["status"] == "stored" for outcome in outcomes)
                if not self._enter(outcomes):
                    break
            reached = not batch
        except (EnvironmentFaultError, BusyError):
            reached = False
        return Synced(reached=reached, stored=stored, refused=self._cache.refused(), waiting=self._cache.waiting())

    def _sync_decisions(self) -> None:
        for number, lease in self._cache.unsynced_leases():
            # All of the lease, from the first one on: the server works the chain out again.
            made = self._cache.decisions(number)
            sent = [
                {"id": id, "picture": picture, "at": _iso(at), "session": session} for id, picture, at, session in made
            ]
            try:
                answer = self._studio.call("POST", "/api/v1/asks/sync", json={"lease": lease, "decisions": sent})
                tokens = {found["id"]: found["token"] for found in answer.json()["decisions"]}
            except StudioRefusedError as error:
                if error.code not in _LEASE_REFUSED:
                    raise
                # The lease is too old to be believed: what was answered is sent as volunteered.
                tokens = {}
            with self._cache.writing():
                for id, *_ in made:
                    self._cache.mark_synced(id, token=tokens.get(id))

    def _enter(self, outcomes: Sequence[Mapping[str, Any]]) -> bool:
        """Note what became of answers; returns whether all of them are settled."""
        settled = True
        with self._cache.writing():
            for outcome in outcomes:
                if outcome["status"] != "refused":
                    self._cache.drop_answer(outcome["id"])
                elif outcome["http"] < 500:
                    self._cache.refuse_answer(outcome["id"], outcome["message"] or outcome["code"])
                else:
                    settled = False
        return settled

    def _keep(self, facts: Mapping[str, Any]) -> bytes:
        data = self._studio.call("GET", facts["url"]).content
        with self._cache.writing():
            self._cache.put_picture(facts, data)
        return data

    def _new_id(self) -> str:
        return answer_id(at=self._clock(), entropy=secrets.randbits(128))


def _decided(leased: Leased, *, at: float, session: str) -> tuple[dict[str, Any], bool]:
    """What to remember and whether to ask, by the rule that the server will work out again."""
    lease, facts, zone = leased.lease, leased.picture, leased.lease["timezone"]
    moment = Moment(
        confidence=facts["confidence"], day=local_day(at, zone), minute=local_minute(at, zone), session=session,
        withheld=facts["withheld"], unsafe=facts["unsafe"], reviewer=lease["reviewer"],
    )  # fmt: skip
    before = Memory(**{**leased.memory, "recent": tuple(leased.memory["recent"])})
    policy = AskPolicy.model_validate(lease["policy"])
    after, made = decide(policy, Wishes(**lease["wishes"]), memory=before, moment=moment, coin=facts["coin"])
    return asdict(after), made.asked


def _picture(facts: Mapping[str, Any]) -> Picture:
    ask = facts.get("ask")
    return Picture(
        id=facts["id"], prompt=facts["prompt"] or "", url=facts["url"], seed=facts["seed"],
        confidence=facts["confidence"], token=None if ask is None else ask["token"],
    )  # fmt: skip


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
