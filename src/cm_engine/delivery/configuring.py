"""From a file of gateways to gateways, or to every problem that it has."""

import os
from collections.abc import Mapping
from pathlib import Path

from cm_engine.delivery.described import Described, Given, made_of, read_described
from cm_engine.delivery.settings import Sources
from cm_engine.errors import GatewaysError
from cm_engine.installed import names_in
from cm_engine.ports import PayoutGateway
from cm_engine.stock.gateway import Stockroom

GROUP = "cm_engine.payout"
GATEWAYS = Described("gateways", GROUP, GatewaysError, engine="load_gateways(..., engine=engine)")


def load_gateways(
    path: str | os.PathLike[str], environ: Mapping[str, str], *, engine: Stockroom | None = None
) -> dict[str, PayoutGateway]:
    """Make the gateways that a file describes: YAML 1.2, or JSON, in UTF-8.

    Args:
        path: of the file; files of secrets that it names are looked for beside it.
        environ: the environment, for secrets.
        engine: keeps the stocks that gateways are over; a file with none needs none.

    Returns:
        Each by its name; `engine.dispatcher` takes them.

    Raises:
        GatewaysError: there is no such file, or it is wrong; the error holds every problem with line and column.
        AmbiguousNameError: two installed packages offer one kind.
        MissingDependencyError: a package that a kind needs is not installed.
    """
    text, name, folder = read_described(path, GatewaysError)
    return parse_gateways(text, environ, name=name, folder=folder, engine=engine)


def parse_gateways(
    text: str,
    environ: Mapping[str, str],
    *,
    name: str = "<text>",
    folder: Path | None = None,
    engine: Stockroom | None = None,
) -> dict[str, PayoutGateway]:
    r"""Make the gateways that a text describes.

    Args:
        text: YAML 1.2, or JSON.
        environ: the environment, for secrets.
        name: what to call the text in problems.
        folder: where files of secrets are looked for; left out, the working directory.
        engine: as for `load_gateways`.

    Raises:
        CmEngineError: as `load_gateways`.

    Example:
        >>> parse_gateways("gateways:\n  cards: {kind: webhook, secret: hunter2}", {})
        Traceback (most recent call last):
        cm_engine.errors.GatewaysError: <text>:2:3: error: gateways.cards: the key 'url' is missing
        <text>:2:34: error: gateways.cards.secret: expected {env: NAME} or {file: PATH}, which say where the secret is; it never stands here
    """
    return made_of(text, name, GATEWAYS, Given(Sources(environ, folder or Path()), engine))[0]


def kinds() -> list[str]:
    """Return the kinds of gateways that are installed."""
    return names_in(GROUP)
