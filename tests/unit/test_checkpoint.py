"""Checkpoints and receipts: what verifies, what does not, and that others read them."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as OtherCheckpoint

from governance.checkpoint import (
    Checkpoint,
    LogKey,
    LogSigner,
    parse_checkpoint,
    verify_checkpoint,
    verify_receipt,
)
from governance.entries import Entry, EntryKind, Receipt
from governance.errors import ConfigurationError, ProofError
from governance.merkle import EMPTY_ROOT, Tree, leaf_hash
from governance.notes import MAX_SIGNATURES

NAME = "log.example.org/test"
SIGNER = LogSigner(NAME, Ed25519PrivateKey.from_private_bytes(b"s" * 32))  # the same in every test process
ROOT = leaf_hash(b"root")
NOTE = SIGNER.sign_checkpoint(7, ROOT)
TEXT, SIGNATURE = NOTE.split("\n\n")
names = st.text(min_size=1, max_size=30).filter(
    lambda name: not any(c.isspace() or c == "+" or ord(c) < 32 or ord(c) == 127 for c in name)
)


@settings(deadline=None)
@given(names, st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_what_is_signed_verifies_and_says_the_same(name, size, root):
    signer = LogSigner.generate(name)
    note = signer.sign_checkpoint(size, root)
    assert verify_checkpoint(note, signer.key) == Checkpoint(name, size, root) == parse_checkpoint(note)
    assert LogKey.parse(str(signer.key)) == signer.key


def test_another_implementation_verifies_it():
    OtherCheckpoint.from_text(NOTE).verify(Vkey.from_string(str(SIGNER.key)))
    with pytest.raises(InvalidSignature):
        OtherCheckpoint.from_text(NOTE.replace("\n7\n", "\n8\n")).verify(Vkey.from_string(str(SIGNER.key)))


@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_altered_character_survives(position, character):
    altered = NOTE[:position] + character + NOTE[position + 1 :]
    if altered != NOTE:
        with pytest.raises(ProofError):
            verify_checkpoint(altered, SIGNER.key)


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_the_parser_stumble(text):
    for note in (text, NOTE + text, text + NOTE, f"{NAME}\n1\n{text}\n\n{SIGNATURE}"):
        try:
            verify_checkpoint(note, SIGNER.key)
        except ProofError:
            pass
        else:
            assert note == NOTE


def test_signatures_of_unknown_keys_are_ignored():
    witness = LogSigner.generate("witness.example.org")
    namesake = LogSigner.generate(NAME)
    lines = [
        other.sign_checkpoint(7, ROOT).split("\n\n")[1].replace(other.name, name)
        for other, name in ((witness, witness.name), (namesake, NAME), (witness, "another.example.org"))
    ]
    note = f"{TEXT}\n\n{''.join(lines)}{SIGNATURE}"
    assert verify_checkpoint(note, SIGNER.key).size == 7
    with pytest.raises(ProofError, match="has not signed"):
        verify_checkpoint(f"{TEXT}\n\n{''.join(lines)}", SIGNER.key)


def test_one_wrong_signature_of_a_known_key_spoils_the_note():
    wrong = SIGNER.sign_checkpoint(8, ROOT).split("\n\n")[1]
    with pytest.raises(ProofError, match="is wrong"):
        verify_checkpoint(f"{TEXT}\n\n{SIGNATURE}{wrong}", SIGNER.key)


def test_extension_lines_are_signed_and_tolerated():
    text = f"{TEXT}\nan extension\n"
    blob = SIGNER.key.id + SIGNER.private_key.sign(text.encode())
    note = f"{text}\n\u2014 {NAME} {base64.b64encode(blob).decode()}\n"
    assert verify_checkpoint(note, SIGNER.key).root == ROOT


def resigned(text):
    blob = SIGNER.key.id + SIGNER.private_key.sign(text.encode())
    return f"{text}\n\u2014 {NAME} {base64.b64encode(blob).decode()}\n"


def test_another_logs_checkpoint_under_our_key_is_refused():
    with pytest.raises(ProofError, match="checkpoint of"):
        verify_checkpoint(resigned(f"elsewhere.example.org\n7\n{base64.b64encode(ROOT).decode()}\n"), SIGNER.key)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        NOTE.rstrip("\n"),
        NOTE + "\n",
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("\n7\n", "\n-7\n"),
        NOTE.replace("\n7\n", "\n\u0667\n"),
        NOTE.replace("\n7\n", "\n" + "9" * 30 + "\n"),
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("\u2014", "-"),
        NOTE + SIGNATURE * MAX_SIGNATURES,
        "x" * 300_000 + NOTE,
        NOTE.replace(NAME, "\ud800"),
        f"{TEXT}\n\n\u2014 {NAME} AAAA\n",
        f"{TEXT}\n\n\u2014 {NAME} not base64!\n",
        *(
            resigned(f"{NAME}\n{size}\n{root}\n")
            for size, root in (
                ("07", base64.b64encode(ROOT).decode()),
                ("7", base64.b64encode(ROOT[:31]).decode()),
                ("7", base64.b64encode(ROOT).decode().rstrip("=")),
                ("7", base64.b64encode(ROOT).decode() + "\n"),
                ("7 ", base64.b64encode(ROOT).decode()),
            )
        ),
    ],
)
def test_malformed_notes_are_refused(note):
    with pytest.raises(ProofError):
        verify_checkpoint(note, SIGNER.key)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "bell\x07", "wide\u3000space", "\ud800"])
def test_a_name_that_no_note_can_carry_is_refused(name):
    with pytest.raises(ConfigurationError):
        LogSigner.generate(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        f"{NAME}+00000000+{str(SIGNER.key).split('+', 2)[2]}",
        str(SIGNER.key)[:-4],
        str(SIGNER.key).replace(NAME, "other.example.org"),
        "+".join([NAME, SIGNER.key.id.hex(), base64.b64encode(b"\x04" + SIGNER.key.public).decode()]),
    ],
)
def test_a_malformed_key_is_refused(text):
    with pytest.raises(ConfigurationError):
        LogKey.parse(text)


@pytest.mark.parametrize(("size", "root"), [(-1, ROOT), (True, ROOT), (10**19, ROOT), (1, ROOT[:31])])
def test_an_impossible_tree_is_not_signed(size, root):
    with pytest.raises(ProofError):
        SIGNER.sign_checkpoint(size, root)


def test_the_private_key_is_not_shown():
    assert repr(SIGNER) == f"LogSigner(name={NAME!r})"


def receipt_at(index, size=5):
    entries = [Entry(EntryKind.DENIED, f"g{number}", {"version": 1}) for number in range(size)]
    tree = Tree(0, lambda _level, _number: b"")
    tree.extend(leaf_hash(entry.leaf()) for entry in entries)
    note = SIGNER.sign_checkpoint(size, tree.root())
    return entries[index], Receipt(entries[index].leaf(), index, size, tree.inclusion_proof(index), note)


@pytest.mark.parametrize("index", range(5))
def test_a_receipt_proves_its_entry(index):
    entry, receipt = receipt_at(index)
    assert verify_receipt(Receipt.from_json(receipt.to_json()), SIGNER.key) == entry


def test_a_receipt_proves_nothing_else():
    entry, receipt = receipt_at(2)
    other_entry, other = receipt_at(3)
    for altered in (
        replace(receipt, leaf=other.leaf),
        replace(receipt, index=3),
        replace(receipt, tree_size=6),
        replace(receipt, proof=receipt.proof[:-1]),
        replace(receipt, proof=other.proof),
        replace(receipt, checkpoint=other.checkpoint),
        replace(receipt, checkpoint=LogSigner.generate(NAME).sign_checkpoint(5, EMPTY_ROOT)),
    ):
        with pytest.raises(ProofError):
            verify_receipt(altered, SIGNER.key)
    with pytest.raises(ProofError):
        verify_receipt(receipt, LogSigner.generate(NAME).key)
    assert entry != other_entry


@pytest.mark.parametrize(
    "leaf",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 30_000, b'{"body":{}, "id":"x"}', b'"' + b"x" * 40_000 + b'"'],
)
def test_a_proven_leaf_that_is_no_entry_is_refused(leaf):
    note = SIGNER.sign_checkpoint(1, leaf_hash(leaf))
    with pytest.raises(ProofError):
        verify_receipt(Receipt(leaf, 0, 1, (), note), SIGNER.key)
