"""The application, put together in one place."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from examples.clinic import api, pages
from examples.clinic.api.describing import described
from examples.clinic.clinic import Clinic
from examples.clinic.failing import handle_errors
from examples.clinic.rendering import FOLDER
from examples.clinic.settings import Settings
from fastapi import FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

SHIFT_SECONDS = 12 * 60 * 60
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
ABOUT = """
The same acts as on the pages, for systems that are not written in Python. `by` is somebody of the staff, whose rights are
asked. Amounts are decimal strings. Every act but a sweep carries a key of yours in the header Idempotency-Key: report it
again with the same key, after a time-out or a year later, and it is recorded once. Errors are problem details (RFC 9457).
"""


def create_app(settings: Settings) -> FastAPI:
    """Return the application; the clinic opens with its first request and closes with its last."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.clinic = Clinic.open(settings)
        yield
        app.state.clinic.close()

    app = FastAPI(
        title="Clinic rewards",
        version="1",
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(
        SessionMiddleware,
        secret_key=settings.cookie_secret,
        session_cookie="clinic",
        max_age=SHIFT_SECONDS,
        same_site="strict",
    )
    app.middleware("http")(_guard)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.include_router(pages.router)
    app.include_router(api.router)
    handle_errors(app)
    app.openapi = partial(described, app)  # type: ignore[method-assign]  # as FastAPI's own pages say
    return app


async def _guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """Have browsers run nothing, fetch nothing from elsewhere, and keep no page about a participant."""
    answer = await go_on(request)
    answer.headers.update(HEADERS)
    if not request.url.path.startswith("/static/"):
        answer.headers["cache-control"] = "no-store"
    return answer
