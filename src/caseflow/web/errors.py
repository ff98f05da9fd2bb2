"""What a reader sees where a page cannot be shown: the table of the API, in the reader's words."""

from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from caseflow.api.negotiation import choose_language, parse_qualities, prefers_language
from caseflow.api.problems import Fault, Problem, note_failure, problem_headers, problem_of
from caseflow.domain.errors import CaseflowError, InvalidInputError

from .languages import say
from .pages import Page, answer_privately

_HTML: Final = "text/html"
# The parameters that pages have.
_NAMED: Final = frozenset(
    {
        "as_of", "known_at", "lang", "limit", "cursor", "headline", "track", "host_state",
        "origin_state", "at_risk", "updated_since", "q", "min_position", "case",
    }
)  # fmt: skip


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the page that tells of an error: nothing of what is not public, nothing of the inside.

    Kept by nobody; with the headers that the status asks for.
    """
    problem = problem_of(error)
    if problem.status == 500:
        note_failure(request, error)
    language = _find_language(request)
    title, words = _put_in_words(problem.status, language)
    # Of what was asked for the page repeats nothing: it may hold somebody's name.
    page = Page("error.html", language, "/", unlisted=True)
    values = {"title": title, "words": words, "faults": _list_faults(problem)}
    answer = answer_privately(request, page, values, status=problem.status)
    answer.headers.update(problem_headers(error, problem.status))
    return answer


PAGE_EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {
    CaseflowError: answer_error,
    HTTPException: answer_error,
    Exception: answer_error,
}


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Return whether whoever asks is a browser: it names HTML, which programs do not."""
    return _HTML in parse_qualities(request.headers.getall("accept", []))


def _find_language(request: Request[Any, Any, Any]) -> str:
    try:
        return choose_language(request)
    except InvalidInputError:
        return prefers_language(request.headers.getall("accept-language", []))


def _list_faults(problem: Problem) -> list[Fault]:
    """Return what is wrong with which parameter; those that nobody knows are the reader's words."""
    return [fault for fault in problem.errors if fault.pointer.removeprefix("/query/") in _NAMED]


def _put_in_words(status: int, language: str) -> tuple[str, str]:
    """Return what an error is called, and what can be done about it."""
    refused = (
        say("This cannot be done", language),
        say("What was asked for does not fit. Go back and try it another way.", language),
    )
    told = {
        404: (
            say("There is nothing here", language),
            say(
                "There is no such page, or what it told of is not public. Check the address; "
                "codes of cases look like KZ-7Q3K-9F2M.",
                language,
            ),
        ),
        410: (
            say("This was withdrawn", language),
            say(
                "It was public once and is not any more. Please do not rely on copies of it, and "
                "do not pass them on.",
                language,
            ),
        ),
        429: (
            say("Too many requests", language),
            say("Wait a minute, then try again.", language),
        ),
        500: (
            say("Something went wrong here", language),
            say("The fault is ours, and was written down. Try again later.", language),
        ),
        503: (
            say("Not available now", language),
            say("Try again in a moment; nothing was lost.", language),
        ),
    }
    return told.get(status, refused)
