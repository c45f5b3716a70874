"""What every answer carries and every request must meet: headers, host, origin, bounded body. Knows no person."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redraft.studio.errors import Refused, body_of
from redraft.studio.identity.addresses import client_address, host_is_ours, origin_is_ours
from redraft.studio.settings import StudioSettings, is_loopback
from redraft.studio.telemetry import Metrics
from redraft.studio.throttle import Throttle

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class SecurityHeaders:
    """ASGI middleware, the outermost one: every answer gets the headers, also one to an error that nobody caught."""

    def __init__(self, app: ASGIApp, *, settings: StudioSettings) -> None:
        self._app = app
        self._headers = dict(HEADERS)
        if settings.secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(("/api/", "/v1/")):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, sending)


class Guard:
    """ASGI middleware. Refuses before any route is reached: host, origin, place, size, rate."""

    def __init__(self, app: ASGIApp, *, settings: StudioSettings, metrics: Metrics, throttle: Throttle) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        try:
            self._check(scope)
        except Refused as error:
            self._metrics.refusals.labels(error.code).inc()
            extra = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            body = body_of(error.status, str(error), code=error.code, param=error.param)
            await JSONResponse(body, error.status, extra)(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive, most=self._settings.limits.body_bytes), send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if not host_is_ours(headers.get("host", ""), self._settings):
            raise Refused(
                400, "wrong_host", "the Host header does not name this server: set public_url to the name it goes by"
            )
        if self._settings.open and not _is_local(scope, headers):
            raise Refused(
                403, "not_local", "without authentication only this machine is served: set authentication = 'accounts'"
            )
        if scope["method"] not in _SAFE and not origin_is_ours(headers, self._settings):
            raise Refused(403, "cross_origin", "this request comes from another site's page: use the studio's own")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._settings.limits.body_bytes:
            most = self._settings.limits.body_bytes
            raise Refused(413, "too_large", _too_large(most))
        if not self._settings.open:
            self._throttle.address(client_address(scope, self._settings))


class _Bounded:
    """A body that may not grow beyond `most` bytes, whatever its announced length."""

    def __init__(self, receive: Receive, *, most: int) -> None:
        self._receive = receive
        self._most = most
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            # Routes let this one pass, where they turn other errors of reading a body into a 400.
            raise HTTPException(413, _too_large(self._most))
        return message


def _too_large(most: int) -> str:
    return f"the body is larger than {most:,} bytes: send less, or in several requests"


def _is_local(scope: Scope, headers: Headers) -> bool:
    # A forwarded request came from elsewhere, though its last step began on this machine.
    forwarded = any(name in headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
    client = scope.get("client")
    return not forwarded and (client is None or is_loopback(client[0]))
