"""How far the hub was told of public changes."""

import sqlalchemy as sa
from alembic import op

revision = "0016_websub"
down_revision = "0015_calendars"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty: of what was public before, a hub is told nothing."""
    op.create_table(
        "websub",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
    )
