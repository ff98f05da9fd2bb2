"""Tiles and bundles: their places, paths and bytes, and the trees that are read from them."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer
from tlog_scales.writer import TilesWriter

from caseflow.formats.checkpoint import open_checkpoint
from caseflow.formats.merkle import (
    hash_leaf,
    nodes_over,
    prove_consistency,
    prove_inclusion,
    read_range,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from caseflow.formats.note import parse_verifier_key
from caseflow.formats.tiles import (
    FULL_LOG_TAG,
    PUBLIC_LOG_TAG,
    Bundle,
    InvalidTileError,
    Tile,
    extend_tiles,
    get_tile,
    leaf_data,
    list_bundles,
    list_tiles,
    nodes_in_tiles,
    parse_bundle,
    parse_leaf_data,
    parse_path,
    parse_tile,
    render_bundle,
    render_path,
    render_tile,
)
from tests.formats.trees import Tree

SUMDB = json.loads((Path(__file__).parent / "data" / "sumdb.json").read_text("utf-8"))
ZERO = bytes(32)

widths = st.integers(1, 256)
indexes = st.integers(0, 2**63 - 1)
places = st.builds(Bundle, indexes, widths) | st.builds(Tile, st.integers(0, 63), indexes, widths)


# -- paths ----------------------------------------------------------------------------------------


def test_the_paths_of_the_specification_are_ours():
    assert render_path(Tile(0, 1_234_067)) == "tile/0/x001/x234/067"
    assert render_path(Tile(3, 0, 17)) == "tile/3/000.p/17"
    assert render_path(Bundle(273, 112)) == "tile/entries/273.p/112"
    assert parse_path("tile/entries/x001/x234/067") == Bundle(1_234_067)


@pytest.mark.parametrize(("level", "index", "width", "path"), SUMDB["paths"])
def test_paths_are_those_of_go(level, index, width, path):
    assert render_path(Tile(level, index, width)) == path
    assert parse_path(path) == Tile(level, index, width)
    bundle = path.replace(f"tile/{level}/", "tile/entries/")
    assert parse_path(bundle) == Bundle(index, width)


@pytest.mark.parametrize("path", SUMDB["path_parses"])
def test_a_path_is_taken_where_go_takes_it(path):
    if SUMDB["path_parses"][path]:
        assert render_path(parse_path(path)) == path
    else:
        with pytest.raises(InvalidTileError):
            parse_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/99/000",
        "tile/007/000",
        "tile/entries/",
        "tile/data/000",
        "tile/entries/000.p/256",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/" + "x999/" * 5000 + "000",
        "",
    ],
)
def test_paths_beyond_the_bounds_are_refused(path):
    with pytest.raises(InvalidTileError):
        parse_path(path)


@given(places)
def test_a_path_names_one_place(place):
    assert parse_path(render_path(place)) == place


@given(st.from_regex(r"tile/(?:entries|[0-9x]{1,3})/[x0-9/.p]{3,24}", fullmatch=True) | st.text())
def test_a_text_is_a_path_in_its_one_spelling_or_refused(text):
    try:
        place = parse_path(text)
    except InvalidTileError:
        return
    assert render_path(place) == text


# -- places ---------------------------------------------------------------------------------------


def test_the_tree_of_70_000_leaves_has_the_tiles_of_the_specification():
    tiles = list(list_tiles(70_000))
    full = [tile for tile in tiles if tile.width == 256]
    assert [tile.level for tile in full] == [0] * 273 + [1]
    partial = [tile for tile in tiles if tile.width < 256]
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert len(list(list_bundles(70_000))) == 274
    assert list(list_tiles(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(list_tiles(0)) == list(list_bundles(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 200_000))
@example(255, 256)
@example(256, 256)
@example(256, 257)
@example(65_535, 65_536)
def test_since_leaves_out_what_was_there_and_nothing_else(one, other):
    since, size = sorted((one, other))
    before, after = set(list_tiles(since)), set(list_tiles(size))
    new = list(list_tiles(size, since=since))
    assert len(new) == len(set(new))
    assert set(new) == after - before
    # The full tiles stay, whatever the tree becomes.
    assert {tile for tile in before if tile.width == 256} <= after
    bundles = [Bundle(tile.index, tile.width) for tile in new if tile.level == 0]
    assert list(list_bundles(size, since=since)) == bundles


@given(st.integers(0, 2**40), st.integers(0, 5), st.integers(0, 2**33))
def test_a_place_has_a_tile_where_the_definition_says(size, level, index):
    hashes = size // 256**level
    if index * 256 < hashes:
        tile = get_tile(size, level, index)
        # Source: C2SP tlog-tiles, section "Partial Tiles".
        assert tile.width == (256 if (index + 1) * 256 <= hashes else hashes % 256)
    else:
        with pytest.raises(InvalidTileError):
            get_tile(size, level, index)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tile(-1, 0),
        lambda: Tile(64, 0),
        lambda: Tile(0, -1),
        lambda: Tile(0, 2**63),
        lambda: Tile(0, 0, 0),
        lambda: Tile(0, 0, 257),
        lambda: Bundle(-1),
        lambda: Bundle(0, 0),
        lambda: get_tile(1, -1, 0),
        lambda: get_tile(1, 64, 0),
        lambda: get_tile(1, 0, -1),
        lambda: get_tile(-1, 0, 0),
        lambda: list(list_tiles(-1)),
        lambda: list(list_tiles(2**63)),
        lambda: list(list_tiles(4, since=5)),
        lambda: list(list_tiles(4, since=-1)),
        lambda: list(list_bundles(4, since=5)),
        lambda: list(extend_tiles(-1, [], lambda tile: [])),
    ],
)
def test_places_that_no_log_has_are_refused(make):
    with pytest.raises(InvalidTileError):
        make()


# -- bytes ----------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=256))
def test_a_tile_is_its_hashes(hashes):
    data = render_tile(hashes)
    assert data == b"".join(hashes)
    assert parse_tile(data, len(hashes)) == tuple(hashes)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_is_its_entries(entries):
    data = render_bundle(entries)
    assert data[:2] == len(entries[0]).to_bytes(2, "big")
    assert parse_bundle(data, len(entries)) == tuple(entries)
    for width in {len(entries) - 1, len(entries) + 1, 0, 257}:
        with pytest.raises(InvalidTileError):
            parse_bundle(data, width)


def test_a_bundle_that_is_cut_anywhere_is_refused():
    data = render_bundle([b"one", b"", b"three"])
    for end in range(len(data)):
        with pytest.raises(InvalidTileError):
            parse_bundle(data[:end], 3)
    with pytest.raises(InvalidTileError):
        parse_bundle(data + b"\x00", 3)


@given(st.binary(max_size=80), st.integers(-1, 5))
def test_bytes_are_the_bundle_of_their_entries_or_refused(data, width):
    try:
        entries = parse_bundle(data, width)
    except InvalidTileError:
        return
    assert len(entries) == width
    assert render_bundle(entries) == data


def test_an_entry_has_65_535_bytes_at_most():
    longest = bytes(65_535)
    assert parse_bundle(render_bundle([longest]), 1) == (longest,)
    with pytest.raises(InvalidTileError):
        render_bundle([longest + b"\x00"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: render_tile([]),
        lambda: render_tile([ZERO] * 257),
        lambda: render_tile([ZERO, b""]),
        lambda: parse_tile(ZERO, 2),
        lambda: parse_tile(ZERO + b"\x00", 1),
        lambda: parse_tile(b"", 0),
        lambda: parse_tile(ZERO * 257, 257),
        lambda: render_bundle([]),
        lambda: render_bundle([b""] * 257),
    ],
)
def test_tiles_and_bundles_of_other_sizes_are_refused(make):
    with pytest.raises(InvalidTileError):
        make()


# -- entries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [FULL_LOG_TAG, PUBLIC_LOG_TAG])
def test_an_entry_is_the_tag_and_the_hash_of_the_record(tag):
    entry = leaf_data(tag, b'{"format":1}')
    assert entry == tag.encode() + b"\n" + hashlib.sha256(b'{"format":1}').digest()
    assert parse_leaf_data(entry) == (tag, hashlib.sha256(b'{"format":1}').digest())


def test_the_logs_have_different_entries_for_one_record():
    assert leaf_data(FULL_LOG_TAG, b"") != leaf_data(PUBLIC_LOG_TAG, b"")


@pytest.mark.parametrize(
    "tag", ["", "a\n", "\na", "A", "a b", "a//b", "/a", "a/", "é", "a\x00", "٠"]
)
def test_other_tags_are_refused(tag):
    with pytest.raises(InvalidTileError):
        leaf_data(tag, b"")
    with pytest.raises(InvalidTileError):
        parse_leaf_data(tag.encode() + b"\n" + ZERO)


@given(st.binary(max_size=50) | st.binary(max_size=32).map(lambda end: b"a/v1\n" + end))
def test_bytes_are_an_entry_of_ours_or_refused(data):
    try:
        tag, digest = parse_leaf_data(data)
    except InvalidTileError:
        return
    assert tag.encode() + b"\n" + digest == data
    assert len(digest) == 32


def test_a_hash_may_hold_newlines():
    digest = b"\n" * 32
    assert parse_leaf_data(b"a/v1\n" + digest) == ("a/v1", digest)


# -- trees in tiles -------------------------------------------------------------------------------


def test_the_tiles_of_70_000_leaves_are_those_of_go():
    size = SUMDB["tiled_size"]
    hashes = [hash_leaf(b"%d" % index) for index in range(size)]
    tiles = dict(extend_tiles(0, hashes, lambda tile: pytest.fail("there was no tile before")))
    found = {
        render_path(tile): hashlib.sha256(render_tile(held)).hexdigest()[:16]
        for tile, held in tiles.items()
    }
    assert found == SUMDB["tiles"]
    read = nodes_in_tiles(size, tiles.__getitem__)
    assert read_range(size, read).root == base64.b64decode(SUMDB["tiled_root"])
    inclusion = [base64.b64encode(one).decode() for one in prove_inclusion(54_321, size, read)]
    assert inclusion == SUMDB["inclusion"]
    consistency = [base64.b64encode(one).decode() for one in prove_consistency(12_345, size, read)]
    assert consistency == SUMDB["consistency"]


@given(st.integers(0, 2**40), st.data())
def test_proofs_from_tiles_are_those_of_the_definition(size, data):
    """No leaf of these trees is read that is not in a tile of the proof."""
    inside = st.integers(0, max(0, size - 1))
    filled = data.draw(st.sets(inside, min_size=1, max_size=4)) if size else set()
    tree = Tree((place, b"%d" % place) for place in filled)
    asked = []

    def read_tile(tile):
        asked.append(tile)
        return tree.tile(tile.level, tile.index, tile.width)

    read = nodes_in_tiles(size, read_tile)
    root = read_range(size, read).root
    assert root == tree.hash(0, size)
    for index in filled:
        proof = prove_inclusion(index, size, read)
        assert proof == tree.path(index, 0, size)
        leaf_hash = tree.leaves[index]
        assert verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=size, root=root)
    for old in filled - {0}:
        proof = prove_consistency(old, size, read)
        assert proof == tree.proof(old, size)
        heads = {"old_size": old, "old_root": tree.hash(0, old), "new_root": root}
        assert verify_consistency(proof, new_size=size, **heads)
    assert len(asked) == len(set(asked)) <= 6 * (1 + 2 * len(filled))


@given(st.integers(0, 2**40) | st.integers(0, 600), st.integers(0, 800))
@example(0, 0)
@example(0, 256)
@example(255, 1)
@example(256, 0)
@example(65_535, 1)
@example(256**3 - 1, 2)
def test_a_tree_grows_by_the_tiles_that_are_new(size, count):
    added = [b"%d" % number for number in range(count)]
    tree = Tree(enumerate(added, start=size))
    old = []

    def read_tile(tile):
        old.append(tile)
        return tree.tile(tile.level, tile.index, tile.width)

    grown = list(extend_tiles(size, map(hash_leaf, added), read_tile))
    assert {tile for tile, _ in grown} == set(list_tiles(size + count, since=size))
    assert len(grown) == len(dict(grown))
    for tile, hashes in grown:
        assert list(hashes) == tree.tile(tile.level, tile.index, tile.width)
    assert all(tile.width < 256 and tile == get_tile(size, *place(tile)) for tile in old)


def place(tile):
    return tile.level, tile.index


def test_a_full_tile_may_stand_for_a_partial_one():
    hashes = [hash_leaf(b"%d" % index) for index in range(256)]
    read = nodes_in_tiles(100, lambda tile: hashes)
    assert read_range(100, read).root == root_of(hashes[:100])
    wrong = nodes_in_tiles(101, lambda tile: hashes[:100])
    with pytest.raises(InvalidTileError):
        read_range(101, wrong)


def test_nodes_outside_of_the_tree_are_refused():
    hashes = [hash_leaf(b"%d" % index) for index in range(300)]
    tiles = dict(extend_tiles(0, hashes, lambda tile: []))
    read = nodes_in_tiles(300, tiles.__getitem__)
    assert read(8, 0) == root_of(hashes[:256]) == nodes_over(hashes)(8, 0)
    for level, index in [(0, 300), (0, -1), (-1, 0), (2, 75), (8, 1), (9, 0), (16, 0), (600, 0)]:
        with pytest.raises(InvalidTileError):
            read(level, index)


def test_hashes_of_other_lengths_are_refused():
    for bad in (b"", ZERO + b"\x00"):
        with pytest.raises(InvalidTileError):
            list(extend_tiles(0, [bad], lambda tile: []))
        with pytest.raises(InvalidTileError):
            list(extend_tiles(1, [], lambda tile, bad=bad: [bad]))
        with pytest.raises(InvalidTileError):
            nodes_in_tiles(1, lambda tile, bad=bad: [bad])(0, 0)


def test_a_tile_that_is_too_short_is_not_built_upon():
    with pytest.raises(InvalidTileError):
        list(extend_tiles(2, [ZERO], lambda tile: [ZERO]))


# -- another implementation -----------------------------------------------------------------------


def test_another_implementation_writes_the_log_that_we_write(tmp_path):
    """Files by tlog-scales, in three steps, against our tiles, bundles and checkpoint."""
    log, origin = tmp_path / "log", "example.com/log"
    signer = PlainEd25519Signer(origin, bytes(range(32)))
    entries = [leaf_data(PUBLIC_LOG_TAG, b"%d" % index) for index in range(700)]
    writer = TilesWriter.create(log, origin)
    tiles = {}
    for start, end in [(0, 100), (100, 256), (256, 700)]:
        for entry in entries[start:end]:
            writer.add_leaf(entry)
        writer.commit([signer])
        tiles |= extend_tiles(start, map(hash_leaf, entries[start:end]), tiles.__getitem__)

    for tile in list_tiles(700):
        assert (log / render_path(tile)).read_bytes() == render_tile(tiles[tile])
    for bundle in list_bundles(700):
        within = entries[bundle.index * 256 :][: bundle.width]
        assert (log / render_path(bundle)).read_bytes() == render_bundle(within)
    key = parse_verifier_key(signer.vkey.serialize())
    opened = open_checkpoint((log / "checkpoint").read_bytes(), log_key=key).checkpoint
    assert (opened.size, opened.root) == (700, root_of(map(hash_leaf, entries)))


def test_another_implementation_reads_the_log_that_we_write():
    entries = [leaf_data(FULL_LOG_TAG, b"%d" % index) for index in range(700)]
    files = {
        render_path(tile): render_tile(hashes)
        for tile, hashes in extend_tiles(0, map(hash_leaf, entries), lambda tile: [])
    }
    for bundle in list_bundles(700):
        files[render_path(bundle)] = render_bundle(entries[bundle.index * 256 :][: bundle.width])

    class Files:
        def get(self, *path):
            return files.get("/".join(path))

    reader = TilesReader(Files())
    reader.set_size(700)
    root = reader.calculate_root_hash()
    assert root == root_of(map(hash_leaf, entries))
    for index in (0, 255, 256, 511, 699):
        assert reader.get_entry(index) == entries[index]
        proof = reader.get_inclusion_proof(index, 700).node_hashes
        leaf_hash = hash_leaf(entries[index])
        assert verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=700, root=root)
    for old in (1, 256, 300, 512, 699):
        proof = reader.get_consistency_proof(old, 700).node_hashes
        heads = {"old_size": old, "old_root": root_of(map(hash_leaf, entries[:old]))}
        assert verify_consistency(proof, **heads, new_size=700, new_root=root)
