"""The tables of the log. Only the recorder writes to them; `migrations/main` creates them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
)

from caseflow.database import Uuid16

metadata = MetaData()

# All events, in recorded order. Rows are never changed or removed: the database refuses it.
events = Table(
    "events",
    metadata,
    # 1, 2, 3 … without a hole, in commit order; given by the recorder, never by the database.
    # SQLite keeps an INTEGER primary key in the row itself and needs no second index for it.
    Column(
        "position",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    # The aggregate, and the event's place in it.
    Column("originator_id", Uuid16, nullable=False),
    Column("originator_version", Integer, nullable=False),
    # The stored name of the event; one name for all sealed events.
    Column("topic", String, nullable=False),
    # Microseconds since the Unix epoch (UTC); never smaller than that of the position before.
    Column("recorded_at", BigInteger, nullable=False),
    # What the mapper made of the event: its record and sealed part.
    Column("state", LargeBinary, nullable=False),
    # Optimistic concurrency: of two writers of one version, the second is refused.
    UniqueConstraint("originator_id", "originator_version", name="events_originator_key"),
    # From a time to a position ("known at").
    Index("events_recorded_at_idx", "recorded_at"),
)

# One row, the end of the log. Every append locks it until it commits: order is commit order.
log_head = Table(
    "log_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # Of the last event; both 0 while there is none.
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    # Which set of view tables is live: a rebuild fills the other one and then switches here.
    # Another word: the live set is of an older shape and has to be made anew.
    Column("view_set", String(8), nullable=False, server_default="a"),
    # Whether publication is halted; set with the event that says so.
    Column("frozen", Boolean, nullable=False, server_default=false()),
    CheckConstraint("id = 1", name="log_head_one_row"),
)

# How far each named reader of a log has come.
tracking = Table(
    "tracking",
    metadata,
    Column("application_name", String, primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
)
