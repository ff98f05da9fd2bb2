"""A calendar of legal clocks as iCalendar (RFC 5545), for programs that subscribe to an address.

It goes to phones and to companies that keep calendars: a case is called by its code, and nothing
else of a person is in it.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from icalendar import Alarm, Calendar, Event
from icalendar.prop import vText, vUri
from msgspec import Struct

MEDIA_TYPE: Final = "text/calendar"
ALARM: Final = timedelta(days=-1)
REFRESH: Final = timedelta(hours=1)

_TITLES: Final[dict[str, dict[str, str]]] = {
    "holding": {
        "ru": "истекает срок задержания",
        "kk": "ұстау мерзімі аяқталады",
        "en": "the term of holding ends",
    },
    "arrest_before_request": {
        "ru": "истекает срок ареста до поступления запроса о выдаче",
        "kk": "экстрадициялау туралы сұрау салу келгенге дейінгі қамақ мерзімі аяқталады",
        "en": "the term of arrest before a request for extradition ends",
    },
    "extradition_arrest": {
        "ru": "истекает предельный срок экстрадиционного ареста",
        "kk": "экстрадициялық қамақтың шекті мерзімі аяқталады",
        "en": "the longest term of extradition arrest ends",
    },
    "custody_order": {
        "ru": "истекает назначенный срок содержания под стражей",
        "kk": "белгіленген күзетпен ұстау мерзімі аяқталады",
        "en": "the term of custody that was set ends",
    },
    "appeal": {
        "ru": "истекает срок обжалования решения о выдаче",
        "kk": "экстрадициялау туралы шешімге шағымдану мерзімі аяқталады",
        "en": "the term to appeal against the extradition ends",
    },
    "hearing": {
        "ru": "заседание по жалобе",
        "kk": "шағым бойынша сот отырысы",
        "en": "hearing of an appeal",
    },
}
_NAMES: Final = {"ru": "Сроки по делам", "kk": "Істер бойынша мерзімдер", "en": "Terms in cases"}
_UNREVIEWED: Final = {
    "ru": "Не проверено юристом.",
    "kk": "Заңгер тексермеген.",
    "en": "Not reviewed by a lawyer.",
}
_VAGUE: Final = {
    "ru": "Дата известна неточно: самое раннее {}, самое позднее {}.",
    "kk": "Күні дәл белгілі емес: ең ертесі {}, ең кеші {}.",
    "en": "The day is not certain: {} at the earliest, {} at the latest.",
}
_NO_FIRST: Final = {
    "ru": "Дата известна неточно: не позднее {}.",
    "kk": "Күні дәл белгілі емес: {} күнінен кешіктірмей.",
    "en": "The day is not certain: {} at the latest.",
}
_NOT_RECEIVED: Final = {
    "ru": "День получения решения не сообщён: срок посчитан со дня решения.",
    "kk": "Шешімді алған күні хабарланбаған: мерзім шешім күнінен есептелді.",
    "en": "The day of receipt is not told: the term is counted from the day of the decision.",
}


class Entry(Struct, frozen=True):
    """One clock in a calendar.

    claim: that it is counted from. code: of the case; url: of its address. earliest, latest: the
    last day of the term, YYYY-MM-DD; earliest is None where there is no first. says, source: of a
    rule of law; None for a day that a decision has set. changed_at: microseconds since 1970.
    version: of the case, which rises with whatever changes a clock.
    """

    kind: str
    claim: UUID
    code: str
    url: str
    earliest: str | None
    latest: str
    says: str | None
    source: str | None
    is_reviewed: bool
    is_received: bool
    changed_at: int
    version: int


def render_calendar(entries: Iterable[Entry], *, name: str, language: str) -> bytes:
    """Return the calendar: UTF-8, lines ended and folded as in RFC 5545, section 3.1.

    name: of the deployment. The bytes follow from the entries alone: no clock is asked.
    Source: RFC 5545, section 3.6.1; RFC 7986, sections 5.1, 5.7.
    """
    found = Calendar()
    found.add("prodid", "-//caseflow//legal clocks//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    title = f"{name}: {_NAMES[language]}"
    found.add("name", title)
    found.add("x-wr-calname", title)
    found.add("refresh-interval", REFRESH, {"value": "DURATION"})
    for entry in sorted(entries, key=lambda one: (one.latest, one.code, one.kind, str(one.claim))):
        found.add_component(_make_event(entry, language))
    return bytes(found.to_ical())


def _make_event(entry: Entry, language: str) -> Event:
    found = Event()
    found.add("uid", f"{uuid5(entry.claim, entry.kind)}@caseflow")
    at = datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(
        microseconds=entry.changed_at
    )
    changed = at.replace(microsecond=0)
    found.add("dtstamp", changed)
    found.add("last-modified", changed)
    found.add("sequence", entry.version)
    # Whoever is in time for the first possible day is in time for all.
    first = date.fromisoformat(entry.earliest or entry.latest)
    found.add("dtstart", first)
    found.add("dtend", date.fromisoformat(entry.latest) + timedelta(days=1))
    title = f"{entry.code}: {_TITLES[entry.kind][language]}"
    found.add("summary", vText(title), {"language": language})
    found.add("description", "\n".join(_describe(entry, language)))
    found.add("url", vUri(entry.url))
    found.add("transp", "TRANSPARENT")
    found.add("class", "CONFIDENTIAL")
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", title)
    alarm.add("trigger", ALARM)
    found.add_component(alarm)
    return found


def _describe(entry: Entry, language: str) -> Iterable[str]:
    if entry.earliest is None:
        yield _NO_FIRST[language].format(entry.latest)
    elif entry.earliest != entry.latest:
        yield _VAGUE[language].format(entry.earliest, entry.latest)
    if not entry.is_received:
        yield _NOT_RECEIVED[language]
    if entry.says is not None:
        yield f"{entry.says} ({entry.source})"
        if not entry.is_reviewed:
            yield _UNREVIEWED[language]
