"""Builds the house from the settings: the only module that knows every room."""

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, select, update

from caseflow.database import begin_read, begin_write, make_engine, wrapped_errors
from caseflow.domain.errors import CaseflowError
from caseflow.erasing import Eraser
from caseflow.eventstore.application import Cases
from caseflow.eventstore.changes import CaseChanges
from caseflow.eventstore.erasure import Erasures
from caseflow.eventstore.figures import Figures
from caseflow.eventstore.key_files import (
    MasterKeyFile,
    read_or_create_master_key,
    read_or_create_signing_key,
)
from caseflow.eventstore.key_use import KeyUses
from caseflow.eventstore.keys import (
    KeyStore,
    MissingKeyStoreError,
    check_keys_for_log,
    is_store_empty,
)
from caseflow.eventstore.lease import Lease
from caseflow.eventstore.ledger import Ledger
from caseflow.eventstore.mapper import SealedMapper
from caseflow.eventstore.publications import Publications
from caseflow.eventstore.quarantine import Left, Quarantine, Quarantined, Step, Suspect
from caseflow.eventstore.read_log import ReadLog
from caseflow.eventstore.reading import LogReader
from caseflow.eventstore.recorder import SqlApplicationRecorder, now_microseconds, read_head
from caseflow.eventstore.records import EventRecords, PublicationRecords
from caseflow.eventstore.schema import check_schema, current_revision, migrate, migrate_keys
from caseflow.eventstore.tables import events, log_head
from caseflow.eventstore.wrapping import KeyedHash
from caseflow.eventstore.writer import Writer
from caseflow.formats.note import InvalidNoteError, VerifierKey
from caseflow.formats.tiles import FULL_LOG_TAG, PUBLIC_LOG_TAG
from caseflow.projections.partner.history import Placed, list_by_key, list_due
from caseflow.projections.projector import HouseProjector
from caseflow.projections.rebuild import rebuild
from caseflow.projections.view import VIEW_SETS
from caseflow.proof.checkpoints import Checkpoints, find_pinned_key
from caseflow.proof.origins import Origins
from caseflow.proof.publisher import Publisher
from caseflow.proof.served import ServedLog, parse_witness_key
from caseflow.proof.signing import Signer, make_signer
from caseflow.proof.source import Log, LogName
from caseflow.push.delivering import Deliverer, Render
from caseflow.push.sending import Reach
from caseflow.push.webhooks import Webhooks
from caseflow.push.websub import Announcer
from caseflow.settings import Settings, SettingsError
from caseflow.timers import Timer, try_to

EMBARGO_SECONDS: Final = 1.0
# Cases in which a key's events are hidden, before the next are asked for.
HIDDEN_TOGETHER: Final = 100
KEY_USE_SECONDS: Final = 1.0
# How long the logs wait for news, and after a signature for more that goes into the next one.
PUBLISH_SECONDS: Final = 1.0
GATHER_SECONDS: Final = 0.2
ERASURE_SECONDS: Final = 1.0
NEWEST_EVENTS: Final = 1_000
# A house holds some hundred thousand objects for long, and makes few cycles. Looked through as
# often as Python does by default, they took a quarter of an import and a third of a rebuild.
GARBAGE: Final = (100_000, 50, 100)

logger = logging.getLogger(__name__)


class House:
    """Everything that runs, from one set of settings. Use `open_house`."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = now_microseconds,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        gc.set_threshold(*GARBAGE)
        self.settings = settings
        self.clock = clock
        self.engine: Engine = make_engine(settings.database_url)
        self.keys_engine: Engine = make_engine(settings.keys_url)
        try:
            newest = list_newest_cases(self.engine, NEWEST_EVENTS)
            check_keys_for_log(self.keys_engine, newest)
            witnesses = read_witnesses(settings)
            self.keys = open_keys(settings, self.keys_engine)
            signer = open_signer(settings, self.keys)
        except BaseException:
            # Nobody gets this house, so nobody could close it.
            self.let_go()
            raise
        self.mapper = SealedMapper(self.keys)
        self.recorder = SqlApplicationRecorder(self.engine, clock)
        self.reader = LogReader(self.engine, self.mapper)
        self.read_log = ReadLog(self.engine, clock)
        self.ledger = Ledger(settings.ledger_file)
        self.changes = CaseChanges()
        self.writer = Writer(
            self.recorder, self.mapper, self.keys, HouseProjector, self.ledger, self.changes
        )
        self.cases = Cases(
            self.writer,
            KeyedHash(self.keys.get_secret("lookup")),
            two_person=settings.review == "two_person",
            new_id=new_id,
        )
        self.figures = Figures(
            self.cases,
            KeyedHash(self.keys.get_secret("lookup")),
            two_person=settings.review == "two_person",
            new_id=new_id,
        )
        self.erasures = Erasures(
            self.writer, KeyedHash(self.keys.get_secret("lookup")), new_id=new_id
        )
        self.eraser = Eraser(
            self.engine,
            self.keys_engine,
            self.keys,
            MasterKeyFile(settings.master_key_file),
            self.recorder,
            self.reader,
            self.rebuild,
            clock,
        )
        self.watcher = self.recorder.watch()
        self.key_uses = KeyUses(self.engine, clock)
        self._open_logs(signer, witnesses)
        self._timers = (
            # Only an event, never a read, ends an embargo.
            Timer("embargoes", EMBARGO_SECONDS, self.release_due),
            Timer("key-uses", KEY_USE_SECONDS, self.key_uses.write_due),
            Timer("erasures", ERASURE_SECONDS, self.eraser.follow),
        )

    def _open_logs(self, signer: Signer, witnesses: tuple[VerifierKey, ...]) -> None:
        """Set up what signs the logs and what is served of them."""
        checkpoints = Checkpoints(self.keys.read, self.keys.write)
        origins = Origins(checkpoints, self.settings.log_origin, self.settings.base_url)
        logs = (
            Log("full", FULL_LOG_TAG, EventRecords(self.keys)),
            Log("public", PUBLIC_LOG_TAG, PublicationRecords(self.keys)),
        )
        self.publisher = Publisher(self.engine, logs, checkpoints, origins, signer, self.clock)
        self.served_logs: dict[LogName, ServedLog] = {
            log.name: ServedLog(self.engine, log, checkpoints, origins, signer, witnesses)
            for log in logs
        }
        self.webhooks = Webhooks(self.keys.get_secret)
        self._deliverer: Deliverer | None = None
        self._announcer: Announcer | None = None
        self._publishing: threading.Thread | None = None

    def start(self) -> None:
        """Start the writer and what follows the log."""
        self.writer.start()
        self.watcher.start()
        for timer in self._timers:
            timer.start()

    def start_publishing(self, *, signs: bool = True) -> None:
        """Follow the logs and sign them, on a thread of its own, until the house is closed.

        signs: false where another process of the deployment signs; how far it has come is looked
        at all the same.
        """
        if not signs:
            try_to(self.publisher.begin, "publisher")
        work = self.publish if signs else self.publisher.look
        self._publishing = threading.Thread(
            target=self._follow_logs, args=(work,), name="publisher", daemon=True
        )
        self._publishing.start()

    def publish_until_stopped(self) -> None:
        """Follow the logs and sign them until the publisher is stopped; of a house not started.

        For a process that does nothing else.
        """

        def publish() -> None:
            try:
                self.publisher.publish()
            finally:
                # Nobody tells this process whose key was destroyed: it keeps none.
                self.keys.forget_all()

        self.watcher.start()
        self._follow_logs(publish)

    @property
    def is_publishing(self) -> bool:
        """Whether this house follows the logs."""
        return self._publishing is not None and self._publishing.is_alive()

    def start_delivering(self, render: Render) -> None:
        """Deliver what webhooks are told of, on threads of its own, until the house is closed.

        render: a public change as JSON, as anyone may read it.
        """
        self._deliverer = Deliverer(
            self.engine,
            self.reader,
            self.watcher,
            self.webhooks,
            render,
            self.clock,
            Reach(self.settings.webhook_networks),
        )
        self._deliverer.start()
        if self.settings.websub_hub is not None:
            self._announcer = Announcer(
                self.engine, self.reader, self.watcher, self.settings, self.clock
            )
            self._announcer.start()

    def wake_deliverer(self) -> None:
        """Have what is to be delivered looked at; never blocks."""
        if self._deliverer is not None:
            self._deliverer.wake()

    def publish(self) -> bool:
        """Sign what is new in the logs now; return whether that is for this process to do."""
        return self.publisher.publish()

    def _follow_logs(self, work: Callable[[], object]) -> None:
        while not self.publisher.is_stopped:
            head = self.watcher.head
            try_to(work, "publisher")
            # Events come in crowds; each signature is a commit of its own in two databases.
            self.publisher.wait(GATHER_SECONDS)
            self.watcher.wait(head + 1, PUBLISH_SECONDS)

    def close(self) -> None:
        """Finish what was asked for, and let go of the databases."""
        for timer in self._timers:
            timer.stop()
        if self._deliverer is not None:
            self._deliverer.stop()
        if self._announcer is not None:
            self._announcer.stop()
        self.publisher.stop()
        self.watcher.stop()
        if self._publishing is not None:
            self._publishing.join()
        self.publisher.close()
        # It still holds a connection of its own, apart from the pool.
        self.watcher.join()
        self.writer.stop()
        try_to(self.key_uses.write_all, "key-uses")
        self.let_go()

    def let_go(self) -> None:
        """Let go of the databases; for a house that was not started."""
        self.engine.dispose()
        self.keys_engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection for what is not in the log: partners and their keys."""
        with wrapped_errors(), begin_write(self.engine) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for reading what is not in the log."""
        with wrapped_errors(), begin_read(self.engine) as connection:
            yield connection

    def release_due(self) -> int:
        """Release the claims whose embargo is over; return how many."""
        with self.reader.snapshot() as snapshot:
            if snapshot.head.frozen:
                return 0
            due = list_due(snapshot.connection, snapshot.view_set, self.clock())
        futures = [self.cases.release_publication(case, claim) for case, claim in due]
        released = 0
        for future in futures:
            # Another process may have been faster; then there is nothing left to release.
            with suppress(CaseflowError):
                future.result()
                released += 1
        return released

    def quarantine(
        self, suspect: Suspect, on_progress: Callable[[int], None] = lambda done: None
    ) -> Quarantined:
        """Hide what was posted with a key since a moment, until it is reviewed.

        Also what is posted while it runs. on_progress: told how many cases are done.
        """
        steps, left = list[Step](), dict[UUID, Left]()
        hiding = Quarantine(self.writer, KeyedHash(self.keys.get_secret("lookup")))
        done, seen = 0, 0
        while posted := self._list_posted(suspect, seen):
            seen = posted[-1].position
            found = list(dict.fromkeys(placed.case_id for placed in posted))
            for start in range(0, len(found), HIDDEN_TOGETHER):
                batch = found[start : start + HIDDEN_TOGETHER]
                for future in [hiding.hide(suspect, originator_id) for originator_id in batch]:
                    quarantined = future.result()
                    steps += quarantined.steps
                    left |= {one.event_id: one for one in quarantined.left}
                done += len(batch)
                on_progress(done)
        return Quarantined(steps, list(left.values()))

    def finish_erasures(self) -> int:
        """Do what is left to do of erasures that were recorded; return how many cases it was."""
        return self.eraser.finish()

    def try_to_finish_erasures(self) -> bool:
        """Do what is left to do of erasures; return whether nothing is.

        What fails is tried again from time to time.
        """
        return try_to(self.eraser.finish, "erasures")

    def apply_ledger(self) -> int:
        """Hide and erase again what the ledger tells of and a restored database does not know.

        Returns how many claims and cases it was. To be called before anything is served, of a
        house that is running. Raises LedgerError where the ledger cannot be read.
        """
        return self.eraser.apply(self.ledger, self.erasures)

    def _list_posted(self, suspect: Suspect, after: int) -> list[Placed]:
        """Return what was posted with a key since a moment, from after a position of the log."""
        with self.reader.snapshot() as snapshot:
            where = snapshot.connection, snapshot.view_set
            found = list_by_key(*where, suspect.key_id, suspect.since)
        return [placed for placed in found if placed.position > after]

    def check_logs(self) -> list[str]:
        """Return in what the logs differ from what was signed last; for a house not started."""
        return self.publisher.find_faults()

    def rebuild(
        self,
        on_progress: Callable[[int], None] = lambda position: None,
        *,
        is_new: bool = False,
    ) -> int:
        """Make all views again from the log; return the last position.

        is_new: and the public log with them, where that is younger; nobody may write meanwhile.
        """

        lease = Lease("rebuild")

        def switch(connection: Connection, view_set: str) -> None:
            connection.execute(update(log_head).values(view_set=view_set))

        return rebuild(
            self.engine,
            self.reader.read_log,
            self.recorder.append,
            lease,
            switch,
            Publications(self.keys),
            is_new=is_new,
            on_progress=on_progress,
        )


def open_keys(settings: Settings, engine: Engine) -> KeyStore:
    """Return the key store, checked against the master key.

    Both key files are there afterwards; of a new store, the ledger too.

    Raises MissingKeyError where a key's file is gone, WrongMasterKeyError where the master key is
    that of another store.
    """
    # Decided once, before anything is stored: a store is bound when both files are there.
    is_empty = is_store_empty(engine)
    master_key = read_or_create_master_key(settings.master_key_file, is_empty)
    # A store that an older release made has never signed anything.
    is_new = is_empty or find_pinned_key(engine) is None
    read_or_create_signing_key(settings.signing_key_file, is_new)
    if is_empty:
        Ledger(settings.ledger_file).create()
    file = MasterKeyFile(settings.master_key_file)
    keys = KeyStore(engine, master_key, find_master_keys=file.list_keys)
    keys.check()
    file.settle(keys.is_opened_by)
    return keys


def open_signer(settings: Settings, keys: KeyStore) -> Signer:
    """Return what signs the logs, with the key that this key store has pinned.

    Raises WrongSigningKeyError where the file holds another.
    """
    seed = read_or_create_signing_key(settings.signing_key_file, may_create=False)
    return make_signer(seed, keys.write)


def read_witnesses(settings: Settings) -> tuple[VerifierKey, ...]:
    """Return the keys of the witnesses. Raises SettingsError where they cannot be used."""
    variable = "CASEFLOW_WITNESSES"
    try:
        keys = tuple(parse_witness_key(text) for text in settings.witnesses)
    except InvalidNoteError as error:
        problem = "must be verifier keys of witnesses, separated by commas"
        raise SettingsError(variable, problem) from error
    if len({key.public_key for key in keys}) != len(keys):
        raise SettingsError(variable, "must not name one key twice")
    return keys


def list_newest_cases(engine: Engine, limit: int) -> list[UUID]:
    """Return the cases of the last events, the newest first; a case comes once for each event."""
    query = select(events.c.originator_id).order_by(events.c.position.desc()).limit(limit)
    with wrapped_errors(), begin_read(engine) as connection:
        return list(connection.scalars(query))


def check_key_store_exists(settings: Settings) -> None:
    """Make sure that no key store is made beside a log that has events, which needs its own.

    Raises MissingKeyStoreError.
    """
    if current_revision(settings.keys_url) is not None:
        return
    engine, keys_engine = make_engine(settings.database_url), make_engine(settings.keys_url)
    try:
        if list_newest_cases(engine, 1):
            raise MissingKeyStoreError(keys_engine, "is not there, but the log holds events")
    finally:
        engine.dispose()
        keys_engine.dispose()


def migrate_house(settings: Settings) -> None:
    """Bring both databases to this release's schema.

    Raises MissingKeyStoreError where the log has events and there is no key store.
    """
    migrate(settings.database_url)
    check_key_store_exists(settings)
    migrate_keys(settings.keys_url)
    rebuild_stale_views(settings)


def rebuild_stale_views(settings: Settings) -> None:
    """Make the views anew where a migration has changed their shape."""
    engine = make_engine(settings.database_url)
    try:
        with wrapped_errors(), begin_read(engine) as connection:
            view_set = read_head(connection).view_set
    finally:
        engine.dispose()
    if view_set not in VIEW_SETS:
        house = House(settings)
        try:
            house.rebuild(is_new=True)
        finally:
            house.let_go()


@contextmanager
def open_house(
    settings: Settings,
    *,
    clock: Callable[[], int] = now_microseconds,
    new_id: Callable[[], UUID] = uuid4,
) -> Iterator[House]:
    """Yield a running house. An embedded database is migrated first; a server's must be current.

    Raises SchemaOutdatedError, which names the command to run; MissingKeyStoreError where the log
    has events and the key store is not theirs.
    """
    if settings.embedded:
        migrate_house(settings)
    else:
        check_schema(settings.database_url)
        check_key_store_exists(settings)
        check_schema(settings.keys_url, "keys")
    house = House(settings, clock=clock, new_id=new_id)
    house.start()
    try:
        yield house
    finally:
        house.close()
