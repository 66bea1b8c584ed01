"""What a file may say of a gateway or a notifier: the base of every adapter's settings, and secrets, which stand elsewhere."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, PlainValidator, SecretStr, ValidationInfo, WithJsonSchema

from cm_engine.program.parts import Part, Text
from cm_engine.program.values import Amount, all_wrong, wrong

SECRET_MAX = 10_000


class Sources(NamedTuple):
    """Where secrets are looked for.

    Attributes:
        environ: the environment.
        folder: where files are that are not named from the root on.
    """

    environ: Mapping[str, str]
    folder: Path


class DescribedSettings(Part):
    """What a file says of something that an adapter makes: an adapter's own settings are a subclass.

    The name of each field is that of an argument of the adapter.
    """

    needs_engine: ClassVar[bool] = False
    """The adapter has an argument `engine` too: it keeps there what it hands over."""

    kind: str

    def arguments(self) -> dict[str, Any]:
        """Return what the adapter is made with; secrets as plain text."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}
        return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a file says
    """Return a secret as plain text, and of a table of secrets each; anything else as it is."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class GatewaySettings(DescribedSettings):
    """What a file says of a gateway."""


class NotifierSettings(DescribedSettings):
    """What a file says of a notifier."""


class StockSettings(GatewaySettings):
    """What a file says of a gateway over a stock of the engine's own, which is made with the engine too."""

    needs_engine: ClassVar[bool] = True

    stock: Annotated[Text, Field(description="the id of the stock")]
    units: Annotated[tuple[Text, ...], Field(min_length=1, description="currencies and things")] = ("USD",)
    products: Annotated[tuple[Text, ...], Field(description="by the program's names; none for any")] = ()
    least: Amount = Decimal(0)
    most: Amount | None = None


def _secret(value: Any, info: ValidationInfo) -> SecretStr:  # noqa: ANN401 - a file may say anything
    """Return a secret from where a file says that it is; no message repeats it."""
    sources = info.context
    assert isinstance(sources, Sources), "whoever reads a file of gateways says where secrets are"
    if not isinstance(value, dict) or len(value) != 1 or not {"env", "file"} >= {*value}:
        raise wrong(
            "expected {env: NAME} or {file: PATH}, which say where the secret is; it never stands here"
        )
    [(kind, name)] = value.items()
    if not isinstance(name, str) or not name.strip():
        raise all_wrong([((kind,), "expected a name")])
    found = sources.environ.get(name, "") if kind == "env" else _text(sources.folder / name)
    if not found.strip():
        where = (
            "the environment has nothing under this name"
            if kind == "env"
            else "this file is not there, or empty"
        )
        raise all_wrong([((kind,), where)])
    return SecretStr(found.strip())


def _text(path: Path) -> str:
    """Return what a file has, nothing if it cannot be read."""
    try:
        return path.read_text("utf-8")[:SECRET_MAX]
    except (OSError, ValueError):
        return ""


Secret = Annotated[
    SecretStr,
    PlainValidator(_secret),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
    ),
]
"""A secret by the name of an environment variable or of a file, so that the file with the settings can be shown around."""
