"""What the routes of one studio share: settings, workspace, writer of answers, keys, engine, clock. Has no rules.

The clock of the studio is here and nowhere else, so that tests can set it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Request

from redraft.store.answer_writer import AnswerWriter
from redraft.store.workspace import Workspace
from redraft.studio.identity.first_admin import ensure_local_person, needs_first_admin
from redraft.studio.identity.signing import SigningKeys
from redraft.studio.rewarding import amount_of
from redraft.studio.settings import StudioSettings
from redraft.studio.telemetry import Metrics
from redraft.studio.throttle import Throttle

if TYPE_CHECKING:
    from redraft.studio.engine.client import Engine


@dataclass(kw_only=True)
class Studio:
    """An open studio. `engine` is set while the app runs; None before, after, and where no pictures are painted.

    setup_token: lets whoever has it make the first administrator; None when there is one.
    """

    settings: StudioSettings
    workspace: Workspace
    answers: AnswerWriter
    keys: SigningKeys
    metrics: Metrics
    throttle: Throttle
    engine: Engine | None = None
    setup_token: str | None = None
    clock: Callable[[], float] = field(default=time.time)

    def now(self) -> float:
        """The time in seconds since 1970."""
        return self.clock()

    def new_id(self) -> str:
        """A random id of 32 hexadecimal digits, which tells nothing."""
        return secrets.token_hex(16)

    def audit(self, action: str, *, actor: str, subject: str, **detail: Any) -> None:
        """Say who did what to what in the audit log. `detail` holds ids and numbers, never a person's words."""
        self.workspace.audit.append(action, actor=actor, subject=subject, detail=detail, at=self.now())

    def close(self) -> None:
        """Take in the answers that wait, then close the workspace."""
        self.answers.close()
        self.workspace.close()


def open_studio(settings: StudioSettings) -> Studio:
    """Open the workspace and what else the routes need; in an open studio its one person gets an account.

    Raises what `Workspace.open` raises.
    """
    workspace = Workspace.open(settings.workspace, database_url=settings.database_url)
    try:
        keys = SigningKeys.load(workspace.folder)
    except BaseException:
        workspace.close()
        raise
    studio = Studio(
        settings=settings,
        workspace=workspace,
        answers=AnswerWriter(workspace.answers, amount=amount_of(settings)),
        keys=keys,
        metrics=Metrics(),
        throttle=Throttle(settings.limits),
    )
    try:
        _prepare_people(studio)
    except BaseException:
        studio.close()
        raise
    return studio


def _prepare_people(studio: Studio) -> None:
    if studio.settings.open:
        ensure_local_person(studio)
    elif needs_first_admin(studio.workspace):
        studio.setup_token = secrets.token_urlsafe(24)


async def studio_of(request: Request) -> Studio:
    """The studio that a request came to."""
    # Not for waiting: a plain function would be sent to a thread for nothing. The same holds in identity/people.py.
    return cast(Studio, request.app.state.studio)


StudioDep = Annotated[Studio, Depends(studio_of)]
