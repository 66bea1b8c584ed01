"""Find the storage that a URL names: by an entry point, as a stranger's would be found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cm_engine.errors import MissingDependencyError, StorageError
from cm_engine.installed import names_in, one_in
from cm_engine.ports import Storage
from cm_engine.spelling import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "cm_engine.storage"
EXTRAS: Mapping[str, str] = {"psycopg": "postgresql"}
"""The extra that brings a package."""


def open_storage(url: str, options: Mapping[str, Any]) -> Storage:
    """Open the storage of a URL, by what stands before its first colon or plus.

    Raises:
        StorageError: nothing that is installed opens such a URL.
        AmbiguousNameError: two installed packages do.
        MissingDependencyError: the driver is not installed.
    """
    if not isinstance(url, str):
        msg = f"expected the URL of a storage, as sqlite:///clinic.db, got {url!r}"
        raise StorageError(msg)
    with driven(url) as kind:
        storage: Storage = kind.open(url, **options)
    return storage


@contextmanager
def driven(url: str) -> Iterator[Any]:
    """Yield the kind of storage that a URL names, and name the package that is missing where it, or its driver, is imported.

    Raises:
        StorageError: nothing that is installed opens such a URL, or a package is missing that no extra brings.
        AmbiguousNameError: two installed packages do.
        MissingDependencyError: the driver is not installed.
    """
    name = url.partition(":")[0].partition("+")[0]
    try:
        yield offered(name, url).load()
    except ModuleNotFoundError as error:
        if error.name and error.name in EXTRAS:
            raise MissingDependencyError(error.name, EXTRAS[error.name]) from error
        msg = f"a storage for {name}: needs the package {error.name}: pip install {error.name}"
        raise StorageError(msg) from error


def offered(name: str, url: str) -> "EntryPoint":
    """Return the storage that is installed under a name.

    Raises:
        StorageError: there is none.
        AmbiguousNameError: there are two.
    """
    offer = one_in(GROUP, name)
    if offer is None:
        msg = f"{_refused(name, url)}; expected a URL that begins with one of {', '.join(names_in(GROUP))}{_hint(name, url)}"
        raise StorageError(msg)
    return offer


def _refused(name: str, url: str) -> str:
    """Return what of a URL can be said: not what follows a scheme, nor keywords with a password among them."""
    if "=" in name:
        return "keywords of a connection are no URL"
    return f"no storage is installed for {f'{name}:' if name != url else repr(url)}"


def _hint(name: str, url: str) -> str:
    if "=" in name:
        return ", such as postgresql://user:password@host/name"
    return nearest(name.lower(), names_in(GROUP)) if ":" in url else f"; did you mean sqlite:///{url}?"
