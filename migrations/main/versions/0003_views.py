"""The views, each table in two sets: one is live, a rebuild fills the other."""

import sqlalchemy as sa
from alembic import op

revision = "0003_views"
down_revision = "0002_names_and_partners"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TRACKS = (
    "liberty",
    "extradition",
    "asylum",
    "expulsion",
    "interim",
    "movement",
    "prosecution",
    "life",
    "follow_up",
)


def upgrade() -> None:
    """Create both sets."""
    for view_set in ("a", "b"):
        _create_partner_views(view_set)
        _create_public_views(view_set)


def _track_columns() -> list[sa.Column[str]]:
    return [sa.Column(f"track_{track}", sa.String(32), nullable=True) for track in _TRACKS]


def _create_partner_views(view_set: str) -> None:
    op.create_table(
        f"partner_events_{view_set}",
        sa.Column("position", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("event_id", _UUID, nullable=False),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("visibility", sa.String(10), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=True),
    )
    _index("partner_events", view_set, "event", "event_id", unique=True)
    _index("partner_events", view_set, "case", "case_id", "version")
    op.create_table(
        f"embargoes_{view_set}",
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    _index("embargoes", view_set, "until", "until")
    op.create_table(
        f"partner_status_{view_set}",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("audience", sa.String(36), primary_key=True),
        sa.Column("partner_id", _UUID, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("headline", sa.String(32), nullable=False),
        sa.Column("at_risk", sa.Boolean(), nullable=False),
        *_track_columns(),
    )
    _index("partner_status", view_set, "order", "audience", "opened_at", "case_id")


def _create_public_views(view_set: str) -> None:
    op.create_table(
        f"public_events_{view_set}",
        sa.Column("sequence", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("entry_id", _UUID, nullable=False),
        sa.Column("event_id", _UUID, nullable=False),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.LargeBinary(), nullable=False),
        sa.Column("headline", sa.String(32), nullable=False),
        sa.Column("headline_before", sa.String(32), nullable=True),
    )
    _index("public_events", view_set, "event", "event_id")
    _index("public_events", view_set, "case", "case_id", "sequence")
    op.create_table(
        f"public_cases_{view_set}",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.LargeBinary(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("headline", sa.String(32), nullable=False),
        sa.Column("at_risk", sa.Boolean(), nullable=False),
        *_track_columns(),
    )
    _index("public_cases", view_set, "code", "code", unique=True)
    _index("public_cases", view_set, "order", "published_at", "case_id")
    op.create_table(
        f"public_counts_{view_set}",
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
    )
    _index("public_counts", view_set, "case", "case_id")


def _index(table: str, view_set: str, suffix: str, *columns: str, unique: bool = False) -> None:
    name = f"{table}_{view_set}"
    op.create_index(f"{name}_{suffix}", name, list(columns), unique=unique)
