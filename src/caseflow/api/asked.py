"""What a read asks for, from its query: parsed when it is looked at, refused with a pointer."""

from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from caseflow.domain.names import fold
from caseflow.domain.times import format_time
from caseflow.projections.listing import CaseFilter

from . import parameters
from .negotiation import choose_language
from .parameters import Position

T = TypeVar("T")


class Moment(NamedTuple):
    """The two clocks of a replay: a day, YYYY-MM-DD, and a time in microseconds."""

    as_of: str | None = None
    known_at: int | None = None

    @property
    def known_at_text(self) -> str | None:
        """Return the time as RFC 3339 text in UTC."""
        return None if self.known_at is None else format_time(self.known_at)


NOW = Moment()


class Asked:
    """The query parameters of a request; names that the resource does not know are refused."""

    def __init__(self, request: Any, *names: str) -> None:
        self._query = parameters.read_query(request, *names)
        self.language = choose_language(request)
        self.min_position = parameters.parse_min_position(self._query)

    @property
    def is_plain(self) -> bool:
        """Return whether nothing is asked for but a language: what there is now."""
        return not self._query.keys() - {"lang"}

    @property
    def limit(self) -> int:
        """Return how many items a page may hold."""
        return parameters.parse_limit(self._query)

    @property
    def moment(self) -> Moment:
        """Return the clocks of the replay that is asked for."""
        known_at = parameters.parse_known_at(self._query)
        return Moment(parameters.parse_as_of(self._query), known_at)

    @property
    def after(self) -> int:
        """Return the position after which to begin."""
        return parameters.parse_position(self._query, "after") or 0

    @property
    def since(self) -> int:
        """Return the position after which changes are asked for."""
        return parameters.parse_position(self._query, "since") or 0

    @property
    def lines(self) -> int | None:
        """Return how many lines are wanted at most, None for all."""
        return parameters.parse_integer(
            self._query, "limit", lowest=1, highest=parameters.MAX_POSITION
        )

    def wait_seconds(self, highest: int) -> int:
        """Return for how long to wait for news."""
        return parameters.parse_integer(self._query, "wait", lowest=0, highest=highest) or 0

    def cursor(self, shape: type[T]) -> T | None:
        """Return where the page begins, None at the start."""
        return parameters.parse_cursor(self._query, shape)

    def identifier(self, name: str) -> UUID | None:
        """Return an id."""
        return parameters.parse_identifier(self._query, name)

    def time(self, name: str) -> int | None:
        """Return a time in microseconds since the Unix epoch."""
        return parameters.parse_moment(self._query, name)

    def country(self, name: str) -> str | None:
        """Return a state's code."""
        return parameters.parse_country(self._query, name)

    def case_filter(self) -> CaseFilter:
        """Return which cases a list is about."""
        track, state = parameters.parse_track(self._query) or (None, None)
        return CaseFilter(
            headline=parameters.parse_headline(self._query),
            track=track,
            state=state,
            host_state=self.country("host_state"),
            origin_state=self.country("origin_state"),
            at_risk=parameters.parse_flag(self._query, "at_risk"),
            updated_since=parameters.parse_updated_since(self._query),
            words=_words(parameters.parse_search(self._query) or ""),
            after=self.cursor(tuple[Position, UUID]),
            limit=self.limit,
        )


def _words(text: str) -> tuple[str, ...]:
    """Return the folded words of a search; signs alone are a word too, which no label holds."""
    return tuple(fold(text)) or tuple(text.split())
