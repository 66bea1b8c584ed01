"""Problem details, RFC 9457: what went wrong, in a form that programs read."""

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cm_engine import (
    AlreadyEnrolledError,
    CmEngineError,
    EntryMismatchError,
    KeyConflictError,
    NotAllowedError,
    StaleReportError,
    StorageError,
)

MEDIA = "application/problem+json"
TITLES = {
    400: "The request cannot be read",
    401: "The caller is not known",
    403: "Whoever acts may not do this",
    404: "There is no such thing",
    405: "The method is not allowed here",
    409: "It does not go with what is recorded: another use of the key, another entry, another enrollment",
    422: "What was sent is refused",
    503: "The storage failed; nothing was written",
}
CONFLICTS = (AlreadyEnrolledError, EntryMismatchError, KeyConflictError, StaleReportError)
CONTENT = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    at: str = Field(description="where: path, header, query or body, then names and numbers, with slashes")
    detail: str


class Problem(BaseModel):
    """What went wrong. Nothing was recorded, whichever it is."""

    type: str = Field(description="a reference to what kind it is; about:blank says no more than the status")
    title: str
    status: int
    detail: str
    errors: list[Fault] = Field(default=[], description="of a request whose form is wrong: every fault")
    recorded: str = Field(default="", description="of a conflict: what was recorded, or entered first")
    given: str = Field(default="", description="of a conflict: what was sent now")
    rule: str = Field(
        default="", description="of a refusal of somebody: the right, or the key of the program"
    )


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses that say what went wrong, for the description of an operation."""
    return {status: {"description": TITLES[status], "content": CONTENT} for status in statuses}


def problem_of(error: Exception) -> Response:
    """Return the answer to a request that failed."""
    status = _status(error)
    found: dict[str, Any] = {
        "type": f"/docs#problem-{status}",
        "title": TITLES.get(status, "It failed"),
        "status": status,
        "detail": _detail(error),
    }
    if isinstance(error, RequestValidationError):
        found["errors"] = [_fault(each) for each in error.errors()]
    if isinstance(error, KeyConflictError):
        found |= {"recorded": error.stored, "given": error.given}
    if isinstance(error, EntryMismatchError):
        found |= {"recorded": error.first, "given": error.second}
    if isinstance(error, NotAllowedError):
        found["rule"] = error.rule
    return Response(json.dumps(found), status, _headers(error), media_type=MEDIA)


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, StorageError | SQLAlchemyError):
        return 503
    if isinstance(error, CONFLICTS):
        return 409
    if isinstance(error, NotAllowedError):
        return 403
    return 404 if isinstance(error, LookupError) else 422


def _detail(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return str(error.detail)
    if isinstance(error, RequestValidationError):
        return "the request does not have the form that /openapi.json describes; nothing was recorded"
    if isinstance(error, CmEngineError):
        return str(error)
    return "the database failed; report the same again with the same key, it is recorded once"


def _fault(error: dict[str, Any]) -> dict[str, str]:
    return {"at": "/".join(str(each) for each in error["loc"]), "detail": str(error["msg"])}


def _headers(error: Exception) -> dict[str, str]:
    given = getattr(error, "headers", None) or {}
    return {"retry-after": "1", **given} if _status(error) == 503 else dict(given)  # noqa: PLR2004
