"""Bring dated results of another system into the engine, from a CSV file."""

from cm_engine.importing.counts import Imported, ImportStoppedError
from cm_engine.importing.refusals import Refused
from cm_engine.importing.results import import_results

__all__ = ["ImportStoppedError", "Imported", "Refused", "import_results"]
