"""Find a notifier by its name: by an entry point, as a stranger's would be found."""

from typing import TYPE_CHECKING, Any

from cm_engine.errors import ReportError
from cm_engine.installed import names_in, one_in
from cm_engine.ports import Notifier
from cm_engine.spelling import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "cm_engine.notify"


def notifiers() -> list[str]:
    """Return the names of all notifiers that are installed."""
    return names_in(GROUP)


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


def _offered(name: str) -> "EntryPoint":
    offer = one_in(GROUP, name)
    if offer is None:
        msg = f"notifier: none is installed as {name!r}{nearest(name, notifiers())} (known: {', '.join(notifiers())})"
        raise ReportError(msg)
    return offer
