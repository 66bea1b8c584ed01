"""What happens when something cannot be done: a clear page for people, problem details for systems."""

from examples.clinic.api.problems import problem_of
from examples.clinic.saying import refused
from examples.clinic.signin import FormError, NotSignedInError, RefusedError, Visitor, see
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cm_engine import CmEngineError, NotAllowedError, StorageError

TITLES = {
    400: "This cannot be read",
    403: "You may not do this",
    404: "There is no such page",
    405: "This page cannot be used in that way",
    422: "This cannot be done",
    503: "The records cannot be reached",
}
SENTENCES = {
    403: "This form is too old, or not one of ours. Go back, load the page again, and send it once more.",
    404: "Nothing was changed. The address may be mistyped, or what it names is not there.",
    422: "Nothing was recorded.",
    503: "Nothing was lost. Go back and send the form again: it is recorded once.",
}


def handle_errors(app: FastAPI) -> None:
    """Have every error answered in the way of whoever asked."""
    for kind in (HTTPException, RequestValidationError, CmEngineError, SQLAlchemyError, FormError):
        app.add_exception_handler(kind, _failed)
    app.add_exception_handler(NotSignedInError, _not_signed_in)
    app.add_exception_handler(RefusedError, _refused)


def status_of(error: Exception) -> int:
    """Return the status of a page that says what went wrong."""
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, StorageError | SQLAlchemyError):
        return 503
    if isinstance(error, FormError | NotAllowedError):
        return 403
    return 404 if isinstance(error, LookupError | RequestValidationError) else 422


async def _failed(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/api"):
        return problem_of(error)
    status = status_of(error)
    visitor = _visitor(request)
    told = visitor.words.told(error) if isinstance(error, CmEngineError) else ""
    title = TITLES.get(status, TITLES[400])
    sentence = refused(error) or SENTENCES.get(status, "Nothing was changed.")
    headers = getattr(error, "headers", None) or {}
    page = visitor.page("message.html", status, title=title, sentence=sentence, told=told)
    page.headers.update(headers)
    return page


def _visitor(request: Request) -> Visitor:
    """Return who asked; nobody, where that cannot be looked up."""
    visitor = Visitor(request)
    try:
        _ = visitor.staff
    except SQLAlchemyError:
        visitor.staff = None
    return visitor


async def _not_signed_in(_: Request, __: Exception) -> Response:
    return see("/sign-in")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.visitor.page("refused.html", 403, roles=error.roles)
