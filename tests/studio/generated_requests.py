"""Requests that schemathesis makes from the studio's OpenAPI, and what every answer to one must be. No tests.

Part of them name things that are the caller's own, so that they reach more than "not found"; part of them hold what no
client of good will sends, in the place of a value of a good request.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.openapi import from_dict
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

Operation = APIOperation[Any, Any, Any, Any]
CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance, response_schema_conformance]
TEXTS: Sequence[str] = (
    "", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\uffff", "\u202e", "'; DROP TABLE people; --", "../../etc/passwd",
    "%00", "x" * 9_000, "1e400", "nan", "-inf_x", "1_\0", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-13-45T99:99:99Z", "2026-11-21T10:00:00Z", "١٢", "6f0e6b0e-6c1c-7d8e-8b1a-0d0f6c1d2e3f", "9" * 400, "-1",
    str(2**31), str(2**53), str(2**63), "W10", "WzAsICJcdTAwMDAiXQ", "WzFlOTk5LCAiYSJd",
)  # fmt: skip
"""The last three look like cursors: [], [0, "\\u0000"], [1e999, "a"]."""
VALUES: Sequence[Any] = (
    *TEXTS, "x" * 70_000, 0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, float("nan"),
    float("inf"), True, False, None, [], {}, [[]], [None], {"": None}, {"\ud800": 1}, {"a\0b": "c"}, [0] * 2000,
    json.loads("[" * 200 + "]" * 200), json.loads("[" * 900 + "]" * 900),
)  # fmt: skip
"""What takes the place of a value in a body."""
NAMES = ("", "\0", "\ud800", "x" * 9_000)
"""What also takes the place of a name."""
HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"Idempotency-Key", "schlüssel".encode()), (b"Idempotency-Key", b"\xff\xfe\x80"), (b"Idempotency-Key", b"\0"),
    (b"Idempotency-Key", b"k" * 5000), (b"Idempotency-Key", b""), (b"Cookie", b'redraft_session="\\377\\000"; =; ;;'),
    (b"Accept", b"\xff/*;q=nan"), (b"User-Agent", b"\xff" * 3000), (b"If-None-Match", b"\xff"),
    (b"Range", b"bytes=99999999999999999999-"), (b"Content-Type", b"application/json; charset=utf-16"),
    (b"Content-Type", b"multipart/form-data"), (b"Content-Type", b"\xff"), (b"Content-Length", b"1"),
    (b"Content-Length", "١".encode()), (b"X-Request-ID", b"\xff"), (b"Last-Event-ID", b"9" * 4000),
    (b"X-CSRF-Token", b"\xe9"), (b"Origin", b"\xff"), (b"Forwarded", b"for=\xff"), (b"X-Forwarded-For", b"\xff, ::"),
)  # fmt: skip
BODIES: Sequence[bytes] = (
    b"", b"\0", b"\xff\xfe", b"{", b"null", b"[]", b'"a"', b"1e999", b"[" * 3000, b'{"a":' * 3000, b"9" * 6000,
    b'{"prompt": "\xff"}', b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}",
)  # fmt: skip
"""Bodies that are no JSON, or hardly."""


@dataclass(kw_only=True)
class Tally:
    """How the requests were answered. reached: operations that did what was asked at least once.

    faults: what must not be, by operation, with its first example.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return self.statuses.total()

    def note(self, name: str, answer: httpx.Response) -> None:
        """Count an answer."""
        self.statuses[answer.status_code] += 1
        if answer.status_code < 400:
            self.reached.add(name)

    def fault(self, name: str, problem: str, answer: httpx.Response) -> None:
        """Keep the first example of a problem."""
        request = answer.request
        body = request.content[:400].decode("utf-8", "backslashreplace")
        shown = f"{request.method} {str(request.url)[:400]} {body}\n  -> {answer.status_code} {answer.text[:600]}"
        self.faults.setdefault(f"{name}: {problem}", shown)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sends. client: a new one, since some requests end their own session.

    things: for an operation, path and query of own things, made anew, since others may have removed them. bodies: for
    an operation, good ones.
    """

    client: Callable[[], httpx.Client]
    things: Callable[[str], Sequence[Mapping[str, str]]]
    bodies: Callable[[str], Sequence[Any]]


def operations_of(description: Mapping[str, Any]) -> Mapping[str, Operation]:
    """Every operation of an OpenAPI description by its METHOD /path."""
    return _read(json.dumps(description))


@cache
def _read(description: str) -> Mapping[str, Operation]:
    # Kept: what schemathesis works out about an operation takes longer than a few requests to it.
    load_all_checks()
    found = [result.ok() for result in from_dict(json.loads(description)).get_all_operations()]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """One operation, who sends, and what is done with each answer.

    allowed: whether an answer of 500 or more is as documented. hidden: texts that no answer may hold; a request that
    holds one is not sent, since answers, this one and later ones, may repeat what they were told. Such requests come:
    hypothesis draws texts from the constants of the product's code.
    """

    name: str
    operation: Operation
    caller: Caller
    tally: Tally
    allowed: Callable[[str, httpx.Response], bool]
    hidden: Sequence[str]

    def generated(self, examples: int, *, number: int) -> None:
        """So many requests that fit the description, and as many that do not. number: the seed."""
        things = st.sampled_from([{}, *self.caller.things(self.name)])
        with self.caller.client() as client:

            def send(case: Case, own: Mapping[str, str]) -> None:
                path, query = _split(self.operation, own)
                case.path_parameters = {**case.path_parameters, **path}
                case.query = {**case.query, **query}
                self.judge(self._sent(client, _made(client, case)), case)

            wrong = [GenerationMode.NEGATIVE] if _can_be_wrong(self.operation) else []
            for mode in (GenerationMode.POSITIVE, *wrong):
                _examples(number, examples)(given(case=self.operation.as_strategy(mode), own=things)(send))()

    def spoiled(self, examples: int, *, number: int) -> None:
        """Every good request as it is, and so many of them with something bad in one or two places."""
        things, bodies = self.caller.things(self.name), self.caller.bodies(self.name) or [{}]
        with self.caller.client() as client:
            for place, good in enumerate(bodies):
                own = things[place % len(things)] if things else {}
                self.judge(self._sent(client, _request(client, self.operation, own, content=json.dumps(good).encode())))
            things = self.caller.things(self.name)

            def send(data: st.DataObject) -> None:
                own, good = data.draw(st.sampled_from([{}, *things])), data.draw(st.sampled_from(bodies))
                self.judge(self._sent(client, _spoiled(client, self.operation, own, good, data.draw)))

            _examples(number, examples)(given(data=st.data())(send))()

    def every_value(self) -> None:
        """Every value of VALUES in every place of the first good body, and every one of TEXTS in path and query."""
        own = (self.caller.things(self.name) or [{}])[0]
        good = (self.caller.bodies(self.name) or [{}])[0]
        with self.caller.client() as client:

            def send(thing: Mapping[str, str], content: bytes | None) -> None:
                self.judge(self._sent(client, _request(client, self.operation, thing, content=content)))

            for parameter in (*self.operation.path_parameters, *self.operation.query):
                for text in TEXTS:
                    send({**own, parameter.name: text}, json.dumps(good).encode())
            if not self.operation.body:
                return
            for content in BODIES:
                send(own, content)
            for place in range(len(list(_places(good)))):
                for value in VALUES:
                    bad = copy.deepcopy(good)
                    holder, key = list(_places(bad))[place]
                    holder[key] = value
                    send(own, json.dumps(bad).encode())
                    if isinstance(holder, dict) and value in NAMES:
                        holder[value] = holder.pop(key)
                        send(own, json.dumps(bad).encode())

    def _sent(self, client: httpx.Client, request: httpx.Request) -> httpx.Response | None:
        """The answer; None for a request that a real client cannot send, such as one with a false length."""
        headers = b"\n".join(value for _, value in request.headers.raw)
        told = b"\n".join((str(request.url).encode("utf-8", "backslashreplace"), headers, request.content))
        if any(text.encode() in told for text in self.hidden):
            return None
        try:
            return client.send(request)
        except httpx.LocalProtocolError:
            return None

    def judge(self, answer: httpx.Response | None, case: Case | None = None) -> None:
        """Note what must not be in an answer; to a request of schemathesis also what is not described."""
        if answer is None:
            return
        self.tally.note(self.name, answer)
        if answer.status_code >= 500 and not self.allowed(self.name, answer):
            self.tally.fault(self.name, f"answered {answer.status_code}", answer)
        if any(secret in answer.text for secret in self.hidden):
            self.tally.fault(self.name, "tells of the server's inside", answer)
        if case is None:
            return
        # schemathesis takes a stream of events for a list of objects; the description says that it is a text.
        streamed = answer.headers.get("content-type", "").startswith("text/event-stream")
        try:
            case.validate_response(answer, checks=CHECKS[:2] if streamed else CHECKS)
        except FailureGroup as group:
            for each in group.exceptions:
                self.tally.fault(self.name, str(each)[:600], answer)
        except Failure as failure:
            self.tally.fault(self.name, str(failure)[:600], answer)


def _can_be_wrong(operation: Operation) -> bool:
    """Whether anything can be sent that does not fit the description: every text fits a path of plain texts."""
    parts = [part.definition["schema"] for part in operation.path_parameters]
    bound = any(set(part) - {"type", "title"} or part["type"] != "string" for part in parts)
    return bound or bool(operation.body) or bool(list(operation.query))


def _examples(number: int, examples: int) -> Callable[[Any], Any]:
    """Decorates a test of hypothesis: the same examples while the code is the same, none kept, none made smaller."""
    chosen = settings(
        max_examples=examples, derandomize=False, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    return lambda test: chosen(seed(number)(test))


def _made(client: httpx.Client, case: Case) -> httpx.Request:
    """What schemathesis made, as it would send it itself, but with the credentials of this client."""
    made = dict(case.as_transport_kwargs(base_url=str(client.base_url).rstrip("/")))
    made.pop("timeout", None)
    prepared = requests.Request(**made).prepare()
    headers = [
        (key.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1"))
        for key, value in prepared.headers.items()
        if key.lower() not in ("cookie", "authorization", "content-length", "x-csrf-token")
    ]
    assert prepared.url is not None
    assert prepared.method is not None
    content = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return client.build_request(prepared.method, prepared.url, content=content, headers=headers)


def _spoiled(
    client: httpx.Client, operation: Operation, own: Mapping[str, str], good: Any, draw: Callable[[Any], Any]
) -> httpx.Request:
    """A request to one's own things with something bad in one or two places."""
    thing = dict(own)
    for parameter in operation.path_parameters:
        if parameter.name not in own or draw(st.integers(0, 3)) == 0:
            thing[parameter.name] = draw(st.sampled_from(TEXTS))
    for parameter in operation.query:
        if draw(st.integers(0, 2)) == 0:
            thing[parameter.name] = draw(st.sampled_from(TEXTS))
    header = draw(st.sampled_from(HEADERS)) if draw(st.integers(0, 7)) == 0 else None
    if draw(st.integers(0, 9)) == 0:
        content = draw(st.sampled_from(BODIES))
    else:
        content = json.dumps(_worse(copy.deepcopy(good), draw)).encode()
    return _request(client, operation, thing, content=content, header=header)


def _request(
    client: httpx.Client,
    operation: Operation,
    thing: Mapping[str, str],
    *,
    content: bytes | None,
    header: tuple[bytes, bytes] | None = None,
) -> httpx.Request:
    """A request to a thing, with a body where the operation has one."""
    path, query = _split(operation, thing)
    place = operation.path
    for name, value in path.items():
        place = place.replace("{" + name + "}", _quoted(value or "."))
    asked = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())
    headers = [] if header is None else [header]
    if not operation.body:
        content = None
    elif header is None or header[0] != b"Content-Type":
        headers.append((b"Content-Type", b"application/json"))
    return client.build_request(operation.method.upper(), f"{place}?{asked}", content=content, headers=headers)


def _split(operation: Operation, own: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What of a thing stands in the path, and what in the query."""
    path = {name: value for name, value in own.items() if "{" + name + "}" in operation.path}
    return path, {name: value for name, value in own.items() if name not in path}


def _quoted(text: str) -> str:
    """Percent-encoded; halves of surrogate pairs as the bytes that they would be."""
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="")


def _worse(good: Any, draw: Callable[[Any], Any]) -> Any:
    """The same JSON with one or two of its values replaced, one left out, or one too many."""
    # Copies of VALUES, since the second replacement may be within what the first one put there.
    for _ in range(draw(st.integers(0, 2))):
        places = list(_places(good))
        if not places:
            return copy.deepcopy(draw(st.sampled_from(VALUES)))
        holder, key = draw(st.sampled_from(places))
        what = draw(st.integers(0, 9))
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return good


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where in a JSON value a value stands: its holder and the key there."""
    keys: Any = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])
