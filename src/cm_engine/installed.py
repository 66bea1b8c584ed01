"""What installed packages offer, by their entry points: a stranger's as ours."""

from typing import TYPE_CHECKING

from cm_engine.errors import AmbiguousNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def offers_in(group: str) -> "tuple[EntryPoint, ...]":
    """Return all that is offered in a group."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and needed once something is looked up

    return tuple(entry_points(group=group))


def names_in(group: str) -> list[str]:
    """Return the names of all that is offered in a group."""
    return sorted({point.name for point in offers_in(group)})


def one_in(group: str, name: str) -> "EntryPoint | None":
    """Return what is offered under a name of a group; None if nothing is.

    Raises:
        AmbiguousNameError: two installed packages offer it.
    """
    offers = [point for point in offers_in(group) if point.name == name]
    if len(offers) > 1:
        raise AmbiguousNameError(name, [point.value for point in offers])
    return offers[0] if offers else None
