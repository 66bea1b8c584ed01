"""The texts of published files by id, programs and others, from every installed package that offers some."""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from warnings import warn

from cm_engine.errors import AmbiguousNameError, ProgramNotFoundError
from cm_engine.installed import offers_in
from cm_engine.spelling import close_to

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

GROUP = "cm_engine.schedules"
FOLDER = "programs"
SUFFIX = ".yaml"


class Offer(NamedTuple):
    """A file that a package offers, in the folder of its kind."""

    package: str
    file: str
    folder: str = FOLDER

    @property
    def name(self) -> str:
        """Return what to call the file in problems."""
        return f"{self.package}/{self.folder}/{self.file}"

    def text(self) -> str:
        """Return what the file says."""
        return (_folder(self.package, self.folder) / self.file).read_text("utf-8")


def offer(program_id: str) -> Offer:
    """Return the one offer of an id.

    Raises:
        ProgramNotFoundError: nobody offers the id; the error names the nearest.
        AmbiguousNameError: two installed packages offer it.
    """
    packages = offers().get(program_id)
    if not packages:
        raise ProgramNotFoundError(program_id, close_to(program_id, offers()))
    if len(packages) > 1:
        raise AmbiguousNameError(program_id, packages)
    return Offer(packages[0], f"{program_id}{SUFFIX}")


def offers(folder: str = FOLDER) -> dict[str, list[str]]:
    """Return the packages that offer each id: they declare the entry point, and have a file of that name there."""
    found = defaultdict(list)
    for package in sorted({point.value for point in offers_in(GROUP)}):
        for name in _file_names(package, folder):
            found[name.removesuffix(SUFFIX)].append(package)
    return found


def _file_names(package: str, folder: str) -> list[str]:
    """Return the files of a package in a folder, none if it has no such folder.

    One that is broken must not take the others with it.
    """
    try:
        offered = _folder(package, folder)
        names = [entry.name for entry in offered.iterdir()] if offered.is_dir() else []
    except (ImportError, OSError) as error:
        warn(f"the {folder} of {package} cannot be read: {error}", RuntimeWarning, stacklevel=2)
        return []
    return [name for name in names if name.endswith(SUFFIX)]


def _folder(package: str, folder: str) -> "Traversable":
    from importlib.resources import files  # noqa: PLC0415 - slow to import, and needed once something is looked up

    return files(package) / folder
