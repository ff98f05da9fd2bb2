"""A lease: of several processes that begin one thing, the last may go on with it.

Nothing is held while it lasts, so that a process that dies leaves nothing locked.
"""

import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from caseflow.domain.errors import ConflictError

from .tables import tracking


class Lease:
    """A named lease, kept as a random number in the table of named readers."""

    def __init__(self, name: str) -> None:
        self._name = f"lease:{name}"
        self._token = secrets.randbits(62)

    def take(self, connection: Connection) -> None:
        """Take the lease from whoever has it, when the transaction commits."""
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        row = {"application_name": self._name, "notification_id": self._token}
        connection.execute(
            dialect.insert(tracking)
            .values(row)
            .on_conflict_do_update(
                index_elements=["application_name"], set_={"notification_id": self._token}
            )
        )

    def check(self, connection: Connection) -> None:
        """Raise ConflictError where somebody else has taken the lease since."""
        holder = connection.scalar(
            select(tracking.c.notification_id).where(tracking.c.application_name == self._name)
        )
        if holder != self._token:
            raise ConflictError(f"another {self._name.partition(':')[2]} has begun since")
