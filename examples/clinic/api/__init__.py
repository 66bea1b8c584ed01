"""The documented interface for systems that are not written in Python."""

from examples.clinic.api.routes import router

__all__ = ["router"]
