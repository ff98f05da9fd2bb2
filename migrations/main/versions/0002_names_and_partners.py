"""Who may write (partners, keys), and what things are called (codes, partners' own ids)."""

import sqlalchemy as sa
from alembic import op

revision = "0002_names_and_partners"
down_revision = "0001_events"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "partners",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("public_name", sa.String(200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("name", name="partners_name_key"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("digest", name="api_keys_digest_key"),
    )
    op.create_table(
        "external_ids",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("event_id", _UUID, nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "case_codes",
        sa.Column("code", sa.String(16), primary_key=True),
        sa.Column("case_id", _UUID, nullable=False),
    )
