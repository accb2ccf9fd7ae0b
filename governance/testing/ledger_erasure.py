"""The part of the ledger's contract that is about erasing: what goes, what stays, what may not go, and what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from governance.canonical import Json, canonical_bytes, commitment, digest, new_salt
from governance.checkpoint import LogKey, verify_receipt
from governance.datasets.audit_entries import Audited, audited_record
from governance.entries import (
    Attempt,
    Document,
    Entry,
    EntryKind,
    ErasedPart,
    HoldState,
    LegalHoldScope,
    PersonalField,
    Record,
    Recorded,
    Spending,
)
from governance.erasure import ASSET, HOLD, WATERMARK, Basis, ErasureOrder, erased_record
from governance.errors import BudgetError, ErasureError, HoldChangedError, LedgerError, LegalHoldError
from governance.legal_holds import lifted_record, placed_record
from governance.ports import Ledger
from governance.search import Query
from governance.testing.example_records import (
    ALGORITHM,
    KEY_ID,
    held_record,
    hold_record,
    intent_record,
    released_record,
)
from governance.testing.expect import expect
from governance.types import Outcome, Principal, Usage, new_id

OPERATOR = Principal("operator@example.org", ("privacy",))
ORDER = ErasureOrder(Basis.REQUEST, OPERATOR, "file 17")
FACTS = digest(b"facts of a person")
DAY = "2026-11-23"


def asked_record(
    generation: str, person: str = "ann@example.org", retain_days: int = 0, time: str = "", day: str = DAY
) -> Record:
    """An intent of `day` with who asked, under which id, and for what; with `retain_days` it is to be kept for so long."""
    values: dict[str, Json] = {"/principal/id": person, "/prompts/0": "a violet walrus", "/request/id": "order-4711"}
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    content = canonical_bytes({"version": 1, "time": f"{day}T12:00:00.000Z"})
    obligations: dict[str, Json] = {"retain_days": retain_days} if retain_days else {}
    body: dict[str, Json] = {
        "version": 1,
        "items": 1,
        "decision": {"input": digest(content), "obligations": obligations},
        "fields": {field.name: commitment(field.name, field.value, field.salt) for field in fields},
    }
    entry = Entry(EntryKind.INTENT, generation, body)
    return Record(replace(entry, time=time or entry.time), fields, (Document(digest(content), content),))


def erase(ledger: Ledger, *parts: tuple[Record, str], order: ErasureOrder = ORDER) -> Entry:
    """The entry that erased these parts."""
    return ledger.append(erased_record(new_id(), _parts(parts), order)).entry


def _parts(parts: Sequence[tuple[Record, str]]) -> list[ErasedPart]:
    return [ErasedPart(record.entry.id, name) for record, name in parts]


class LedgerErasureContract:
    """What every ledger does about erasures; a part of `LedgerContract`."""

    def new_ledger(self) -> Ledger:
        """A new, empty ledger."""
        raise NotImplementedError

    def successor(self, ledger: Ledger) -> Ledger:
        """The same ledger, opened by another process after the one that held `ledger` vanished."""
        raise NotImplementedError

    def key(self, ledger: Ledger) -> LogKey:
        """The public key of the ledger's checkpoints."""
        raise NotImplementedError

    def test_what_is_erased_is_gone_and_the_proofs_stay(self) -> None:
        ledger = self.new_ledger()
        record, other = asked_record("g"), asked_record("h", "bob@example.org")
        for each in (record, other):
            ledger.append(each)
        assert ledger.erasures(record.entry.id) == {}
        entry = erase(ledger, (record, "/prompts/0"), (record, "/principal/id"))
        ledger.purge()
        ledger = self.successor(ledger)
        assert [field.name for field in ledger.fields(record.entry.id)] == ["/request/id"]
        assert ledger.erasures(record.entry.id) == {"/principal/id": entry.id, "/prompts/0": entry.id}
        assert ledger.entry(record.entry.id) == record.entry
        assert verify_receipt(ledger.receipt(record.entry.id), self.key(ledger)) == record.entry
        assert tuple(ledger.fields(other.entry.id)) == other.fields
        assert ledger.erasures(other.entry.id) == {}
        assert list(ledger.verify()) == []

    def test_rows_of_an_audit_are_erased_by_their_names(self) -> None:
        ledger = self.new_ledger()
        counts = dict.fromkeys(Outcome, 0)
        said = Audited("cats", digest(b"root"), 0, 3, counts, b"{}", b"[]", digest(b"bundle"))
        record = audited_record(said, Principal("auditor@example.org"))
        ledger.append(record)
        first = erase(ledger, (record, "records/0-1"))
        second = erase(ledger, (record, "records/2-2"))
        ledger.purge()
        ledger = self.successor(ledger)
        assert ledger.erasures(record.entry.id) == {"records/0-1": first.id, "records/2-2": second.id}
        assert tuple(ledger.fields(record.entry.id)) == record.fields
        with expect(ErasureError):
            erase(ledger, (record, "records/2-3"))
        assert list(ledger.verify()) == []

    def test_no_search_finds_what_was_erased(self) -> None:
        ledger = self.new_ledger()
        record, other = asked_record("g"), asked_record("h", "bob@example.org")
        for each in (record, other):
            ledger.append(each)
        by_person, by_word = Query(principal="ann@example.org"), Query(words="walrus")
        assert _found(ledger, by_person) == ["g"]
        assert _found(ledger, by_word) == ["g", "h"]
        erase(ledger, *((record, field.name) for field in record.fields))
        assert _found(ledger, by_person) == []
        assert _found(ledger, by_word) == ["h"]
        assert _found(ledger, Query(principal="bob@example.org")) == ["h"]
        assert _found(ledger, Query(subject="g")) == ["g"]
        assert list(ledger.verify()) == []

    def test_an_erased_mark_leads_nowhere(self) -> None:
        ledger = self.new_ledger()
        intent = intent_record("g")
        record = released_record("g", b"signed", mark_id=3, intent=intent)
        other = released_record("g", b"other", mark_id=4, intent=intent, item=1)
        for each in (intent, record, other):
            ledger.append(each)
        entry = erase(ledger, (record, WATERMARK), (record, ASSET))
        assert ledger.find_mark(ALGORITHM, KEY_ID, 3) is None
        assert ledger.find_mark(ALGORITHM, KEY_ID, 4) == other.mark
        assert ledger.find_asset(digest(b"signed")) == record.entry
        assert ledger.erasures(record.entry.id) == {ASSET: entry.id, WATERMARK: entry.id}
        assert other.mark is not None
        assert [mark.mark_id for mark in ledger.alike(other.mark.fingerprint)] == [4]
        assert list(ledger.verify()) == []

    def test_of_two_releases_of_the_same_bytes_only_one_is_erased(self) -> None:
        ledger = self.new_ledger()
        records = []
        for number, generation in enumerate(("g", "h")):
            intent = intent_record(generation)
            records += [intent, released_record(generation, b"same", mark_id=number, intent=intent)]
        for record in records:
            ledger.append(record)
        first, other = records[1], records[3]
        assert list(ledger.releases(digest(b"same"))) == [first.entry, other.entry]
        assert ledger.find_asset(digest(b"same")) == first.entry
        assert list(ledger.releases(digest(b"another"))) == []
        erase(ledger, (first, WATERMARK))
        assert ledger.find_mark(ALGORITHM, KEY_ID, 0) is None
        assert ledger.find_mark(ALGORITHM, KEY_ID, 1) == other.mark
        assert other.mark is not None
        assert [mark.mark_id for mark in ledger.alike(other.mark.fingerprint)] == [1]
        placed = placed_record(LegalHoldScope.GENERATION, "h", OPERATOR)
        ledger.append(placed)
        with expect(LegalHoldError):  # there is one file, and it is kept for the other
            erase(ledger, (first, ASSET))
        assert placed.legal_hold is not None
        ledger.append(lifted_record(placed.legal_hold, OPERATOR))
        erase(ledger, (first, ASSET))
        assert ASSET not in ledger.erasures(other.entry.id)
        assert list(ledger.releases(digest(b"same"))) == [first.entry, other.entry]

    def test_whose_subjects_name_a_person_the_fields_say(self) -> None:
        ledger = self.new_ledger()
        ann = "ann@example.org"
        records = {name: asked_record(name, ann) for name in ("g3", "g1", "g2")}
        for record in (*records.values(), asked_record("h", "bob@example.org"), asked_record("i", f"{ann}x")):
            ledger.append(record)
        for at, name in enumerate(("/reviewer/id", "/approvals/0", "/hold/requester", "/comment", "/approval/0")):
            field = PersonalField(name, new_salt(), ann)
            commitments = {name: commitment(name, field.value, field.salt)}
            body: dict[str, Json] = {"version": 1, "fields": commitments}
            ledger.append(Record(Entry(EntryKind.COMMENTED, f"j{at}", body), (field,)))
        ledger.append(placed_record(LegalHoldScope.PRINCIPAL, ann, OPERATOR))
        ledger = self.successor(ledger)
        (hold,) = ledger.legal_holds()
        ledger.append(lifted_record(hold, OPERATOR))
        expected = sorted(["g1", "g2", "g3", "j0", "j1", "j2", hold.id])
        assert list(ledger.subjects_of(ann)) == expected
        assert list(ledger.subjects_of(ann, limit=2)) == expected[:2]
        assert list(ledger.subjects_of(ann, after=expected[1])) == expected[2:]
        assert list(ledger.subjects_of("nobody@example.org")) == []
        erase(ledger, (records["g2"], "/prompts/0"))
        assert "g2" in ledger.subjects_of(ann)
        erase(ledger, (records["g2"], "/principal/id"))
        assert list(ledger.subjects_of(ann)) == [name for name in expected if name != "g2"]
        with expect(LedgerError):
            ledger.subjects_of(ann, limit=0)

    def test_what_cannot_be_erased_is_refused_whole(self) -> None:
        ledger = self.new_ledger()
        record = asked_record("g")
        ledger.append(record)
        unknown = asked_record("h")
        for parts in (
            [(record, "/prompts/0"), (record, "/prompts/1")],
            [(record, "/prompts/0"), (record, WATERMARK)],
            [(record, "/prompts/0"), (record, HOLD)],
            [(record, "/prompts/0"), (unknown, "/prompts/0")],
        ):
            with expect(ErasureError):
                erase(ledger, *parts)
        assert tuple(ledger.fields(record.entry.id)) == record.fields
        assert len(ledger.entries()) == 1

    def test_an_erased_entry_lists_what_its_record_erases(self) -> None:
        ledger = self.new_ledger()
        record = asked_record("g")
        ledger.append(record)
        parts = _parts([(record, "/prompts/0")])
        good = erased_record(new_id(), parts, ORDER)
        nothing = replace(good.entry, body={**good.entry.body, "parts": {}})
        baseless = replace(good.entry, body={**good.entry.body, "basis": "whim"})
        for misfit in (
            replace(good, erasures=()),
            replace(good, erasures=(*parts, ErasedPart(record.entry.id, "/request/id"))),
            replace(good, entry=nothing, erasures=()),
            replace(good, entry=baseless),
            replace(asked_record("h"), erasures=tuple(parts)),
        ):
            with expect(LedgerError):
                ledger.append(misfit)
        assert tuple(ledger.fields(record.entry.id)) == record.fields
        ledger.append(good)

    def test_what_is_erased_twice_was_erased_by_the_first(self) -> None:
        ledger = self.new_ledger()
        record = asked_record("g")
        ledger.append(record)
        first = erase(ledger, (record, "/prompts/0"))
        second = erase(ledger, (record, "/prompts/0"), (record, "/request/id"))
        assert ledger.erasures(record.entry.id) == {"/prompts/0": first.id, "/request/id": second.id}
        assert list(ledger.verify()) == []

    def test_what_an_erased_entry_keeps_is_erased_like_anything_else(self) -> None:
        ledger = self.new_ledger()
        record = asked_record("g")
        ledger.append(record)
        written = erased_record(new_id(), _parts([(record, "/prompts/0")]), ORDER)
        ledger.append(written)
        assert {field.value for field in ledger.fields(written.entry.id)} == {OPERATOR.id, "file 17"}
        erase(ledger, (written, "/reference"), order=ErasureOrder(Basis.ORDER))
        assert [field.value for field in ledger.fields(written.entry.id)] == [OPERATOR.id]
        assert list(ledger.verify()) == []

    def test_the_request_id_of_who_was_erased_is_free_again(self) -> None:
        ledger = self.new_ledger()
        record = asked_record("g")
        ledger.begin("ann@example.org", "order-4711", FACTS, "g")
        ledger.append(record)
        with expect(ErasureError):
            erase(ledger, (record, "/principal/id"))
        assert tuple(ledger.fields(record.entry.id)) == record.fields
        ledger.finish("g", repeatable=False)
        erase(ledger, (record, "/prompts/0"))
        assert ledger.begin("ann@example.org", "order-4711", FACTS, "g2") == Recorded(1, "g")
        erase(ledger, (record, "/principal/id"))
        assert ledger.begin("ann@example.org", "order-4711", digest(b"other"), "g2") == Attempt(1, "g2")

    def test_the_usage_of_who_was_erased_goes_too(self) -> None:
        ledger = self.new_ledger()
        for person, generation in (("ann@example.org", "g"), ("bob@example.org", "h")):
            for day in (DAY, "2026-11-24"):
                spending = Spending(person, day, Usage(1, 2, 3, 4))
                ledger.append(replace(asked_record(f"{generation}-{day}", person, day=day), spending=spending))
        (_, entry), *_ = ledger.entries()
        ledger.append(erased_record(new_id(), [ErasedPart(entry.id, "/principal/id")], ORDER))
        assert ledger.usage("ann@example.org", DAY) == Usage()
        assert ledger.usage("ann@example.org", "2026-11-24") == Usage(1, 2, 3, 4)
        assert ledger.usage("bob@example.org", DAY) == Usage(1, 2, 3, 4)

    def test_a_day_that_another_request_names_them_on_still_counts(self) -> None:
        ledger = self.new_ledger()
        budget, records = {"images": 3}, [asked_record(name) for name in ("g1", "g2", "g3")]
        for record in records:
            ledger.append(replace(record, spending=Spending("ann@example.org", DAY, Usage(1, 2, 3, 4), budget)))
        ledger = self.successor(ledger)
        erase(ledger, *((records[0], field.name) for field in records[0].fields))
        assert ledger.usage("ann@example.org", DAY) == Usage(3, 6, 9, 12)
        with expect(BudgetError):
            ledger.append(replace(asked_record("g4"), spending=Spending("ann@example.org", DAY, Usage(1), budget)))
        erase(ledger, *((record, "/principal/id") for record in records[1:]))
        assert ledger.usage("ann@example.org", DAY) == Usage()

    def test_what_was_asked_for_goes_from_its_hold(self) -> None:
        ledger = self.new_ledger()
        asked = asked_record("g")
        held = held_record("g", None, FACTS)
        entry = replace(held.entry, body={**held.entry.body, "fields": asked.entry.body["fields"]})
        held = replace(held, entry=entry, fields=asked.fields)
        ledger.append(held)
        assert held.hold is not None
        approved = hold_record(EntryKind.APPROVED, held.hold, HoldState.APPROVED)
        erase(ledger, (held, "/prompts/0"), (held, HOLD))
        found = ledger.hold(held.hold.id)
        assert found == replace(held.hold, request="", version=1)
        with expect(HoldChangedError):  # what was read before would bring the digest back
            ledger.append(approved)
        assert list(ledger.verify()) == []

    def test_a_legal_hold_wins(self) -> None:
        for kind, scope, others in (
            (LegalHoldScope.GENERATION, "g", True),
            (LegalHoldScope.PRINCIPAL, "ann@example.org", True),
            (LegalHoldScope.EVERYTHING, "", False),
        ):
            ledger = self.new_ledger()
            record, other = asked_record("g"), asked_record("h", "bob@example.org")
            for each in (record, other):
                ledger.append(each)
            placed = placed_record(kind, scope, OPERATOR, "file 18")
            ledger.append(placed)
            ledger = self.successor(ledger)
            with expect(LegalHoldError):
                erase(ledger, (other, "/prompts/0"), (record, "/prompts/0"))
            assert tuple(ledger.fields(record.entry.id)) == record.fields
            assert tuple(ledger.fields(other.entry.id)) == other.fields
            if others:
                erase(ledger, (other, "/prompts/0"))
            (hold,) = ledger.legal_holds()
            assert hold == placed.legal_hold
            lifted = lifted_record(hold, OPERATOR)
            ledger.append(lifted)
            assert ledger.legal_holds() == []
            assert ledger.legal_holds(lifted=True) == [lifted.legal_hold]
            assert ledger.legal_holds(lifted=True)[0].scope == ""
            erase(ledger, (record, "/prompts/0"))
            assert list(ledger.verify()) == []

    def test_a_legal_hold_on_a_person_keeps_what_others_wrote_about_their_requests(self) -> None:
        ledger = self.new_ledger()
        asked = asked_record("g")
        comment = PersonalField("/comment", new_salt(), "looks like the mascot")
        body: dict[str, Json] = {
            "version": 1,
            "fields": {comment.name: commitment(comment.name, comment.value, comment.salt)},
        }
        written = Record(Entry(EntryKind.COMMENTED, "g", body), (comment,))
        ledger.append(asked)
        ledger.append(written)
        ledger.append(placed_record(LegalHoldScope.PRINCIPAL, "ann@example.org", OPERATOR))
        with expect(LegalHoldError):
            erase(ledger, (written, "/comment"))

    def test_a_legal_hold_is_placed_once_and_lifted_once(self) -> None:
        ledger = self.new_ledger()
        placed = placed_record(LegalHoldScope.GENERATION, "g", OPERATOR)
        hold = placed.legal_hold
        assert hold is not None
        with expect(LegalHoldError):
            ledger.append(lifted_record(hold, OPERATOR))
        ledger.append(placed)
        twice = replace(placed.entry, id=new_id())
        with expect(LegalHoldError):
            ledger.append(replace(placed, entry=twice, legal_hold=replace(hold, placed_by=twice.id)))
        lifted = lifted_record(hold, OPERATOR)
        ledger.append(lifted)
        with expect(LegalHoldError):
            ledger.append(lifted_record(hold, OPERATOR))
        with expect(LegalHoldError):
            lifted_record(ledger.legal_holds(lifted=True)[0], OPERATOR)
        assert list(ledger.verify()) == []

    def test_a_record_must_say_how_the_legal_hold_stands(self) -> None:
        ledger = self.new_ledger()
        placed = placed_record(LegalHoldScope.PRINCIPAL, "ann@example.org", OPERATOR)
        hold = placed.legal_hold
        assert hold is not None
        misfits = [
            replace(placed, legal_hold=None),
            replace(placed, legal_hold=replace(hold, id=new_id())),
            replace(placed, legal_hold=replace(hold, scope="")),
            replace(placed, legal_hold=replace(hold, scope_kind=LegalHoldScope.EVERYTHING, scope="")),
            replace(placed, legal_hold=replace(hold, lifted_by=placed.entry.id)),
            replace(asked_record("g"), legal_hold=hold),
        ]
        for record in misfits:
            with expect(LedgerError):
                ledger.append(record)
        ledger.append(placed)
        lifted = lifted_record(hold, OPERATOR)
        assert lifted.legal_hold is not None
        for record in (
            replace(lifted, legal_hold=None),
            replace(lifted, legal_hold=replace(lifted.legal_hold, scope=hold.scope)),
            replace(lifted, legal_hold=replace(lifted.legal_hold, placed_by=lifted.entry.id)),
        ):
            with expect(LedgerError):
                ledger.append(record)
        assert ledger.legal_holds() == [hold]

    def test_what_is_due_is_found_until_nothing_is_left(self) -> None:
        ledger = self.new_ledger()
        time = f"{DAY}T12:00:00.000Z"
        soon = asked_record("soon", retain_days=1, time=time)
        later = [asked_record("later", retain_days=days, time=time) for days in (30, 2)]
        never = asked_record("never", time=time)
        for record in (soon, *later, never, asked_record("beyond", retain_days=2**50, time=time)):
            ledger.append(record)
        assert ledger.due("2026-11-23") == []
        assert ledger.due("2026-11-24") == [("2026-11-24", "soon")]
        assert ledger.due("2026-12-22") == [("2026-11-24", "soon")]
        both = [("2026-11-24", "soon"), ("2026-12-23", "later")]
        assert ledger.due("9999-12-31") == both
        assert ledger.due("9999-12-31", limit=1) == both[:1]
        assert ledger.due("9999-12-31", after=both[0]) == both[1:]
        with expect(LedgerError):
            ledger.due("9999-12-31", limit=0)
        erase(ledger, (soon, "/prompts/0"), (soon, "/principal/id"))
        assert ledger.due("2026-11-24") == [("2026-11-24", "soon")]
        erase(ledger, (soon, "/request/id"))
        assert ledger.due("9999-12-31") == both[1:]
        assert list(ledger.verify()) == []

    def test_a_released_file_is_due_until_it_is_erased(self) -> None:
        ledger = self.new_ledger()
        intent = intent_record("g")
        record = released_record("g", b"signed", mark_id=3, intent=intent)
        honoured = replace(record.entry, body={**record.entry.body, "honoured": {"retain_days": 1}})
        record = replace(record, entry=replace(honoured, time=f"{DAY}T12:00:00.000Z"))
        ledger.append(intent)
        ledger.append(record)
        for name in (ASSET, WATERMARK):
            assert [subject for _, subject in ledger.due("9999-12-31")] == ["g"]
            erase(ledger, (record, name))
        assert [subject for _, subject in ledger.due("9999-12-31")] == ["g"]
        erase(ledger, (intent, "/prompts/0"))
        assert ledger.due("9999-12-31") == []

    def test_another_release_of_the_same_bytes_does_not_keep_one_due(self) -> None:
        ledger = self.new_ledger()
        records = {}
        for number, generation in enumerate(("g", "h")):
            intent = asked_record(generation)
            record = released_record(generation, b"same", mark_id=number, intent=intent)
            body = {**record.entry.body, "honoured": {"retain_days": 1}}
            entry = replace(record.entry, body=body, time=f"{DAY}T12:00:00.000Z")
            records[generation] = intent, replace(record, entry=entry)
            for each in records[generation]:
                ledger.append(each)
        for generation, left in (("g", ["h"]), ("h", [])):
            intent, released = records[generation]
            erase(ledger, *((intent, each.name) for each in intent.fields), (released, ASSET), (released, WATERMARK))
            assert [subject for _, subject in ledger.due("9999-12-31")] == left


def _found(ledger: Ledger, query: Query) -> list[str]:
    return [entry.subject for _, entry in ledger.search(query).items if entry.kind is EntryKind.INTENT]
