"""Find the intake adapter of a format: by an entry point, as a stranger's would be found."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from cm_engine.errors import AmbiguousNameError, MissingDependencyError, ReportError
from cm_engine.ports import Intake
from cm_engine.spelling import nearest

GROUP = "cm_engine.intake"
EXTRAS: Mapping[str, str] = {"fhir": "fhir", "hl7": "hl7"}
"""The extra that brings a package."""


def formats() -> list[str]:
    """Return the formats that something installed reads."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def intake_of(format: str | Intake) -> Intake:  # noqa: A002 - what it is
    """Return the adapter of a format.

    Raises:
        ReportError: nothing that is installed reads it.
        AmbiguousNameError: two installed packages do.
        MissingDependencyError: the package that it needs is not installed.
    """
    if not isinstance(format, str):
        return format
    offers = [point for point in entry_points(group=GROUP) if point.name == format]
    if not offers:
        msg = f"format: nothing installed reads {format!r}{nearest(format, formats())} (known: {', '.join(formats())})"
        raise ReportError(msg)
    if len(offers) > 1:
        raise AmbiguousNameError(format, [point.value for point in offers])
    try:
        adapter: Intake = offers[0].load()()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingDependencyError(package, EXTRAS.get(package, package)) from error
    return adapter
