"""The API document (OpenAPI 3.1), made from the handlers, the structs and two tables of words.

The framework's own generator is not used: it would promise errors as `application/json`, take
unknown fields, and load its pages from foreign hosts.
"""

import inspect
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec
import yaml
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from . import problems
from .conditional import Document, make_document, respond_document
from .openapi_answers import make_answer_schemas
from .openapi_operations import (
    JSON,
    OPERATIONS,
    PARAMETERS,
    SERVICE,
    TAGS,
    Operation,
    list_parameters,
    list_problems,
)
from .openapi_requests import make_request_schemas, name_of, refer
from .routes import read_at_once

Json = dict[str, Any]

_WIDTH: Final = 100

_DESCRIPTION: Final = """\
A record of people at risk of forced return: append-only, sealed, published.

Public reads need no key. With a key, `Authorization: Bearer <key>`, the same addresses show what \
the key's partner may see; such answers are never stored by caches.

- Every GET answers HEAD too, with the same headers and no body.
- An address that takes query parameters refuses any other with 422, and one that comes twice; an \
empty one counts as not given.
- Errors are `application/problem+json` (RFC 9457). A method that an address does not take is \
answered with 405 and `Allow`. Nothing is stored when an error is answered.
- Without a key, what is not public answers 404, as what does not exist; `version`, `position` and \
times are those of publication.
- Who asks too often gets 429 and `Retry-After`: a partner for all its keys together, everyone \
else by address. Answers to a key that no cache stores tell in `RateLimit` what is left.
- New fields and new types of event may appear in answers at any time; pass over what you do not \
know. Unknown fields in requests are refused.
"""


@read_at_once("/schema/openapi.json")
def read_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return this document."""
    return respond_document(request, _document())


@cache
def _document() -> Document:
    return make_document(msgspec.json.encode(make_openapi()), media_type=JSON)


def make_openapi() -> Json:
    """Return the document. Source: OpenAPI 3.1.1."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "caseflow",
            "version": version("caseflow"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _paths(),
        "components": {
            "schemas": {**make_request_schemas(), **make_answer_schemas()},
            "parameters": {_key(n): {"name": n, **p} for n, p in PARAMETERS.items()},
            "headers": _HEADERS,
            "responses": {
                "NotModified": _not_modified(),
                "Elsewhere": _elsewhere(),
                **_problem_responses(),
            },
            "securitySchemes": {"bearer": _BEARER},
        },
    }


def _operations() -> tuple[Operation, ...]:
    this = Operation(handler=read_openapi, id="get_openapi", tag=SERVICE, schema=None)
    return (*OPERATIONS, this)


def _paths() -> Json:
    paths: Json = {}
    for operation in _operations():
        for path in operation.handler.paths:
            told = path.replace(":str}", "}").replace(":path}", "}")
            paths.setdefault(told, {})[_method(operation)] = _describe(operation)
    return paths


def _method(operation: Operation) -> str:
    """Return the method; HEAD is what every GET answers, and told once for all."""
    (method,) = operation.handler.http_methods - {"HEAD"}
    return method.lower()


def _describe(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        **_words(operation.handler),
        "security": _security(operation),
        "parameters": [_component("parameters", _key(n)) for n in list_parameters(operation)],
    }
    if operation.body:
        body_type = operation.media_type if operation.lines or operation.note else JSON
        content = {body_type: {"schema": refer(operation.body)}}
        described["requestBody"] = {"required": not operation.optional, "content": content}
    described["responses"] = _responses(operation)
    return described


def _words(handler: HTTPRouteHandler) -> Json:
    summary, _, rest = (inspect.getdoc(handler.fn) or "").partition("\n\n")
    words = {"summary": " ".join(summary.split()).removesuffix(".")}
    return words | ({"description": rest} if rest else {})


def _security(operation: Operation) -> list[Json]:
    if operation.scope:
        return [{"bearer": [operation.scope]}]
    if operation.needs_key:
        return [{"bearer": []}]
    return [{}, {"bearer": []}] if operation.keyed else []


_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A partner's key; an operation that needs a scope names it.",
}


def _component(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _key(name: str) -> str:
    """Return the name of a component after that of a parameter, a header or a problem."""
    return name_of(name.replace("-", "_"))


# -- answers --------------------------------------------------------------------------------------


def _responses(operation: Operation) -> Json:
    writes = operation.body or operation.outcomes
    answers = _write_answers(operation) if writes else _read_answers(operation)
    refused = {
        str(status): _component("responses", _joined(slugs))
        for status, slugs in _refusals(operation).items()
    }
    return answers | refused


def _read_answers(operation: Operation) -> Json:
    if operation.lines:
        told = "One line for each, in order; broken off where something fails on the way."
        about = {"description": told, "headers": _refer(["Cache-Control", "Vary"])}
        return {"200": {**about, **_content(operation)}}
    headers = ["ETag", "Cache-Control", "Vary"]
    headers += ["Content-Language"] if "Accept-Language" in operation.parameters else []
    has_links = "cursor" in operation.parameters or operation.id == "get_case"
    headers += ["Link"] if has_links else []
    found = {
        "description": "What was asked for.",
        **_content(operation),
        "headers": _refer(headers),
    }
    answers = {"200": found, "304": _component("responses", "NotModified")}
    if operation.elsewhere:
        answers["307"] = _component("responses", "Elsewhere")
    return answers


def _write_answers(operation: Operation) -> Json:
    if operation.lines:
        told = "One line for each line that was sent, by its number."
        headers = _refer(["Cache-Control"])
        return {"200": {"description": told, **_content(operation), "headers": headers}}
    if operation.outcomes:
        headers = _refer(["Cache-Control", "Idempotency-Replayed"])
        content = {} if "204" in operation.outcomes else _content(operation)
        rest = {**content, "headers": headers}
        return {status: {"description": t, **rest} for status, t in operation.outcomes.items()}
    if operation.note:
        headers = _refer(["Cache-Control"])
        told = "The note as it is kept now."
        return {"200": {"description": told, **_content(operation), "headers": headers}}
    rest = {
        **_content(operation),
        "headers": _refer(
            ["Location", "ETag", "Cache-Control", "Content-Language", "Idempotency-Replayed"]
        ),
    }
    again = "The same was recorded before under this `external_id`; it is answered as it is now."
    return {
        "200": {"description": again, **rest},
        "201": {"description": "It was recorded.", **rest},
    }


def _content(operation: Operation) -> Json:
    text = {"type": "object"} if operation.media_type == JSON else {"type": "string"}
    schema = refer(operation.schema) if operation.schema else text
    also = {media_type: {"schema": refer(name)} for media_type, name in operation.also}
    return {"content": {operation.media_type: {"schema": schema}, **also}}


def _refer(headers: list[str]) -> Json:
    return {name: _component("headers", name) for name in headers}


def _not_modified() -> Json:
    return {
        "description": "What you have still holds.",
        "headers": _refer(["ETag", "Cache-Control", "Vary"]),
    }


def _elsewhere() -> Json:
    return {
        "description": "The case is about the same person as another; `Location` is that one's.",
        "headers": _refer(["Location", "Cache-Control", "Vary"]),
    }


def _refusals(operation: Operation) -> dict[int, list[str]]:
    """Return the slugs of an operation's problems by status."""
    by_status: dict[int, list[str]] = {}
    for slug in list_problems(operation):
        by_status.setdefault(problems.PROBLEM_TYPES[slug].status, []).append(slug)
    return by_status


def _problem_responses() -> Json:
    """Return a response for each set of problems that share a status in some operation."""
    found = {
        (s, _joined(slugs)): slugs for op in _operations() for s, slugs in _refusals(op).items()
    }
    return {name: _problem_response(status, found[status, name]) for status, name in sorted(found)}


def _problem_response(status: int, slugs: list[str]) -> Json:
    told = "; or ".join(f"{problems.PROBLEM_TYPES[slug].title} (`{slug}`)" for slug in slugs)
    headers = ["Cache-Control", *_HEADERS_OF_STATUS.get(status, ())]
    return {
        "description": f"{told}.",
        "content": {problems.MEDIA_TYPE: {"schema": refer("Problem")}},
        "headers": _refer(headers),
    }


def _joined(slugs: list[str]) -> str:
    return "Or".join(_key(slug) for slug in slugs)


def _header(description: str, *, required: bool = True) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string"}}


_HEADERS: Final = {
    "ETag": _header("What tells this answer from any other; of a case, its version comes first."),
    "Cache-Control": _header(
        "Public answers may be kept for a minute, those of the public log that never change for "
        "good, a partner's never."
    ),
    "Vary": _header("What else the answer depends on."),
    "Content-Language": _header("The language of the texts."),
    "Link": _header(
        'The next page, `rel="next"`, missing on the last; the feeds to follow, `rel="alternate"`.',
        required=False,
    ),
    "Location": _header("The address of what was recorded."),
    "Idempotency-Replayed": _header(
        "`true` where the request had come before, with the same key.", required=False
    ),
    "Retry-After": _header("After how many seconds to ask again."),
    "RateLimit-Policy": _header('The limit that holds: `"partner";q=60000;w=60`.'),
    "RateLimit": _header('What is left of it, and for how long: `"partner";r=0;t=17`.'),
    "WWW-Authenticate": _header("`Bearer`."),
}

# As `problems.py` sends them.
_HEADERS_OF_STATUS: Final = {
    401: ("WWW-Authenticate",),
    412: ("ETag",),
    429: ("Retry-After", "RateLimit-Policy", "RateLimit"),
    503: ("Retry-After",),
}


# -- as text --------------------------------------------------------------------------------------


def render_openapi() -> str:
    """Return the document as YAML, the same for the same code: what openapi/caseflow.yaml holds."""
    text = yaml.dump(
        make_openapi(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return f"# Made by `caseflow openapi`; change the code, not this file.\n{text}"


class _Dumper(yaml.SafeDumper):
    """Writes references and lists of plain values on one line, long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_object(dumper: _Dumper, data: Json) -> yaml.Node:
    return dumper.represent_mapping(
        "tag:yaml.org,2002:map", data, flow_style=list(data) == ["$ref"]
    )


def _represent_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    plain = not any(isinstance(item, dict | list) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


def _represent_text(dumper: _Dumper, data: str) -> yaml.Node:
    style = "|" if "\n" in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(dict, _represent_object)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
