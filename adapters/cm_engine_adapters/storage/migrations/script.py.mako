"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade(prefix: str, schema: str | None) -> None:
    """${message}."""
