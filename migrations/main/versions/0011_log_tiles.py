"""The hash trees of the two logs, as tiles: made from the records, and made anew where lost."""

import sqlalchemy as sa
from alembic import op

revision = "0011_log_tiles"
down_revision = "0010_erasures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty: the publisher fills them."""
    op.create_table(
        "log_tiles",
        sa.Column("log", sa.String(8), primary_key=True),
        sa.Column("level", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "log_trees",
        sa.Column("log", sa.String(8), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
    )
