"""When a key was last used, and the log of who read what is restricted, which nobody changes.

There is no way back: a downgrade would delete the log of reads.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_access"
down_revision = "0004_attempts"
branch_labels = None
depends_on = None

_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")

# REPLACE deletes the row in its way without a DELETE trigger, so the INSERT itself is refused.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER restricted_reads_insert BEFORE INSERT ON restricted_reads
    WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM restricted_reads)
    BEGIN SELECT RAISE(ABORT, 'reads are only added, at the end of their log'); END
    """,
    """
    CREATE TRIGGER restricted_reads_update BEFORE UPDATE ON restricted_reads
    BEGIN SELECT RAISE(ABORT, 'reads that were logged are never changed'); END
    """,
    """
    CREATE TRIGGER restricted_reads_delete BEFORE DELETE ON restricted_reads
    BEGIN SELECT RAISE(ABORT, 'reads that were logged are never deleted'); END
    """,
)

# ALWAYS: also while session_replication_role switches ordinary triggers off.
_POSTGRESQL_STATEMENTS = (
    """
    CREATE FUNCTION restricted_reads_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'reads that were logged are never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER restricted_reads_change BEFORE UPDATE OR DELETE ON restricted_reads
    FOR EACH ROW EXECUTE FUNCTION restricted_reads_are_final()
    """,
    """
    CREATE TRIGGER restricted_reads_truncate BEFORE TRUNCATE ON restricted_reads
    FOR EACH STATEMENT EXECUTE FUNCTION restricted_reads_are_final()
    """,
    "ALTER TABLE restricted_reads ENABLE ALWAYS TRIGGER restricted_reads_change",
    "ALTER TABLE restricted_reads ENABLE ALWAYS TRIGGER restricted_reads_truncate",
    "REVOKE UPDATE, DELETE, TRUNCATE ON restricted_reads FROM PUBLIC, CURRENT_USER",
)


def upgrade() -> None:
    """Add the column, create the table, and make what is in it final."""
    op.add_column("api_keys", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "restricted_reads",
        sa.Column("position", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("key_id", _UUID, nullable=False),
        sa.Column("case_id", _UUID, nullable=True),
        sa.Column("event_id", _UUID, nullable=True),
        sa.Column("kind", sa.String(24), nullable=False),
    )
    op.create_index("restricted_reads_case_idx", "restricted_reads", ["case_id", "position"])
    op.create_index("restricted_reads_partner_idx", "restricted_reads", ["partner_id", "position"])
    op.create_index("restricted_reads_read_at_idx", "restricted_reads", ["read_at"])
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL_STATEMENTS if on_postgresql else _SQLITE_TRIGGERS:
        op.execute(statement)
