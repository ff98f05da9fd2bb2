"""Views of the figures that others publish: what anyone may read, and what waits for a review."""

import sqlalchemy as sa
from alembic import op

revision = "0008_figures"
down_revision = "0007_record_events"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create both views in both sets. No log holds a figure yet, so they begin empty."""
    for view_set in ("a", "b"):
        _create_public_figures(view_set)
        _create_partner_figures(view_set)


def _create_public_figures(view_set: str) -> None:
    name = f"public_figures_{view_set}"
    op.create_table(
        name,
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("figure_id", _UUID, nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=True),
        sa.Column("earliest", sa.String(10), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
    )
    op.create_index(f"{name}_figure", name, ["figure_id"])


def _create_partner_figures(view_set: str) -> None:
    name = f"partner_figures_{view_set}"
    op.create_table(
        name,
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("figure_id", _UUID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=True),
        sa.Column("earliest", sa.String(10), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
    )
    op.create_index(f"{name}_figure", name, ["figure_id"])
