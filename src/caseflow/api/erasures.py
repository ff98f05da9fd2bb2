"""Erasure: two admins have a person disappear from the record."""

from typing import Any, Final

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post
from litestar.params import FromPath

from caseflow.domain.checks import check_words
from caseflow.domain.times import format_time
from caseflow.eventstore.application import Answer
from caseflow.eventstore.erasure import Erasure, Grounds
from caseflow.formats.json_input import decode_body

from .acting import ask, find_case
from .answers import JSON
from .conditional import PRIVATE
from .rendering import encode
from .services import AnyRequest

_GROUNDS: Final = msgspec.json.Decoder(Grounds)


@post("/v1/cases/{case:str}/erasure", status_code=202)
async def erase_case(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Ask that a case be erased; the same from another admin's key carries it out.

    All cases about the same person are erased together, and for good: their words can be read
    nowhere any more, what was public is withdrawn, and the records and all proofs stay. The reason
    and the legal basis are kept, and may name nobody. A request waits for thirty days.
    """
    asking = await ask(request, "admin")
    grounds = decode_body(_GROUNDS, asking.body)
    check_words(grounds)
    case_id = await find_case(asking, case)
    services = asking.services
    answer = await services.wait(
        services.erasures.request(asking.caller, case_id, grounds, asking.attempt)
    )
    erasure: Erasure = answer.rendered
    finished = erasure.is_carried_out and await run_sync(services.finish_erasures)
    return _answer(answer, finished=bool(finished))


def _answer(answer: Answer, *, finished: bool) -> Response[bytes]:
    erasure: Erasure = answer.rendered
    rendered: dict[str, Any] = {
        "case": str(erasure.case_id),
        "state": "erased" if erasure.is_carried_out else "requested",
        "requested_at": format_time(erasure.requested_at),
        "erased": [str(case_id) for case_id in erasure.case_ids],
        "position": erasure.position,
        "differs": erasure.differs,
        "finished": finished,
    }
    headers = {"Cache-Control": PRIVATE}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        encode(rendered),
        status_code=200 if erasure.is_carried_out else 202,
        media_type=JSON,
        headers=headers,
    )
