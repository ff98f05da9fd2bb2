"""What the tests of the logs share: houses to tamper with, and an outsider's look at a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text

from caseflow.bootstrap import House
from caseflow.database import begin_write, make_engine
from caseflow.formats.checkpoint import Checkpoint, open_checkpoint
from caseflow.formats.note import parse_verifier_key
from caseflow.proof.checkpoints import Last
from caseflow.proof.source import LogName

TRIGGERS: Final = ("events_insert", "events_update", "events_delete")


@contextmanager
def behind_the_back(engine: Engine) -> Iterator[Connection]:
    """Yield a connection with no triggers in its way: what whoever owns the database can do."""
    with begin_write(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("GRANT ALL ON events TO CURRENT_USER"))
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
            yield connection
            for name in ("events_change", "events_truncate"):
                connection.execute(text(f"ALTER TABLE events ENABLE ALWAYS TRIGGER {name}"))
        else:
            query = text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
            made = [sql for sql in connection.scalars(query) if " events" in sql]
            for name in TRIGGERS:
                connection.execute(text(f"DROP TRIGGER {name}"))
            yield connection
            for sql in made:
                connection.exec_driver_sql(sql)


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


def engine_for(file: Path) -> Engine:
    """Return an engine on an SQLite file."""
    return make_engine(f"sqlite:///{file}")
