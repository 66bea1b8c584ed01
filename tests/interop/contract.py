"""An OpenAPI document of Tremendous, derived from its official library: the contract as the vendor itself programs it."""

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from tremendous import TremendousApi, models

REF = "#/components/schemas/{model}"
_RESPONSE = re.compile(r"'(\d{3})': (?:\"(\w+)\"|None)")
_PATTERN = re.compile(r're\.match\(r"(.+?)", value\)')
_ENUM = re.compile(r"set\(\[(.+?)\]\)")


def document() -> dict[str, Any]:
    """Return the document: OpenAPI 3.1, with every operation of the library and the schemas of its models."""
    paths: dict[str, dict[str, Any]] = {}
    for name in operations():
        path, verb, told = _operation(name)
        paths.setdefault(path, {})[verb] = told
    bearer = {"BearerApiKey": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tremendous, of its library", "version": version("tremendous-python")},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": bearer},
        "security": [{"BearerApiKey": []}],
    }


def operations() -> list[str]:
    """Return the names of what the library can do."""
    found = (re.fullmatch(r"_(\w+)_serialize", name) for name in vars(TremendousApi))
    return [each[1] for each in found if each]


def _operation(name: str) -> tuple[str, str, dict[str, Any]]:
    """Return the path, the verb and the description of an operation, from its source."""
    made = inspect.getsource(getattr(TremendousApi, f"_{name}_serialize"))
    called = inspect.getsource(getattr(TremendousApi, f"{name}_with_http_info"))
    [path], [verb] = re.findall(r"resource_path='(.+?)'", made), re.findall(r"method='(.+?)'", made)
    told: dict[str, Any] = {
        "operationId": name,
        "parameters": [*_parameters(path, made)],
        "responses": {code: _content(model) for code, model in _RESPONSE.findall(called)},
    }
    if body := re.findall(r"_body_params = (\w+)", made):
        [model] = re.findall(rf"\n        {body[0]}: .*?(\w+)(?:\]|,)", called)[:1]
        told["requestBody"] = {"required": True, **_content(model)}
    return path, verb.lower(), told


def _parameters(path: str, made: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name in re.findall(r"_query_params\.append\(\('(.+?)'", made):
        yield {"name": name, "in": "query", "schema": {}}


def _content(model: str) -> dict[str, Any]:
    told: dict[str, Any] = {"description": model or "nothing"}
    if model in vars(models):
        told["content"] = {"application/json": {"schema": {"$ref": REF.format(model=model)}}}
    return told


def _schemas() -> dict[str, Any]:
    kinds = {name: kind for name, kind in vars(models).items() if _is_model(kind)}
    whole = [(kind, "validation") for kind in kinds.values() if "one_of_schemas" not in kind.model_fields]
    _, made = models_json_schema(whole, by_alias=True, ref_template=REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = made["$defs"]
    for name, kind in kinds.items():
        if "one_of_schemas" in kind.model_fields:
            options = kind.model_fields["one_of_schemas"].default
            schemas[name] = {"oneOf": [{"$ref": REF.format(model=each)} for each in sorted(options)]}
        else:
            _tighten(schemas[name]["properties"], kind)
    return schemas


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _tighten(properties: dict[str, Any], kind: type[BaseModel]) -> None:
    """Put into a schema what the library checks by functions, and leave out that a value may be null, which it never sends."""
    for name, schema in properties.items():
        properties[name] = _present(schema)
    for validator in kind.__pydantic_decorators__.field_validators.values():
        source = inspect.getsource(validator.func)
        limit: dict[str, Any] = {"pattern": f"^{found[0]}"} if (found := _PATTERN.findall(source)) else {}
        if found := _ENUM.findall(source):
            limit = {"enum": re.findall(r"'([^']*)'", found[0])}
        for name in validator.info.fields:
            if properties.get(name, {}).get("type") == "string":
                properties[name].update(limit)


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a value is where there is one."""
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(options) != 1:
        return schema
    told = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**options[0], **told}
