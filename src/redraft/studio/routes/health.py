"""Whether the studio is alive, whether it can serve, and its metrics. Open but for the metrics."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from redraft.core.errors import RedraftError
from redraft.studio.context import StudioDep
from redraft.studio.identity.people import Person, require

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """Whether the parts answer; ready when all do."""

    status: str
    checks: dict[str, bool]


@router.get("/health")
def health() -> Health:
    """The process is alive."""
    return Health(status="ok")


@router.get("/ready", responses={503: {"model": Readiness, "description": "Not yet, or no longer."}})
def ready(studio: StudioDep, response: Response) -> Readiness:
    """Whether requests can be served: 200, or 503 while a part does not answer."""
    database = False
    with contextlib.suppress(RedraftError):
        studio.workspace.people.count()
        database = True
    checks = {"database": database, "engine": studio.engine is not None and studio.engine.ready()}
    if not all(checks.values()):
        response.status_code = 503
    return Readiness(status="ok" if all(checks.values()) else "starting", checks=checks)


@router.get("/metrics", response_class=Response)
def metrics(studio: StudioDep, _who: Annotated[Person, Depends(require("metrics"))]) -> Response:
    """Counts and times for Prometheus; needs a key with the scope `metrics`."""
    return Response(generate_latest(studio.metrics.registry), media_type=CONTENT_TYPE_LATEST)
