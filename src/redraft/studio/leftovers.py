"""Requests whose server is gone: they are ended, so that nobody waits for them. Paints nothing again.

A request says which process makes it. One whose process is no longer on this machine ends at the start of the next; one
of another machine ends when it is older than any request may become.
"""

from __future__ import annotations

import os
import socket

from redraft.studio.context import Studio

GRACE_SECONDS = 60.0


def maker() -> str:
    """The name of this process, which stands in its requests."""
    return f"{socket.gethostname()}:{os.getpid()}"


def end_leftovers(studio: Studio, *, starting: bool = False) -> int:
    """End, as failed, the requests that nobody makes any more. Returns how many.

    starting: this process has made none yet, so those in its name are of an earlier one. Raises RedraftError.
    """
    now, requests = studio.now(), studio.workspace.requests
    oldest = now - studio.settings.engine.job_seconds - GRACE_SECONDS
    left = [
        request
        for request in requests.unfinished()
        if request.created_at < oldest or _gone(str(request.parameters.get("maker", "")), starting=starting)
    ]
    for request in left:
        requests.set_state(request.id, "failed", owner=request.owner, at=now)
    return len(left)


def _gone(name: str, *, starting: bool) -> bool:
    """Whether the process of this name was one of this machine and has ended."""
    host, _, number = name.rpartition(":")
    if host != socket.gethostname() or not number.isdigit():
        return False
    if name == maker():
        return starting
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
