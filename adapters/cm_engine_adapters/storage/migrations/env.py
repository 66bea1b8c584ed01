"""How Alembic reaches the database: through the connection that it is given, in its transaction."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=f"{attributes['prefix']}version",
    version_table_schema=attributes["schema"],
    transactional_ddl=True,
)
context.run_migrations(prefix=attributes["prefix"], schema=attributes["schema"])
