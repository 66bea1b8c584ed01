"""The one door to statsmodels, which comes with the extra `survival`."""

from importlib import import_module
from types import ModuleType

from cm_engine.errors import MissingDependencyError

EXTRA = "survival"


def statistics(module: str) -> ModuleType:
    """Return a module of statsmodels.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return import_module(f"statsmodels.{module}")
    except ModuleNotFoundError as error:
        raise MissingDependencyError("statsmodels", EXTRA) from error
