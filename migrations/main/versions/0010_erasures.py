"""Which cases were erased, and which an admin has asked to erase."""

import sqlalchemy as sa
from alembic import op

revision = "0010_erasures"
down_revision = "0009_publications"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create both tables, empty. Times are microseconds since the Unix epoch (UTC)."""
    op.create_table(
        "erasures",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("keyless_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "erasure_requests",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("key_id", _UUID, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
    )
