"""The studio: people, gallery, feedback, points, jobs, studies, audit. Never changed; not derived from `schema`."""

from __future__ import annotations

from alembic import op

from redraft.store.migrations.tables_0002 import accounts, answers, evidence, pictures, work

revision = "0002"
down_revision = "0001"

_REFUSED = {"answers": ("UPDATE",), "points": ("UPDATE",), "audit": ("UPDATE", "DELETE")}
"""Answers and points of a person are deleted when the person is erased, and never changed."""


def upgrade() -> None:
    """Make all tables of the studio and the triggers of those that only grow."""
    for topic in (accounts, pictures, answers, evidence, work):
        topic.upgrade()
    for table, actions in _REFUSED.items():
        _refuse(table, actions)


def _refuse(table: str, actions: tuple[str, ...]) -> None:
    # SQL has no portable trigger; what is refused and the message are the same on both databases.
    message = f"{table} is append-only"
    if op.get_context().dialect.name == "sqlite":
        for action in actions:
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {' OR '.join(actions)} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
    )
