"""Alembic's entry: runs the revisions on the connection (or the offline dialect) that `Database` hands over."""

from __future__ import annotations

from alembic import context

from redraft.store.schema import Row

if context.is_offline_mode():
    context.configure(dialect_name=context.config.attributes["dialect_name"], target_metadata=Row.metadata)
else:
    context.configure(connection=context.config.attributes["connection"], target_metadata=Row.metadata)

with context.begin_transaction():
    context.run_migrations()
