"""Secret addresses at which partners read legal clocks."""

import sqlalchemy as sa
from alembic import op

revision = "0015_calendars"
down_revision = "0014_webhooks"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create the table, empty. Times are microseconds since the Unix epoch (UTC)."""
    op.create_table(
        "calendars",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("key_id", _UUID, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_read_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("calendars_digest_idx", "calendars", ["digest"], unique=True)
