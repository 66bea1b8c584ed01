"""Pages from templates: every value is escaped, and a value that is missing is an error."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from secrets import token_hex

from examples.clinic.picture import BASE, HEIGHT, WIDTH, bars
from examples.clinic.saying import Said, refused, said
from examples.clinic.terms import DECIDES, KINDS, STATUSES, SYMBOLS, amounts_in_words, terms_of
from examples.clinic.view import difference, entered_by, promised, total, worth
from examples.clinic.visits import visit_name
from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent

_pages = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.globals.update(
    bars=bars,
    picture={"width": WIDTH, "height": HEIGHT, "base": BASE},
    said=said,
    Said=Said,
    terms_of=terms_of,
    in_words=amounts_in_words,
    worth=worth,
    difference=difference,
    promised=promised,
    total=total,
    SYMBOLS=SYMBOLS,
    KINDS=KINDS,
    STATUSES=STATUSES,
    visit_name=visit_name,
    time=datetime.fromisoformat,
    day=date.fromisoformat,
    fresh_key=lambda: token_hex(16),
    DECIDES=DECIDES,
    entered_by=entered_by,
    refused=refused,
)


def rendered(template: str, values: Mapping[str, object]) -> str:
    """Return a page as text."""
    return _pages.get_template(template).render(values)
