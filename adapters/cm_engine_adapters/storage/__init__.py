"""Storages: in memory, on SQLite, on PostgreSQL, and in a transaction of the host's own."""
