"""docs/proof.md says what the code does: every value of its example follows from those before."""

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.formats.checkpoint import (
    Checkpoint,
    Cosignature,
    cosign_checkpoint,
    open_checkpoint,
    sign_checkpoint,
)
from caseflow.formats.merkle import (
    hash_leaf,
    nodes_over,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from caseflow.formats.note import (
    COSIGNATURE_V1,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    get_verifier_key,
    parse_verifier_key,
    render_note,
    render_verifier_key,
)
from caseflow.formats.tiles import (
    FULL_LOG_TAG,
    PUBLIC_LOG_TAG,
    Bundle,
    Tile,
    leaf_data,
    render_bundle,
    render_path,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "proof.md").read_text("utf-8")


def read_example(page, heading="## A worked example"):
    """Return the lines of each named block of a page's example."""
    example = page.partition(heading)[2]
    blocks = re.findall(r"^- (\w+):\n\n  ```\w*\n(.+?)^  ```$", example, re.MULTILINE | re.DOTALL)
    return {name: [line[2:] for line in text.splitlines()] for name, text in blocks}


def test_the_example_of_the_page_holds():
    example = read_example(PAGE)
    (record,) = read_example((DOCS / "record.md").read_text("utf-8"))["record"]
    records = (record.encode(), b"two", b"three")
    entries = [leaf_data(FULL_LOG_TAG, one) for one in records]
    leaves = [hash_leaf(entry) for entry in entries]
    read = nodes_over(leaves)
    assert example["entries"] == [entry.hex() for entry in entries]
    assert example["leaves"] == [leaf.hex() for leaf in leaves]
    assert example["root"] == [root_of(leaves).hex()]
    assert example["inclusion"] == [one.hex() for one in prove_inclusion(1, 3, read)]
    assert example["consistency"] == [one.hex() for one in prove_consistency(2, 3, read)]
    assert example["bundle"] == [render_bundle(entries).hex()]
    assert f"`{render_path(Tile(0, 0, 3))}`" in PAGE
    assert f"`{render_path(Bundle(0, 3))}`" in PAGE


def test_the_checkpoint_of_the_page_is_signed_by_its_keys():
    example = read_example(PAGE)
    log, witness = (
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(one)) for one in example["private"]
    )
    log_key, witness_key = map(parse_verifier_key, example["keys"])
    assert get_verifier_key(log_key.name, log) == log_key
    assert get_verifier_key(witness_key.name, witness, COSIGNATURE_V1) == witness_key
    assert [render_verifier_key(log_key), render_verifier_key(witness_key)] == example["keys"]

    (root,), time = example["root"], int(example["time"][0])
    head = Checkpoint(log_key.name, 3, bytes.fromhex(root))
    line = cosign_checkpoint(head, name=witness_key.name, private_key=witness, timestamp=time)
    signed = sign_checkpoint(head, log)
    data = render_note(Note(signed.text, (*signed.signatures, line)))
    assert data.decode().splitlines() == example["checkpoint"]
    opened = open_checkpoint(data, log_key=log_key, witness_keys=[witness_key])
    assert opened.checkpoint == head
    assert opened.cosignatures == (Cosignature(witness_key, time),)


def test_the_page_tells_the_tags_and_the_bounds():
    for tag in (FULL_LOG_TAG, PUBLIC_LOG_TAG):
        assert f"`{tag}`" in PAGE
    assert f"{MAX_SIGNATURES} signatures and {MAX_NOTE_BYTES:,} bytes" in PAGE
