"""Which feeds have a public change, in both sets of views; they are made anew to fill it."""

import sqlalchemy as sa
from alembic import op

revision = "0012_members"
down_revision = "0011_log_tiles"
branch_labels = None
depends_on = None

_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables, and have the views made anew where there are events."""
    for view_set in ("a", "b"):
        name = f"public_members_{view_set}"
        op.create_table(
            name,
            sa.Column("feed", sa.String(48), primary_key=True),
            sa.Column("sequence", _POSITION, primary_key=True, autoincrement=False),
        )
        op.create_index(f"{name}_sequence", name, ["sequence"])
    op.execute("UPDATE log_head SET view_set = 'none' WHERE position > 0")
