"""Find a notifier by its name: by an entry point, as a stranger's would be found."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cm_engine.errors import AmbiguousNameError, ReportError
from cm_engine.ports import Notifier
from cm_engine.spelling import nearest

GROUP = "cm_engine.notify"


def notifiers() -> list[str]:
    """Return the names of all notifiers that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def notifier_of(name: str, **options: Any) -> Notifier:  # noqa: ANN401 - each notifier has its own
    """Return a notifier.

    Args:
        name: apprise, smtp, webhook, or what else is installed.
        options: what it is made with.

    Raises:
        ReportError: there is none of this name, or an option is wrong.
        AmbiguousNameError: two installed packages have it.
        MissingDependencyError: the package that it needs is not installed.
    """
    made: Notifier = _offered(name).load()(**options)
    return made


def _offered(name: str) -> EntryPoint:
    offers = [point for point in entry_points(group=GROUP) if point.name == name]
    if not offers:
        msg = f"notifier: none is installed as {name!r}{nearest(name, notifiers())} (known: {', '.join(notifiers())})"
        raise ReportError(msg)
    if len(offers) > 1:
        raise AmbiguousNameError(name, [point.value for point in offers])
    return offers[0]
