"""The commands about the tables of a database: which release they are of, and bringing them up to date."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from cm_engine.cli.journal import one_line
from cm_engine.cli.options import PREFIX, SCHEMA, DatabaseOption, JsonOption, named
from cm_engine.errors import StorageError
from cm_engine.opening import driven

commands = typer.Typer(
    help="Look after the tables of a database.", no_args_is_help=True, rich_markup_mode=None
)

PrefixOption = Annotated[
    str,
    typer.Option("--prefix", metavar="PREFIX", envvar=PREFIX, help="what the names of the tables begin with"),
]
SchemaOption = Annotated[
    str,
    typer.Option(
        "--schema", metavar="SCHEMA", envvar=SCHEMA, help="of PostgreSQL, if it is not that of the connection"
    ),
]


@commands.command(epilog="Example: cm-engine db upgrade --db sqlite:///clinic.db")
def upgrade(
    *, db: DatabaseOption, prefix: PrefixOption = "", schema: SchemaOption = "", as_json: JsonOption = False
) -> None:
    """Make the tables, or bring them up to date.

    All of it is done, or nothing. No row of the log is changed.
    """
    with _tables(db) as storage:
        options = named(prefix=prefix, schema=schema)
        before = storage.upgrade(db, **options)
        release = storage.release(db, **options).found
    if as_json:
        sys.stdout.write(one_line({"release": release, "before": before}))
        return
    was = f"they were of release {before}" if before else "there were none"
    typer.echo(f"The tables are of release {release}; {'as before' if before == release else was}.")


@commands.command(epilog="Example: cm-engine db check --db sqlite:///clinic.db")
def check(
    *, db: DatabaseOption, prefix: PrefixOption = "", schema: SchemaOption = "", as_json: JsonOption = False
) -> None:
    """Say which release the tables are of.

    No table is changed. Exits with 1 if the release is not the one that is needed.
    """
    with _tables(db) as storage:
        found = storage.release(db, **named(prefix=prefix, schema=schema))
    if as_json:
        form = {"release": found.found, "needed": found.needed, "problem": found.problem}
        sys.stdout.write(one_line({"up_to_date": not found.problem, **form}))
    else:
        fits = (
            f"are of release {found.found}"
            if found.found
            else f"of a host's own have what release {found.needed} needs"
        )
        typer.echo(found.problem or f"The tables {fits}, as they have to be.")
    if found.problem:
        raise typer.Exit(1)


@contextmanager
def _tables(url: str) -> Iterator[Any]:
    """Yield the kind of storage that a URL names, if it has tables."""
    with driven(url) as storage:
        if not hasattr(storage, "release"):
            msg = f"{url}: this storage has no tables, and so no release"
            raise StorageError(msg)
        yield storage
