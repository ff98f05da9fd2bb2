"""Partners and keys: a key is shown once, kept as a hash, and works until it ends."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy import exc as sa_exc

from caseflow.database import begin_write, make_engine
from caseflow.domain.errors import ConflictError, InvalidInputError, NotFoundError
from caseflow.eventstore.partners import (
    KEY_PREFIX,
    SCOPES,
    Caller,
    Rotated,
    add_partner,
    api_keys,
    digest_key,
    find_caller,
    get_partner_id,
    issue_key,
    list_keys,
    list_partners,
    revoke_key,
    rotate_key,
)
from tests.checks import check_absent, dump_tables
from tests.houses import new_settings

PARTNER, KEY = UUID(int=1), UUID(int=2)


@pytest.fixture
def connection(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Connection]:
    """A connection to a database that knows one partner."""
    with new_settings(database_kind, request, tmp_path) as settings:
        engine = make_engine(settings.database_url)
        with begin_write(engine) as connection:
            add_partner(connection, partner_id=PARTNER, name="desk", public_name="Press desk", at=5)
            yield connection
        engine.dispose()


def issue(connection: Connection, *scopes: str, expires_at: int | None = None) -> str:
    """Issue the key of these tests and return it."""
    return issue_key(
        connection,
        key_id=KEY,
        partner_id=PARTNER,
        scopes=scopes or ("events:write",),
        at=10,
        expires_at=expires_at,
    )


def test_a_key_tells_whose_it_is_and_what_it_may(connection: Connection) -> None:
    key = issue(connection, "review", "events:write", "review")
    assert find_caller(connection, digest_key(key), 11) == Caller(
        PARTNER, "Press desk", frozenset({"events:write", "review"}), KEY
    )
    (listed,) = list_keys(connection, PARTNER)
    assert (listed.id, listed.scopes, listed.created_at) == (KEY, ("events:write", "review"), 10)
    assert find_caller(connection, digest_key(key + "x"), 11) is None
    assert find_caller(connection, digest_key(""), 11) is None


def test_a_key_is_random_and_only_its_hash_is_kept(connection: Connection) -> None:
    key = issue(connection)
    assert key.startswith(KEY_PREFIX)
    assert len(key) == len(KEY_PREFIX) + 43
    stored = dump_tables(connection)
    assert hashlib.sha256(key.encode()).digest() in stored
    check_absent(stored, [key, key.removeprefix(KEY_PREFIX)], "the database")


def test_a_key_works_until_it_expires(connection: Connection) -> None:
    digest = digest_key(issue(connection, expires_at=100))
    assert find_caller(connection, digest, 99) is not None
    assert find_caller(connection, digest, 100) is None


class TestRotation:
    """A key is replaced by one that may do the same, and ends after a time of grace."""

    NEW = UUID(int=9)

    def rotate(self, connection: Connection, *, at: int = 20, grace: int = 30) -> Rotated:
        """Rotate the key of these tests."""
        return rotate_key(connection, KEY, new_key_id=self.NEW, at=at, grace=grace)

    def test_the_new_key_is_the_same_partner_s_and_may_do_the_same(
        self, connection: Connection
    ) -> None:
        issue(connection, "review", "events:write", expires_at=1_000)
        rotated = self.rotate(connection)
        caller = find_caller(connection, digest_key(rotated.key), 999)
        assert caller == Caller(
            PARTNER, "Press desk", frozenset({"events:write", "review"}), self.NEW
        )
        assert find_caller(connection, digest_key(rotated.key), 1_000) is None
        assert rotated.expires_at == 1_000
        assert [key.id for key in list_keys(connection, PARTNER)] == [KEY, self.NEW]

    def test_the_old_key_ends_after_the_grace(self, connection: Connection) -> None:
        old = digest_key(issue(connection))
        rotated = self.rotate(connection)
        assert (rotated.old_ends_at, rotated.expires_at) == (50, None)
        assert find_caller(connection, old, 49) is not None
        assert find_caller(connection, old, 50) is None
        assert find_caller(connection, digest_key(rotated.key), 10**18) is not None

    def test_without_grace_it_ends_at_once(self, connection: Connection) -> None:
        old = digest_key(issue(connection))
        self.rotate(connection, grace=0)
        assert find_caller(connection, old, 20) is None

    def test_no_grace_makes_a_key_live_longer(self, connection: Connection) -> None:
        old = digest_key(issue(connection, expires_at=40))
        assert self.rotate(connection).old_ends_at == 40
        assert find_caller(connection, old, 40) is None

    @pytest.mark.parametrize("ended", ["revoked", "expired", "rotated"])
    def test_a_key_that_has_ended_is_not_rotated(self, connection: Connection, ended: str) -> None:
        issue(connection, expires_at=20 if ended == "expired" else None)
        if ended == "revoked":
            revoke_key(connection, KEY, 15)
        if ended == "rotated":
            rotate_key(connection, KEY, new_key_id=uuid4(), at=15, grace=5)
        before = list_keys(connection, PARTNER)
        with pytest.raises(NotFoundError):
            self.rotate(connection)
        with pytest.raises(NotFoundError):
            rotate_key(connection, uuid4(), new_key_id=self.NEW, at=20, grace=0)
        assert list_keys(connection, PARTNER) == before


def test_a_revoked_key_is_nobodys(connection: Connection) -> None:
    digest = digest_key(issue(connection))
    revoke_key(connection, KEY, 50)
    assert find_caller(connection, digest, 50) is None
    assert find_caller(connection, digest, 20) is None
    assert list_keys(connection, PARTNER)[0].revoked_at == 50
    for key_id in (KEY, uuid4()):
        with pytest.raises(NotFoundError):
            revoke_key(connection, key_id, 60)
    assert list_keys(connection, PARTNER)[0].revoked_at == 50


@pytest.mark.parametrize("scopes", [(), ("events:write", "root"), ("events:write events:publish",)])
def test_unknown_scopes_are_refused(connection: Connection, scopes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        issue_key(connection, key_id=KEY, partner_id=PARTNER, scopes=scopes, at=10)
    assert list_keys(connection, PARTNER) == []


def test_all_scopes_fit_into_one_key(connection: Connection) -> None:
    caller = find_caller(connection, digest_key(issue(connection, *SCOPES)), 11)
    assert caller is not None
    assert caller.scopes == set(SCOPES)
    assert caller.reads_restricted


def test_a_partners_name_is_its_own(connection: Connection) -> None:
    with pytest.raises(ConflictError):
        add_partner(connection, partner_id=uuid4(), name="desk", public_name=None, at=6)
    add_partner(connection, partner_id=UUID(int=3), name="bureau", public_name=None, at=6)
    assert get_partner_id(connection, "desk") == PARTNER
    assert list_partners(connection) == [
        (UUID(int=3), "bureau", None),
        (PARTNER, "desk", "Press desk"),
    ]
    with pytest.raises(NotFoundError):
        get_partner_id(connection, "nobody")


def test_one_key_cannot_be_of_two_partners(connection: Connection) -> None:
    digest = digest_key(issue(connection))
    row = {"id": uuid4(), "partner_id": uuid4(), "digest": digest, "scopes": "", "created_at": 1}
    with pytest.raises(sa_exc.IntegrityError), connection.begin_nested():
        connection.execute(insert(api_keys).values(row))
