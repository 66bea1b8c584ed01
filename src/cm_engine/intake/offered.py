"""Find the intake adapter of a format: by an entry point, as a stranger's would be found."""

from collections.abc import Mapping

from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.installed import names_in, one_in
from cm_engine.ports import Intake
from cm_engine.spelling import nearest

GROUP = "cm_engine.intake"
EXTRAS: Mapping[str, str] = {"fhir": "fhir", "hl7": "hl7"}
"""The extra that brings a package."""


def formats() -> list[str]:
    """Return the formats that something installed reads."""
    return names_in(GROUP)


def intake_of(format: str | Intake) -> Intake:  # noqa: A002 - what it is
    """Return the adapter of a format.

    Raises:
        ReportError: nothing that is installed reads it.
        AmbiguousNameError: two installed packages do.
        MissingDependencyError: the package that it needs is not installed.
    """
    if not isinstance(format, str):
        return format
    offer = one_in(GROUP, format)
    if offer is None:
        msg = f"format: nothing installed reads {format!r}{nearest(format, formats())} (known: {', '.join(formats())})"
        raise ReportError(msg)
    try:
        adapter: Intake = offer.load()()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingDependencyError(package, EXTRAS.get(package, package)) from error
    return adapter
