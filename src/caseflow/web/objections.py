"""The form with which anybody can object to a case being shown."""

from typing import Any, Final, get_args

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post

from caseflow.api.asked import Asked
from caseflow.api.objections import object_to_case
from caseflow.api.parameters import CODE
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, Services, services_of
from caseflow.domain.errors import CaseflowError, ConflictError, InvalidInputError, NotFoundError
from caseflow.domain.events import Objector

from .forms import (
    Fields,
    FormError,
    LateFormError,
    new_token,
    open_token,
    read_form,
    seal_token,
)
from .languages import say
from .pages import Page, answer_privately, page_of

_WHO: Final = get_args(Objector)
_FIELDS: Final = ("case", "by", "text", "contact")


@read("/objection")
def read_objection(request: AnyRequest) -> Response[bytes]:
    """Return the form; `case`: the code to fill in."""
    asked = Asked(request, "case", "lang")
    code = request.query_params.get("case", "")
    told = {"case": code if CODE.fullmatch(code) else ""}
    page = page_of(request, "objection.html", asked)._replace(query=())
    return _answer(request, page, told)


@post("/objection", status_code=200)
async def send_objection(request: AnyRequest) -> Response[bytes]:
    """Hide the case, and keep what was said for those who check it."""
    services = services_of(request)
    page = page_of(request, "objection.html", Asked(request, "lang"))
    told = await read_form(request, services)
    try:
        await run_sync(open_token, services, told.get("token", ""), "objection")
        await _object(services, told)
    except CaseflowError as error:
        status, problem = _tell_problem(error, page.language)
        return await run_sync(_answer, request, page, told, problem, status)
    # Of what was said nothing is repeated.
    values: dict[str, Any] = {"is_done": True, "told": {"case": told["case"].upper()}}
    return answer_privately(request, page, values)


async def _object(services: Services, told: Fields) -> None:
    said = {name: told[name] for name in _FIELDS if name in told}
    said["case"] = told.get("case", "").upper()
    await object_to_case(services, msgspec.json.encode(said))


def _tell_problem(error: CaseflowError, language: str) -> tuple[int, str]:
    """Return the status and the words of what went wrong; other errors go their way."""
    match error:
        case LateFormError():
            return 422, say(
                "The page was open for too long. Nothing was sent; please send it again.", language
            )
        case FormError():
            raise error
        case NotFoundError():
            return 422, say(
                "No case with this code is shown here. Nothing was sent. Check the code; it stands "
                "on the page of the case.",
                language,
            )
        case ConflictError():
            return 422, say(
                "There are objections to this case already that wait to be checked. Nothing more "
                "was sent.",
                language,
            )
        case InvalidInputError():
            return 422, say(
                "Something cannot be taken as it is written. Nothing was sent.", language
            )
    raise error


def _answer(
    request: AnyRequest,
    page: Page,
    told: Fields,
    problem: str | None = None,
    status: int = 200,
) -> Response[bytes]:
    services, language = services_of(request), page.language
    names = {
        "person": say("the person whom the case is about", language),
        "lawyer": say("their lawyer", language),
        "relative": say("a relative", language),
        "other": say("somebody else", language),
    }
    values = {
        "is_done": False,
        "problem": problem,
        "told": {name: told.get(name, "") for name in _FIELDS},
        "token": seal_token(services, new_token("objection")),
        "who": [(code, names[code]) for code in _WHO],
    }
    return answer_privately(request, page, values, status=status)
