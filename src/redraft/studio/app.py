"""The studio as an ASGI app: middleware, errors, routes, and what runs beside them. Has no routes of its own topics."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from redraft import __version__
from redraft.core.errors import RedraftError
from redraft.studio.context import Studio, open_studio
from redraft.studio.engine import start_engine
from redraft.studio.errors import ErrorBody, body_of, refusal
from redraft.studio.housekeeping import sweep
from redraft.studio.pages import page_files, page_router
from redraft.studio.security import Guard, SecurityHeaders
from redraft.studio.settings import StudioSettings
from redraft.studio.telemetry import Telemetry, log

ROUTES = (
    "health",
    "accounts",
    "me",
    "keys",
    "users",
    "oidc",
    "openai_images",
    "jobs",
    "pictures",
    "models",
    "trials",
    "promotions",
    "forms",
    "gallery",
    "reports",
    "asks",
    "answers",
    "duels",
    "reviews",
    "rooms",
    "profile",
    "reversals",
    "my_data",
    "runs",
    "studies",
    "study_tables",
)
"""The files of routes/, in the order in which their routes are looked at."""
_SWEEP_SECONDS = 60.0
_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "Refused: what the client can mend."},
    "5XX": {"model": ErrorBody, "description": "Not possible now; busy servers say when to come again."},
}


def create_app(settings: StudioSettings, *, paint: bool = True) -> FastAPI:
    """Open the workspace and build the app; the studio is `app.state.studio`.

    paint: start the engine with the app. Raises what `open_studio` raises.
    """
    studio = open_studio(settings)
    app = FastAPI(
        title="Redraft studio",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(studio, paint=paint),
        responses=_RESPONSES,
    )
    app.state.studio = studio
    app.add_exception_handler(RedraftError, _redraft_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    # The last one added is the outermost.
    app.add_middleware(Guard, settings=settings, metrics=studio.metrics, throttle=studio.throttle)
    app.add_middleware(Telemetry, metrics=studio.metrics)
    app.add_middleware(SecurityHeaders, settings=settings)
    for name in ROUTES:
        module = f"redraft.studio.routes.{name}"
        if importlib.util.find_spec(module) is not None:
            app.include_router(import_module(module).router)
    app.include_router(page_router(page_files()))
    return app


def _lifespan(studio: Studio, *, paint: bool) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(studio))
        try:
            if paint:
                studio.engine = start_engine(studio)
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            engine, studio.engine = studio.engine, None
            if engine is not None:
                await engine.close()
            await asyncio.to_thread(studio.close)

    return lifespan


async def _sweep(studio: Studio) -> None:
    """What has run out is put away every minute; a failure is logged and tried again."""
    while True:
        try:
            await asyncio.to_thread(sweep, studio)
        except RedraftError as error:
            log("sweep failed", level=logging.WARNING, error=type(error).__name__)
        await asyncio.sleep(_SWEEP_SECONDS)


async def _redraft_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RedraftError)
    refused = refusal(error)
    studio: Studio = request.app.state.studio
    studio.metrics.refusals.labels(refused.code).inc()
    if refused.status >= 500:
        kinds = [type(error).__name__, type(error.__cause__).__name__]
        log("failure", level=logging.ERROR, request_id=request.state.request_id, error=kinds, code=refused.code)
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    body = body_of(refused.status, str(refused), code=refused.code, param=refused.param)
    return JSONResponse(body, refused.status, headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problem: dict[str, Any] = dict(error.errors()[0])
    place = [str(part) for part in problem["loc"]]
    # The first part says where it was: body, query, path, header.
    param = ".".join(place[1:]) or None
    if problem["type"] == "json_invalid":
        return JSONResponse(body_of(400, "the body is not valid JSON: mend it", code="invalid_json"), 400)
    message = f"{param or 'the body'}: {problem['msg']}"
    return JSONResponse(body_of(400, message, code="invalid_value", param=param), 400)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(body_of(error.status_code, str(error.detail)), error.status_code, error.headers)
