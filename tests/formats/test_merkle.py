"""The hash tree: equal to the RFC's definition, to others' trees, and to nothing else."""

import base64
import hashlib
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from caseflow.formats.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    CompactRange,
    InvalidTreeError,
    hash_leaf,
    hash_node,
    nodes_over,
    prove_consistency,
    prove_inclusion,
    read_range,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.formats.changes import flip_each_bit
from tests.formats.trees import Tree

DATA = Path(__file__).parent / "data"
PAIRS_UP_TO = 300
ZERO = bytes(32)

# The published vectors of the Certificate Transparency project: eight leaves, the roots of the
# trees of 1 to 8 of them, and some proofs.
LEAVES = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


@pytest.fixture(scope="module")
def small():
    """The leaves of sumdb.json: the numbers from 0 in decimal."""
    return [str(index).encode() for index in range(PAIRS_UP_TO)]


@pytest.fixture(scope="module")
def tree(small):
    return Tree(enumerate(small))


@pytest.fixture(scope="module")
def proofs(small):
    """All proofs that we make of all trees up to 300 leaves, by size."""
    read = nodes_over(map(hash_leaf, small))
    return {
        size: (
            [prove_inclusion(index, size, read) for index in range(size)],
            [prove_consistency(old, size, read) for old in range(size + 1)],
        )
        for size in range(1, PAIRS_UP_TO + 1)
    }


# -- others' trees --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_are_ours(size):
    assert root_of(map(hash_leaf, LEAVES[:size])).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_published_inclusion_proofs_are_ours(index, size):
    proof = prove_inclusion(index, size, nodes_over(map(hash_leaf, LEAVES)))
    assert [one.hex() for one in proof] == INCLUSION[index, size]
    root, leaf_hash = bytes.fromhex(ROOTS[size]), hash_leaf(LEAVES[index])
    assert verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=size, root=root)


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_published_consistency_proofs_are_ours(old, new):
    proof = prove_consistency(old, new, nodes_over(map(hash_leaf, LEAVES)))
    assert [one.hex() for one in proof] == CONSISTENCY[old, new]
    roots = {"old_root": bytes.fromhex(ROOTS[old]), "new_root": bytes.fromhex(ROOTS[new])}
    assert verify_consistency(proof, old_size=old, new_size=new, **roots)


def test_proofs_of_a_log_of_a_billion_certificates_verify():
    """What the log Argon 2020 answered, from the test data of Go's tlog package."""
    log = json.loads((DATA / "argon2020.json").read_text("utf-8"))
    root, old_root, leaf_hash = map(
        base64.b64decode, (log["root"], log["old_root"], log["leaf_hash"])
    )
    inclusion = [base64.b64decode(one) for one in log["inclusion"]]
    consistency = [base64.b64decode(one) for one in log["consistency"]]
    at = {"index": log["leaf_index"], "size": log["size"], "root": root}
    assert verify_inclusion(inclusion, leaf_hash=leaf_hash, **at)
    assert not verify_inclusion(inclusion, leaf_hash=leaf_hash, **at | {"index": 10_001})
    heads = {"old_root": old_root, "new_size": log["size"], "new_root": root}
    assert verify_consistency(consistency, old_size=log["old_size"], **heads)
    assert not verify_consistency(consistency, old_size=log["old_size"] + 1, **heads)


def test_all_trees_and_proofs_up_to_300_leaves_are_those_of_go(small, proofs):
    digests = json.loads((DATA / "sumdb.json").read_text("utf-8"))["digests"]
    assert len(digests) == PAIRS_UP_TO
    for size, (inclusion, consistency) in proofs.items():
        digest = hashlib.sha256(root_of(map(hash_leaf, small[:size])))
        for proof in (*inclusion, *consistency[1:]):
            digest.update(bytes([len(proof)]) + b"".join(proof))
        assert digest.hexdigest() == digests[size - 1], size


def test_another_verifier_takes_our_proofs(small, tree, proofs):
    for size in (1, 2, 3, 64, 255, 256, 257, 300):
        root = tree.hash(0, size)
        inclusion, consistency = proofs[size]
        for index, proof in enumerate(inclusion):
            InclusionProof(index, size, proof).check(hash_leaf(small[index]), root)
        for old, proof in enumerate(consistency):
            ConsistencyProof(old, size, proof).check(tree.hash(0, old), root)


# -- the definition -------------------------------------------------------------------------------


def test_roots_are_those_of_the_definition(small, tree):
    grown = CompactRange()
    read = nodes_over(map(hash_leaf, small))
    for size in range(PAIRS_UP_TO + 1):
        root = tree.hash(0, size)
        assert grown.root == root_of(map(hash_leaf, small[:size])) == root
        assert read_range(size, read) == grown
        grown = grown.extended_by(map(hash_leaf, small[size : size + 1]))


def test_inclusion_proofs_are_those_of_the_definition_and_verify(small, tree, proofs):
    for size, (inclusion, _) in proofs.items():
        root = tree.hash(0, size)
        for index, proof in enumerate(inclusion):
            assert proof == tree.path(index, 0, size)
            leaf_hash = hash_leaf(small[index])
            assert verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=size, root=root)


def test_consistency_proofs_are_those_of_the_definition_and_verify(tree, proofs):
    for new, (_, consistency) in proofs.items():
        new_root = tree.hash(0, new)
        for old, proof in enumerate(consistency):
            assert proof == (tree.proof(old, new) if old else [])
            heads = {"old_size": old, "old_root": tree.hash(0, old)}
            assert verify_consistency(proof, **heads, new_size=new, new_root=new_root)


@given(st.integers(0, MAX_SIZE), st.data())
def test_trees_of_any_size_are_those_of_the_definition(size, data):
    """Most leaves of these trees have no data, so that no more than the rest need exist."""
    inside = st.integers(0, max(0, size - 1))
    places = data.draw(st.sets(inside, min_size=1, max_size=8)) if size else set()
    tree = Tree((place, b"%d" % place) for place in places)

    def read(level, index):
        return tree.hash(index << level, (index + 1) << level)

    root = read_range(size, read).root
    assert root == tree.hash(0, size)
    for index in places:
        proof = prove_inclusion(index, size, read)
        assert proof == tree.path(index, 0, size)
        leaf_hash = tree.leaves[index]
        assert verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=size, root=root)
    for old in places - {0}:
        proof = prove_consistency(old, size, read)
        assert proof == tree.proof(old, size)
        heads = {"old_size": old, "old_root": tree.hash(0, old), "new_root": root}
        assert verify_consistency(proof, new_size=size, **heads)


@given(st.integers(0, 2**40), st.lists(st.binary(max_size=4), max_size=70))
def test_a_range_goes_on_where_it_was_left(size, added):
    tree = Tree(enumerate(added, start=size))
    left = read_range(size, lambda level, index: tree.hash(index << level, (index + 1) << level))
    grown = left.extended_by(map(hash_leaf, added))
    assert grown.size == size + len(added)
    assert grown.root == tree.hash(0, grown.size)


def test_a_range_keeps_a_hash_for_each_binary_digit_1():
    grown = CompactRange().extended_by(hash_leaf(b"") for _ in range(1000))
    assert len(grown.hashes) == (1000).bit_count()
    assert CompactRange(grown.size, grown.hashes) == grown


def test_leaves_and_nodes_are_never_taken_for_one_another():
    left, right = hash_leaf(b"left"), hash_leaf(b"right")
    assert hash_node(left, right) != hash_leaf(left + right)
    assert hash_leaf(b"") != EMPTY_ROOT


# -- what does not verify -------------------------------------------------------------------------


def alter(proof):
    """Yield the proof with each bit flipped, and longer, shorter and in other orders."""
    for place, one in enumerate(proof):
        for changed in flip_each_bit(one):
            yield [*proof[:place], changed, *proof[place + 1 :]]
        yield [*proof[:place], *proof[place + 1 :]]
        yield [*proof[:place], one, *proof[place:]]
        yield [*proof[:place], one[:-1], *proof[place + 1 :]]
        yield [*proof[:place], one + b"\x00", *proof[place + 1 :]]
    for place, (one, other) in enumerate(pairwise(proof)):
        yield [*proof[:place], other, one, *proof[place + 2 :]]
    yield [*proof, ZERO]
    yield [ZERO, *proof]
    if len(proof) != 1:
        yield [b"".join(proof)]


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (3, 7), (6, 7), (4, 5), (5, 8)])
def test_no_altered_inclusion_proof_verifies(index, size):
    hashes = [hash_leaf(b"%d" % number) for number in range(size)]
    proof = prove_inclusion(index, size, nodes_over(hashes))
    true = {"leaf_hash": hashes[index], "index": index, "size": size, "root": root_of(hashes)}
    assert verify_inclusion(proof, **true)
    for altered in alter(proof):
        assert not verify_inclusion(altered, **true)
    for name in ("leaf_hash", "root"):
        for changed in (*flip_each_bit(true[name]), b"", true[name] + b"\x00"):
            assert not verify_inclusion(proof, **true | {name: changed})
    for other in {*range(-1, size + 2), 2**64} - {index}:
        assert not verify_inclusion(proof, **true | {"index": other})
    for other in (0, -1, -size, size + 64, 2**63, 2**64):
        assert not verify_inclusion(proof, **true | {"size": other})


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (6, 7), (6, 8), (7, 8), (8, 8)])
def test_no_altered_consistency_proof_verifies(old, new):
    hashes = [hash_leaf(b"%d" % number) for number in range(new)]
    proof = prove_consistency(old, new, nodes_over(hashes))
    true = {
        "old_size": old,
        "old_root": root_of(hashes[:old]),
        "new_size": new,
        "new_root": root_of(hashes),
    }
    assert verify_consistency(proof, **true)
    for altered in alter(proof):
        assert not verify_consistency(altered, **true)
    for name in ("old_root", "new_root"):
        for changed in (*flip_each_bit(true[name]), b"", true[name] + b"\x00"):
            assert not verify_consistency(proof, **true | {name: changed})
    for other in {*range(-1, new + 2), 2**64} - {old}:
        assert not verify_consistency(proof, **true | {"old_size": other})
    for other in (0, -1, -new, new + 64, 2**63, 2**64):
        assert not verify_consistency(proof, **true | {"new_size": other})


def test_a_proof_has_no_more_levels_than_its_tree():
    """Two leaves are not one, nor are three two, though the hashes lead to the root."""
    one, two, three = (hash_leaf(data) for data in (b"1", b"2", b"3"))
    root = hash_node(one, two)
    assert verify_inclusion([one], leaf_hash=two, index=1, size=2, root=root)
    assert not verify_inclusion([one], leaf_hash=two, index=0, size=1, root=root)
    heads = {"old_size": 2, "old_root": root, "new_root": hash_node(root, three)}
    assert verify_consistency([three], **heads, new_size=3)
    above = hash_node(one, hash_node(root, three))
    taller = {"old_root": hash_node(one, root), "new_root": above}
    assert not verify_consistency([three, one], old_size=2, new_size=3, **taller)


def test_a_rewritten_log_is_not_consistent(small):
    """Whoever changes one of the first 100 leaves finds no proof among those that they can make."""
    before = [hash_leaf(data) for data in small]
    after = [*before[:41], hash_leaf(b"rewritten"), *before[42:]]
    heads = {"old_size": 100, "old_root": root_of(before[:100]), "new_size": 300}
    for leaves in (before, after):
        proof = prove_consistency(100, 300, nodes_over(leaves))
        assert verify_consistency(proof, **heads, new_root=root_of(leaves)) == (leaves is before)


def test_only_the_empty_tree_needs_no_proof():
    true = {"old_size": 0, "old_root": EMPTY_ROOT, "new_size": 3, "new_root": ZERO}
    assert verify_consistency([], **true)
    assert not verify_consistency([ZERO], **true)
    assert not verify_consistency([], **true | {"old_root": ZERO})
    assert not verify_consistency([], **true | {"old_size": 1})
    assert not verify_consistency([], old_size=3, old_root=ZERO, new_size=3, new_root=EMPTY_ROOT)


@given(
    st.lists(st.binary(min_size=31, max_size=33), max_size=70),
    st.lists(st.integers(-(2**65), 2**65), min_size=2, max_size=2),
    st.lists(st.binary(max_size=33), min_size=2, max_size=2),
)
def test_nonsense_is_no_proof_and_no_error(proof, numbers, hashes):
    index, size = numbers
    leaf_hash, root = hashes
    assert not verify_inclusion(proof, leaf_hash=leaf_hash, index=index, size=size, root=root)
    heads = {"old_size": index, "new_size": size, "old_root": leaf_hash, "new_root": root}
    assert index == size or not verify_consistency(proof, **heads)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(-1, ()), (2**63, (ZERO,)), (1, ()), (2, (ZERO, ZERO)), (3, (ZERO,)), (1, (b"short",))],
)
def test_what_is_no_range_is_refused(size, hashes):
    with pytest.raises(InvalidTreeError):
        CompactRange(size, hashes)


def test_hashes_of_other_lengths_are_refused():
    for bad in (b"", ZERO[1:], ZERO + b"\x00"):
        with pytest.raises(InvalidTreeError):
            root_of([ZERO, bad])
        with pytest.raises(InvalidTreeError):
            nodes_over([ZERO, bad])


def test_proofs_of_what_no_tree_has_are_refused():
    read = nodes_over([ZERO] * 4)
    for index, size in [(0, 0), (-1, 4), (4, 4), (0, 5), (0, -1), (0, 2**63)]:
        with pytest.raises(InvalidTreeError):
            prove_inclusion(index, size, read)
    for old, new in [(5, 4), (-1, 4), (3, 5), (1, 2**63), (-1, -1)]:
        with pytest.raises(InvalidTreeError):
            prove_consistency(old, new, read)
    for size in (-1, 5, 2**63):
        with pytest.raises(InvalidTreeError):
            read_range(size, read)


def test_a_range_does_not_grow_past_its_last_size():
    # All of 2^63 - 1 leaves: 63 hashes.
    full = CompactRange(MAX_SIZE, (ZERO,) * 63)
    with pytest.raises(InvalidTreeError):
        full.extended_by([ZERO])


def test_proofs_are_short():
    """At most one hash for each level, and one more between trees."""
    chance = random.Random(6962)

    def read(level, index):
        return ZERO

    for _ in range(200):
        size = chance.randrange(1, 2**40)
        other = chance.randrange(size)
        assert len(prove_inclusion(other, size, read)) <= (size - 1).bit_length()
        assert len(prove_consistency(other, size, read)) <= (size - 1).bit_length() + 1
