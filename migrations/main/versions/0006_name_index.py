"""Keyed hashes of what names sound like, so that cases with near names are found."""

import sqlalchemy as sa
from alembic import op

revision = "0006_name_index"
down_revision = "0005_access"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "name_index",
        sa.Column("digest", sa.LargeBinary(8), primary_key=True),
        sa.Column("case_id", _UUID, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("name_index_case", "name_index", ["case_id"])
