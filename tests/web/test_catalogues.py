"""The catalogues: every message has its words in three languages, and no others are there."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from caseflow.domain.vocabulary import TYPES
from caseflow.web.claim_form import GROUPS, list_types

from .conftest import LANGUAGES

WEB = Path(str(files("caseflow.web")))
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"newstyle_gettext": "true", "trim_blocks": "true",
                                 "lstrip_blocks": "true", "silent": "false"}}  # fmt: skip
KEYWORDS = {"say": None, "mark": None, "say_plural": (1, 2), "gettext": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
CYRILLIC = re.compile("[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүҺһІі]")


def said() -> set[object]:
    """Return all messages of the code and the templates."""
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS)
    return {
        message if isinstance(message, str) else tuple(message) for _, _, message, _, _ in found
    }


def load(language: str) -> Catalog:
    with (WEB / "locale" / language / "LC_MESSAGES" / "web.po").open("rb") as file:
        return read_po(file, locale=language)


def list_messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def ids(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_what_pages_say_and_nothing_else(language: str) -> None:
    """Where this fails: `make messages`, and translate what is empty."""
    assert {m.id for m in list_messages(load(language))} == said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_has_its_words(language: str) -> None:
    for message in list_messages(load(language)):
        assert all(text.strip() for text in texts(message)), message.id
        assert not message.fuzzy
        wanted = set(PLACEHOLDER.findall(ids(message)[-1]))
        assert all(set(PLACEHOLDER.findall(text)) == wanted for text in texts(message)), message.id


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_words_are_in_the_letters_of_the_language(language: str) -> None:
    for message in list_messages(load(language)):
        if message.id != "API":
            assert all(CYRILLIC.search(text) for text in texts(message)), message.id
    with_own_letters = [
        m for m in list_messages(load("kk")) if re.search("[әғқңөұүһі]", texts(m)[0])
    ]
    assert len(with_own_letters) > len(list_messages(load("kk"))) * 0.8


def test_russian_has_three_forms_for_numbers() -> None:
    plural = [m for m in list_messages(load("ru")) if not isinstance(m.string, str)]
    assert plural
    assert all(len(m.string) == 3 for m in plural)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_offers_every_type_once(language: str) -> None:
    offered = [code for _, types in list_types(language) for code, _ in types]
    assert sorted(offered) == sorted(TYPES)
    assert len({name for name, _ in list_types(language)}) == len(GROUPS)
