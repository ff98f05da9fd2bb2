"""What the tests of the logs share: houses to tamper with, and an outsider's look at a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text

from caseflow.bootstrap import House
from caseflow.database import begin_write
from caseflow.formats.checkpoint import Checkpoint, open_checkpoint
from caseflow.formats.note import parse_verifier_key
from caseflow.proof.checkpoints import Last
from caseflow.proof.source import LogName

FINAL_TABLES: Final = ("events", "publications")
POSTGRESQL_TRIGGERS: Final = """
SELECT tgname, tgrelid::regclass FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid::regclass::text IN ('events', 'publications')
"""


@contextmanager
def behind_the_back(engine: Engine) -> Iterator[Connection]:
    """Yield a connection with no triggers in its way: what whoever owns the database can do.

    The triggers are put back afterwards, as such a person would.
    """
    with begin_write(engine) as connection:
        if engine.dialect.name == "postgresql":
            for table in FINAL_TABLES:
                connection.execute(text(f"GRANT ALL ON {table} TO CURRENT_USER"))
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            yield connection
            for name, table in connection.execute(text(POSTGRESQL_TRIGGERS)).all():
                connection.execute(text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"))
        else:
            query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            made = connection.execute(query).all()
            for name, _ in made:
                connection.execute(text(f"DROP TRIGGER {name}"))
            yield connection
            for _, statement in made:
                connection.exec_driver_sql(statement)


def signed(house: House, log: LogName = "full") -> Checkpoint:
    """Return the newest checkpoint as an outsider takes it: with the key of the log."""
    served = house.served_logs[log]
    key = parse_verifier_key(served.render_key())
    return open_checkpoint(served.get_checkpoint(), log_key=key).checkpoint


def last(house: House, log: LogName = "full") -> Last:
    """Return what the key store holds of a log."""
    return house.served_logs[log].get_last()


def halted(house: House, log: LogName = "full") -> str | None:
    """Return why a log is not signed any more."""
    return last(house, log).halted
