"""Whether a text gives away who somebody is: any script, spelling and case; few false alarms."""

import pytest

from caseflow.domain.names import finds_name, fold
from tests.strategies import demo_cases

NAMES = {name: case.names for name, case in demo_cases().items()}
FORMS = {
    "zhilin": "Жилин Жилина Жилину Жилиным Жилине ЖИЛИН Жылин Zhilin Zhilina Žilin Jilin Schilin "
    "Zhilin's Михаил Михаила Михаилу Mikhail Mihail",
    "kasimov": "Касимова Касимову Касимовым Касымов Қасымов Kassimov Kasymov Qasimov "
    "Камиля Камилем",
    "archakov": "Арчакова Арчаковым Archakova Artschakow Arçakov Якуба Якубу Jakub",
    "vladimirov": "Владимирова Владимировым Vladimirow Wladimirow Павла Павлу Павлом Pavlo Pawel",
    "baltatarova": "Балтатаровой Балтатарову Балтатаров Baltatarowa Евгении Евгению Євгенія "
    "Evgeniya Yevgenia Jewgenija Eugenia",
    "ammosov": "Аммосова Аммосову Амосов Ammossow Айхала Aykhal Иванова Ivanov Iwanow Ігор Ihor",
    "narskaya": "Нарской Нарскую Narskaja Narskaia Наталии Наталью Наталія Natalya Natalja",
    "kozak": "Козака Козаком Kosak Денису Денис Denys Dennis",
    "movlaev": "Мовлаев Мовлаева Мовлаеву Movlayev Mowlajew Movlajev Мавлаев Мансура Mansour",
    "yemelyanova": "Емельяновой Емельянову Emelyanova Jemeljanowa Yemelianova Юлии Юлию Юлией "
    "Yuliya Julia Yuliia Юлія",
    "bazhukov": "Бажуков Бажукова Базуков Базукову Bazhukov Bažukov Baschukow Bajoukov Bazukov "
    "Семён Семена Семёну Semen Semjon",
    "kachkurkin": "Качкуркин Качкуркина Качкуркіна Kačkurkin Katschkurkin Kachkourkine "
    "Александр Александра Олександр Олександра Oleksandr Aleksander Alexander Alexandre",
    "murtazov": "Муртазова Муртазовым Murtasow Mourtazov Мурта\u0301зов Зелимхана Zelimhan",
    "korobov": "Коробова Коробову Korobow Евгений Евгения Евгением Євген Evgeny Yevgeni Yevhen "
    "Evgueni Ко\u00adробов Кopобoв",
}


def test_the_forms_cover_every_named_demo_case() -> None:
    assert FORMS.keys() == {name for name, names in NAMES.items() if names}


@pytest.mark.parametrize("name", FORMS)
def test_a_name_is_found_in_any_script_spelling_and_case(name: str) -> None:
    missed = [
        form
        for form in FORMS[name].split()
        if not finds_name(NAMES[name], f"Сообщается, что {form}, житель Алматы, задержан.")
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["Михаил Жилин"], "https://example.org/2026/%D0%96%D0%B8%D0%BB%D0%B8%D0%BD.html"),
        (["Михаил Жилин"], "https://example.org/case-zhilin-m-2022"),
        (["Михаил Жилин"], "«Жилин-младший»"),
        (["Ахмет Әбдіқадыр"], "Абдикадыра увезли"),
        (["Ли Ван Чен"], "Задержан Ли."),
        (["Нұрлан Қожа"], "Nurlan was taken"),
        (["გიორგი"], "Giorgi was taken"),
    ],
)
def test_a_name_is_found_wherever_it_stands(names: list[str], text: str) -> None:
    assert finds_name(names, text)


def _demo_texts() -> set[str]:
    texts = set()
    for case in demo_cases().values():
        for event in case.events:
            texts |= {event[k] for k in ("place", "authority", "forum", "accusation") if k in event}
            texts |= set(event.get("summary", {}).values())
            texts |= {source["title"] for source in event["sources"]}
    return texts


@pytest.mark.parametrize("name", FORMS)
def test_no_false_alarm_in_the_words_of_the_demo_cases(name: str) -> None:
    alarms = [text for text in _demo_texts() if finds_name(NAMES[name], text)]
    assert alarms == []


ORDINARY = [
    "Задержан 15 июля в Астане, суд в июле и августе; ордер от 3 мая и 5 марта.",
    "Detained in July; the court of Almaty, Kazakhstan, ordered custody in the city of Karaganda.",
    "Алматы, Астана, Шымкент, Актобе, Қарағанды, Өскемен, Павлодар, Костанай, Уральск, Атырау",
    "Генеральная прокуратура Республики Казахстан, следственный суд, спецприёмник, улица Абая",
    "Қазақстан Республикасының Бас прокуратурасы; соттың шешімі; қамауда",
    "He was taken to the airport and put on a flight to Moscow by officers of the border service.",
    "Her lawyer filed an appeal with the regional court against the refusal of asylum.",
    "Адвокат подал жалобу в областной суд на отказ в статусе беженца.",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_no_false_alarm_in_ordinary_words(text: str) -> None:
    assert [n for n in FORMS if finds_name(NAMES[n], text)] == []


def test_no_names_find_nothing() -> None:
    assert not finds_name([], "anything")
    assert not finds_name(["Ж."], "Ж. задержан")
    assert not finds_name(["—"], "— задержан")
    assert not finds_name(["Михаил Жилин"], "")


def test_fold_brings_scripts_to_one_spelling() -> None:
    assert fold("Мансур Мовлаев") == fold("Mansur Movlayev") == fold("MANSUR  MOWLAJEW")
    assert fold("Жилин") == fold("Zhilin") == fold("Žilin")
    assert fold("") == []
