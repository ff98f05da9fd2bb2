"""Which objections there are, in both sets of views; none were made before there was a table."""

import sqlalchemy as sa
from alembic import op

revision = "0017_objections"
down_revision = "0016_websub"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables, empty. Times are microseconds since the Unix epoch (UTC)."""
    for view_set in ("a", "b"):
        name = f"partner_objections_{view_set}"
        op.create_table(
            name,
            sa.Column("position", _POSITION, primary_key=True, autoincrement=False),
            sa.Column("event_id", _UUID, nullable=False),
            sa.Column("case_id", _UUID, nullable=False),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("code", sa.String(16), nullable=False),
            sa.Column("partner_id", _UUID, nullable=False),
            sa.Column("hides", sa.Boolean(), nullable=False),
            sa.Column("recorded_at", sa.BigInteger(), nullable=False),
            sa.Column("settled_by", _UUID, nullable=True),
        )
        op.create_index(f"{name}_partner", name, ["partner_id", "position"])
        op.create_index(f"{name}_case", name, ["case_id"])
