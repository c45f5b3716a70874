"""Requests to a studio, and its refusals as errors of ours. Keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from redraft.core.errors import BusyError, EnvironmentFaultError, UsageError


class StudioRefusedError(UsageError):
    """What the studio refused, in its words. code: the name of the reason."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(f"the studio refused: {message}")
        self.code = code


class Connection:
    """The way to one studio as one person. key: an API key; an open studio needs none."""

    def __init__(self, url: str, *, key: str | None, timeout: float, transport: httpx.BaseTransport | None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def call(
        self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The answer to a request.

        Raises EnvironmentFaultError when the studio cannot be reached, BusyError when it asks to come again later,
        StudioRefusedError when it refuses.
        """
        try:
            answer = self._http.request(method, path, json=json, headers=headers)
        except httpx.TransportError as error:
            raise EnvironmentFaultError(
                f"the studio at {self._http.base_url} cannot be reached ({error}): answers are kept; sync later"
            ) from error
        if answer.is_success:
            return answer
        try:
            said = answer.json()["error"]
            message, code = str(said["message"]), str(said["code"])
        except (ValueError, KeyError, TypeError):
            message, code = f"it answered {answer.status_code}", ""
        if answer.status_code == 429 or answer.status_code >= 500:
            raise BusyError(f"the studio asks to come again later: {message}")
        raise StudioRefusedError(message, code=code)
