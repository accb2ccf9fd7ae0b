"""Cosignatures: what verifies, what does not, and that others read them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as OtherCheckpoint

from governance.checkpoint import LogKey, LogSigner, verify_checkpoint
from governance.cosignature import MAX_TIME, Cosigner, WitnessKey, verify_cosignature
from governance.errors import ConfigurationError, ProofError
from governance.merkle import leaf_hash
from governance.notes import MAX_SIGNATURES

LOG = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
WITNESS = Cosigner("witness.example.org/1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
OTHER = Cosigner("witness.example.org/2", Ed25519PrivateKey.from_private_bytes(b"o" * 32))
ROOT = leaf_hash(b"root")
NOTE = LOG.sign_checkpoint(7, ROOT)
TIME = 1_679_315_147
COSIGNED = WITNESS.cosign(NOTE, TIME)
TIMES = st.integers(0, 2_000_000_000) | st.integers(0, MAX_TIME)


@settings(deadline=None)
@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), TIMES, TIMES)
def test_what_is_cosigned_verifies_with_each_key_and_the_log_s_own_too(size, root, first, second):
    note = OTHER.cosign(WITNESS.cosign(LOG.sign_checkpoint(size, root), first), second)
    assert (verify_cosignature(note, WITNESS.key), verify_cosignature(note, OTHER.key)) == (first, second)
    assert verify_checkpoint(note, LOG.key).size == size
    assert WitnessKey.parse(str(WITNESS.key)) == WITNESS.key


def test_another_implementation_verifies_it():
    theirs, vkey = OtherCheckpoint.from_text(COSIGNED), Vkey.from_string(str(WITNESS.key))
    assert vkey.sig_type == 4
    theirs.verify(vkey)
    theirs.verify(Vkey.from_string(str(LOG.key)))
    (signature,) = (each for each in theirs.signatures if vkey.match(each))
    assert vkey.get_verifier().get_timestamp(signature.payload) == TIME


def test_the_example_of_the_specification_has_the_form_that_is_read():
    # c2sp.org/tlog-cosignature, section "Format": the line's time, as the section "Ed25519 signed message" has it.
    line = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    blob = base64.b64decode(line)
    assert (len(blob), int.from_bytes(blob[4:12], "big")) == (4 + 8 + 64, TIME)
    ours = base64.b64decode(COSIGNED.splitlines()[-1].split(" ")[2])
    assert (len(ours), ours[4:12]) == (len(blob), blob[4:12])


def test_a_second_cosignature_takes_the_place_of_the_first():
    again = WITNESS.cosign(OTHER.cosign(COSIGNED, TIME), TIME + 1)
    assert again.count(WITNESS.name) == again.count(OTHER.name) == 1
    assert verify_cosignature(again, WITNESS.key) == TIME + 1
    assert verify_checkpoint(again, LOG.key).size == 7


def both(note):
    """Whoever relies on a witness asks for both signatures."""
    return verify_checkpoint(note, LOG.key), verify_cosignature(note, WITNESS.key)


@settings(deadline=None)
@given(st.integers(0, len(COSIGNED) - 1), st.characters(codec="utf-8"))
def test_no_altered_character_survives(position, character):
    altered = COSIGNED[:position] + character + COSIGNED[position + 1 :]
    if altered != COSIGNED:
        with pytest.raises(ProofError):
            both(altered)


def test_the_time_is_signed():
    head, line = COSIGNED.rstrip("\n").rsplit(" ", 1)
    blob = base64.b64decode(line)
    for time in (0, TIME - 1, TIME + 1, 2**63, 2**64 - 1):
        moved = base64.b64encode(blob[:4] + time.to_bytes(8, "big") + blob[12:]).decode()
        with pytest.raises(ProofError):
            verify_cosignature(f"{head} {moved}\n", WITNESS.key)
    for cut in (blob[:-1], blob + b"\0", blob[:12], blob[:8]):
        with pytest.raises(ProofError):
            verify_cosignature(f"{head} {base64.b64encode(cut).decode()}\n", WITNESS.key)


def test_who_has_not_cosigned_has_not():
    namesake = Cosigner.generate(WITNESS.name)
    for note, key in ((NOTE, WITNESS.key), (COSIGNED, OTHER.key), (COSIGNED, namesake.key)):
        with pytest.raises(ProofError, match="has not cosigned"):
            verify_cosignature(note, key)


def test_a_log_s_signature_is_no_cosignature_and_the_other_way_round():
    as_witness, as_log = Cosigner(LOG.name, LOG.private_key), LogSigner(WITNESS.name, WITNESS.private_key)
    assert as_witness.key.id != LOG.key.id
    with pytest.raises(ProofError):
        verify_cosignature(NOTE, as_witness.key)
    with pytest.raises(ProofError):
        verify_checkpoint(as_witness.cosign(as_log.sign_checkpoint(7, ROOT), TIME), LOG.key)
    for text, kind in ((str(LOG.key), WitnessKey), (str(WITNESS.key), LogKey)):
        with pytest.raises(ConfigurationError):
            kind.parse(text)


@pytest.mark.parametrize("time", [-1, MAX_TIME + 1, True, 1.5, "1"])
def test_no_cosignature_is_made_at_such_a_time(time):
    with pytest.raises(ProofError):
        WITNESS.cosign(NOTE, time)


@pytest.mark.parametrize("note", ["", "text\n\nno signature\n", "a\nb\nc\n\n" + NOTE.split("\n\n")[1]])
def test_what_is_no_checkpoint_is_not_cosigned(note):
    with pytest.raises(ProofError):
        WITNESS.cosign(note, TIME)


def test_a_note_that_is_full_is_not_cosigned():
    full = NOTE
    for number in range(MAX_SIGNATURES - 1):
        full = Cosigner.generate(f"witness.example.org/full{number}").cosign(full, TIME)
    with pytest.raises(ProofError, match="signatures"):
        WITNESS.cosign(full, TIME)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x7f"])
def test_no_name_for_a_witness(name):
    with pytest.raises(ConfigurationError, match="witness"):
        Cosigner.generate(name)
