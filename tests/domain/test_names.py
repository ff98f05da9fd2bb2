"""Whether a text gives away who somebody is: any script, spelling and case; few false alarms."""

from urllib.parse import quote

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


def _percent(text: str, encoding: str = "utf-8", times: int = 1) -> str:
    for _ in range(times):
        text = quote(text, encoding=encoding)
    return text


HIDDEN = {
    "Kazakh cases": "Мовлаевтың Мовлаевқа Мовлаевты Мовлаевтан Мовлаевпен Мовлаевта Мовлаевтікі "
    "Мансурдың Мансурға Мансурды Мансурдан Мансурмен Мовлаевтардың Mansurdyń Mansurdın",
    "patronymics": "Мансурович Мансуровича Мансуровной Мансурқызы Мансурұлы Mansurovich",
    "joined words": "#СвободуМовлаеву МансурМовлаев #свободумовлаеву savemovlaev МовлаевМ",
    "addresses": "savemovlaev.org @mansurmovlaev https://t.me/mansurmovlaev movlaev@example.org "
    "https://example.org/mmovlaev_1 https://example.org/?q=mansur",
    "inner signs": "Мов-лаев Мов\u2010лаев Мов\u2011лаев Мов.лаев Мов*лаев Мов_лаев Мо/вла/ев "
    "М*о*в*л*а*е*в М.о.в.л.а.е.в М-а-н-с-у-р Мов\u2800лаев Мов**лаев** Мо|влаев",
    "unseen": "Мов\u00adлаев Мов\u200bлаев Мов\u2060лаев М\u0336о\u0336влаев Мов\u034fлаев "
    "Мов\ufe0fлаев Мов\U000e0061лаев Мов\u3164лаев Мо\u0301влаев",
    "encodings": "&#1052;&#1086;&#1074;&#1083;&#1072;&#1077;&#1074; Мов&shy;лаев &#x41c;овлаев "
    "&amp;amp;#1052;овлаев Mov&#108;aev \\u041cовлаев %u041Cовлаев Мов<b>лаев</b>",
    "signs for letters": "M0vlaev Movl4ev M0vl@ev Man5ur M0VLAEV Мoвлaeв М0влаев Моvlаеv "
    "\U0001d40c\U0001d428\U0001d42f\U0001d425\U0001d41a\U0001d41e\U0001d42f Ｍｏｖｌａｅｖ",
    "backwards": "\u202eвеалвоМ\u202c \u202eveaLvoM\u202c",
}  # fmt: skip


@pytest.mark.parametrize("way", HIDDEN)
def test_a_name_is_found_however_it_is_hidden(way: str) -> None:
    missed = [
        ascii(form)
        for form in HIDDEN[way].split()
        if not finds_name(["Мансур Мовлаев"], f"Сообщается, что {form} был задержан в Алматы.")
    ]
    assert missed == []


@pytest.mark.parametrize(
    "text",
    [
        "Задержан М о в л а е в, житель",
        "Задержан и М  а  н  с  у  р, и другие",
        "Задержан Мов лаев вчера",
        "Задержан Мов\nлаев вчера",
        "Задержан Мов -\r\n лаева вчера",
        "Задержан Мо вл аев вчера",
        "M o v l a e v was taken",
        f"https://example.org/{_percent('Мовлаев', times=3)}",
        f"https://example.org/{_percent('Мовлаев', times=40)}",
        f"https://example.org/{_percent('мовлаев', 'cp1251')}",
        "https://example.org/%26%231052%3Bовлаев",
        f"https://{'мовлаев.рф'.encode('idna').decode()}/about",
        f"https://www.{'мансур-мовлаев.орг'.encode('idna').decode()}",
        "".join(chr(0xE0000 + ord(letter)) for letter in "movlaev"),
    ],
)
def test_a_name_is_found_when_it_is_spread_or_encoded(text: str) -> None:
    assert finds_name(["Мансур Мовлаев"], text)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("Наталья", "Натальяның Натальяға Натальяны Натальядан Натальямен Натальевна Natalie"),
        ("Пак", "Пактың Пакқа Пакты Пактан Пакпен Пака Паку Паком Паке Pak Pak's П-а-к #ПакНаВолю"),
        ("Денис Пак", "@denispak pak_denis pakdenis.org #свободуденису"),
        ("Михаил Жилин", "#СвободуЖилину #свободужилину savezhilin.org Михайлович Михайловна"),
        ("Павел", "Павла Павлу Павлом Павлович Павловна Павелдің Pavel Pavlo"),
        ("Юлия", "Юлия Юлию Юлии Юлией Юле ЮЛИЯ Julia Julia's Yulia Юлияның Юлияға Jul\u00adia"),
        ("Анна", "Анна Анны Анне Анну Анной Anna Аннаның Анна-Мария"),
        ("Цой", "Цой Цоя Цою Цоем Tsoi Tsoy"),
        ("Müller", "Müller Mueller Muller Müllers Мюллер Мюллера"),
        ("Mueller", "Müller Mueller Muller"),
        ("Jörg", "Jörg Joerg"),
        ("Игорь", "Игоревич Игоревна Ігорович Игорьдің"),
    ],
)
def test_short_and_other_names_are_found(name: str, forms: str) -> None:
    assert [f for f in forms.split() if not finds_name([name], f"Видели: {f}, потом нет.")] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Павел Пак", "Павлодар, Павлодарда, Павлодарская область; пакет документов, Пакистан"),
        ("Михаил", "Михайловка, Михайловский район, в Михайловке"),
        ("Юлия Козак", "15 ИЮЛЯ, в июле, July, улица, улицы, Улан-Удэ, қазақ тілі, Qazaqstan"),
        ("Анна Цой", "Она сказала: one, any, в один час, цена; ана тілі, цех, CEO"),
        ("Наталья", "переехали на\nТалас, на Талас; на таль"),
        ("Денис", "the den is closed; Dean is here"),
        ("Роман Марина", "романтика, субмариной управляли, на рынке, аромат"),
        ("Павел Илья", "появился или появилась, появилось"),
        ("Жилин", "silently, silent"),
        ("Ли", "либо, ли, лист"),
    ],
)  # fmt: skip
def test_no_false_alarm_in_words_that_are_alike(name: str, text: str) -> None:
    assert not finds_name([name], text)


def test_a_name_that_is_a_month_is_found() -> None:
    assert finds_name(["July Smith"], "July was taken")


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
