"""When a key was last used: written once a minute at most, and never lost but by a crash."""

from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import PersistenceError
from sqlalchemy import Engine, text

from caseflow.database import begin_read, begin_write
from caseflow.eventstore.key_use import WRITE_MICROSECONDS, KeyUses
from caseflow.eventstore.partners import issue_key, list_keys

PARTNER, START = UUID(int=1), 1_770_000_000_000_000
SECOND = 1_000_000


class Keys:
    """Keys in a database, what remembers their uses, and a clock that the test sets."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = START
        self.uses = self.another()

    def another(self) -> KeyUses:
        """Return what remembers the uses in one process more."""
        return KeyUses(self.engine, lambda: self.now)

    def issue(self) -> UUID:
        """Issue a key and return its id."""
        key_id = uuid4()
        with begin_write(self.engine) as connection:
            issue_key(connection, key_id=key_id, partner_id=PARTNER, scopes=["review"], at=self.now)
        return key_id

    def list(self) -> dict[UUID, int | None]:
        """Return when each key was last used, as it stands in the database."""
        with begin_read(self.engine) as connection:
            return {key.id: key.last_used_at for key in list_keys(connection, PARTNER)}


@pytest.fixture
def keys(engine: Engine) -> Keys:
    """An empty database."""
    return Keys(engine)


def test_a_use_is_written_once_a_minute_for_each_key(keys: Keys) -> None:
    often, once, never = (keys.issue() for _ in range(3))
    keys.uses.note(often, START)
    keys.uses.write_due()
    assert keys.list() == {often: START, once: None, never: None}
    keys.now += WRITE_MICROSECONDS - 1
    for at in (START + SECOND, START + 2 * SECOND):
        keys.uses.note(often, at)
    keys.uses.note(once, START + 3 * SECOND)
    keys.uses.write_due()
    assert keys.list() == {often: START, once: START + 3 * SECOND, never: None}
    keys.now += 1
    keys.uses.write_due()
    assert keys.list()[often] == START + 2 * SECOND


def test_at_the_end_everything_is_written(keys: Keys) -> None:
    key = keys.issue()
    keys.uses.note(key, START)
    keys.uses.write_due()
    keys.uses.note(key, START + SECOND)
    keys.uses.write_all()
    assert keys.list() == {key: START + SECOND}


def test_the_last_use_is_that_of_any_process(keys: Keys) -> None:
    key, other = keys.issue(), keys.another()
    keys.uses.note(key, START)
    other.note(key, START + SECOND)
    other.write_all()
    keys.uses.write_all()
    assert keys.list() == {key: START + SECOND}


def test_what_cannot_be_written_now_is_written_later(keys: Keys) -> None:
    key = keys.issue()
    keys.uses.note(key, START)
    for old, new in (("api_keys", "away"), ("away", "api_keys")):
        with begin_write(keys.engine) as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if new == "away":
            with pytest.raises(PersistenceError):
                keys.uses.write_due()
    keys.uses.write_due()
    assert keys.list() == {key: START}


def test_what_was_written_is_not_written_again(keys: Keys) -> None:
    key = keys.issue()
    keys.uses.note(key, START)
    keys.uses.write_all()
    with begin_write(keys.engine) as connection:
        connection.execute(text("UPDATE api_keys SET last_used_at = NULL"))
    keys.now += 2 * WRITE_MICROSECONDS
    keys.uses.write_due()
    keys.uses.write_all()
    assert keys.list() == {key: None}
