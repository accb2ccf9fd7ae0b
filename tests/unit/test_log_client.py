"""A log followed from outside: every pair of sizes, two stories, roll-backs, tiles that lie, and proofs of other trees."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.tlog import ConsistencyProof, ConsistencyProofInvalid

from governance.checkpoint import LogKey, LogSigner, verify_checkpoint
from governance.errors import LogSourceError, ProofError, RollbackError, SplitViewError
from governance.log_client import check_growth, evidence_of, follow, tiled_tree
from governance.merkle import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion
from governance.testing import FakeLogSource

SIGNER = LogSigner.generate("log.example.org/test")
LOG = FakeLogSource(SIGNER).grow(700)
SIZES = st.integers(0, 12) | st.sampled_from([255, 256, 257, 511, 512, 513]) | st.integers(0, 700)


class Lying:
    """A source whose tiles were changed on the way."""

    def __init__(self, source, change, checkpoint=None):
        self.source, self.change, self.note = source, change, checkpoint

    def checkpoint(self):
        return self.note or self.source.checkpoint()

    def tile(self, level, number, width):
        return self.change(level, number, self.source.tile(level, number, width))


def shown(error):
    """What a stranger with the log's key makes of the evidence: the two checkpoints, verified."""
    document = json.loads(evidence_of(error, SIGNER.key))
    key = LogKey.parse(document["log"])
    assert key == SIGNER.key
    return document, verify_checkpoint(document["known"], key), verify_checkpoint(document["found"], key)


def test_between_all_small_sizes_the_newest_extends_the_older_and_nothing_else_does():
    pairs = 0
    for old in range(40):
        for new in range(40):
            if old > new:
                with pytest.raises(RollbackError):
                    check_growth(LOG, SIGNER.key, LOG.checkpoint(old), LOG.checkpoint(new))
                continue
            growth = check_growth(LOG, SIGNER.key, LOG.checkpoint(old), LOG.checkpoint(new))
            assert (growth.known.size, growth.checkpoint.size) == (old, new)
            pairs += 1
    assert pairs == 820


@settings(deadline=None, max_examples=60)
@given(SIZES, SIZES)
def test_between_any_two_sizes(one, two):
    old, new = sorted((one, two))
    growth = check_growth(LOG, SIGNER.key, LOG.checkpoint(old), LOG.checkpoint(new))
    if 0 < old < new:
        ConsistencyProof(old, new, list(growth.proof)).check(growth.known.root, growth.checkpoint.root)
    else:
        assert growth.proof == ()


@settings(deadline=None, max_examples=60)
@given(SIZES, SIZES, SIZES)
def test_a_log_that_was_cut_off_and_went_on_otherwise_never_extends_what_was_seen(cut, more, known):
    known = max(known, cut + 1)
    if known > 700:
        return
    forked = LOG.forked(cut).grow(more, "another story")
    with pytest.raises((RollbackError, SplitViewError)) as caught:
        follow(forked, SIGNER.key, LOG.checkpoint(known))
    document, before, after = shown(caught.value)
    assert (before.size, after.size) == (known, cut + more)
    if cut + more < known:
        assert isinstance(caught.value, RollbackError)
        assert document["contradiction"] == "rollback"
        return
    assert isinstance(caught.value, SplitViewError)
    assert document["contradiction"] == "split view"
    assert before.root != after.root
    if after.size > before.size:
        # Another program checks that the larger tree begins with something else than what the log signed.
        proof = [base64.b64decode(node) for node in document["proof"]]
        prefix = base64.b64decode(document["prefix_root"])
        assert prefix != before.root
        ConsistencyProof(before.size, after.size, proof).check(prefix, after.root)
        with pytest.raises(ConsistencyProofInvalid):
            ConsistencyProof(before.size, after.size, proof).check(before.root, after.root)


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 699), st.data())
def test_tiles_that_lie_prove_nothing_and_accuse_nobody(known, data):
    size = data.draw(st.integers(known, 700))
    place = data.draw(st.integers(0, 255 * HASH_BYTES))
    touched = []

    def flip(level, number, tile):
        at = place % len(tile)
        touched.append((level, number, at))
        return tile[:at] + bytes([tile[at] ^ 1]) + tile[at + 1 :]

    lying = Lying(LOG, flip, LOG.checkpoint(size))
    try:
        check_growth(lying, SIGNER.key, LOG.checkpoint(known), LOG.checkpoint(size))
    except (RollbackError, SplitViewError) as error:  # pragma: no cover - the failure this test is for
        pytest.fail(f"tiles alone made an accusation: {error}")
    except ProofError:
        return
    pytest.fail("tiles that were all changed led to the signed root")


@pytest.mark.parametrize("change", [lambda tile: b"", lambda tile: tile[:-1], lambda tile: tile + b"\0" * HASH_BYTES])
def test_tiles_of_another_width_are_refused(change):
    lying = Lying(LOG, lambda _level, _number, tile: change(tile))
    with pytest.raises(LogSourceError, match="bytes"):
        follow(lying, SIGNER.key, LOG.checkpoint(3))


def test_the_tiles_of_another_log_are_refused_and_accuse_nobody():
    other = FakeLogSource(SIGNER).grow(700, "another story")
    with pytest.raises(ProofError, match="do not lead to the root") as caught:
        check_growth(other, SIGNER.key, LOG.checkpoint(300), LOG.checkpoint())
    assert not isinstance(caught.value, SplitViewError)


def test_a_first_look_checks_signature_and_tiles():
    assert follow(LOG, SIGNER.key, None).known is None
    with pytest.raises(ProofError, match="do not lead"):
        follow(Lying(FakeLogSource(SIGNER).grow(9, "x"), lambda *a: a[2], LOG.checkpoint(9)), SIGNER.key, None)
    with pytest.raises(ProofError, match="not of"):
        follow(LOG, FakeLogSource().key, None)
    with pytest.raises(ProofError, match="has not signed"):
        follow(LOG, LogSigner.generate(SIGNER.name).key, None)


def test_what_was_known_must_be_the_same_log_s_and_signed():
    for known in (FakeLogSource().grow(3).checkpoint(), LOG.checkpoint(3).replace("\n3\n", "\n2\n"), "no note"):
        with pytest.raises(ProofError):
            follow(LOG, SIGNER.key, known)


def test_nothing_is_extended_by_everything_and_has_one_root():
    for size in (0, 1, 256, 700):
        assert check_growth(LOG, SIGNER.key, LOG.checkpoint(0), LOG.checkpoint(size)).known.size == 0
    for known, note in ((SIGNER.sign_checkpoint(0, leaf_hash(b"x")), LOG.checkpoint(5)), (None, "")):
        with pytest.raises(ProofError):
            check_growth(LOG, SIGNER.key, known, note)
    with pytest.raises(ProofError, match="root of its own"):
        check_growth(LOG, SIGNER.key, LOG.checkpoint(0), SIGNER.sign_checkpoint(0, leaf_hash(b"x")))


def test_a_proof_for_another_tree_is_refused():
    tree, other = (tiled_tree(log, 300) for log in (LOG, FakeLogSource(SIGNER).grow(300, "x")))
    leaf = LOG.tile(0, 0, 8)[-HASH_BYTES:]
    verify_inclusion(leaf, 7, 300, tree.inclusion_proof(7), tree.root())
    verify_consistency(90, 300, tree.consistency_proof(90), tree.root(90), tree.root())
    for proof, root in ((other.inclusion_proof(7), tree.root()), (tree.inclusion_proof(7), other.root())):
        with pytest.raises(ProofError):
            verify_inclusion(leaf, 7, 300, proof, root)
    for proof, old_root, root in (
        (other.consistency_proof(90), tree.root(90), tree.root()),
        (tree.consistency_proof(90), other.root(90), tree.root()),
        (tree.consistency_proof(90), tree.root(90), other.root()),
        (tree.consistency_proof(91), tree.root(90), tree.root()),
    ):
        with pytest.raises(ProofError):
            verify_consistency(90, 300, proof, old_root, root)


def test_a_tree_as_large_as_a_checkpoint_can_say_is_asked_for_tile_by_tile():
    huge = SIGNER.sign_checkpoint(10**18, leaf_hash(b"root"))
    with pytest.raises(LogSourceError):
        check_growth(LOG, SIGNER.key, LOG.checkpoint(3), huge)
