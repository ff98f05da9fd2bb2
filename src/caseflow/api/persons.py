"""Who a case is about: the subject, what was agreed to, and which cases are of one person."""

from typing import Any, Final, NamedTuple

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import Struct

from caseflow.domain.checks import check_subject, check_words
from caseflow.domain.commands import AmendSubject, ChangeConsent, MergeCase, UnmergeCase
from caseflow.domain.errors import InvalidInputError, NotFoundError
from caseflow.domain.events import Consent, Subject
from caseflow.domain.vocabulary import ExternalId, Reference
from caseflow.formats.json_input import REFUSED, convert_json, decode_body, parse_json

from .acting import Asking, act, ask, fields_of, find_case, pointing_into
from .parameters import require_if_match
from .services import AnyRequest

Json = dict[str, Any]


class ConsentChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person agrees to from now on."""

    consent: Consent
    external_id: ExternalId | None = None


class SubjectChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the case is about, told anew as a whole."""

    subject: Subject
    external_id: ExternalId | None = None


class Merge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case that stays: its id, its code, or `ext:` and the partner's own name for it."""

    into: Reference
    external_id: ExternalId | None = None


class Unmerge(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"apart_from": "from"}
):
    """The case that this one is not about the same person as; by default the one it went into."""

    apart_from: Reference | None = None
    external_id: ExternalId | None = None


_MERGE: Final = msgspec.json.Decoder(Merge)
_UNMERGE: Final = msgspec.json.Decoder(Unmerge)


@post("/v1/cases/{case:str}/consent", status_code=201)
async def change_consent(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Tell what the person agrees to now; what is narrowed takes effect on every output at once.

    The body is the consent, or `{"consent": {…}, "external_id": …}`.
    """
    asking = await ask(request, "events:write")
    require_if_match(request)
    asked, part = _read(asking.body, "consent", Consent, ConsentChange)
    case_id = await find_case(asking, case)
    with pointing_into(part):
        return await act(request, asking, ChangeConsent, case_id, fields_of(asked))


@post("/v1/cases/{case:str}/subject", status_code=201)
async def amend_subject(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Tell anew who the case is about, as a whole.

    The body is the subject, or `{"subject": {…}, "external_id": …}`.
    """
    asking = await ask(request, "events:write")
    require_if_match(request)
    asked, part = _read(asking.body, "subject", Subject, SubjectChange)
    case_id = await find_case(asking, case)
    with pointing_into(part):
        check_subject(asked.subject)
        return await act(request, asking, AmendSubject, case_id, fields_of(asked))


class _Read(NamedTuple):
    """What a body says, and the pointer of the part of it that is the value itself."""

    asked: Any
    part: str


def _read(body: bytes, name: str, inner: type[Struct], outer: type[Struct]) -> _Read:
    """Return a body that is one value, alone or beside an own name."""
    value = parse_json(body)
    if isinstance(value, dict) and name in value:
        return _Read(convert_json(value, outer), f"/{name}")
    return _Read(outer(**{name: convert_json(value, inner)}), "")


@post("/v1/cases/{case:str}/merges", status_code=201)
async def merge_case(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Say that the case is about the same person as another, which stays; it can be undone.

    Where somebody has said that they are not, a second partner has to approve it.
    """
    asking = await ask(request, "events:write")
    require_if_match(request)
    asked = decode_body(_MERGE, asking.body)
    check_words(asked)
    case_id = await find_case(asking, case)
    told = {**fields_of(asked), "into": await _find_other(asking, "/into", asked.into)}
    return await act(request, asking, MergeCase, case_id, told)


@post("/v1/cases/{case:str}/unmerges", status_code=201)
async def unmerge_case(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Say that the case is not about the same person as another: a merge is undone, and
    remembered.
    """
    asking = await ask(request, "events:write", empty=b"{}")
    asked = decode_body(_UNMERGE, asking.body)
    check_words(asked)
    case_id = await find_case(asking, case)
    named = asked.apart_from
    other = await _find_other(asking, "/from", named) if named is not None else None
    return await act(
        request, asking, UnmergeCase, case_id, {**fields_of(asked), "apart_from": other}
    )


async def _find_other(asking: Asking, pointer: str, name: str) -> Any:
    try:
        return await find_case(asking, name)
    except NotFoundError:
        raise InvalidInputError(REFUSED, [(pointer, "names no case")]) from None
