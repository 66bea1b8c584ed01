"""Coming and going: sign in, sign out, choose a language, read the description of the interface."""

from examples.clinic.api.problems import TITLES
from examples.clinic.people import people
from examples.clinic.signin import Anybody, Posted, see
from examples.clinic.words import LANGUAGES
from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter()


@router.get("/")
def home(visitor: Anybody) -> Response:
    """Send everybody to where they begin."""
    return see(visitor.home)


@router.get("/sign-in")
def sign_in(visitor: Anybody) -> Response:
    """Ask who is there."""
    return visitor.page("signin.html", staff=people(visitor.clinic), problem="")


@router.post("/sign-in")
def signed_in(visitor: Anybody, posted: Posted) -> Response:
    """Take somebody's word for who they are: this is a demonstration."""
    staff = people(visitor.clinic)
    found = next((each for each in staff if each.id == posted.get("staff")), None)
    if found is None:
        return visitor.page("signin.html", 422, staff=staff, problem="Choose who you are.")
    visitor.sign_in(found)
    return see("/")


@router.post("/sign-out")
def sign_out(visitor: Anybody, posted: Posted) -> Response:
    """Forget who was there."""
    _ = posted
    visitor.session.clear()
    return see("/sign-in")


@router.post("/language")
def language(visitor: Anybody, posted: Posted) -> Response:
    """Change the language of the pages."""
    if posted.get("language") in LANGUAGES:
        visitor.session["language"] = posted["language"]
    return see("/")


@router.get("/docs")
def docs(visitor: Anybody) -> Response:
    """Describe the interface for systems, without a script and without fetching one."""
    return visitor.page("docs.html", document=visitor.request.app.openapi(), problems=TITLES)
