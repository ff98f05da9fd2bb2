"""The environment of the templates: what they escape, say and format."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from caseflow.domain.labels import label

from . import wording
from .languages import load_messages


def make_environment() -> Environment:
    """Return an environment whose templates are told their `language` with their values."""
    environment = Environment(
        loader=PackageLoader("caseflow.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        gettext=_gettext, ngettext=_ngettext, newstyle=True
    )
    environment.globals["label"] = _label
    for name in ("when", "since", "country", "moment", "month", "number", "days"):
        environment.filters[name] = _in_language(getattr(wording, f"say_{name}"))
    return environment


@pass_context
def _gettext(context: Context, message: str) -> str:
    return load_messages(context["language"]).gettext(message)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, number: int) -> str:
    return load_messages(context["language"]).ngettext(singular, plural, number)


@pass_context
def _label(context: Context, kind: str, code: str, of: str | None = None) -> str:
    return label(kind, code, context["language"], of=of)


def _in_language(say: Callable[[Any, str], str]) -> Callable[[Context, Any], str]:
    @pass_context
    def filtered(context: Context, value: Any) -> str:
        return say(value, context["language"])

    return filtered
