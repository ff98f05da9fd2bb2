"""The log: events that cannot be changed, its head, and how far its readers have come.

There is no way back: a downgrade would delete the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_events"
down_revision = None
branch_labels = None
depends_on = None

_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")

# REPLACE deletes the row in its way without a DELETE trigger, so the INSERT itself is refused.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER events_insert BEFORE INSERT ON events
    WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
      OR EXISTS (SELECT 1 FROM events WHERE originator_id = NEW.originator_id
                 AND originator_version = NEW.originator_version)
    BEGIN SELECT RAISE(ABORT, 'events are only added, at the end of the log'); END
    """,
    """
    CREATE TRIGGER events_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END
    """,
    """
    CREATE TRIGGER events_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
    """,
)

# ALWAYS: also while session_replication_role switches ordinary triggers off.
_POSTGRESQL_STATEMENTS = (
    """
    CREATE FUNCTION events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'events are never changed or deleted' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER events_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_are_final()
    """,
    """
    CREATE TRIGGER events_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_final()
    """,
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_change",
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_truncate",
    "REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC, CURRENT_USER",
)


def upgrade() -> None:
    """Create the tables, make the events final, and begin the log at position 0."""
    _create_tables()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL_STATEMENTS if on_postgresql else _SQLITE_TRIGGERS:
        op.execute(statement)
    op.execute("INSERT INTO log_head (id, position, recorded_at) VALUES (1, 0, 0)")


def _create_tables() -> None:
    op.create_table(
        "events",
        sa.Column("position", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("originator_id", _UUID, nullable=False),
        sa.Column("originator_version", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("originator_id", "originator_version", name="events_originator_key"),
    )
    op.create_index("events_recorded_at_idx", "events", ["recorded_at"])
    op.create_table(
        "log_head",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("view_set", sa.String(8), nullable=False, server_default="a"),
        sa.CheckConstraint("id = 1", name="log_head_one_row"),
    )
    op.create_table(
        "tracking",
        sa.Column("application_name", sa.String(), primary_key=True),
        sa.Column("notification_id", sa.BigInteger(), nullable=False),
    )
