"""Who is at the keyboard: a demonstration's sign-in; a host brings its own."""

from collections.abc import Callable, Mapping
from functools import cached_property
from secrets import compare_digest, token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from examples.clinic.rendering import rendered
from examples.clinic.tables import AUDITOR, FRONT_DESK, SUPERVISOR, Staff
from examples.clinic.words import LANGUAGES, Words
from fastapi import Depends, Request
from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from examples.clinic.clinic import Clinic

HOMES = {FRONT_DESK: "/desk", SUPERVISOR: "/day", AUDITOR: "/audit"}
"""The page on which a role begins its day."""


class NotSignedInError(Exception):
    """Report a page that asks who is there."""


class RefusedError(Exception):
    """Report what a role may not do.

    Attributes:
        visitor: who asked.
        roles: who may.
    """

    def __init__(self, visitor: "Visitor", roles: tuple[str, ...]) -> None:
        self.visitor = visitor
        self.roles = roles
        super().__init__(", ".join(roles))


class FormError(Exception):
    """Report a form that is not one of ours, or that is too old: its token is wrong."""


class Visitor:
    """Whoever asks for a page: who they are, the language they read, and the pages made for them."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.clinic: Clinic = request.app.state.clinic
        self.words = Words(self._language(), self.clinic.zone)

    @cached_property
    def staff(self) -> Staff | None:
        """Return who is signed in."""
        found = self.session.get("staff")
        with self.clinic.reading() as session:
            return session.get(Staff, found) if isinstance(found, str) else None

    def page(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page, in the language of whoever reads it."""
        shared = {"visitor": self, "_": self.words, "language": self.words.language, "csrf": self.csrf}
        return HTMLResponse(rendered(template, {**shared, "languages": LANGUAGES, **values}), status)

    @property
    def id(self) -> str:
        """Return the id that acts are attributed to."""
        if self.staff is None:
            raise NotSignedInError
        return self.staff.id

    @property
    def home(self) -> str:
        """Return where they begin."""
        return HOMES[self.staff.role] if self.staff else "/sign-in"

    @property
    def csrf(self) -> str:
        """Return the token that every form carries; one is made for a new visitor."""
        token: str = self.session.setdefault("csrf", token_urlsafe(24))
        return token

    @property
    def session(self) -> dict[str, Any]:
        """Return what the signed cookie holds."""
        return self.request.session

    def sign_in(self, staff: Staff) -> None:
        """Remember who is there, in a fresh session."""
        self.session.clear()
        self.session.update(staff=staff.id, language=staff.language)

    def may(self, *roles: str) -> bool:
        """Tell whether they have one of these roles."""
        return self.staff is not None and self.staff.role in roles

    def _language(self) -> str:
        chosen = self.session.get("language")
        if chosen in LANGUAGES:
            return str(chosen)
        first = self.request.headers.get("accept-language", "")[:2].lower()
        return first if first in LANGUAGES else "en"


def _allowed(*roles: str) -> Callable[[Request], Visitor]:
    def look(request: Request) -> Visitor:
        visitor = Visitor(request)
        if visitor.staff is None:
            raise NotSignedInError
        if not visitor.may(*roles):
            raise RefusedError(visitor, roles)
        return visitor

    return look


Anybody = Annotated[Visitor, Depends(Visitor)]
Signed = Annotated[Visitor, Depends(_allowed(FRONT_DESK, SUPERVISOR, AUDITOR))]
Clerk = Annotated[Visitor, Depends(_allowed(FRONT_DESK, SUPERVISOR))]
Supervising = Annotated[Visitor, Depends(_allowed(SUPERVISOR))]
Auditing = Annotated[Visitor, Depends(_allowed(AUDITOR))]


async def _posted(request: Request) -> Mapping[str, str]:
    """Return what a form of ours holds."""
    found = await request.form(max_files=0, max_fields=40)
    typed = {name: value for name, value in found.items() if isinstance(value, str)}
    token = str(request.session.get("csrf", ""))
    if not token or not compare_digest(token.encode(), typed.get("csrf", "").encode("utf-8", "replace")):
        raise FormError
    return typed


Posted = Annotated[Mapping[str, str], Depends(_posted)]


def see(path: str) -> Response:
    """Send the browser on to another page."""
    return Response(status_code=303, headers={"location": path})
