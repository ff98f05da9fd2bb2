"""What the tests of the event store share: a migrated database and its recorder."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from caseflow.database import make_engine
from caseflow.eventstore.recorder import SqlProcessRecorder
from caseflow.eventstore.schema import migrate


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database."""
    migrate(database_url)
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def recorder(engine: Engine) -> SqlProcessRecorder:
    """A recorder of an empty log."""
    return SqlProcessRecorder(engine)
