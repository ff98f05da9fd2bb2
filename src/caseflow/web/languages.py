"""The words of the pages: catalogues in the format of gettext, read by Babel."""

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from caseflow.domain.labels import LANGUAGES

LANGUAGE_NAMES: Final = {"ru": "Русский", "kk": "Қазақша", "en": "English"}
"""What each language calls itself."""


@cache
def load_messages(language: str) -> NullTranslations:
    """Return the messages of a language. Raises KeyError for one that there is not.

    The catalogues are kept as text alone, and compiled when they are first asked for.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    catalogue = files("caseflow.web") / "locale" / language / "LC_MESSAGES" / "web.po"
    compiled = BytesIO()
    with catalogue.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def mark(message: str) -> str:
    """Return a message as it is: one that is said later, and has to be in the catalogues."""
    return message


def say(message: str, language: str, **values: object) -> str:
    """Return a message in a language, with values put in."""
    text = load_messages(language).gettext(message)
    return text % values if values else text


def say_plural(singular: str, plural: str, number: int, language: str, **values: object) -> str:
    """Return a message that depends on a number, which it names `num`, in a language."""
    text = load_messages(language).ngettext(singular, plural, number)
    return text % {"num": number, **values}
