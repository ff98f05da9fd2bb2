"""The publications: public changes as they were made, which cannot be changed.

What was published before is recorded when the views are made anew, which `view_set` asks for.
There is no way back: a downgrade would delete the public log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_publications"
down_revision = "0008_figures"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# REPLACE deletes the row in its way without a DELETE trigger, so the INSERT itself is refused.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER publications_insert BEFORE INSERT ON publications
    WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM publications)
    BEGIN SELECT RAISE(ABORT, 'publications are only added, at the end'); END
    """,
    """
    CREATE TRIGGER publications_update BEFORE UPDATE ON publications
    BEGIN SELECT RAISE(ABORT, 'publications are never changed'); END
    """,
    """
    CREATE TRIGGER publications_delete BEFORE DELETE ON publications
    BEGIN SELECT RAISE(ABORT, 'publications are never deleted'); END
    """,
)

# `events_are_final` is that of the events: it refuses whatever it is called for.
_POSTGRESQL_STATEMENTS = (
    """
    CREATE TRIGGER publications_change BEFORE UPDATE OR DELETE ON publications
    FOR EACH ROW EXECUTE FUNCTION events_are_final()
    """,
    """
    CREATE TRIGGER publications_truncate BEFORE TRUNCATE ON publications
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_final()
    """,
    "ALTER TABLE publications ENABLE ALWAYS TRIGGER publications_change",
    "ALTER TABLE publications ENABLE ALWAYS TRIGGER publications_truncate",
    "REVOKE UPDATE, DELETE, TRUNCATE ON publications FROM PUBLIC, CURRENT_USER",
)


def upgrade() -> None:
    """Create the table, and have the views made anew where there are events."""
    op.create_table(
        "publications",
        sa.Column("sequence", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
    )
    op.create_index("publications_position_idx", "publications", ["position"])
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL_STATEMENTS if on_postgresql else _SQLITE_TRIGGERS:
        op.execute(statement)
    op.execute("UPDATE log_head SET view_set = 'none' WHERE position > 0")
