"""Request ids, structured logs and metrics, and the last net under an error. Logs no prompt, no body and no address."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
import traceback
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redraft.studio.errors import body_of

LOG = logging.getLogger("redraft.studio")
_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Metrics:
    """What Prometheus reads. Each app has its own registry; labels never hold what a client wrote."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "redraft_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "redraft_request_seconds", "Time until a request was answered.", ["route"], registry=self.registry
        )
        self.open = Gauge("redraft_requests_open", "Requests being answered.", registry=self.registry)
        self.logins = Counter("redraft_logins", "Attempts to log in.", ["outcome"], registry=self.registry)
        self.refusals = Counter("redraft_refusals", "Requests refused, by code.", ["code"], registry=self.registry)


class LineFormatter(logging.Formatter):
    """One JSON object for each line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's event and fields as JSON."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        line = {"at": round(record.created, 3), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**line, **fields})


def log(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """A line of the log. Fields hold ids and numbers, never a person's words."""
    LOG.log(level, event, extra={"fields": fields})


class Telemetry:
    """ASGI middleware. An error that nobody caught becomes a 500 that says its request id."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = identity
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identity
            await send(message)

        self._metrics.open.inc()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            _log_error(error, identity)
            if status:
                raise
            message = f"the server failed; its operator finds the reason in the log under {identity}"
            await JSONResponse(body_of(500, message, code="internal"), 500)(scope, receive, sending)
        finally:
            self._metrics.open.dec()
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        state = scope["state"]
        log(
            "request",
            request_id=state["request_id"],
            method=method,
            route=route,
            status=status,
            ms=round(1000 * seconds, 2),
            person=state.get("person"),
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _log_error(error: BaseException, request_id: str) -> None:
    # The frames and the kind of the error, not its words: they may hold what a person wrote.
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    kinds = []
    cause: BaseException | None = error
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    log("error", level=logging.ERROR, request_id=request_id, error=kinds, frames=frames[-12:])
