"""Keys: who is let in, what is refused, and for how long a key is remembered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from litestar import Request
from litestar.testing import RequestFactory
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from caseflow.api import auth
from caseflow.api.auth import Authenticator
from caseflow.domain.errors import ForbiddenError, UnauthenticatedError
from caseflow.eventstore.partners import (
    Caller,
    add_partner,
    api_keys,
    issue_key,
    list_keys,
    partners,
    revoke_key,
)

SECOND = 1_000_000
START = 1_770_000_000 * SECOND


class Door:
    """An authenticator on a database in memory, with a clock that the test sets."""

    def __init__(self, engine: Engine) -> None:
        self.now = START
        self.reads = 0
        self.engine = engine
        self.partner_id = uuid4()
        self.uses: list[tuple[UUID, int]] = []
        self.authenticator = Authenticator(
            self.read, lambda: self.now, lambda key_id, at: self.uses.append((key_id, at))
        )
        with engine.begin() as connection:
            add_partner(
                connection, partner_id=self.partner_id, name="A", public_name="Org A", at=START
            )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection and count it."""
        self.reads += 1
        with self.engine.connect() as connection:
            yield connection

    def issue(self, *scopes: str, expires_at: int | None = None) -> tuple[str, UUID]:
        """Return a new key and its id."""
        key_id = uuid4()
        with self.engine.begin() as connection:
            key = issue_key(
                connection,
                key_id=key_id,
                partner_id=self.partner_id,
                scopes=scopes or ["events:write"],
                at=START,
                expires_at=expires_at,
            )
        return key, key_id


@pytest.fixture
def door() -> Iterator[Door]:
    """A door with one partner."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    partners.metadata.create_all(engine, tables=[partners, api_keys])
    yield Door(engine)
    engine.dispose()


def ask(*authorization: str) -> Request[Any, Any, Any]:
    """Return a request with these Authorization headers."""
    request = RequestFactory().get("/")
    request.scope["headers"] = [(b"authorization", a.encode("latin-1")) for a in authorization]
    return request


def test_without_a_key_nobody_asks(door: Door) -> None:
    assert door.authenticator.find_caller(ask()) is None
    with pytest.raises(UnauthenticatedError):
        door.authenticator.require(ask())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_key_tells_the_partner(door: Door, scheme: str) -> None:
    key, key_id = door.issue("review", "events:write")
    caller = Caller(door.partner_id, "Org A", frozenset({"review", "events:write"}), key_id)
    assert door.authenticator.find_caller(ask(f"{scheme} {key}")) == caller
    assert door.authenticator.require(ask(f"{scheme} {key}"), "review", "events:write") == caller


def test_each_use_of_a_key_is_noted_and_no_other(door: Door) -> None:
    key, key_id = door.issue()
    door.authenticator.find_caller(ask(f"Bearer {key}"))
    assert door.uses == [(key_id, START)]
    # Once more from what was kept.
    door.now += SECOND - 1
    door.authenticator.find_caller(ask(f"Bearer {key}"))
    assert door.uses[1:] == [(key_id, door.now)]
    assert door.reads == 1
    with pytest.raises(UnauthenticatedError):
        door.authenticator.find_caller(ask("Bearer unknown"))
    door.authenticator.find_caller(ask())
    assert len(door.uses) == 2


@pytest.mark.parametrize(
    "shown",
    [
        ["Bearer unknown"],
        ["Bearer"],
        ["Bearer "],
        [""],
        ["{key}"],
        ["Basic {key}"],
        ["Token {key}"],
        ["Bearer {key} {key}"],
        ["Bearer {key}, Bearer {key}"],
        ["Bearer {key}", "Bearer {key}"],
        ["Bearer {key}", "Basic x"],
        ["Bearer {key}x"],
        ["Bearer ключ".encode().decode("latin-1")],
        ["Bearer " + "x" * 10_000],
    ],
)
def test_a_bad_key_is_never_taken_for_none(door: Door, shown: list[str]) -> None:
    key, _ = door.issue()
    request = ask(*(header.format(key=key) for header in shown))
    with pytest.raises(UnauthenticatedError) as refused:
        door.authenticator.find_caller(request)
    assert key not in refused.value.detail


def test_a_missing_scope_is_named(door: Door) -> None:
    key, _ = door.issue("events:write")
    with pytest.raises(ForbiddenError, match="audit:read"):
        door.authenticator.require(ask(f"Bearer {key}"), "events:write", "audit:read")


def test_a_key_is_remembered_for_less_than_a_second(door: Door) -> None:
    key, key_id = door.issue()
    door.authenticator.require(ask(f"Bearer {key}"))
    with door.engine.begin() as connection:
        revoke_key(connection, key_id, door.now)
    door.now += SECOND - 1
    door.authenticator.require(ask(f"Bearer {key}"))
    assert door.reads == 1
    door.now += 1
    with pytest.raises(UnauthenticatedError):
        door.authenticator.require(ask(f"Bearer {key}"))


def test_a_clock_set_back_makes_no_key_live_longer(door: Door) -> None:
    key, key_id = door.issue()
    door.authenticator.require(ask(f"Bearer {key}"))
    with door.engine.begin() as connection:
        revoke_key(connection, key_id, door.now)
        assert list_keys(connection, door.partner_id)[0].revoked_at is not None
    door.now -= 3_600 * SECOND
    with pytest.raises(UnauthenticatedError):
        door.authenticator.require(ask(f"Bearer {key}"))


def test_an_expired_key_opens_nothing(door: Door) -> None:
    key, _ = door.issue(expires_at=START + SECOND)
    door.authenticator.require(ask(f"Bearer {key}"))
    door.now = START + SECOND
    with pytest.raises(UnauthenticatedError):
        door.authenticator.require(ask(f"Bearer {key}"))


def test_what_is_remembered_is_bounded_and_holds_no_key(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_ENTRIES", 2)
    keys = [door.issue()[0] for _ in range(5)]
    for key in keys:
        door.authenticator.require(ask(f"Bearer {key}"))
    kept = vars(door.authenticator)["_verified"]
    assert len(kept) <= 2
    assert not any(key in repr(kept) for key in keys)


def test_unknown_keys_are_not_remembered(door: Door) -> None:
    for number in range(3):
        with pytest.raises(UnauthenticatedError):
            door.authenticator.find_caller(ask(f"Bearer cfk_{number}"))
    assert not vars(door.authenticator)["_verified"]


@pytest.mark.anyio
async def test_async_handlers_get_the_same(door: Door, anyio_backend: str) -> None:
    key, _ = door.issue("review")
    request = ask(f"Bearer {key}")
    caller = await door.authenticator.require_async(request, "review")
    assert caller.partner_id == door.partner_id
    assert await door.authenticator.find_caller_async(ask()) is None
    assert door.reads == 1
    with pytest.raises(ForbiddenError):
        await door.authenticator.require_async(request, "admin")
    with pytest.raises(UnauthenticatedError):
        await door.authenticator.require_async(ask("Bearer x"))


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio alone: the service runs on nothing else."""
    return "asyncio"
