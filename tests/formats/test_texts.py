"""Texts: dates as phrases, titles and sentences, in three languages."""

import re
from itertools import product

import pytest

from caseflow.domain.countries import COUNTRIES
from caseflow.domain.dates import When, parse_when
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.vocabulary import TYPES
from caseflow.formats.date_phrases import describe_when, name_when
from caseflow.formats.texts import (
    country_name,
    render_recall_sentence,
    render_recall_title,
    render_sentence,
    render_title,
)

# EDTF text -> en, ru, kk.
PHRASES = {
    "2026-01-29": ("on 29 January 2026", "29 января 2026 года", "2026 жылғы 29 қаңтарда"),
    "2025-05": ("in May 2025", "в мае 2025 года", "2025 жылғы мамырда"),
    "2025-05-XX": ("in May 2025", "в мае 2025 года", "2025 жылғы мамырда"),
    "2025": ("in 2025", "в 2025 году", "2025 жылы"),
    "2025-XX": ("in 2025", "в 2025 году", "2025 жылы"),
    "2025-XX-XX": ("in 2025", "в 2025 году", "2025 жылы"),
    "202X": ("in the 2020s", "в 2020-х годах", "2020-жылдары"),
    "20XX": ("in the years 2000–2099", "в 2000–2099 годах", "2000–2099 жылдары"),
    "2024-21": ("in spring 2024", "весной 2024 года", "2024 жылғы көктемде"),
    "2024-22": ("in summer 2024", "летом 2024 года", "2024 жылғы жазда"),
    "2024-23": ("in autumn 2024", "осенью 2024 года", "2024 жылғы күзде"),
    "2024-24": ("in winter 2024", "зимой 2024 года", "2024 жылғы қыста"),
    "2025-01~": ("about January 2025", "около января 2025 года", "шамамен 2025 жылғы қаңтарда"),
    "2025~": ("about 2025", "около 2025 года", "шамамен 2025 жылы"),
    "202X~": ("about the 2020s", "около 2020-х годов", "шамамен 2020-жылдары"),
    "2024-23~": ("about autumn 2024", "около осени 2024 года", "шамамен 2024 жылғы күзде"),
    "2025-05?": (
        "in May 2025 (date uncertain)",
        "в мае 2025 года (дата под вопросом)",
        "2025 жылғы мамырда (күні күмәнді)",
    ),
    "2025-05-31%": (
        "about 31 May 2025 (date uncertain)",
        "около 31 мая 2025 года (дата под вопросом)",
        "шамамен 2025 жылғы 31 мамырда (күні күмәнді)",
    ),
    "[2022-09..2023-03]": (
        "between September 2022 and March 2023",
        "между сентябрём 2022 и мартом 2023 года",
        "2022 жылғы қыркүйек пен 2023 жылғы наурыз аралығында",
    ),
    "2022-09/2023-03": (
        "between September 2022 and March 2023",
        "между сентябрём 2022 и мартом 2023 года",
        "2022 жылғы қыркүйек пен 2023 жылғы наурыз аралығында",
    ),
    "[2025-06..2025-07]": (
        "between June and July 2025",
        "между июнем и июлем 2025 года",
        "2025 жылғы маусым мен шілде аралығында",
    ),
    "[2026-01-29..2026-02-10]": (
        "between 29 January and 10 February 2026",
        "между 29 января и 10 февраля 2026 года",
        "2026 жылғы 29 қаңтар мен 10 ақпан аралығында",
    ),
    "[2025-08-31..2025-10]": (
        "between 31 August and October 2025",
        "между 31 августа и октябрём 2025 года",
        "2025 жылғы 31 тамыз бен қазан аралығында",
    ),
    "[2025-12-29..2026-02-10]": (
        "between 29 December 2025 and 10 February 2026",
        "между 29 декабря 2025 и 10 февраля 2026 года",
        "2025 жылғы 29 желтоқсан мен 2026 жылғы 10 ақпан аралығында",
    ),
    "[2022..2023]": (
        "between 2022 and 2023",
        "между 2022 и 2023 годами",
        "2022–2023 жылдар аралығында",
    ),
    "[2023..2024-04]": (
        "between 2023 and April 2024",
        "между 2023 годом и апрелем 2024 года",
        "2023 жыл мен 2024 жылғы сәуір аралығында",
    ),
    "2024-05/2026": (
        "between May 2024 and 2026",
        "между маем 2024 года и 2026 годом",
        "2024 жылғы мамыр мен 2026 жыл аралығында",
    ),
    "2024/2024-05": (
        "between 2024 and May 2024",
        "между 2024 годом и маем 2024 года",
        "2024 жыл мен 2024 жылғы мамыр аралығында",
    ),
    "201X/2022": (
        "between the 2010s and 2022",
        "между 2010-ми годами и 2022 годом",
        "2010-жылдар мен 2022 жыл аралығында",
    ),
    "2024-21/2024-24": (
        "between spring and winter 2024",
        "между весной и зимой 2024 года",
        "2024 жылғы көктем мен қыс аралығында",
    ),
    "2024-12~/2025-01?": (
        "approximately between December 2024 and January 2025 (date uncertain)",
        "примерно между декабрём 2024 и январём 2025 года (дата под вопросом)",
        "шамамен 2024 жылғы желтоқсан мен 2025 жылғы қаңтар аралығында (күні күмәнді)",
    ),
    "2025-01/2025-01": ("in January 2025", "в январе 2025 года", "2025 жылғы қаңтарда"),
    "../2026-02-10": (
        "by 10 February 2026",
        "не позднее 10 февраля 2026 года",
        "2026 жылғы 10 ақпаннан кешіктірмей",
    ),
    "[..2026-02-10]": (
        "by 10 February 2026",
        "не позднее 10 февраля 2026 года",
        "2026 жылғы 10 ақпаннан кешіктірмей",
    ),
    "/2025-05": (
        "no later than May 2025",
        "не позднее мая 2025 года",
        "2025 жылғы мамырдан кешіктірмей",
    ),
    "../2024": ("no later than 2024", "не позднее 2024 года", "2024 жылдан кешіктірмей"),
    "../2024~": (
        "approximately no later than 2024",
        "примерно не позднее 2024 года",
        "шамамен 2024 жылдан кешіктірмей",
    ),
}

NAMES = {
    "2026-01-29": ("29 January 2026", "29 января 2026", "2026 жылғы 29 қаңтар"),
    "2025-05": ("May 2025", "май 2025", "2025 жылғы мамыр"),
    "2025": ("2025", "2025 год", "2025 жыл"),
    "202X": ("the 2020s", "2020-е годы", "2020-жылдар"),
    "20XX": ("the years 2000–2099", "2000–2099 годы", "2000–2099 жылдар"),
    "2024-24": ("winter 2024", "зима 2024", "2024 жылғы қыс"),
    "2025-05?": (
        "May 2025 (date uncertain)",
        "май 2025 (дата под вопросом)",
        "2025 жылғы мамыр (күні күмәнді)",
    ),
    "2025-05~": ("about May 2025", "около мая 2025 года", "шамамен 2025 жылғы мамырда"),
    "[2022..2023]": PHRASES["[2022..2023]"],
    "../2026-02-10": PHRASES["../2026-02-10"],
}

# Month -> in (ru), with (ru), in, from, and (kk).
MONTHS = {
    "01": ("в январе", "январём", "қаңтарда", "қаңтардан", "қаңтар мен"),
    "02": ("в феврале", "февралём", "ақпанда", "ақпаннан", "ақпан мен"),
    "03": ("в марте", "мартом", "наурызда", "наурыздан", "наурыз бен"),
    "04": ("в апреле", "апрелем", "сәуірде", "сәуірден", "сәуір мен"),
    "05": ("в мае", "маем", "мамырда", "мамырдан", "мамыр мен"),
    "06": ("в июне", "июнем", "маусымда", "маусымнан", "маусым мен"),
    "07": ("в июле", "июлем", "шілдеде", "шілдеден", "шілде мен"),
    "08": ("в августе", "августом", "тамызда", "тамыздан", "тамыз бен"),
    "09": ("в сентябре", "сентябрём", "қыркүйекте", "қыркүйектен", "қыркүйек пен"),
    "10": ("в октябре", "октябрём", "қазанда", "қазаннан", "қазан мен"),
    "11": ("в ноябре", "ноябрём", "қарашада", "қарашадан", "қараша мен"),
    "12": ("в декабре", "декабрём", "желтоқсанда", "желтоқсаннан", "желтоқсан мен"),
}


def in_three(table):
    return [
        (text, language, phrase)
        for text, phrases in table.items()
        for language, phrase in zip(("en", "ru", "kk"), phrases, strict=True)
    ]


def sentence(language="en", **values):
    told = {"type": "extradition.granted", "when": parse_when("2026-01-29")} | values
    return render_sentence(
        **{"label": "M. M.", "headline": "extradition_granted", "host_state": "KZ"} | told,
        language=language,
    )


@pytest.mark.parametrize(("text", "language", "phrase"), in_three(PHRASES))
def test_a_date_is_told_as_precisely_as_it_is_known(text, language, phrase):
    assert describe_when(parse_when(text), language) == phrase


@pytest.mark.parametrize(("text", "language", "name"), in_three(NAMES))
def test_a_date_that_stands_alone_is_named(text, language, name):
    assert name_when(parse_when(text), language) == name


@pytest.mark.parametrize("month", MONTHS)
def test_months_take_the_endings_of_their_case(month):
    in_ru, with_ru, in_kk, from_kk, and_kk = MONTHS[month]
    date, span, until = (
        parse_when(text.format(month)) for text in ("2021-{}", "2021-{}/2022-05", "../2021-{}")
    )

    assert describe_when(date, "ru") == f"{in_ru} 2021 года"
    assert describe_when(span, "ru") == f"между {with_ru} 2021 и маем 2022 года"
    assert describe_when(date, "kk") == f"2021 жылғы {in_kk}"
    assert describe_when(until, "kk") == f"2021 жылғы {from_kk} кешіктірмей"
    assert describe_when(span, "kk") == f"2021 жылғы {and_kk} 2022 жылғы мамыр аралығында"


def test_every_pair_of_ends_that_is_taken_can_be_told():
    ends = ("2021-03-04", "2021-03", "2021-21", "2021", "2021-XX", "201X", "19XX", "2021-03~")
    later = ("2023-03-04", "2023-03", "2023-24", "2023", "202X", "20XX", "2023?")
    for (start, end), language in product(product(("", "..", *ends), later), LANGUAGES):
        phrase = describe_when(parse_when(f"{start}/{end}"), language)
        assert "20" in phrase
        assert not re.search(r"X|None|\[|\.\.|  ", phrase)


def test_a_text_that_is_no_date_is_refused():
    with pytest.raises(ValueError, match="May 2025"):
        describe_when(When(text="May 2025", earliest=None, latest="2025-05-31"), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_a_name(language):
    assert all(country_name(code, language) for code in COUNTRIES)


def test_states_are_named_in_each_language():
    assert [country_name("KZ", lang) for lang in LANGUAGES] == [
        "Казахстан",
        "Қазақстан",
        "Kazakhstan",
    ]
    with pytest.raises(KeyError):
        country_name("QQ", "ru")


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("ru", "Мансур Мовлаев: решение о выдаче, 29 января 2026"),
        ("kk", "Мансур Мовлаев: ұстап беру туралы шешім, 2026 жылғы 29 қаңтар"),
        ("en", "Мансур Мовлаев: decision to extradite, 29 January 2026"),
    ],
)
def test_a_title_says_who_what_and_when(language, title):
    when = parse_when("2026-01-29")

    assert title == render_title(
        label="Мансур Мовлаев", type="extradition.granted", when=when, language=language
    )


def test_a_title_tells_the_outcome_and_no_other_field():
    title = render_title(
        label="KZ-1", type="appeal.decided", when=parse_when("2026-02"), language="en",
        fields={"outcome": "quashed", "place": "Almaty"},
    )  # fmt: skip

    assert title == "KZ-1: decision on the appeal (decision quashed), February 2026"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "ru",
            "M. M.: приговор, в марте 2023 года (результат: осуждение; "
            "срок наказания, месяцев: 78; условное наказание: нет; место: Барнаул; "
            "юрисдикция: Россия). Статус: выдворение в страну происхождения.",
        ),
        (
            "kk",
            "M. M.: сот үкімі, 2023 жылғы наурызда (нәтиже: соттау; жаза мерзімі, ай: 78; "
            "шартты жаза: жоқ; орны: Барнаул; юрисдикция: Ресей). "
            "Жағдайы: шыққан еліне шығарып жіберілді.",
        ),
        (
            "en",
            "M. M.: verdict, in March 2023 (outcome: conviction; sentence, months: 78; "
            "suspended sentence: no; place: Барнаул; jurisdiction: Russia). "
            "Status: expelled to the state of origin.",
        ),
    ],
)
def test_a_sentence_tells_what_happened_and_the_status(language, text):
    fields = {"jurisdiction": "RU", "place": "Барнаул", "suspended": False, "term_months": 78}

    assert text == sentence(
        language, type="prosecution.verdict", when=parse_when("2023-03"), headline="deported",
        fields=fields | {"outcome": "convicted", "accusation": None},
    )  # fmt: skip


def test_a_sentence_without_fields_has_no_brackets():
    assert sentence() == (
        "M. M.: decision to extradite, on 29 January 2026. Status: extradition granted."
    )


def test_the_jurisdiction_is_told_only_where_it_is_foreign():
    assert "jurisdiction" not in sentence(fields={"jurisdiction": "KZ"})
    assert "jurisdiction: Kyrgyzstan" in sentence(fields={"jurisdiction": "KG"})


def test_references_and_fields_not_known_here_are_left_out():
    fields = {"against": "0b5e", "after": "0b5e", "private_note": "secret", "sources": ["secret"]}

    assert sentence(fields=fields | {"new_field": "secret"}) == sentence()


def test_dates_among_the_fields_are_told_as_dates():
    told = sentence(type="appeal.hearing_set", fields={"on": "2026-02-XX"}, language="ru")

    assert "дата заседания: февраль 2026)" in told


def test_the_destination_of_a_removal_is_told():
    for code in ("extradition.surrendered", "expulsion.executed", "return.abducted"):
        assert "state of destination: Russia" in sentence(type=code, fields={"destination": "RU"})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["departure.left", "departure.protected"])
def test_nothing_tells_where_a_person_who_left_for_safety_is(code, language):
    fields = {
        "destination": "FR", "jurisdiction": "FR", "place": "Paris", "authority": "OFPRA",
    }  # fmt: skip

    assert sentence(language, type=code, fields=fields) == sentence(language, type=code)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", TYPES)
def test_every_type_has_a_title_and_a_sentence(code, language):
    when = parse_when("2025-05")

    assert render_title(label="KZ-1", type=code, when=when, language=language)
    assert sentence(language, type=code, when=when).startswith("M. M.: ")


@pytest.mark.parametrize(
    ("language", "word"), [("ru", "Исправление"), ("kk", "Түзету"), ("en", "Correction")]
)
def test_a_correction_says_so_and_tells_the_new_text(language, word):
    title = render_recall_title(kind="corrected", subject="new title", language=language)
    text = render_recall_sentence(kind="corrected", subject="New {text}.", language=language)

    assert title == f"{word}: new title"
    assert text.endswith(" New {text}.")


@pytest.mark.parametrize(
    ("language", "word", "status"),
    [
        ("ru", "отозвана", "Статус: в розыске."),
        ("kk", "кері қайтарып алынды", "Жағдайы: іздеуде."),
        ("en", "withdrawn", "Status: wanted."),
    ],
)
def test_a_withdrawal_says_so_and_nothing_else(language, word, status):
    values = {"kind": "withdrawn", "subject": "KZ-1", "language": language}

    assert render_recall_title(**values).endswith(": KZ-1")
    assert word in render_recall_sentence(**values)
    assert render_recall_sentence(**values, headline="wanted") == (
        f"{render_recall_sentence(**values)} {status}"
    )


def test_another_kind_of_recall_is_refused():
    with pytest.raises(KeyError):
        render_recall_title(kind="published", subject="KZ-1", language="ru")
