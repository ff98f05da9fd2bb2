"""Events about the record: merges, the halt of publication, and views that follow corrections.

The views are made anew in their new shape and are empty; `view_set` says so, and whoever opens the
house next fills them from the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_record_events"
down_revision = "0006_name_index"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table of merges, and create the views that have changed in both sets."""
    op.add_column(
        "log_head", sa.Column("frozen", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "merges",
        sa.Column("case_id", _UUID, primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("into_id", _UUID, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
    )
    op.create_index("merges_into_idx", "merges", ["into_id"])
    for view_set in ("a", "b"):
        for table in ("partner_events", "public_events", "public_counts"):
            op.drop_table(f"{table}_{view_set}")
        op.drop_column(f"partner_status_{view_set}", "counted")
        _create_partner_events(view_set)
        _create_public_events(view_set)
        _create_facts("partner_facts", view_set)
        _create_facts("public_counts", view_set)
    op.execute("UPDATE log_head SET view_set = 'none' WHERE position > 0")


def _create_partner_events(view_set: str) -> None:
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
        sa.Column("about", _UUID, nullable=True),
        sa.Column("key_id", _UUID, nullable=True),
    )
    _index("partner_events", view_set, "event", "event_id", unique=True)
    _index("partner_events", view_set, "case", "case_id", "version")
    _index("partner_events", view_set, "key", "key_id", "recorded_at")


def _create_public_events(view_set: str) -> None:
    op.create_table(
        f"public_events_{view_set}",
        sa.Column("sequence", _POSITION, primary_key=True, autoincrement=False),
        sa.Column("entry_id", _UUID, nullable=False),
        sa.Column("event_id", _UUID, nullable=False),
        sa.Column("root_id", _UUID, nullable=False),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("dossier_id", _UUID, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("headline", sa.String(32), nullable=False),
        sa.Column("headline_before", sa.String(32), nullable=True),
        sa.Column("consent", sa.LargeBinary(), nullable=False),
        sa.Column("takes_back", sa.BigInteger(), nullable=True),
        sa.Column("taken_back_by", sa.BigInteger(), nullable=True),
        sa.Column("gone_by", sa.BigInteger(), nullable=True),
    )
    _index("public_events", view_set, "event", "event_id")
    _index("public_events", view_set, "case", "case_id", "sequence")
    _index("public_events", view_set, "dossier", "dossier_id", "sequence")
    _index("public_events", view_set, "root", "root_id")
    _index("public_events", view_set, "gone", "gone_by")


def _create_facts(table: str, view_set: str) -> None:
    op.create_table(
        f"{table}_{view_set}",
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("case_id", _UUID, nullable=False),
        sa.Column("dossier_id", _UUID, nullable=False),
        sa.Column("host_state", sa.String(2), nullable=False),
        sa.Column("origin_state", sa.String(2), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
    )
    _index(table, view_set, "case", "case_id")
    _index(table, view_set, "dossier", "dossier_id")


def _index(table: str, view_set: str, suffix: str, *columns: str, unique: bool = False) -> None:
    name = f"{table}_{view_set}"
    op.create_index(f"{name}_{suffix}", name, list(columns), unique=unique)
