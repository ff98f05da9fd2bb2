"""Webhooks, and what became of each message; no message is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0014_webhooks"
down_revision = "0013_erasure_requests"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create both tables, empty. Times are microseconds since the Unix epoch (UTC)."""
    op.create_table(
        "webhooks",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(8), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("webhooks_partner_idx", "webhooks", ["partner_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", _UUID, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("entry_id", _UUID, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.LargeBinary(), nullable=False),
    )
    op.create_index("webhook_deliveries_due_idx", "webhook_deliveries", ["outcome", "next_at"])
