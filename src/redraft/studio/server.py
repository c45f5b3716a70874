"""Serving the app over a socket with uvicorn, and what is printed at the start. Has no options of its own."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable

import uvicorn

from redraft.core.errors import UsageError
from redraft.studio.app import create_app
from redraft.studio.context import Studio
from redraft.studio.settings import StudioSettings
from redraft.studio.telemetry import LOG, LineFormatter


def serve(settings: StudioSettings, *, paint: bool = True, announce: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is told the URL once the socket listens.

    Raises UsageError when the address cannot be listened on, and what `create_app` raises.
    """
    listening = _listen(settings)
    port = listening.getsockname()[1]
    settings = settings.model_copy(update={"port": port})
    _log_to_stderr()
    app = create_app(settings, paint=paint)
    studio: Studio = app.state.studio
    if studio.setup_token is not None:
        print(
            f"no administrator yet: open {settings.url}/#/setup?token={studio.setup_token} to become it (the link "
            "serves once)",
            file=sys.stderr,
            flush=True,
        )
    if announce is not None:
        announce(settings.url)
    config = uvicorn.Config(
        app,
        # Addresses that a proxy forwards are read by identity/addresses.py, from trusted proxies only.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=32_768,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listen(settings: StudioSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, or asyncio leaves small answers waiting for 40 ms (TCP_NODELAY is set on TCP only).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror or error}): another program may "
            "hold the port; choose another one, or 0 for any free one"
        ) from error
    return listening


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
