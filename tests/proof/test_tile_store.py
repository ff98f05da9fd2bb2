"""Tiles in the main database: they only get wider, and their size comes with them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from caseflow.database import make_engine
from caseflow.eventstore.schema import migrate
from caseflow.formats.merkle import hash_leaf, root_of
from caseflow.formats.tiles import InvalidTileError, Tile, extend_tiles
from caseflow.proof.tile_store import TileStore

LEAVES = [hash_leaf(bytes([n % 256])) for n in range(600)]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database."""
    migrate(database_url)
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def extend(store: TileStore, old: int, new: int) -> None:
    store.write(new, extend_tiles(old, LEAVES[old:new], store.read_tile))


def test_trees_grow_tile_by_tile(engine: Engine) -> None:
    store, old = TileStore(engine, "full"), 0
    assert store.get_size() == 0
    for new in (1, 3, 256, 257, 599, 600):
        extend(store, old, new)
        assert store.get_size() == new
        assert store.read_range(new).root == root_of(LEAVES[:new])
        assert store.read_range(old).root == root_of(LEAVES[:old])
        old = new


def test_a_narrower_tile_takes_no_place_of_a_wider_one(engine: Engine) -> None:
    """Of two publishers, the slower writes last."""
    store = TileStore(engine, "full")
    extend(store, 0, 300)
    extend(store, 0, 280)
    assert store.get_size() == 300
    assert len(store.read_tile(Tile(0, 1))) == 44
    assert store.read_range(300).root == root_of(LEAVES[:300])


def test_the_logs_are_apart(engine: Engine) -> None:
    full, public = TileStore(engine, "full"), TileStore(engine, "public")
    extend(full, 0, 5)
    assert (public.get_size(), public.read_tile(Tile(0, 0))) == (0, ())
    with pytest.raises(InvalidTileError):
        public.read_range(5)
    extend(public, 0, 2)
    public.clear()
    assert (public.get_size(), full.get_size()) == (0, 5)
