"""When facts last changed, and which host states there are, is found without reading it all."""

from alembic import op

revision = "0018_last_changes"
down_revision = "0017_objections"
branch_labels = None
depends_on = None

_TABLES = ("public_counts", "partner_facts")
_COLUMNS = ("since", "until")


def upgrade() -> None:
    """Create the indexes in both sets of views."""
    for table in _TABLES:
        for view_set in ("a", "b"):
            for column in _COLUMNS:
                name = f"{table}_{view_set}"
                op.create_index(f"{name}_{column}", name, [column])
    for view_set in ("a", "b"):
        name = f"public_cases_{view_set}"
        op.create_index(f"{name}_host", name, ["host_state"])
