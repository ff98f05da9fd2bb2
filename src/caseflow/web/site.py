"""All pages, as the application takes them."""

from typing import Final

from litestar import Router

from caseflow.api.app import Pages

from . import about, case, cases, charts, home, numbers, objections, posting, static, verify
from .errors import PAGE_EXCEPTION_HANDLERS, answer_error, wants_page
from .pages import make_template_config

HANDLERS: Final = (
    home.read_home,
    cases.read_cases,
    case.read_case_page,
    numbers.read_statistics_page,
    charts.read_chart,
    about.read_how,
    about.read_privacy,
    about.read_partners,
    about.read_feeds_page,
    verify.read_verify,
    objections.read_objection,
    objections.send_objection,
    posting.read_start,
    posting.start,
    posting.preview,
    posting.finish,
    static.read_asset,
    static.read_robots,
    static.read_security,
)

PAGES: Final = Pages(
    handlers=[
        Router(path="/", route_handlers=list(HANDLERS), exception_handlers=PAGE_EXCEPTION_HANDLERS)
    ],
    templates=make_template_config(),
    answer_error=answer_error,
    is_for=wants_page,
)
