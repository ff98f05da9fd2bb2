"""What a partner calls cases and events by ids of its own, and which of ours these stand for."""

from typing import Final
from uuid import UUID

from msgspec import structs

from caseflow.domain.errors import InvalidInputError, NotFoundError
from caseflow.domain.identifiers import as_uuid
from caseflow.domain.vocabulary import Claim

from .names import Named
from .partners import Caller
from .session import Session
from .wrapping import KeyedHash

EXTERNAL: Final = "ext:"
"""Begins an own id where an id of ours may stand too."""
# Fields of a claim that name other events.
REFERENCES: Final = ("against", "after")
NO_CASE: Final = "there is no such case"


class OwnNames:
    """The own ids of one partner in one request. They are found by keyed hashes, made once each."""

    def __init__(self, keyed_hash: KeyedHash, caller: Caller) -> None:
        self._keyed_hash = keyed_hash
        self._partner = str(caller.partner_id)
        self._digests: dict[str, bytes] = {}

    def digest(self, external_id: str | None) -> bytes | None:
        """Return the keyed hash under which an own id is found; None for none."""
        if external_id is None:
            return None
        found = self._digests.get(external_id)
        if found is None:
            found = self._keyed_hash.digest("external-id", self._partner, external_id)
            self._digests[external_id] = found
        return found

    def list_digests(self, external_id: str | None, *names: str | None) -> list[bytes]:
        """Return the keyed hashes of an own id, and of what of some names are own ids."""
        own = (n.removeprefix(EXTERNAL) for n in names if n is not None and n.startswith(EXTERNAL))
        digests = map(self.digest, (external_id, *own))
        return [digest for digest in digests if digest is not None]

    def resolve_case(self, session: Session, name: str) -> UUID:
        """Return the case that a name stands for. Raises NotFoundError where it names none."""
        if not name.startswith(EXTERNAL):
            found = as_uuid(name)
            if found is None:
                raise NotFoundError(NO_CASE)
            return found
        named = self._find_named(session, name)
        if named is None:
            raise NotFoundError(NO_CASE)
        # Before what the request says is looked at: of whom was erased nothing is told.
        return session.get_case(named.case_id).id

    def resolve_references(self, session: Session, claim: Claim) -> Claim:
        """Return a claim whose references are ids of ours.

        Raises InvalidInputError where one names no event.
        """
        resolved: dict[str, str] = {}
        errors = []
        for field in REFERENCES:
            text = getattr(claim, field, None)
            if text is None:
                continue
            found = self._resolve_event(session, text)
            if found is None:
                errors.append((f"/{field}", "names no event of this case"))
            else:
                resolved[field] = str(found)
        if errors:
            raise InvalidInputError("the claim names events that it cannot name", errors)
        return structs.replace(claim, **resolved) if resolved else claim

    def _resolve_event(self, session: Session, name: str) -> UUID | None:
        if not name.startswith(EXTERNAL):
            return as_uuid(name)
        named = self._find_named(session, name)
        return named.event_id if named else None

    def _find_named(self, session: Session, name: str) -> Named | None:
        digest = self.digest(name.removeprefix(EXTERNAL))
        return session.find_external_id(digest) if digest else None
