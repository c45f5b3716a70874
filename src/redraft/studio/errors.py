"""How a refusal looks over HTTP: the body that clients of the OpenAI API know. Maps the errors of core; raises none.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from redraft.core.errors import BusyError, RedraftError, StorageError, UnknownNameError, UsageError

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    410: "not_found_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
"""The type of each status; every other one is a server_error."""

_CODES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class ErrorDetail(BaseModel):
    """What was refused, in words for people, and names for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class Refused(RedraftError):  # noqa: N818 - what the server does, not what it suffers
    """A request that is refused with a status of its own. `message` names the value, the rule and the way out.

    param: which field is at fault. retry_after: seconds until it makes sense to come again.
    """

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.exit_code = 2 if status < 500 else 1


def refusal(error: RedraftError) -> Refused:
    """The refusal that an error of core is answered with; its words reach the client only where the client can act."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnknownNameError):
        return Refused(404, "not_found", str(error))
    if isinstance(error, UsageError):
        return Refused(400, "invalid_value", str(error))
    if isinstance(error, BusyError):
        return Refused(503, "busy", "the server is busy with another write: send this again soon", retry_after=1)
    if isinstance(error, StorageError):
        return Refused(503, "storage", "the server cannot write just now: send this again later", retry_after=30)
    return Refused(500, "internal", "the server failed; its operator finds the reason in the log by the request id")


def body_of(status: int, message: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """The JSON body of a refusal."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    detail = {"message": message, "type": kind, "param": param, "code": code or _CODES.get(status)}
    return {"error": detail}
