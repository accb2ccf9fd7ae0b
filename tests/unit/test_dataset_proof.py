"""Presence and absence in a signed list: what is proved for any list and any question, and every forgery that is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import Audited, approved_record, audited_record
from governance.datasets.leaves import SaltKey, committed_record, disclosed, leaf_of
from governance.datasets.membership import Membership, verify_proof
from governance.datasets.proof import ABSENT, PRESENT, Absence, DatasetProof, Neighbour, Presence
from governance.datasets.records import Basis, DatasetRecord
from governance.entries import Entry, EntryKind, Record
from governance.errors import ProofError
from governance.merkle import EMPTY_ROOT, Tree, leaf_hash
from governance.testing.fake_ledger import FakeLedger
from governance.types import Outcome, Principal

SALTS = SaltKey(bytes(32), "cats")
AUDITOR = Principal("auditor@example.org")
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 300]


def content(number: int) -> Digest:
    """A digest whose order among others is that of its number."""
    return Digest(f"{number:064x}")


class SignedList:
    """A list of contents in the order in which they are given, its tree, and the entry that signs it: sorted or not."""

    def __init__(self, contents: list[Digest], *, name: str = "cats", ledger: FakeLedger | None = None) -> None:
        self.name, self.contents, self.ledger = name, contents, ledger or FakeLedger()
        self.records = {
            each: [
                committed_record(DatasetRecord(f"{each[-4:]}-{at}", each, Basis.COMPUTED, owner="Ada"), SALTS)
                for at in range(1 + int(each, 16) % 2)
            ]
            for each in contents
        }
        self.leaves = [leaf_of(each, self.records[each]) for each in contents]
        self.tree = Tree(0, lambda _level, _number: b"")
        self.tree.extend(leaf_hash(leaf) for leaf in self.leaves)
        outcomes = dict.fromkeys(Outcome, 0)
        root = Digest(self.tree.root().hex())
        audited = Audited(name, root, len(contents), len(contents), outcomes, b"{}", b"[]", digest(b"bundle"))
        self.record = audited_record(audited, AUDITOR)
        self.ledger.append(self.record)

    @property
    def key(self):
        return self.ledger.key

    def proof(self, found: Presence | Absence) -> DatasetProof:
        receipt = self.ledger.receipt(self.record.entry.id)
        return DatasetProof(self.name, self.tree.root(), len(self.contents), receipt, found)

    def presence(self, index: int) -> Presence:
        each = self.contents[index]
        return Presence(each, tuple(self.records[each]), index, self.tree.inclusion_proof(index))

    def neighbour(self, index: int) -> Neighbour:
        leaf = self.leaves[index]
        return Neighbour(Digest(leaf[:32].hex()), Digest(leaf[32:].hex()), index, self.tree.inclusion_proof(index))

    def absence(self, sought: Digest, left: int | None, right: int | None) -> Absence:
        sides = (None if side is None else self.neighbour(side) for side in (left, right))
        return Absence(sought, *sides)

    def honest(self, sought: Digest) -> DatasetProof:
        """What whoever holds the list would prove."""
        if sought in self.contents:
            return self.proof(self.presence(self.contents.index(sought)))
        place = sum(each < sought for each in self.contents)
        left, right = place - 1 if place else None, place if place < len(self.contents) else None
        return self.proof(self.absence(sought, left, right))


def even(size: int) -> SignedList:
    """A sorted list of the even numbers from 2."""
    return SignedList([content(2 * number) for number in range(1, size + 1)])


def refused(signed: SignedList, proof: DatasetProof, why: str | None = None, *, told: bytes | None = None) -> None:
    with pytest.raises(ProofError, match=why) as caught:
        verify_proof(proof, signed.key, content=told)
    assert caught.value.remedy


def holds(signed: SignedList, proof: DatasetProof) -> Membership:
    return verify_proof(DatasetProof.from_json(proof.to_json()), signed.key)


@pytest.mark.parametrize("size", SIZES)
def test_each_content_is_proved_in_and_each_other_out(size):
    signed = even(size)
    step = 1 if size < 10 else 37
    for number in [*range(0, 2 * size + 4, step), 2 * size, 2 * size + 1, 2 * size + 2]:
        found = holds(signed, signed.honest(content(number)))
        assert found.present is (number % 2 == 0 and 2 <= number <= 2 * size)
        assert found.statement == (PRESENT if found.present else ABSENT)
        assert (found.dataset, found.content, found.size) == ("cats", content(number), size)
        assert found.entry == signed.record.entry
        assert bool(found.records) is found.present


@settings(max_examples=60, deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), max_size=40), st.binary(min_size=32, max_size=32), st.data())
def test_whatever_the_list_and_the_question_there_is_one_answer(contents, sought, data):
    signed = SignedList(sorted(Digest(each.hex()) for each in contents))
    for each in (sought, *([data.draw(st.sampled_from(sorted(contents)))] if contents else [])):
        found = holds(signed, signed.honest(Digest(each.hex())))
        assert found.present is (each in contents)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 60), max_size=12), st.integers(0, 61), st.data())
def test_no_pair_of_leaves_proves_absent_what_is_there(numbers, sought, data):
    """In a sorted list, whichever two leaves are shown at whichever indices: a content that is there is never proved out."""
    signed = SignedList([content(each) for each in sorted(numbers)])
    sides = st.none() | st.integers(0, len(numbers) - 1) if numbers else st.none()
    left, right = data.draw(sides), data.draw(sides)
    found = signed.absence(content(sought), left, right)
    if found.left is not None and data.draw(st.booleans()):
        found = replace(found, left=replace(found.left, index=data.draw(st.integers(0, len(numbers)))))
    place = sum(each < sought for each in numbers)
    honest = signed.absence(content(sought), place - 1 if place else None, place if place < len(numbers) else None)
    if sought not in numbers and found == honest:
        assert not holds(signed, signed.proof(found)).present
    else:
        refused(signed, signed.proof(found))


FORGERIES: dict[str, tuple[Callable[[SignedList], Absence], str]] = {
    "the neighbours leave one out between them": (lambda s: s.absence(content(6), 1, 3), "room for a leaf"),
    "the neighbours leave one out, and neither is the content": (
        lambda s: s.absence(content(7), 1, 3),
        "room for a leaf",
    ),
    "the neighbours are swapped": (lambda s: s.absence(content(7), 3, 2), "behind its left"),
    "the neighbours are the same leaf": (lambda s: s.absence(content(7), 2, 2), "before its right|behind its left"),
    "the content is its left neighbour": (lambda s: s.absence(content(6), 2, 3), "behind its left"),
    "the content is its right neighbour": (lambda s: s.absence(content(8), 2, 3), "before its right"),
    "the content stands before both": (lambda s: s.absence(content(5), 2, 3), "behind its left"),
    "the content stands behind both": (lambda s: s.absence(content(9), 2, 3), "before its right"),
    "no left neighbour, but the right is not the first": (lambda s: s.absence(content(3), None, 1), "room for a leaf"),
    "no right neighbour, but the left is not the last": (lambda s: s.absence(content(9), 3, None), "room for a leaf"),
    "the first leaf as an end on the left": (lambda s: s.absence(content(3), 0, None), "room for a leaf"),
    "the last leaf as an end on the right": (lambda s: s.absence(content(3), None, 4), "room for a leaf"),
    "no neighbour in a list that has leaves": (lambda s: s.absence(content(3), None, None), "room for a leaf"),
    "a left neighbour at another index": (
        lambda s: replace(s.absence(content(6), 1, 3), left=replace(s.neighbour(1), index=2)),
        "not in the signed tree",
    ),
    "a right neighbour at another index": (
        lambda s: replace(s.absence(content(6), 1, 3), right=replace(s.neighbour(3), index=2)),
        "not in the signed tree",
    ),
    "the last at the index behind it": (
        lambda s: replace(s.absence(content(11), 4, None), left=replace(s.neighbour(4), index=5)),
        "not in the signed tree",
    ),
    "a left neighbour of other records": (
        lambda s: replace(s.absence(content(7), 2, 3), left=replace(s.neighbour(2), records_digest=digest(b""))),
        "not in the signed tree",
    ),
    "a left neighbour of another content": (
        lambda s: replace(s.absence(content(6), 2, 3), left=replace(s.neighbour(2), content=content(5))),
        "not in the signed tree",
    ),
    "a neighbour without its path": (
        lambda s: replace(s.absence(content(7), 2, 3), right=replace(s.neighbour(3), path=())),
        "not in the signed tree",
    ),
    "a neighbour with a longer path": (
        lambda s: replace(
            s.absence(content(7), 2, 3), right=replace(s.neighbour(3), path=(*s.neighbour(3).path, bytes(32)))
        ),
        "not in the signed tree",
    ),
    "a neighbour with the path of the other": (
        lambda s: replace(s.absence(content(7), 2, 3), right=replace(s.neighbour(3), path=s.neighbour(2).path)),
        "not in the signed tree",
    ),
    "a path of short hashes": (
        lambda s: replace(s.absence(content(7), 2, 3), left=replace(s.neighbour(2), path=(b"x",) * 3)),
        "not in the signed tree",
    ),
    "a content in capitals, which order before small letters": (
        lambda s: Absence(Digest("F" * 64), s.neighbour(4), None),
        "no SHA-256 digest",
    ),
    "a content that is longer than a digest": (
        lambda s: Absence(Digest(content(6) + "0"), s.neighbour(2), s.neighbour(3)),
        "no SHA-256 digest",
    ),
    "no content at all": (lambda s: Absence(Digest(""), None, s.neighbour(0)), "no SHA-256 digest"),
    "a neighbour that is no leaf": (
        lambda s: replace(s.absence(content(7), 2, 3), left=replace(s.neighbour(2), content=Digest("00"))),
        "no leaf",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_absence_is_refused(forgery):
    signed = even(5)
    forge, why = FORGERIES[forgery]
    refused(signed, signed.proof(forge(signed)), why)


def test_every_forgery_is_of_something_that_holds():
    """The same list, honestly asked: so it is the forgery that is refused above."""
    signed = even(5)
    for number in range(12):
        holds(signed, signed.honest(content(number)))


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_smallest_lists_have_no_gaps(size):
    signed = even(size)
    for number in range(2 * size + 2):
        for left in (None, *range(size)):
            for right in (None, *range(size)):
                proof = signed.proof(signed.absence(content(number), left, right))
                if proof.found == signed.honest(content(number)).found:
                    assert not holds(signed, proof).present
                else:
                    refused(signed, proof)


def test_of_an_empty_list_only_the_empty_root_is_believed():
    signed = even(0)
    proof = signed.honest(content(1))
    assert proof.root == EMPTY_ROOT
    assert not holds(signed, proof).present
    refused(signed, replace(proof, root=bytes(32)), "another root")
    lying = SignedList([])
    body = {**lying.record.entry.body, "root": digest(b"x"), "fields": {}}
    lying.ledger.append(Record(replace(lying.record.entry, body=body, id="another")))
    forged = replace(proof, root=bytes.fromhex(digest(b"x")), audited=lying.ledger.receipt("another"))
    with pytest.raises(ProofError, match="root of an empty list"):
        verify_proof(forged, lying.key)


def test_an_unsorted_list_can_prove_both_which_is_why_the_words_say_if_it_is_sorted():
    """What a proof cannot show: `dataset verify` looks at all digests, and refuses this list."""
    signed = SignedList([content(2), content(9), content(4)])
    assert holds(signed, signed.proof(signed.presence(2))).present
    absent = holds(signed, signed.proof(signed.absence(content(4), 0, 1)))
    assert not absent.present
    assert absent.statement == "these exact bytes are not in the signed list, if it is sorted"


SIGNED_OTHERWISE: dict[str, tuple[Callable[[DatasetProof], DatasetProof], str | None]] = {
    "a larger size": (lambda p: replace(p, size=p.size + 1), "number of contents"),
    "a smaller size": (lambda p: replace(p, size=p.size - 1), "number of contents"),
    "another root": (lambda p: replace(p, root=bytes(32)), "another root"),
    "another dataset": (lambda p: replace(p, dataset="dogs"), "another dataset"),
    "a name that is none": (lambda p: replace(p, dataset="../cats"), "another dataset|no name"),
    "another leaf in the receipt": (
        lambda p: replace(p, audited=replace(p.audited, leaf=p.audited.leaf.replace(b"audited", b"AUDITED"))),
        None,
    ),
    "another index in the receipt": (lambda p: replace(p, audited=replace(p.audited, index=1)), None),
    "another size in the receipt": (lambda p: replace(p, audited=replace(p.audited, tree_size=9)), None),
}


@pytest.mark.parametrize("forgery", SIGNED_OTHERWISE)
@pytest.mark.parametrize("number", [7, 6], ids=["absent", "present"])
def test_what_the_log_did_not_sign_is_refused(forgery, number):
    signed = even(5)
    forge, why = SIGNED_OTHERWISE[forgery]
    refused(signed, forge(signed.honest(content(number))), why)


def test_the_last_leaf_of_a_shorter_list_is_not_the_end_of_the_longer_one():
    """Both lists are signed: the root of the one with the size of the other is refused."""
    ledger = FakeLedger()
    shorter = SignedList([content(2), content(4)], ledger=ledger)
    longer = SignedList([content(2), content(4), content(6)], ledger=ledger)
    earlier = shorter.honest(content(6))
    assert not holds(shorter, earlier).present, "it was not there then, and the entry says when"
    refused(longer, replace(earlier, audited=longer.honest(content(6)).audited), "another root")
    refused(
        longer, replace(earlier, size=3, root=longer.tree.root(), audited=longer.honest(content(6)).audited), "tree"
    )


def test_a_receipt_of_another_entry_is_refused():
    signed = even(5)
    proof = signed.honest(content(7))
    body = {**signed.record.entry.body, "fields": {}}
    others = {
        "kind": Entry(EntryKind.WORK, "dataset:cats", body),
        "subject": Entry(EntryKind.DATASET, "dataset:dogs", body),
        "version": Entry(EntryKind.DATASET, "dataset:cats", {**body, "version": 2}),
        "change": Entry(EntryKind.DATASET, "dataset:cats", {**body, "change": "withdrawn"}),
        "no root": Entry(EntryKind.DATASET, "dataset:cats", {**body, "root": None}),
        "no size": Entry(EntryKind.DATASET, "dataset:cats", {**body, "contents": None}),
        "a size that is true": Entry(EntryKind.DATASET, "dataset:cats", {**body, "contents": True}),
    }
    for record in (*map(Record, others.values()), approved_record(signed.record.entry, AUDITOR)):
        signed.ledger.append(record)
        refused(
            signed, replace(proof, audited=signed.ledger.receipt(record.entry.id)), "receipt|root|number of contents"
        )
    refused(SignedList([content(2)]), proof)
    with pytest.raises(ProofError):
        verify_proof(proof, FakeLedger().key)


def tampered_record(proof: DatasetProof, **changes) -> DatasetProof:
    first, *others = proof.found.records
    return replace(proof, found=replace(proof.found, records=({**first, **changes}, *others)))


def test_a_forged_presence_is_refused():
    signed = even(5)
    proof = signed.honest(content(6))
    found = proof.found
    forged = {
        "a record that allows more": tampered_record(proof, outcome="allow"),
        "another licence": tampered_record(proof, licence="CC0-1.0"),
        "another owner": tampered_record(proof, owner={"commitment": digest(b"x")}),
        "an owner in the clear": tampered_record(proof, owner="Ada"),
        "a location": tampered_record(proof, location="a.png"),
        "another content in the record": tampered_record(proof, content=content(7)),
        "a float": tampered_record(proof, width=0.0),
        "half a character": tampered_record(proof, licence="\ud800"),
        "a number beyond 2^53": tampered_record(proof, width=2**60),
        "no record": replace(proof, found=replace(found, records=())),
        "a record twice": replace(proof, found=replace(found, records=found.records * 2)),
        "another content": replace(proof, found=replace(found, content=content(7))),
        "another index": replace(proof, found=replace(found, index=1)),
        "an index behind the list": replace(proof, found=replace(found, index=5)),
        "a negative index": replace(proof, found=replace(found, index=-1)),
        "another path": replace(proof, found=replace(found, path=signed.presence(1).path)),
        "the records of another content": replace(proof, found=replace(found, records=signed.presence(1).records)),
    }
    for forgery in forged.values():
        refused(signed, forgery)


def test_records_in_another_order_or_one_too_few_are_refused():
    signed = SignedList([content(3), content(5)])
    proof = signed.honest(content(3))
    assert len(proof.found.records) == 2
    for records in (tuple(reversed(proof.found.records)), proof.found.records[:1]):
        refused(signed, replace(proof, found=replace(proof.found, records=records)))


def test_a_proof_about_other_bytes_is_refused():
    picture = b"some picture"
    signed = SignedList(sorted([digest(picture), content(1), Digest("f" * 64)]))
    assert verify_proof(signed.honest(digest(picture)), signed.key, content=picture).present
    refused(signed, signed.honest(digest(picture)), "these bytes have", told=b"another picture")
    absent = signed.honest(digest(b"another picture"))
    assert not verify_proof(absent, signed.key, content=b"another picture").present
    refused(signed, absent, "these bytes have", told=picture)


def test_single_personal_fields_are_disclosed_and_nothing_else_is():
    signed = even(5)
    record = DatasetRecord(f"{content(6)[-4:]}-0", content(6), Basis.COMPUTED, owner="Ada")
    opened = disclosed(record, "owner", SALTS)
    found = replace(signed.presence(2), disclosed=(opened,))
    (shown,) = holds(signed, signed.proof(found)).disclosed
    assert (shown.name, shown.value, shown.record) == ("owner", "Ada", 0)
    for wrong in (
        replace(opened, value="Bob"),
        replace(opened, salt=bytes(32)),
        replace(opened, salt=b""),
        replace(opened, name="caption"),
        replace(opened, name="licence"),
        replace(opened, record=1),
        replace(opened, record=-1),
        replace(opened, value="\ud800"),
    ):
        refused(signed, signed.proof(replace(found, disclosed=(wrong,))), "disclose|salt|canonical|encode")


def with_member(proof: DatasetProof, path: tuple[str | int, ...], value: object) -> str:
    """The wire form with another value in one place."""
    document = json.loads(proof.to_json())
    inside = document
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return json.dumps(document)


MALFORMED = [
    (("version",), 2),
    (("version",), True),
    (("version",), "1"),
    (("dataset",), 1),
    (("root",), "00"),
    (("root",), None),
    (("size",), 5.0),
    (("size",), -1),
    (("size",), True),
    (("audited",), None),
    (("audited", "version"), 2),
    (("statement",), PRESENT),
    (("statement",), "these exact bytes are nowhere"),
    (("more",), 1),
    (("presence",), {}),
    (("absence",), None),
    (("absence", "content"), "x"),
    (("absence", "middle"), {}),
    (("absence", "left"), None),
    (("absence", "left", "index"), "2"),
    (("absence", "left", "index"), 2.0),
    (("absence", "left", "index"), -1),
    (("absence", "left", "path"), "AAAA"),
    (("absence", "left", "path"), [1]),
    (("absence", "left", "path"), ["*"]),
    (("absence", "left", "records"), []),
]


@pytest.mark.parametrize(("path", "value"), MALFORMED, ids=lambda each: str(each)[:40])
def test_what_is_no_proof_is_refused_before_anything_is_believed(path, value):
    proof = even(5).honest(content(7))
    with pytest.raises(ProofError):
        DatasetProof.from_json(with_member(proof, path, value))


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1", '"x"', "{", "{}", "[" * 100_000, '{"version": 1}', "\ud800"], ids=range(10)
)
def test_nonsense_is_no_proof(text):
    with pytest.raises(ProofError):
        DatasetProof.from_json(text)


def test_another_spelling_of_the_same_bytes_is_refused():
    document = json.loads(even(5).honest(content(7)).to_json())
    node = document["absence"]["left"]["path"][0]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    loose = node[:-2] + alphabet[alphabet.index(node[-2]) + 1] + "="
    assert base64.b64decode(loose, validate=True) == base64.b64decode(node), "two spare bits that decoders ignore"
    document["absence"]["left"]["path"][0] = loose
    with pytest.raises(ProofError, match="another form"):
        DatasetProof.from_json(json.dumps(document))


def test_a_receipt_with_something_more_in_it_is_refused():
    with pytest.raises(ProofError, match="another form"):
        DatasetProof.from_json(with_member(even(5).honest(content(7)), ("audited", "more"), 1))


def test_a_member_that_stands_there_twice_is_refused():
    text = even(5).honest(content(7)).to_json()
    with pytest.raises(ProofError, match="twice"):
        DatasetProof.from_json(text.replace('"size": 5', '"size": 9, "size": 5'))


@pytest.mark.parametrize("number", [6, 7], ids=["present", "absent"])
def test_the_wire_form_says_the_same_again(number):
    signed = even(5)
    proof = signed.honest(content(number))
    again = DatasetProof.from_json(proof.to_json())
    assert again == proof
    assert again.to_json() == proof.to_json()
    assert again.statement in (PRESENT, ABSENT)


def mutations(text: str):
    """Each digit, letter or digit of base64 in turn, replaced by another."""
    for at, character in enumerate(text):
        if character.isalnum():
            yield at, text[:at] + ("1" if character != "1" else "2") + text[at + 1 :]


@pytest.mark.parametrize("number", [6, 7, 1, 11], ids=["present", "between", "before", "behind"])
def test_no_single_character_of_a_proof_can_be_changed(number):
    """The proof itself: what the log signed around it is checked in the tests of receipts."""
    signed = even(5)
    text = json.dumps(json.loads(signed.honest(content(number)).to_json()))
    kind = "presence" if number == 6 else "absence"
    start = text.index(f'"{kind}"')
    survived = []
    for at, changed in mutations(text[start:]):
        try:
            survived.append((at, verify_proof(DatasetProof.from_json(text[:start] + changed), signed.key)))
        except ProofError:
            continue
    # A content between the same neighbours is as absent as the one that was asked for: that is another, true statement.
    for _, found in survived:
        assert found.content != content(number)
        assert not found.present
        assert found.content not in signed.contents
    if number == 6:
        assert survived == []


def test_a_leaf_is_never_taken_for_a_node():
    """The two children of the root as a leaf of 64 bytes: their hash is the root of no list of one."""
    signed = even(2)
    hashes = [leaf_hash(leaf) for leaf in signed.leaves]
    forged = Neighbour(Digest(hashes[0].hex()), Digest(hashes[1].hex()), 0, ())
    refused(signed, signed.proof(Absence(content(0), None, forged)), "signed tree")


def test_canonical_records_are_what_is_hashed():
    signed = even(1)
    (record,) = signed.records[content(2)]
    assert signed.leaves[0][32:].hex() == digest(canonical_bytes([record]))
