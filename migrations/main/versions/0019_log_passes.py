"""When a pass over a log was last seen to be going on, for the processes that do not sign."""

import sqlalchemy as sa
from alembic import op

revision = "0019_log_passes"
down_revision = "0018_last_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty: the publisher fills it."""
    op.create_table(
        "log_passes",
        sa.Column("log", sa.String(8), primary_key=True),
        sa.Column("worked_at", sa.BigInteger(), nullable=False),
    )
