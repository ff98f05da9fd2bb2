"""Receipts: where something that was posted stands in the log, and whether it does still."""

import re
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, NamedTuple
from uuid import UUID

from litestar import Response

from caseflow.api.asked import Asked
from caseflow.api.parameters import MAX_POSITION
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, Services, services_of
from caseflow.domain.errors import UnavailableError
from caseflow.formats.record import parse_record

from .pages import answer_privately, page_of

_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_POSITION: Final = re.compile(r"[0-9]{1,18}")


class Receipt(NamedTuple):
    """What tells one event of the log from all others. record: SHA-256 of its record, hex."""

    event: str
    position: str
    record: str

    def is_readable(self) -> bool:
        """Return whether it can be a receipt at all."""
        return bool(
            _ID.fullmatch(self.event)
            and _POSITION.fullmatch(self.position)
            and 0 < int(self.position) <= MAX_POSITION
            and _HASH.fullmatch(self.record)
        )


def make_receipt(services: Services, event_id: UUID, position: int) -> Receipt:
    """Return the receipt of an event that is recorded. Blocks."""
    record = services.logs["full"].get_record(position)
    return Receipt(str(event_id), str(position), sha256(record).hexdigest())


@read("/verify")
def read_verify(request: AnyRequest) -> Response[bytes]:
    """Return the page on which receipts are compared with the log.

    Whoever has a receipt knows of the event already; to anyone else it is as if absent.
    """
    services = services_of(request)
    asked = Asked(request, "event", "position", "record", "lang")
    query = dict(request.query_params.items())
    receipt = Receipt(*(query.get(name, "").strip() for name in Receipt._fields))
    page = page_of(request, "verify.html", asked)._replace(query=())
    values: dict[str, Any] = {
        "asked": receipt,
        "result": _check(services, receipt) if any(receipt) else None,
        "checkpoint": _read_checkpoint(services),
    }
    return answer_privately(request, page, values)


def _check(services: Services, receipt: Receipt) -> str:
    """Return `signed` or `recorded` for a receipt that is good, else `unknown`."""
    log = services.logs["full"]
    position = int(receipt.position) if receipt.is_readable() else 0
    record = log.find_record(position) if position else None
    if record is None:
        return "unknown"
    is_same = compare_digest(sha256(record).hexdigest(), receipt.record.lower())
    if not is_same or parse_record(record).event_id != UUID(receipt.event):
        return "unknown"
    last = log.find_last()
    return "signed" if last is not None and position <= last.size else "recorded"


def _read_checkpoint(services: Services) -> str | None:
    try:
        return services.logs["public"].get_checkpoint().decode()
    except UnavailableError:
        # Nothing has been signed yet.
        return None
