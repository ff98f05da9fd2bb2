"""Requests that may come again, by the keyed hash of their idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0004_attempts"
down_revision = "0003_views"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "attempts",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("request", sa.LargeBinary(32), nullable=False),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("event_id", _UUID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
    )
