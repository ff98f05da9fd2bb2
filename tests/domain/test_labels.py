"""Labels: every code of the vocabulary has its words in three languages, and no others have."""

import json
import re
from importlib.resources import files
from itertools import pairwise
from typing import get_args

import pytest

from caseflow.domain.breakdown import HELD_FOR, OUTCOMES
from caseflow.domain.events import Consent, ConsentLevel, Measure, Name, Subject
from caseflow.domain.labels import LANGUAGES, all_labels, label
from caseflow.domain.publication import PublicationState
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import ORDERS, TYPES, Source, values_of

RECORD_EVENTS = {
    "case.opened", "subject.amended", "claim.corrected", "claim.retracted", "claim.corroborated",
    "claim.disputed", "identity.merged", "identity.unmerged", "consent.changed", "figure.reported",
    "visibility.changed", "publication.approved", "publication.declined", "publication.released",
    "publication.frozen", "publication.resumed",
    "objection.made", "case.erased", "figure.corrected", "figure.retracted", "figure.hidden",
}  # fmt: skip
# Why a claim is corrected, retracted or not public, and what a reviewer says, as in the contract.
CORRECTION_REASONS = {"typo", "new_evidence", "wrong_person", "translation"}
RETRACTION_REASONS = {"false", "wrong_person", "unsafe", "source_withdrew", "duplicate"}
WITHHOLDING_REASONS = {
    "consent_none", "consent_count", "type_ceiling", "asylum_consent", "visibility", "review",
    "embargo", "frozen", "declined", "names_person", "merged", "retracted", "corrected",
    "record_event", "erased",
}  # fmt: skip

CLAIM_VALUES = sorted(
    {
        (field, value)
        for rule in TYPES.values()
        for field in rule.struct.__struct_fields__
        for value in values_of(rule.struct, field)
    }
)
OTHER_VALUES = [
    *(("reason", code) for code in sorted(CORRECTION_REASONS | RETRACTION_REASONS)),
    *(("connection", code) for code in values_of(Source, "connection")),
    *(("kind", code) for code in values_of(Name, "kind")),
    *(("basis", code) for code in values_of(Consent, "basis")),
    *(("publish", code) for code in get_args(ConsentLevel)),
    *(("decision", code) for code in ("approve", "decline")),
    *(("change", code) for code in ("published", "corrected", "withdrawn")),
    *(("suspended", code) for code in ("true", "false")),
]
FIELDS = sorted(
    {
        field
        for struct in [*(rule.struct for rule in TYPES.values()), Source, Name, Subject, Consent]
        for field in struct.__struct_fields__
    }
)

KAZAKH_LETTERS = re.compile("[әғқңөұүһі]", re.IGNORECASE)
CYRILLIC = re.compile("[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүҺһІі]")
LATIN = re.compile("[A-Za-z]")


def leaves(labels):
    """Yield every {language: text} below."""
    if set(labels) == set(LANGUAGES):
        yield labels
    else:
        for below in labels.values():
            yield from leaves(below)


WORDS = list(leaves(all_labels()))


def has_three_labels(kind, code, of=None):
    return all(label(kind, code, language, of=of) for language in LANGUAGES)


def test_every_event_type_has_labels_and_nothing_else_has():
    assert set(all_labels()["types"]) == set(TYPES) | RECORD_EVENTS


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_labels(field):
    assert has_three_labels("fields", field)


@pytest.mark.parametrize(("field", "value"), CLAIM_VALUES + OTHER_VALUES)
def test_every_value_has_labels(field, value):
    assert has_three_labels("values", value, of=field)


def test_the_vocabulary_has_values_to_label():
    """Guards the two tests above against an empty table."""
    assert {("outcome", "remitted"), ("basis", "wanted"), ("form", "visa")} <= set(CLAIM_VALUES)
    assert {"accusation", "forum", "connection", "birth_year", "share"} <= set(FIELDS)


def test_every_track_and_state_has_labels_and_nothing_else_has():
    labels = all_labels()

    assert set(labels["tracks"]) == set(ORDERS)
    assert {track: set(states) for track, states in labels["states"].items()} == {
        track: set(order) for track, order in ORDERS.items()
    }


def test_every_headline_has_labels_and_nothing_else_has():
    assert set(all_labels()["headlines"]) == set(HEADLINE_CODES)


def test_everything_that_figures_count_has_labels_and_nothing_else_has():
    assert set(all_labels()["measures"]) == set(get_args(Measure))


def test_everything_that_the_breakdown_counts_by_has_labels_and_nothing_else_has():
    assert tuple(all_labels()["held_for"]) == HELD_FOR
    assert tuple(all_labels()["outcomes"]) == OUTCOMES


def test_every_state_of_publication_and_its_reason_has_labels():
    states = set(get_args(PublicationState))

    assert set(all_labels()["reasons"]) == states | WITHHOLDING_REASONS


def test_the_states_of_one_track_read_differently():
    for language in LANGUAGES:
        for track, states in all_labels()["states"].items():
            texts = [words[language] for words in states.values()]
            assert len(set(texts)) == len(texts), (track, language)


def test_headlines_read_differently():
    for language in LANGUAGES:
        texts = [words[language] for words in all_labels()["headlines"].values()]
        assert len(set(texts)) == len(texts), language


def test_no_code_is_written_twice():
    def refuse_twins(pairs):
        codes = sorted(code for code, _ in pairs)
        assert not [a for a, b in pairwise(codes) if a == b]
        return dict(pairs)

    text = files("caseflow.domain").joinpath("labels.json").read_text(encoding="utf-8")
    json.loads(text, object_pairs_hook=refuse_twins)


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words["en"])
def test_words_are_in_the_letters_of_their_language(words):
    """Catches swapped columns, and a Latin i or a that sits in a Cyrillic word."""
    assert not CYRILLIC.search(words["en"])
    assert not KAZAKH_LETTERS.search(words["ru"])
    for language in ("ru", "kk"):
        assert CYRILLIC.search(words[language])
        for word in re.findall(r"\w+", words[language]):
            assert not (CYRILLIC.search(word) and LATIN.search(word))


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words["en"])
def test_words_are_a_phrase_and_not_a_sentence(words):
    for text in words.values():
        assert text == text.strip()
        assert not text.endswith((".", ":", ";", ","))
        assert text[0].islower() or text.split()[0].rstrip(",") in {
            "UNHCR", "SHA-256", "Interpol", "Интерпол", "БҰҰ",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code", "language", "of"),
    [
        ("types", "extradition.begun", "ru", None),
        ("types", "extradition.granted", "de", None),
        ("types", "extradition.granted", "ru", "extradition"),
        ("states", "granted", "ru", None),
        ("states", "granted", "ru", "liberty"),
        ("values", "basis", "ru", None),
        ("values", "reason", "false", None),
        ("words", "granted", "ru", None),
    ],
)
def test_an_unknown_code_is_a_key_error(kind, code, language, of):
    with pytest.raises(KeyError):
        label(kind, code, language, of=of)


def test_a_state_and_a_value_are_named_within_their_track_and_field():
    assert label("states", "refused", "ru", of="asylum") == "в убежище отказано"
    assert label("states", "refused", "ru", of="extradition") == "в выдаче отказано"
    assert label("values", "none", "en", of="condition") == "no conditions"
    assert label("types", "extradition.granted", "kk") == "ұстап беру туралы шешім"


@pytest.mark.parametrize("code", ["return.abducted", "detention.ill_treatment_reported"])
def test_what_is_alleged_is_called_a_report(code):
    words = all_labels()["types"][code]

    assert "report" in words["en"]
    assert "сообщение" in words["ru"]
    assert "хабар" in words["kk"]


def test_all_labels_is_the_caller_s_own_copy():
    all_labels()["types"].clear()

    assert all_labels()["types"]
