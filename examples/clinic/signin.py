"""Who is at the keyboard: a demonstration's sign-in; a host brings its own."""

from collections.abc import Callable, Mapping
from functools import cached_property
from secrets import compare_digest, token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

from examples.clinic.people import Person, person, who_may
from examples.clinic.rendering import rendered
from examples.clinic.words import LANGUAGES, Words
from fastapi import Depends, Request
from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from examples.clinic.clinic import Clinic

HOMES = {"amend": "/day", "verify": "/audit", "read": "/desk"}
"""The page on which somebody begins their day, by the first of these rights that they have."""


class NotSignedInError(Exception):
    """Report a page that asks who is there."""


class RefusedError(Exception):
    """Report a page that somebody may not open.

    Attributes:
        visitor: who asked.
        roles: who may.
    """

    def __init__(self, visitor: "Visitor", act: str) -> None:
        self.visitor = visitor
        self.roles = who_may(act)
        super().__init__(act)


class FormError(Exception):
    """Report a form that is not one of ours, or that is too old: its token is wrong."""


class Visitor:
    """Whoever asks for a page: who they are, the language they read, and the pages made for them."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.clinic: Clinic = request.app.state.clinic
        self.words = Words(self._language(), self.clinic.zone)
        self._rights: dict[str, bool] = {}

    @cached_property
    def staff(self) -> Person | None:
        """Return who is signed in, and works here today."""
        return person(self.clinic, str(self.session.get("staff", "")))

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
        return next((page for act, page in HOMES.items() if self.may(act)), "/sign-in")

    @property
    def csrf(self) -> str:
        """Return the token that every form carries; one is made for a new visitor."""
        token: str = self.session.setdefault("csrf", token_urlsafe(24))
        return token

    @property
    def session(self) -> dict[str, Any]:
        """Return what the signed cookie holds."""
        return self.request.session

    def sign_in(self, staff: Person) -> None:
        """Remember who is there, in a fresh session."""
        self.session.clear()
        self.session.update(staff=staff.id, language=staff.language)

    def may(self, act: str) -> bool:
        """Tell whether they have a right, as the engine sees it."""
        if act not in self._rights:
            self._rights[act] = self.staff is not None and self.clinic.engine.may(by=self.staff.id, act=act)
        return self._rights[act]

    def _language(self) -> str:
        chosen = self.session.get("language")
        if chosen in LANGUAGES:
            return str(chosen)
        first = self.request.headers.get("accept-language", "")[:2].lower()
        return first if first in LANGUAGES else "en"


def _allowed(act: str) -> Callable[[Request], Visitor]:
    def look(request: Request) -> Visitor:
        visitor = Visitor(request)
        if visitor.staff is None:
            raise NotSignedInError
        if not visitor.may(act):
            raise RefusedError(visitor, act)
        return visitor

    return look


Anybody = Annotated[Visitor, Depends(Visitor)]
Reading = Annotated[Visitor, Depends(_allowed("read"))]
Entering = Annotated[Visitor, Depends(_allowed("enter"))]
Enrolling = Annotated[Visitor, Depends(_allowed("enroll"))]
Planning = Annotated[Visitor, Depends(_allowed("reschedule"))]
Pausing = Annotated[Visitor, Depends(_allowed("pause"))]
Releasing = Annotated[Visitor, Depends(_allowed("release"))]
Correcting = Annotated[Visitor, Depends(_allowed("amend"))]
Withdrawing = Annotated[Visitor, Depends(_allowed("withdraw"))]
Sweeping = Annotated[Visitor, Depends(_allowed("sweep"))]
Auditing = Annotated[Visitor, Depends(_allowed("verify"))]


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
