"""What the logs last signed, what witnesses said of it, and the key that signs."""

import sqlalchemy as sa
from alembic import op

revision = "0002_checkpoints"
down_revision = "0001_case_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables, empty. Times are microseconds since the Unix epoch (UTC)."""
    op.create_table(
        "log_checkpoints",
        sa.Column("origin", sa.String(), primary_key=True),
        sa.Column("log", sa.String(8), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        # Why nothing more is signed; null while all is well.
        sa.Column("halted", sa.Text(), nullable=True),
    )
    op.create_table(
        "log_cosigned",
        sa.Column("origin", sa.String(), primary_key=True),
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="signing_key_one_row"),
    )
