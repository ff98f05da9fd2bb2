"""A request for an erasure for each key, in place of one for each case."""

import sqlalchemy as sa
from alembic import op

revision = "0013_erasure_requests"
down_revision = "0012_members"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Make the table anew. What waits has to be asked for again: it is forgotten within weeks."""
    op.drop_table("erasure_requests")
    op.create_table(
        "erasure_requests",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("key_id", _UUID, primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        # Microseconds since the Unix epoch (UTC).
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
    )
