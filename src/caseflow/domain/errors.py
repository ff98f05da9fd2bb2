"""What can be refused: one short tree, each error carrying what it is about.

The HTTP meaning of each is given in one place, `api/problems.py`; nothing here knows of it.
"""

from typing import ClassVar
from uuid import UUID


class CaseflowError(Exception):
    """The root of everything that caseflow refuses; `detail` may be shown to the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInputError(CaseflowError):
    """Input that can be read but not accepted; `errors` are pairs of JSON pointer and reason."""

    slug: ClassVar[str] = "invalid-input"

    def __init__(self, detail: str, errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class InvalidDateError(InvalidInputError):
    """A text that is not a date in the forms caseflow takes (EDTF levels 0 and 1, sets)."""


class TextNamesPersonError(InvalidInputError):
    """A public text holds a name of a person who did not agree to be named."""

    slug = "text-names-person"


class UnreadableError(CaseflowError):
    """A body that is not what it says it is (not JSON, not UTF-8, nested too deeply)."""


class UnauthenticatedError(CaseflowError):
    """No key, or one that is unknown, expired or revoked."""


class ForbiddenError(CaseflowError):
    """The key lacks a scope."""


class NotFoundError(CaseflowError):
    """There is no such thing, or the caller may not know that there is."""


class WithdrawnError(CaseflowError):
    """The thing was there and the caller could read it; it was withdrawn or erased.

    id: of the case or event, all that is still told of it; None where the caller named none.
    """

    def __init__(self, detail: str, id: UUID | None = None) -> None:
        super().__init__(detail)
        self.id = id


class ConflictError(CaseflowError):
    """What is asked is not allowed now."""


class ExternalIdTakenError(ConflictError):
    """The partner used this external id for something with other content."""


class IdempotencyKeyReusedError(InvalidInputError):
    """An idempotency key was used before, for another request."""

    slug = "idempotency-key-reused"


class VersionConflictError(CaseflowError):
    """The case has moved on since the version the caller had seen."""

    def __init__(self, detail: str, version: int) -> None:
        super().__init__(detail)
        self.version = version


class UnavailableError(CaseflowError):
    """The service cannot answer now; asking again later may help."""


class AlteredError(CaseflowError):
    """What is stored is not what was recorded: somebody changed it behind the service's back.

    position: of the first record in its log that is known to differ, None where none can be told.
    """

    def __init__(self, detail: str, position: int | None = None) -> None:
        super().__init__(detail)
        self.position = position
