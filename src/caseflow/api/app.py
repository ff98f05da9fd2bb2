"""The application: routes and what surrounds them."""

import string
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

from litestar import Litestar, Response, Router
from litestar.exceptions import NotFoundException
from litestar.routes import HTTPRoute
from litestar.template import TemplateConfig
from litestar.types import ExceptionHandlersMap

from . import (
    bundles,
    calendars,
    cases,
    changes,
    erasures,
    events,
    exports,
    feeds,
    figures,
    health,
    imports,
    judgements,
    log,
    metrics,
    objections,
    persons,
    reads,
    reference,
    statistics,
    stream,
    vocabulary,
    webhooks,
)
from .kept import AskedPublicly, Messages, read_request
from .openapi import read_openapi
from .problems import EXCEPTION_HANDLERS, problem_page, problem_response
from .rate_limits import UNLIMITED, refuse
from .services import AnyRequest, Services

# What is answered before it is routed, for whoever counts.
CASE_ROUTE = "/v1/cases/{case}"
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

HANDLERS = (
    health.read_index,
    health.read_health,
    health.read_readiness,
    metrics.read_metrics,
    cases.open_case,
    cases.list_all_cases,
    cases.read_one_case,
    cases.list_history,
    events.record_claim,
    events.preview_event,
    judgements.correct_claim,
    judgements.retract_claim,
    judgements.corroborate_claim,
    judgements.dispute_claim,
    judgements.change_visibility,
    judgements.review_event,
    persons.change_consent,
    persons.amend_subject,
    persons.merge_case,
    persons.unmerge_case,
    erasures.erase_case,
    objections.make_objection,
    objections.list_all_objections,
    events.read_event,
    events.follow_log,
    stream.follow_stream,
    calendars.make_calendar,
    calendars.list_all_calendars,
    calendars.revoke_calendar,
    calendars.read_calendar,
    webhooks.add_webhook,
    webhooks.list_webhooks,
    webhooks.read_webhook,
    webhooks.delete_webhook,
    webhooks.pause_webhook,
    webhooks.resume_webhook,
    webhooks.rotate_secret,
    webhooks.replay_deliveries,
    webhooks.list_deliveries,
    figures.report_figure,
    imports.import_records,
    exports.export_log,
    statistics.read_statistics,
    statistics.read_breakdown,
    changes.list_number_changes,
    vocabulary.get_vocabulary,
    feeds.read_all,
    feeds.read_all_as_json,
    feeds.read_archive,
    feeds.read_recalls,
    feeds.read_recalls_as_json,
    feeds.read_recall_archive,
    feeds.read_case_feed,
    feeds.read_case_archive,
    feeds.read_headline_feed,
    feeds.read_headline_archive,
    feeds.read_type_feed,
    feeds.read_type_archive,
    feeds.read_state_feed,
    feeds.read_state_archive,
    reads.list_restricted_reads,
    bundles.read_bundle,
    bundles.read_proof,
    log.read_checkpoint,
    log.read_full_checkpoint,
    log.read_key,
    log.read_full_key,
    log.read_tile,
    log.read_full_tile,
    log.read_consistency,
    log.read_full_consistency,
    log.add_cosignatures,
    log.add_full_cosignatures,
    problem_page,
    read_openapi,
    reference.read_reference,
    reference.read_asset,
)


class Application(Litestar):
    """The framework's application, but routed by the path as it was sent.

    A partner's own name may hold a slash, which is written %2F in a path: decoded before routing,
    it would be two segments. Handlers decode the segment that they are given.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection."""
        query = scope.get("query_string") or b""
        if not query.isascii():
            # Plain curl sends letters as they are; decoded as Latin-1 they would find nothing.
            scope = {**scope, "query_string": quote(query, safe=string.printable).encode()}
        sent = scope.get("raw_path") or b""
        if b"%" in sent:
            scope = {**scope, "path": sent.partition(b"?")[0].decode("ascii", "replace")}
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await super().__call__(scope, receive, self._with_all_methods(scope, send))
            return
        services: Services = self.state.services
        asked = read_request(scope)
        if asked is not None:
            await self._answer_public(services, asked, scope, receive, send)
            return
        send = self._with_all_methods(scope, services.metrics.noting(scope, send))
        await services.rate_limits.answer(super().__call__, scope, receive, send)

    async def _answer_public(
        self, services: Services, asked: AskedPublicly, scope: Any, receive: Any, send: Any
    ) -> None:
        """Answer a GET without a key: with what is kept, else a case, else by the framework."""
        standing = services.rate_limits.count_address(scope)
        if standing is not None and standing.is_over:
            await refuse(standing, scope, receive, services.metrics.noting(scope, send))
            return
        if (kept := services.kept.find(asked)) is not None:
            services.metrics.note_kept(await kept.send(send))
            return
        begun = time.perf_counter()
        if (answer := await _read_case(services, asked)) is not None:
            status = await answer.send(send)
            services.metrics.note("GET", CASE_ROUTE, status, time.perf_counter() - begun)
            return
        send = services.kept.keeping(asked, scope, services.metrics.noting(scope, send))
        await super().__call__(scope, receive, send)

    def _with_all_methods(self, scope: Any, send: Any) -> Any:
        """Return a `send` that mends the answer to OPTIONS.

        The framework lists in it the methods of the first handler of a path only.
        """
        if scope.get("method") != "OPTIONS":
            return send

        async def mended(message: Any) -> None:
            methods = self.methods_of.get(scope.get("path_template", ""))
            if methods and message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0].lower() != b"allow"]
                message = {**message, "headers": [*kept, (b"allow", methods)]}
            await send(message)

        return mended

    @cached_property
    def methods_of(self) -> dict[str, bytes]:
        """Return the methods that each path answers, as `Allow` lists them."""
        return {
            route.path_format: ", ".join(sorted(route.methods)).encode()
            for route in self.routes
            if isinstance(route, HTTPRoute)
        }


async def _read_case(services: Services, asked: AskedPublicly) -> Messages | None:
    """Return the answer about the case that is asked for; None where the framework finds it."""
    if (name := asked.case_name) is None:
        return None
    found = await services.case_reads.find(name, asked.language, takes_gzip=asked.takes_gzip)
    if found is None:
        return None
    answer = services.kept.keep(asked.key, found.answer, found.position, found.case_id)
    return answer.choose(asked.known)


class Pages(NamedTuple):
    """What is for people, beside what is for programs.

    handlers: their routes. templates: what they are made of. answer_error: tells a browser that
    there is nothing at an address; is_for: whether a request is a browser's.
    """

    handlers: Sequence[Router]
    templates: TemplateConfig[Any]
    answer_error: Callable[[AnyRequest, Exception], Response[bytes]]
    is_for: Callable[[AnyRequest], bool]


def create_app(
    services: Services | None, lifespan: Sequence[Lifespan] = (), pages: Pages | None = None
) -> Application:
    """Return the application.

    services: None where `lifespan` sets them when it starts. pages: None for the API alone.
    """
    app = Application(
        route_handlers=[*HANDLERS, *(pages.handlers if pages else ())],
        exception_handlers=_handle_with(pages) if pages else EXCEPTION_HANDLERS,
        template_config=pages.templates if pages else None,
        # Its document promises other errors than ours, and its pages load from other hosts.
        openapi_config=None,
        lifespan=list(lifespan),
        request_max_body_size=None,
        # Logging is set up by whoever starts the process; the framework would log at INFO for all.
        logging_config=None,
    )
    app.state.services = services
    return app


def _handle_with(pages: Pages) -> ExceptionHandlersMap:
    """Return what tells of errors: problems, and to browsers that there is no such page."""

    def answer(request: AnyRequest, error: Exception) -> Response[bytes]:
        # Where no route was found; the framework's types promise one.
        is_unknown = not dict(request.scope).get("path_template")
        if is_unknown and pages.is_for(request):
            return pages.answer_error(request, error)
        return problem_response(request, error)

    return {**EXCEPTION_HANDLERS, NotFoundException: answer}
