"""Alembic's scripts: how a database comes to the present schema. Run by `Database.migrate`, never by hand."""
