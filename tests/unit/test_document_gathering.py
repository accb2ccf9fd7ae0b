"""Ledger, registers, audits and runs become the sources of documents, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import digest
from governance.datasets.records import DatasetRecord, Problem, SourceKind, Synthetic
from governance.datasets.report import parsed_report
from governance.documents.answers import DocumentKind
from governance.documents.figures import Figures
from governance.documents.gathering import SUPERSEDED, Gatherer, NoAudits, _taken
from governance.documents.named import Named, find_named
from governance.documents.sources import How
from governance.documents.writing import written
from governance.errors import DatasetError, DocumentError
from governance.lineage.descent import descendants
from governance.lineage.matching import NoFiles
from governance.lineage.recall_entries import Cause, Recall, RecallBy
from governance.lineage.recalling import recall
from governance.merkle import leaf_hash
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, Vendor
from governance.testing import FakeLedger
from governance.testing.examples import EXAMPLE_MODEL
from governance.training.policy_input import LineageGrade
from governance.training.runs import Consumed
from governance.types import Outcome
from support.audited import ordered, record
from support.filed import KeptAudits, audit, house_records, report_of
from support.lineages import BASE, COUNSEL, World, lora

STYLE = lora("house-style")


@pytest.fixture
def world():
    """A base model, and a vendor with a contract."""
    world = World(FakeLedger())
    world.registers.add(Vendor("house", "Example house", contact="counsel@example.org"), COUNSEL)
    world.registers.add(Contract("house-2026", "house", "Pictures of the house"), COUNSEL)
    world.model()
    return world


def gather(world, name="house-style", kind=DocumentKind.MODEL_CARD, audits=None, provider=""):
    gatherer = Gatherer(world.ledger, world.registers, audits or NoAudits(), provider, "diffusion-governance 1")
    return gatherer.gather(find_named(world.ledger, world.registers, kind, name))


def trained(world, records=None, *, kept=None, took=(0, 1, 2), **run):
    """A LoRA from a run on an audited dataset."""
    entry = audit(world.ledger, "house", records or house_records(), kept=kept)
    done = world.run(entry, STYLE, took=took, **run)
    world.adapter(STYLE, done)
    return entry, done


class TestWhatIsGathered:
    def test_a_witnessed_run_with_its_dataset_base_and_entries(self, world):
        entry, done = trained(world)
        sources = gather(world)
        (use,) = sources.uses
        assert (use.how, use.name, use.contents, use.records) == (How.WITNESSED, "house", 3, 3)
        assert (use.dataset.root, use.dataset.audited.id) == (entry.body["root"], entry.id)
        assert use.run.trained.id == done.id
        assert use.run.trained.leaf == leaf_hash(done.leaf()).hex()
        assert (use.run.base, sources.base.item.key) == (BASE, BASE)
        assert (sources.model.state, use.dataset.state, len(use.dataset.approvals)) == ("registered", "approved", 1)
        assert use.dataset.detectors == ("nsfw",)
        cited = {each.id for each in sources.entries}
        assert cited >= {entry.id, done.id, sources.base.entry.id, sources.model.entry.id}
        for each in sources.entries:
            assert leaf_hash(world.ledger.entry(each.id).leaf()).hex() == each.leaf

    def test_a_declared_run_stays_declared(self, world):
        trained(world, lineage=LineageGrade.DECLARED)
        assert [use.how for use in gather(world).uses] == [How.DECLARED]

    def test_what_only_the_register_names_is_stated(self, world):
        audit(world.ledger, "house", house_records())
        world.adapter(STYLE, datasets=("house", "never-audited"))
        uses = {use.name: use for use in gather(world).uses}
        assert {use.how for use in uses.values()} == {How.STATED}
        assert uses["house"].dataset is not None
        assert uses["never-audited"].dataset is None

    def test_a_dataset_that_a_run_used_is_not_stated_again(self, world):
        entry = audit(world.ledger, "house", house_records())
        world.adapter(STYLE, world.run(entry, STYLE), datasets=("house",))
        assert [use.how for use in gather(world).uses] == [How.WITNESSED]

    def test_runs_of_other_results_are_left_out(self, world):
        trained(world)
        other = audit(world.ledger, "other", house_records(3))
        world.run(other, lora("another"))
        assert [use.name for use in gather(world).uses] == ["house"]

    def test_a_run_stands_on_the_audit_that_it_used_even_if_there_is_a_newer_one(self, world):
        entry, _ = trained(world)
        audit(world.ledger, "house", house_records(20))
        (use,) = gather(world).uses
        assert (use.dataset.audited.id, use.dataset.figures.records, use.dataset.state) == (entry.id, 7, SUPERSEDED)

    def test_an_older_audit_keeps_its_own_approvals(self, world):
        entry, _ = trained(world)
        audit(world.ledger, "house", house_records(20))
        (use,) = gather(world).uses
        assert [world.ledger.entry(each.id).body["audited"] for each in use.dataset.approvals] == [entry.id]
        told = written(DocumentKind.EU_SUMMARY, gather(world)).sections[-1].answers[-1].reply.value
        assert [each["approvals"] for each in told["state of the datasets"].values()] == [1]

    def test_a_vendor_and_a_contract_that_were_withdrawn_are_not_stated_as_in_force(self, world):
        world.adapter(STYLE, vendor="house", contract="house-2026")
        world.registers.withdraw(RegisterName.CONTRACTS, "house-2026", COUNSEL)
        world.registers.withdraw(RegisterName.VENDORS, "house", COUNSEL)
        for kind in (DocumentKind.EU_SUMMARY, DocumentKind.MODEL_CARD, DocumentKind.SPDX, DocumentKind.CYCLONEDX):
            content = str(written(kind, gather(world, provider="Another house")).content)
            assert "Example house" not in content
            assert "withdrawn" in content
        card = {
            answer.question.key: answer.reply
            for section in written(DocumentKind.MODEL_CARD, gather(world)).sections
            for answer in section.answers
        }
        assert card["contract"].value["state now"] == "withdrawn"
        assert card["developer"].value is None

    def test_every_entry_that_is_cited_is_among_those_that_the_root_is_over(self, world):
        """Another process registers something while a document is made."""
        trained(world)
        asked = world.ledger.checkpoint

        def busy():
            note, world.ledger.checkpoint = asked(), asked
            item = world.registers.adapter(STYLE.digest)
            world.registers.change(replace(item, intended_use="posters"), COUNSEL)
            return note

        world.ledger.checkpoint = busy
        sources = gather(world)
        assert sources.model.item.intended_use == "posters"
        assert all(world.ledger.receipt(each.id).index < sources.basis.size for each in sources.entries)

    def test_a_vendors_contact_is_in_no_document(self, world):
        world.adapter(STYLE, vendor="house", contract="house-2026")
        sources = gather(world)
        assert (sources.vendor.item.name, sources.vendor.item.contact) == ("Example house", "")
        assert sources.contract.item.title == "Pictures of the house"
        for kind in (DocumentKind.EU_SUMMARY, DocumentKind.AB2013, DocumentKind.SPDX, DocumentKind.CYCLONEDX):
            assert "counsel@example.org" not in str(written(kind, sources).content)

    def test_contracts_that_records_name_are_gathered_from_the_register(self, world):
        trained(world, house_records(contract="house-2026"))
        assert [each.item.key for each in gather(world).contracts] == ["house-2026"]

    def test_the_log_its_checkpoint_and_the_time(self, world):
        trained(world)
        basis = gather(world).basis
        assert (basis.size, basis.maker) == (len(world.ledger.entries(limit=1000)), "diffusion-governance 1")
        assert len(bytes.fromhex(basis.root)) == 32

    def test_a_withdrawn_adapter_can_still_be_asked_about(self, world):
        trained(world)
        world.registers.withdraw(RegisterName.ADAPTERS, STYLE.digest, COUNSEL)
        assert gather(world).model.state == "withdrawn"

    @pytest.mark.parametrize("kind", [kind for kind in DocumentKind if kind is not DocumentKind.CROISSANT])
    def test_every_document_says_that_its_model_is_not_registered_any_more(self, world, kind):
        trained(world)
        assert f"{STYLE.digest}, withdrawn now)" not in str(written(kind, gather(world)).content)
        world.registers.withdraw(RegisterName.ADAPTERS, STYLE.digest, COUNSEL)
        assert f"{STYLE.digest}, withdrawn now)" in str(written(kind, gather(world)).content)


class TestWhatIsCounted:
    def test_only_what_was_consumed_where_the_records_are_there(self, world):
        records = house_records()
        kept = KeptAudits()
        trained(world, records, kept=kept, took=tuple(allowed_leaves(records)[:2]))
        (use,) = gather(world, audits=kept).uses
        assert (use.consumed.records, use.consumed.contents, use.figures.outcomes) == (2, 2, {"allow": 2})
        assert use.consumed.licences == {"CC-BY-4.0": 2}
        assert gather(world, "house", DocumentKind.CROISSANT, kept).dataset.files

    def test_the_whole_audit_where_they_are_gone(self, world):
        trained(world)
        (use,) = gather(world).uses
        assert use.consumed is None
        assert use.figures == use.dataset.figures
        assert use.figures.records == 7

    def test_what_cannot_be_counted_is_not_stated_as_what_went_in(self, world):
        """A run took one of seven records, and the audit's folder is gone: no answer says that seven went in."""
        trained(world, house_records(personal=("exif_gps",), synthetic=Synthetic.YES), took=(0,))
        for kind, exact, open_keys in (
            (DocumentKind.AB2013, "number", ("sources", "types", "protected", "personal", "period", "synthetic")),
            (DocumentKind.EU_SUMMARY, "size", ("synthetic", "others", "others_list", "content", "latest", "other")),
            (DocumentKind.MODEL_CARD, "size", ("media", "data_licences")),
        ):
            replies = {
                answer.question.key: answer.reply
                for section in written(kind, gather(world)).sections
                for answer in section.answers
            }
            assert "all that was audited is counted" not in replies[exact].why
            assert "'records': 1, 'distinct contents': 1" in str(replies[exact].value)
            for key in open_keys:
                assert "all that was audited is counted" in replies[key].why, key
            if "crawled" in replies:
                assert replies["crawled"].value == {"answer": "no"}
                assert replies["crawled"].why == ""

    def test_records_of_another_number_than_the_run_says_are_not_taken_for_them(self, world):
        records = house_records()
        kept = KeptAudits()
        denied = next(at for at, each in enumerate(records) if each.outcome is Outcome.DENY)
        trained(world, records, kept=kept, took=(denied,))
        assert gather(world, audits=kept).uses[0].consumed is None

    @pytest.mark.parametrize("leaf", range(2))
    def test_leaves_are_the_distinct_contents_and_only_allowed_records_were_handed_out(self, leaf):
        first, second = sorted((record(1).content, record(2).content))
        records = ordered(
            [
                record(1, "", basis="none"),
                record(2, first),
                record(3, first),
                record(4, first, outcome=Outcome.DENY),
                record(5, second),
            ]
        )
        consumed = Consumed("house", digest(b"root"), 2, 0, bytes([1 << leaf]))
        assert [each.id for each in _taken(records, consumed)] == [["r000002", "r000003"], ["r000005"]][leaf]


def allowed_leaves(records):
    contents = sorted({each.content for each in records if each.content})
    return [contents.index(each.content) for each in records if each.outcome is Outcome.ALLOW]


class TestNames:
    def test_by_name_by_digest_and_by_prefix(self, world):
        trained(world)
        for name in ("house-style", STYLE.digest, "adapter:house-style", f"adapter:{STYLE.digest}"):
            found = find_named(world.ledger, world.registers, DocumentKind.SPDX, name)
            assert found == Named(RegisterName.ADAPTERS, STYLE.digest)
        assert find_named(world.ledger, world.registers, DocumentKind.CROISSANT, "house") == Named(dataset="house")
        assert find_named(world.ledger, world.registers, DocumentKind.AB2013, "model:reference").key == BASE

    def test_what_is_called_alike_has_to_be_chosen(self, world):
        trained(world)
        world.adapter(lora("house"))
        with pytest.raises(DocumentError, match=r"the name of 2 things.*dataset:house"):
            find_named(world.ledger, world.registers, DocumentKind.SPDX, "house")
        assert find_named(world.ledger, world.registers, DocumentKind.SPDX, "dataset:house").dataset == "house"

    @pytest.mark.parametrize("kind", DocumentKind)
    @pytest.mark.parametrize("name", ["", "nothing", "model:", "dataset:../x", "house-style ", "x" * 500])
    def test_what_there_is_not_is_said_so(self, world, kind, name):
        trained(world)
        with pytest.raises(DocumentError, match="There is no"):
            find_named(world.ledger, world.registers, kind, name)

    def test_a_croissant_is_of_a_dataset_and_a_card_of_a_model(self, world):
        trained(world)
        for kind, name in ((DocumentKind.CROISSANT, "house-style"), (DocumentKind.MODEL_CARD, "house")):
            with pytest.raises(DocumentError, match="There is no"):
                find_named(world.ledger, world.registers, kind, name)


class TestAChangedRegisterChangesTheDocument:
    def test_field_by_field(self, world):
        trained(world)
        item = world.registers.adapter(STYLE.digest)
        before = written(DocumentKind.MODEL_CARD, gather(world))
        assert "2 intended" in {gap.field for gap in before.gaps}
        world.registers.change(replace(item, intended_use="posters of the house"), COUNSEL)
        after = written(DocumentKind.MODEL_CARD, gather(world))
        assert "2 intended" not in {gap.field for gap in after.gaps}
        assert "posters of the house" in str(after.content)
        assert before.content["basis"]["root"] != after.content["basis"]["root"]

    def test_a_withdrawn_approval_shows(self, world):
        from governance.datasets.audit_entries import withdrawn_record

        entry, _ = trained(world)
        world.ledger.append(withdrawn_record(entry, COUNSEL))
        assert gather(world).uses[0].dataset.state == "withdrawn"
        assert "withdrawn" in str(written(DocumentKind.EU_SUMMARY, gather(world)).content)

    def test_a_recall_of_the_dataset_shows_in_what_was_made_of_it(self, world):
        trained(world)
        cause = Cause(RecallBy.DATASET, "house")
        recall(world.ledger, Recall(cause, COUNSEL), descendants(world.ledger, cause, NoFiles()))
        sources = gather(world)
        assert (sources.model.state, sources.uses[0].dataset.state) == ("recalled", "recalled")
        audit(world.ledger, "house", house_records(3))  # a newer audit does not unsay it
        assert gather(world).uses[0].dataset.state == "recalled"


class TestWhatIsGone:
    def test_a_report_that_is_gone_is_an_error(self, world):
        entry, _ = trained(world)
        world.ledger.document = lambda name, asked=world.ledger.document: (
            None if name == entry.body["report"] else asked(name)
        )
        with pytest.raises(DatasetError, match="report"):
            gather(world)

    def test_settings_of_a_run_that_are_gone_are_an_error(self, world):
        _, done = trained(world)
        started = world.ledger.entry(done.body["started"]["id"])
        world.ledger.document = lambda name, asked=world.ledger.document: (
            None if name == started.body["settings"] else asked(name)
        )
        with pytest.raises(DocumentError, match="settings of run"):
            gather(world)

    def test_a_report_of_another_shape_is_an_error(self):
        report = dict(parsed_report(report_of(house_records(), "house")))
        for name in ("licences", "collected", "widths", "owners", "media_types"):
            for broken in (None, "x", -1, {"min": "a"}):
                with pytest.raises(DocumentError, match="cannot be read"):
                    Figures.of_report({**report, name: broken})


RECORDS = st.lists(
    st.builds(
        DatasetRecord,
        id=st.text("abc", min_size=1, max_size=3),
        content=st.sampled_from(["", *(f"{at:064x}" for at in range(4))]),
        basis=st.just("computed"),
        media_type=st.sampled_from(["", "image/png"]),
        width=st.integers(0, 50),
        height=st.integers(0, 50),
        size=st.just(7),
        licence=st.sampled_from(["", "MIT", "CC0-1.0"]),
        domain=st.sampled_from(["", "a.example.org", "b.example.org"]),
        owner=st.sampled_from(["", "one", "two"]),
        contract=st.sampled_from(["", "c"]),
        source_kind=st.sampled_from(SourceKind),
        synthetic=st.sampled_from(Synthetic),
        collected=st.sampled_from(["", "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"]),
        problems=st.sampled_from([(), (Problem.FUTURE_TIME,)]),
        personal=st.sampled_from([(), ("exif_gps",)]),
        outcome=st.sampled_from(Outcome),
        reasons=st.sampled_from([(), ("training.licence",)]),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(RECORDS)
def test_figures_count_every_record_once(records):
    figures = Figures.of_records(records)
    assert figures.records == len(records)
    assert figures.contents == len({each.content for each in records if each.content})
    assert figures.bytes == 7 * figures.contents
    for counts in (figures.licences, figures.source_kinds, figures.outcomes, figures.media_types, figures.synthetic):
        assert sum(counts.values()) == len(records)
    assert figures.owners == len({each.owner for each in records if each.owner})
    assert figures.undated == sum(not each.collected or bool(each.problems) for each in records)
    for kind in SourceKind:
        assert figures.of_kind(kind) == sum(each.source_kind is kind for each in records)
    known = [each.width for each in records if each.width]
    assert figures.widths == ((min(known), max(known)) if known else (0, 0))


@settings(max_examples=30, deadline=None)
@given(RECORDS)
def test_a_report_reads_back_as_the_figures_it_was_made_of(records):
    assert Figures.of_report(parsed_report(report_of(records, "x"))) == Figures.of_records(records)


def test_nothing_is_registered_that_is_not(world):
    gatherer = Gatherer(world.ledger, world.registers, NoAudits(), "", "maker 1")
    with pytest.raises(DocumentError, match="has no"):
        gatherer.gather(Named(RegisterName.ADAPTERS, STYLE.digest))
    assert EXAMPLE_MODEL.components == world.registers.model(BASE).components
