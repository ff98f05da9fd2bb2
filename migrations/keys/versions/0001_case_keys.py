"""The key store: one wrapped key for each case, and the deployment's own wrapped secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0001_case_keys"
down_revision = None
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create both tables, empty. Times are microseconds since the Unix epoch (UTC)."""
    op.create_table(
        "case_keys",
        sa.Column("case_id", _UUID, primary_key=True),
        # Null once destroyed.
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
    )
