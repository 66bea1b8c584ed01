"""What can be known of a file that is wrong: its well-formed values, and poison where the others stood."""

from functools import cache
from numbers import Rational
from typing import Any, Never, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from cm_engine.program.parts import Part
from cm_engine.spelling import close_to


class IllFormedError(Exception):
    """Stop a check that looked at a value which is not well-formed; its own problem is reported already."""


class IllFormed:
    """Stand where a value could not be read; whoever looks at it stops with `IllFormedError`."""

    def __getattr__(self, _: str) -> Never:
        raise IllFormedError


def _refuse(*_: object) -> Never:
    raise IllFormedError


_LOOKS = (
    "bool iter len getitem contains hash str int index eq ne lt le gt ge "
    "add radd sub rsub mul rmul floordiv rfloordiv truediv rtruediv mod rmod neg abs"
)
for _look in _LOOKS.split():
    setattr(IllFormed, f"__{_look}__", _refuse)

Rational.register(IllFormed)  # so that a fraction of it looks at it, and stops

ILL_FORMED: Any = IllFormed()


def partial_part(model: type[Part], data: Any) -> Any:
    """Return a `model` with each field that is well-formed, and poison in place of the others."""
    if not isinstance(data, dict):
        return ILL_FORMED
    values = {name: _partial_field(model, name, data) for name in model.model_fields}
    return model.model_construct(_fields_set={*data} & {*values}, **values)


def _partial_field(model: type[Part], name: str, data: dict[str, Any]) -> Any:
    field = model.model_fields[name]
    if name not in data and _misspelt(name, model, data):
        return ILL_FORMED
    if name not in data:
        return ILL_FORMED if field.is_required() else field.get_default()
    try:
        return _adapter(model, name).validate_python(data[name])
    except ValidationError:
        return _partial_value(bare(field.annotation), data[name])


def _misspelt(name: str, model: type[Part], data: dict[str, Any]) -> bool:
    """Tell whether an unknown key is probably meant to be `name`."""
    return any(close_to(key, model.model_fields) == name for key in data if key not in model.model_fields)


def _partial_value(annotation: Any, value: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return partial_part(annotation, value)
    inner = get_args(annotation)
    if get_origin(annotation) is tuple and isinstance(value, list) and value:
        return tuple(_partial_value(inner[0], item) for item in value)
    if get_origin(annotation) is dict and isinstance(value, dict) and value:
        return {key: _partial_value(inner[1], item) for key, item in value.items()}
    return ILL_FORMED


def bare(annotation: Any) -> Any:
    """Return an annotation without its `| None`."""
    options = get_args(annotation)
    return (
        next(option for option in options if option is not type(None))
        if type(None) in options
        else annotation
    )


@cache
def _adapter(model: type[Part], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[name].rebuild_annotation())
