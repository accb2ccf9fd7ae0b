"""Checking the proof that a content is in the signed list of a dataset, or is not: all that a stranger needs but the log's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from governance.canonical import Digest, Json, digest
from governance.checkpoint import LogKey, verify_receipt
from governance.datasets.audit_entries import BODY_VERSION, DatasetChange, subject_of
from governance.datasets.leaves import COMMITMENT, Disclosed, in_order, is_digest, leaf_of
from governance.datasets.proof import Absence, DatasetProof, Neighbour, Presence
from governance.datasets.records import PERSONAL
from governance.entries import Entry, EntryKind
from governance.errors import CanonicalError, DatasetError, ProofError
from governance.merkle import EMPTY_ROOT, leaf_hash, verify_inclusion

_REMEDY: Final = "Believe nothing of it; ask whoever holds the dataset for a fresh proof."


@dataclass(frozen=True, slots=True)
class Membership:
    """What a proof proved. `present` is the answer, `statement` the words for it; `entry` signed the list of `size` contents.

    `records` are those of the content, committed, where it is there; `disclosed` what was opened of them.
    """

    dataset: str
    content: Digest
    present: bool
    statement: str
    entry: Entry
    size: int
    records: tuple[Mapping[str, Json], ...] = ()
    disclosed: tuple[Disclosed, ...] = ()


def verify_proof(proof: DatasetProof, key: LogKey, *, content: bytes | None = None) -> Membership:
    """What `proof` proves, once the log with `key` is known to have signed the list that it is about.

    `content` are the bytes that it must be about, where they are known.

    That a content is absent is proved only if the list is sorted. That is not seen from a proof: whoever has all digests sees
    it (`governance dataset verify`).

    Raises:
        ProofError: it proves nothing; the message says why.
    """
    entry = verify_receipt(proof.audited, key)
    _check_entry(proof, entry)
    if content is not None and digest(content) != proof.content:
        _refuse(f"it is about {proof.content}, and these bytes have the SHA-256 {digest(content)}")
    check_found(proof)
    if isinstance(proof.found, Presence):
        records, opened = proof.found.records, proof.found.disclosed
        return Membership(proof.dataset, proof.content, True, proof.statement, entry, proof.size, records, opened)
    return Membership(proof.dataset, proof.content, False, proof.statement, entry, proof.size)


def check_found(proof: DatasetProof) -> None:
    """Check what a proof says of its content against its own root and size. That those are signed is not looked at.

    Raises:
        ProofError: it does not hold.
    """
    if not is_digest(proof.content):
        _refuse("the content that it is about is no SHA-256 digest")
    if isinstance(proof.found, Presence):
        _check_presence(proof, proof.found)
    else:
        _check_absence(proof, proof.found)


def _subject(name: str) -> str:
    try:
        return subject_of(name)
    except DatasetError as error:
        raise ProofError(f"The proof does not hold: {error}", remedy=_REMEDY) from error


def _check_entry(proof: DatasetProof, entry: Entry) -> None:
    """The entry must be the audit of this dataset, and sign this root and this size: a size that is not signed proves nothing."""
    body = entry.body
    if (
        entry.kind is not EntryKind.DATASET
        or body.get("change") != DatasetChange.AUDITED
        or body.get("version") != BODY_VERSION
    ):
        _refuse("its receipt is not of the audit of a dataset")
    if body.get("name") != proof.dataset or entry.subject != _subject(proof.dataset):
        _refuse(f"its receipt is of the audit of another dataset than {proof.dataset!r}")
    if not is_digest(body.get("root")) or body["root"] != proof.root.hex():
        _refuse("the audit signed another root")
    if type(body.get("contents")) is not int or body["contents"] != proof.size:
        _refuse("the audit signed another number of contents")


def _check_presence(proof: DatasetProof, found: Presence) -> None:
    try:
        if list(found.records) != in_order(found.records):
            _refuse("its records are not in order")
        leaf = leaf_of(found.content, found.records)
    except (DatasetError, CanonicalError) as error:
        raise ProofError(f"The proof does not hold: {error}", remedy=_REMEDY) from error
    _check_included(proof, leaf, found.index, found.path)
    for each in found.disclosed:
        _check_disclosed(found, each)


def _check_disclosed(found: Presence, each: Disclosed) -> None:
    if each.name not in PERSONAL or not 0 <= each.record < len(found.records):
        _refuse(f"it discloses {each.name!r} of record {each.record}, which there is not")
    try:
        committed = {COMMITMENT: each.commitment()}
    except (CanonicalError, UnicodeEncodeError) as error:
        raise ProofError(f"The proof does not hold: {error}", remedy=_REMEDY) from error
    if found.records[each.record].get(each.name) != committed:
        _refuse(f"what it discloses as {each.name!r} of record {each.record} is not what was committed")


def _check_absence(proof: DatasetProof, found: Absence) -> None:
    """The neighbours are leaves of the tree, in its order, with no place between them but the content's."""
    left, right = found.left, found.right
    for side in (left, right):
        if side is not None:
            _check_neighbour(proof, side)
    # All are 64 lowercase hexadecimal digits, which order as their bytes do.
    if left is not None and not left.content < found.content:
        _refuse("the content does not stand behind its left neighbour")
    if right is not None and not found.content < right.content:
        _refuse("the content does not stand before its right neighbour")
    # Before the first leaf stands none, at -1, and behind the last none, at the size: that is all three ends in one.
    if (-1 if left is None else left.index) + 1 != (proof.size if right is None else right.index):
        _refuse("between the neighbours that it shows there is room for a leaf that it does not show")
    if not proof.size and proof.root != EMPTY_ROOT:
        _refuse("the root of an empty list is another one")


def _check_neighbour(proof: DatasetProof, side: Neighbour) -> None:
    if not is_digest(side.content) or not is_digest(side.records_digest):
        _refuse("a neighbour is no leaf")
    _check_included(proof, side.leaf, side.index, side.path)


def _check_included(proof: DatasetProof, leaf: bytes, index: int, path: tuple[bytes, ...]) -> None:
    try:
        verify_inclusion(leaf_hash(leaf), index, proof.size, path, proof.root)
    except ProofError as error:
        raise ProofError(
            f"The proof does not hold: leaf {index} is not in the signed tree ({error}).", remedy=_REMEDY
        ) from error


def _refuse(why: str) -> NoReturn:
    raise ProofError(f"The proof does not hold: {why}.", remedy=_REMEDY)
