"""The description of the interface, with the one form that every error has."""

from typing import Any

from examples.clinic.api.problems import Problem
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

REFERENCE = "#/components/schemas/{model}"


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application, made once."""
    if not app.openapi_schema:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        problem = Problem.model_json_schema(ref_template=REFERENCE)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        app.openapi_schema = document
    return app.openapi_schema
