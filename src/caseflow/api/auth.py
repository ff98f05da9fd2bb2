"""Who asks: the key in `Authorization`, the partner behind it, and its scopes."""

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from anyio.to_thread import run_sync
from litestar import Request
from sqlalchemy import Connection

from caseflow.domain.errors import ForbiddenError, UnauthenticatedError
from caseflow.eventstore import partners
from caseflow.eventstore.partners import Caller, digest_key

# How long a revoked key may go on working: what a process keeps is behind by a second at most.
CACHE_MICROSECONDS: Final = 1_000_000
CACHE_ENTRIES: Final = 1_024
# Where in a request's scope stands who asks.
_FOUND: Final = "caseflow.caller"

# RFC 6750, section 2.1, within a length that no key reaches.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,256}=*)", re.IGNORECASE)


class Authenticator:
    """Finds the caller behind a key. Safe to use from several threads.

    A key is looked up by its SHA-256, so that no comparison in memory or in the database goes
    through the characters of a key.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], int],
        note_use: Callable[[UUID, int], None] = lambda key_id, at: None,
    ) -> None:
        """read: yields a connection. clock: microseconds since the Unix epoch.

        note_use: is told the id of a key and the time, whenever it is shown; must not block.
        """
        self._read = read
        self._clock = clock
        self._note_use = note_use
        self._lock = threading.Lock()
        self._verified: dict[bytes, tuple[Caller, int]] = {}

    def find_caller(self, request: Request[Any, Any, Any]) -> Caller | None:
        """Return who asks, None where no key is shown. May read the database.

        Raises UnauthenticatedError for a key that is unknown, expired or revoked, and for
        anything in `Authorization` but one bearer key: a caller who means to be known never gets
        the public answer instead.
        """
        key = _find_key(request)
        return None if key is None else self.identify(digest_key(key))

    def require(self, request: Request[Any, Any, Any], *scopes: str) -> Caller:
        """Return who asks. May read the database.

        Raises UnauthenticatedError also where no key is shown, ForbiddenError where the key lacks
        one of the scopes.
        """
        return _require(self.find_caller(request), scopes)

    async def find_caller_async(self, request: Request[Any, Any, Any]) -> Caller | None:
        """Do as `find_caller`; the database is read in another thread, and only where it must.

        Who was found is known for the rest of the request.
        """
        scope: Any = request.scope
        found: Caller | None = scope.get(_FOUND)
        if found is not None:
            return found
        key = _find_key(request)
        if key is None:
            return None
        digest = digest_key(key)
        found = self._find_verified(digest) or await run_sync(self.identify, digest)
        scope[_FOUND] = found
        return found

    def has_seen(self, request: Request[Any, Any, Any]) -> bool:
        """Return whether a request shows a key that was valid when this process last looked."""
        try:
            key = _find_key(request)
        except UnauthenticatedError:
            return False
        return key is not None and digest_key(key) in self._verified

    async def require_async(self, request: Request[Any, Any, Any], *scopes: str) -> Caller:
        """Do as `require`; the database is read in another thread, and only where it must."""
        return _require(await self.find_caller_async(request), scopes)

    def identify(self, digest: bytes) -> Caller:
        """Return who has the key with this SHA-256. May read the database.

        Raises UnauthenticatedError for one that is unknown, expired or revoked.
        """
        known = self._find_verified(digest)
        if known is not None:
            return known
        at = self._clock()
        with self._read() as connection:
            caller = partners.find_caller(connection, digest, at)
        if caller is None:
            raise UnauthenticatedError("the key is unknown, expired or revoked")
        self._keep(digest, caller, at)
        self._note_use(caller.key_id, at)
        return caller

    def _find_verified(self, digest: bytes) -> Caller | None:
        entry = self._verified.get(digest)
        if entry is None:
            return None
        caller, verified_at = entry
        at = self._clock()
        # A clock that was set back makes no key live longer.
        if not 0 <= at - verified_at < CACHE_MICROSECONDS:
            return None
        self._note_use(caller.key_id, at)
        return caller

    def _keep(self, digest: bytes, caller: Caller, at: int) -> None:
        with self._lock:
            if len(self._verified) >= CACHE_ENTRIES:
                self._verified.clear()
            self._verified[digest] = caller, at


def _require(caller: Caller | None, scopes: Sequence[str]) -> Caller:
    if caller is None:
        raise UnauthenticatedError("this needs a key: Authorization: Bearer <key>")
    missing = [scope for scope in scopes if scope not in caller.scopes]
    if missing:
        raise ForbiddenError(f"the key lacks the scope {', '.join(missing)}")
    return caller


def _find_key(request: Request[Any, Any, Any]) -> str | None:
    values = request.headers.getall("authorization", [])
    if not values:
        return None
    shown = _BEARER.fullmatch(values[0].strip()) if len(values) == 1 else None
    if shown is None:
        raise UnauthenticatedError("Authorization holds one key: Bearer <key>")
    return shown[1]
