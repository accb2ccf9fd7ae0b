"""The registers: what is kept, what is refused, where an item stands, and what policy is told."""

import os
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_digest, commitment, digest
from governance.entries import EntryKind
from governance.errors import LedgerError, NoRegisteredError, RegisterError
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.registers.due import Date, due
from governance.registers.item_checks import MAX_TEXT, RegisterName, moment
from governance.registers.items import (
    Contract,
    ModelSignature,
    RegisteredAdapter,
    RegisteredModel,
    Vendor,
    item_of,
    model_key,
)
from governance.registers.register import Registers
from governance.registers.standing import ContractState, State
from governance.testing import EXAMPLE_MODEL, FakeLedger
from governance.testing.policy import registered_facts
from governance.types import AdapterFacts, Principal, utc_now
from support.lineages import World

COUNSEL = Principal("counsel@example.org", ("counsel",))
NOW = "2026-06-01T00:00:00.000Z"
MODEL = RegisteredModel("example", dict(EXAMPLE_MODEL.components), EXAMPLE_MODEL.pipeline, "Apache-2.0")
LORA = RegisteredAdapter("style", digest(b"lora"), licence="MIT")
VENDOR = Vendor("stockhouse", "Stock House", "DE", "rights@stock.example.org", "https://stock.example.org")
CONTRACT = Contract(
    "stock-2026", "stockhouse", "Pictures", starts="2026-01-01T00:00:00.000Z", ends="2026-12-31T00:00:00.000Z"
)
SIGNATURE = ModelSignature("key", NOW, digest(b"key"), digest(b"statement"))


@pytest.fixture
def ledger():
    return FakeLedger()


@pytest.fixture
def registers(ledger):
    return Registers(ledger)


def recall(ledger, **targets):
    """A recall of these, written."""
    made = Recall(Cause(RecallBy.LICENCE, "MIT"), COUNSEL)
    for record in made.records(Targets(**targets)):
        ledger.append(record)


class TestItems:
    @pytest.mark.parametrize(
        "item", [MODEL, replace(MODEL, signature=SIGNATURE, datasets=("a", "b")), LORA, VENDOR, CONTRACT]
    )
    def test_json_and_back(self, item):
        assert item_of(item.register, item.as_json()) == item

    @given(
        name=st.text("abc äß/", min_size=1).filter(str.strip),
        datasets=st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True), unique=True, max_size=5),
        expires=st.datetimes().map(lambda each: moment(each.isoformat() + "+00:00")),
        contents=st.dictionaries(st.sampled_from(("unet", "vae", "tokenizer")), st.binary(), min_size=1),
    )
    def test_any_model_and_back(self, name, datasets, expires, contents):
        components = {part: digest(content) for part, content in contents.items()}
        model = RegisteredModel(name, components, expires=expires, datasets=tuple(datasets))
        assert item_of(RegisterName.MODELS, model.as_json()) == model
        assert model.key == model_key(components) == canonical_digest(components)

    @pytest.mark.parametrize(
        ("register", "values", "said"),
        [
            ("models", {"name": "x"}, "has no components"),
            ("models", {"name": "x", "components": {}}, "1 to 64 components"),
            ("models", {"name": "x", "components": {"unet": "ff"}}, "no SHA-256 digest"),
            ("models", {"name": "x", "components": [], "licence": "MIT"}, "no object"),
            ("models", {**MODEL.as_json(), "name": " "}, "name is empty"),
            ("models", {**MODEL.as_json(), "expires": "soon"}, "no time"),
            ("models", {**MODEL.as_json(), "expires": "2026-01-01T00:00:00"}, "no offset"),
            ("models", {**MODEL.as_json(), "datasets": ["A b"]}, "no key"),
            ("models", {**MODEL.as_json(), "datasets": "abc"}, "no list"),
            ("models", {**MODEL.as_json(), "licence": 7}, "no text"),
            ("models", {**MODEL.as_json(), "data_origin": "x" * (MAX_TEXT + 1)}, "at most"),
            ("models", {**MODEL.as_json(), "intended_use": "a\x1b[2J"}, "cannot be printed"),
            ("models", {**MODEL.as_json(), "signature": {"method": "key"}}, "A signature has"),
            ("models", {**MODEL.as_json(), "approved": True}, "knows no 'approved'"),
            ("adapters", {"name": "x", "digest": "F" * 64}, "no SHA-256 digest"),
            ("vendors", {"key": "Stock House", "name": "x"}, "no key"),
            ("vendors", {"key": "x"}, "has no name"),
            ("contracts", {"key": "x", "vendor": "y", "title": "z", "notice_days": -1}, "no number"),
            ("contracts", {"key": "x", "vendor": "y", "title": "z", "notice_days": True}, "no number"),
            ("contracts", {"key": "x", "vendor": "y", "title": "z", "document": "x"}, "no SHA-256 digest"),
        ],
    )
    def test_what_no_register_takes(self, register, values, said):
        with pytest.raises(RegisterError, match=said):
            item_of(RegisterName(register), values)

    def test_a_date_is_its_beginning_in_utc(self):
        assert moment("2027-06-30") == "2027-06-30T00:00:00.000Z"
        assert moment("2027-06-30T12:00:00+02:00") == "2027-06-30T10:00:00.000Z"

    def test_a_time_is_kept_as_registers_write_it(self):
        with pytest.raises(RegisterError, match="not as registers write it"):
            replace(MODEL, expires="2027-06-30T00:00:00Z")


class TestChanges:
    def test_each_is_an_entry_that_names_the_one_before(self, ledger, registers):
        first = registers.add(MODEL, COUNSEL)
        second = registers.change(replace(MODEL, licence="MIT"), COUNSEL)
        third = registers.withdraw(RegisterName.MODELS, MODEL.key, COUNSEL)
        fourth = registers.add(MODEL, COUNSEL)
        entries = [record.entry for record in ledger.records]
        assert entries == [first, second, third, fourth] == list(registers.history(RegisterName.MODELS, MODEL.key))
        assert [entry.body["previous"] for entry in entries] == [None, first.id, second.id, third.id]
        assert {entry.kind for entry in entries} == {EntryKind.REGISTER}
        assert {entry.subject for entry in entries} == {f"models:{MODEL.key}"}
        assert [entry.body["change"] for entry in entries] == ["added", "changed", "withdrawn", "added"]
        assert [entry.body["item"] for entry in entries][2] is None
        assert "counsel@example.org" not in str([entry.body for entry in entries])

    def test_a_vendors_contact_is_committed_and_read_back_until_it_is_erased(self, ledger, registers):
        entry = registers.add(VENDOR, COUNSEL)
        assert VENDOR.contact not in str(entry.body)
        assert "contact" not in entry.body["item"]
        (field,) = [each for each in ledger.records[0].fields if each.name == "/item/contact"]
        assert entry.body["fields"]["/item/contact"] == commitment(field.name, VENDOR.contact, field.salt)
        assert registers.vendor("stockhouse") == VENDOR
        assert registers.find(RegisterName.VENDORS, "stockhouse").item.contact == ""

    def test_adding_twice_and_changing_nothing_are_errors(self, registers):
        registers.add(VENDOR, COUNSEL)
        with pytest.raises(RegisterError, match="registered already"):
            registers.add(replace(VENDOR, name="Other"), COUNSEL)
        with pytest.raises(RegisterError, match="like this already"):
            registers.change(VENDOR, COUNSEL)
        registers.change(replace(VENDOR, contact="legal@stock.example.org"), COUNSEL)
        assert registers.vendor("stockhouse").contact == "legal@stock.example.org"

    def test_what_is_not_there_cannot_be_changed_or_withdrawn(self, ledger, registers):
        with pytest.raises(NoRegisteredError):
            registers.change(MODEL, COUNSEL)
        with pytest.raises(NoRegisteredError):
            registers.withdraw(RegisterName.ADAPTERS, LORA.key, COUNSEL)
        registers.add(LORA, COUNSEL)
        registers.withdraw(RegisterName.ADAPTERS, LORA.key, COUNSEL)
        with pytest.raises(NoRegisteredError):
            registers.withdraw(RegisterName.ADAPTERS, LORA.key, COUNSEL)
        assert len(ledger.records) == 2

    def test_what_an_item_names_must_be_registered(self, ledger, registers):
        for item in (CONTRACT, replace(MODEL, vendor="stockhouse"), replace(LORA, base=MODEL.key)):
            with pytest.raises(RegisterError, match="does not have"):
                registers.add(item, COUNSEL)
        assert ledger.records == ()
        registers.add(VENDOR, COUNSEL)
        registers.add(CONTRACT, COUNSEL)
        registers.add(replace(MODEL, vendor="stockhouse", contract="stock-2026"), COUNSEL)
        registers.add(replace(LORA, base=MODEL.key), COUNSEL)

    def test_a_run_that_an_adapter_names_must_have_made_it(self, ledger, registers):
        """Somebody else's weights do not pass as those of an approved run."""
        world = World(ledger)
        world.model()
        run = world.run(world.audited(), AdapterFacts("ink", digest(b"ink"), 1000))
        for item in (replace(LORA, run=run.subject), replace(LORA, run="no-run")):
            with pytest.raises(RegisterError, match="no entry says that this run made these weights"):
                registers.add(item, COUNSEL)
        registers.add(LORA, COUNSEL)
        with pytest.raises(RegisterError, match="made these weights"):
            registers.change(replace(LORA, run=run.subject), COUNSEL)
        registers.add(RegisteredAdapter("ink", digest(b"ink"), run=run.subject), COUNSEL)

    @pytest.mark.parametrize(
        "licence",
        ["CC BY 4.0", "our terms", "MIT AND", "AND MIT", "(MIT", "MIT)", "()", "MIT (Apache-2.0)", "MIT/X11", "x;y"],
    )
    def test_a_licence_is_an_spdx_expression(self, registers, licence):
        """A recall of CC-BY-4.0 would not find what is registered as `CC BY 4.0`."""
        with pytest.raises(RegisterError, match="no SPDX licence expression"):
            registers.add(replace(LORA, licence=licence), COUNSEL)
        registers.add(LORA, COUNSEL)
        with pytest.raises(RegisterError, match="no SPDX licence expression"):
            registers.change(replace(LORA, licence=licence), COUNSEL)

    @pytest.mark.parametrize(
        "licence",
        [
            "",
            "CC-BY-4.0 AND LicenseRef-house",
            "(MIT OR (GPL-2.0+ WITH Classpath-exception-2.0)) and Apache-2.0",
            "DocumentRef-a:LicenseRef-b",
        ],
    )
    def test_expressions_of_licences(self, registers, licence):
        registers.add(replace(LORA, licence=licence), COUNSEL)
        assert registers.adapter(LORA.digest).licence == licence

    def test_of_two_changes_at_once_one_is_refused(self, ledger, registers):
        late = Registers(ledger)
        registers.add(VENDOR, COUNSEL)
        late.list(RegisterName.VENDORS)
        read = late._fold.read
        late._fold.read = lambda: None
        registers.change(replace(VENDOR, name="First"), COUNSEL)
        try:
            with pytest.raises(LedgerError):
                late.change(replace(VENDOR, name="Second"), COUNSEL)
        finally:
            late._fold.read = read
        assert late.vendor("stockhouse").name == "First"
        assert len(ledger.records) == 2

    def test_a_ledger_that_refuses_leaves_nothing(self, ledger, registers):
        ledger.refuse[EntryKind.REGISTER] = LedgerError("full")
        with pytest.raises(LedgerError, match="full"):
            registers.add(MODEL, COUNSEL)
        assert registers.model(MODEL.key) is None

    def test_many_threads_register_one_thing_once(self, ledger, registers):
        added, refused = [], []

        def add():
            try:
                added.append(registers.add(LORA, COUNSEL))
            except RegisterError as error:
                refused.append(error)

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(added), len(refused), len(ledger.records)) == (1, 7, 1)


class TestStanding:
    def test_only_exactly_these_components_are_the_model(self, registers):
        entry = registers.add(MODEL, COUNSEL)
        found = registers.standing_of_model(EXAMPLE_MODEL.components, NOW)
        assert (found.state, found.item, found.entry) == (State.REGISTERED, MODEL, entry.id)
        for other in ({"unet": digest(b"other")}, {**EXAMPLE_MODEL.components, "more": digest(b"")}):
            assert registers.standing_of_model(other, NOW).state is State.UNREGISTERED

    def test_it_ends_when_it_expires(self, registers):
        registers.add(replace(MODEL, expires=NOW), COUNSEL)
        assert registers.standing_of_model(MODEL.components, "2026-05-31T23:59:59.999Z").state is State.REGISTERED
        assert registers.standing_of_model(MODEL.components, NOW).state is State.EXPIRED
        assert registers.standing_of_model(MODEL.components, "2026-06-01T02:00:00+02:00").state is State.EXPIRED

    def test_what_was_withdrawn_says_so(self, registers):
        registers.add(LORA, COUNSEL)
        entry = registers.withdraw(RegisterName.ADAPTERS, LORA.key, COUNSEL)
        found = registers.standing_of_adapter(LORA.digest, NOW)
        assert (found.state, found.item, found.entry) == (State.WITHDRAWN, LORA, entry.id)
        assert registers.adapter(LORA.digest) is None

    def test_a_recall_stands_against_everything_and_is_not_taken_back(self, ledger, registers):
        registers.add(MODEL, COUNSEL)
        registers.add(LORA, COUNSEL)
        assert registers.standing_of_model(MODEL.components, NOW).state is State.REGISTERED
        recall(ledger, models=(MODEL.key,), adapters=(LORA.digest,))
        assert registers.standing_of_model(MODEL.components, NOW).state is State.RECALLED
        assert registers.standing_of_adapter(LORA.digest, NOW).state is State.RECALLED
        registers.withdraw(RegisterName.ADAPTERS, LORA.digest, COUNSEL)
        with pytest.raises(RegisterError, match="was recalled by entry"):
            registers.add(LORA, COUNSEL)
        assert Registers(ledger).standing_of_adapter(LORA.digest, NOW).state is State.RECALLED

    def test_what_others_recall_later_counts_at_the_next_question(self, ledger, registers):
        registers.add(LORA, COUNSEL)
        recall(ledger, adapters=(digest(b"another"),))
        assert registers.standing_of_adapter(LORA.digest, NOW).state is State.REGISTERED
        recall(ledger, adapters=(LORA.digest,))
        assert registers.standing_of_adapter(LORA.digest, NOW).state is State.RECALLED

    def test_contracts_stand_by_their_dates(self, registers):
        registers.add(VENDOR, COUNSEL)
        registers.add(CONTRACT, COUNSEL)
        states = [registers.contract_state("stock-2026", time) for time in ("2025-12-31", "2026-01-01", "2026-12-31")]
        assert states == [ContractState.EXPIRED, ContractState.ACTIVE, ContractState.EXPIRED]
        assert registers.contract_state("", NOW) is ContractState.NONE
        assert registers.contract_state("other", NOW) is ContractState.UNKNOWN
        registers.withdraw(RegisterName.CONTRACTS, "stock-2026", COUNSEL)
        assert registers.contract_state("stock-2026", NOW) is ContractState.EXPIRED

    def test_what_cannot_be_read_is_an_error_and_not_absence(self, ledger, registers):
        registers.add(MODEL, COUNSEL)
        ledger.errors["entries"] = LedgerError("gone")
        with pytest.raises(LedgerError, match="gone"):
            registers.standing_of_model(MODEL.components, NOW)

    def test_an_entry_of_another_version_is_an_error(self, ledger, registers):
        from governance.entries import Entry, Record

        ledger.append(Record(Entry(EntryKind.REGISTER, "models:x", {"version": 2, "fields": {}})))
        with pytest.raises(LedgerError, match="version 2 is unknown"):
            registers.list(RegisterName.MODELS)

    def test_only_what_is_new_is_read(self, ledger, registers):
        registers.add(MODEL, COUNSEL)
        registers.standing_of_model(MODEL.components, NOW)
        asked = []
        entries = ledger.entries
        ledger.entries = lambda **named: asked.append((named["kind"], named["after"])) or entries(**named)
        registers.standing_of_model(MODEL.components, NOW)
        registers.standing_of_model(MODEL.components, NOW)
        assert {after for kind, after in asked if kind is EntryKind.REGISTER} == {0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_reads_for_itself(ledger, registers):
    registers.add(MODEL, COUNSEL)
    with registers._lock:
        child = os.fork()
        if child == 0:
            state = registers.standing_of_model(MODEL.components, NOW).state
            os._exit(0 if state is State.REGISTERED else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_policy_is_told_of_the_model_and_of_each_adapter_in_order(registers):
    lora, other = AdapterFacts("style", LORA.digest, 1000), AdapterFacts("style", digest(b"renamed"), 500)
    facts = replace(EXAMPLE_MODEL, adapters=(other, lora))
    registers.add(replace(MODEL, expires="2027-01-01T00:00:00.000Z"), COUNSEL)
    registers.add(replace(LORA, base=MODEL.key), COUNSEL)
    told = registers.facts(facts, utc_now())
    assert told == {
        "model": {"key": MODEL.key, "state": "registered", "expires": "2027-01-01T00:00:00.000Z"},
        "adapters": [
            {"digest": other.digest, "state": "unregistered", "base": "", "expires": ""},
            {"digest": LORA.digest, "state": "registered", "base": MODEL.key, "expires": ""},
        ],
    }
    assert told == registers.facts_in({"model": facts.as_facts()}, utc_now())
    assert told.keys() == registered_facts(facts).keys()


class TestDue:
    def test_what_ends_soon_or_has_ended(self, registers):
        registers.add(VENDOR, COUNSEL)
        registers.add(replace(CONTRACT, notice_days=90, shutdown="2026-06-20T00:00:00.000Z"), COUNSEL)
        registers.add(replace(MODEL, expires="2026-05-01T00:00:00.000Z"), COUNSEL)
        registers.add(replace(LORA, expires="2026-07-01T00:00:00.000Z"), COUNSEL)
        found = due(registers, NOW, 30)
        assert [(one.date, one.register, one.days) for one in found] == [
            (Date.EXPIRES, RegisterName.MODELS, -31),
            (Date.SHUTDOWN, RegisterName.CONTRACTS, 19),
            (Date.EXPIRES, RegisterName.ADAPTERS, 30),
        ]
        later = due(registers, NOW, 365)
        assert [one.date for one in later][3:] == [Date.NOTICE, Date.ENDS]
        assert later[3].time == "2026-10-02T00:00:00.000Z"
        registers.withdraw(RegisterName.MODELS, MODEL.key, COUNSEL)
        assert len(due(registers, NOW, 30)) == 2

    def test_nothing_is_due_where_nothing_ends(self, registers):
        registers.add(MODEL, COUNSEL)
        assert due(registers, NOW, 3650) == []
