"""Postgres: pool, migrations, named queries and what the engine reads and writes."""
