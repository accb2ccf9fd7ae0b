"""Recall: every descendant found and none extra, entries that name each thing once, and what is told of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest
from governance.datasets.records import Basis, Consent, DatasetRecord
from governance.entries import MAX_ENTRY_BYTES, Entry, EntryKind, Record
from governance.errors import LedgerError, NoDatasetError, ProofError, RecalledError, RecallError
from governance.governor import Governor
from governance.lineage.descent import descendants
from governance.lineage.matching import Match, NoFiles, names_licence
from governance.lineage.recall_entries import (
    Cause,
    Recall,
    RecallBy,
    RecalledDataset,
    Targets,
    cause_of,
    recalling,
    recalls_of,
    targets_of,
)
from governance.lineage.recalled import check_not_recalled, recalled
from governance.lineage.recalling import NOTICE_FIELDS, notices, recall, recall_all, write_lines, write_table
from governance.lineage.releases import Release
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.testing.examples import EXAMPLE_MODEL
from governance.training.policy_input import LineageGrade
from governance.types import Outcome, Principal, new_id
from support.lineages import BASE, COUNSEL, KnownLeaves, World, lora

INK, CHALK, OIL = lora("ink"), lora("chalk"), lora("oil")
LICENCE = Cause(RecallBy.LICENCE, "CC-BY-4.0")


@pytest.fixture
def world():
    """Two datasets: a LoRA from each, a LoRA from neither, a file with each of them, and one without."""
    world = World(FakeLedger())
    world.model()
    scans = world.audited()
    drawings = world.audited("drawings", {"MIT": {"records": 4, "allowed": 4}}, root=digest(b"drawings"))
    for made, audited in ((INK, scans), (CHALK, drawings)):
        world.adapter(made, world.run(audited, made))
    world.adapter(OIL)
    return world


def files_of(world):
    """The entries of the files, by the LoRA that they were made with."""
    return {made.name if made else "": world.released(*([made] if made else [])).id for made in (INK, CHALK, OIL, None)}


def found(world, by, value, files=None):
    return descendants(world.ledger, Cause(by, value), files or KnownLeaves(scans=frozenset([1]), drawings=frozenset()))


def recalled_entries(world):
    return [each.entry for each in world.ledger.records if each.entry.kind is EntryKind.RECALLED]


def counts(targets):
    return len(targets.datasets), len(targets.models), len(targets.adapters), len(targets.assets)


class TestDescendants:
    def test_of_a_licence(self, world):
        files = files_of(world)
        targets = found(world, RecallBy.LICENCE, "cc-by-4.0").targets
        assert [each.name for each in targets.datasets] == ["scans"]
        assert (targets.models, targets.adapters, targets.assets) == ((), (INK.digest,), (files["ink"],))

    def test_of_a_licence_whose_records_no_run_consumed(self, world):
        files_of(world)
        assert counts(found(world, RecallBy.LICENCE, "CC-BY-4.0", KnownLeaves(scans=frozenset([9]))).targets) == (
            1, 0, 0, 0,
        )  # fmt: skip

    def test_of_a_licence_where_the_files_of_the_audit_are_not_there_every_run_counts(self, world):
        files_of(world)
        descent = found(world, RecallBy.LICENCE, "CC-BY-4.0", NoFiles())
        assert counts(descent.targets) == (1, 0, 1, 1)
        assert len(descent.gaps) == 1
        assert "so that every run of it counts" in descent.gaps[0]

    def test_of_the_licence_of_a_model_it_takes_all_that_was_made_with_it(self, world):
        files = files_of(world)
        targets = found(world, RecallBy.LICENCE, "Apache-2.0").targets
        assert (targets.models, set(targets.assets)) == ((BASE,), set(files.values()))
        assert set(targets.adapters) == {INK.digest, CHALK.digest, OIL.digest}

    def test_of_a_licence_that_a_contract_grants(self):
        world = World(FakeLedger())
        world.model()
        world.contract("LicenseRef-stock")
        audited = world.audited(licences={}, contracts={"stock-2026": {"records": 2, "allowed": 2}})
        world.adapter(INK, world.run(audited, INK))
        world.adapter(OIL, contract="stock-2026", vendor="stock")
        files = [world.released(INK).id, world.released(OIL).id, world.released().id]
        targets = found(world, RecallBy.LICENCE, "LicenseRef-stock").targets
        assert set(targets.adapters) == {INK.digest, OIL.digest}
        assert set(targets.assets) == set(files[:2])

    def test_of_a_dataset(self, world):
        files = files_of(world)
        targets = found(world, RecallBy.DATASET, "drawings").targets
        assert ([each.name for each in targets.datasets], targets.adapters) == (["drawings"], (CHALK.digest,))
        assert targets.assets == (files["chalk"],)

    def test_of_a_dataset_a_later_audit_of_which_was_consumed(self, world):
        later = world.audited("drawings", root=digest(b"more drawings"))
        world.run(later, lora("charcoal"))
        targets = found(world, RecallBy.DATASET, "drawings").targets
        assert counts(targets) == (2, 0, 2, 0)

    def test_two_audits_of_the_same_records_are_two(self, world):
        """Their roots are alike, but policy may have allowed other records of them: a run stands on one of the two."""
        first = world.audited("photos", root=digest(b"photos"))
        second = world.audited("photos", root=digest(b"photos"))
        world.adapter(lora("wax"), world.run(first, lora("wax"), took=(1,)))

        class OfAudit:
            def leaves(self, audit, match):
                return {first.id: frozenset([1]), second.id: frozenset([9])}.get(audit.entry.id, frozenset())

        targets = found(world, RecallBy.LICENCE, "CC-BY-4.0", OfAudit()).targets
        assert targets.adapters == (lora("wax").digest,)
        assert {each.audited for each in targets.datasets if each.name == "photos"} == {first.id, second.id}

    def test_of_a_dataset_that_a_registration_states(self, world):
        world.adapter(lora("wax"), datasets=("drawings",))
        world.adapter(lora("tusche"), world.run(world.audited("other", root=digest(b"o")), lora("tusche")))
        assert set(found(world, RecallBy.DATASET, "drawings").targets.adapters) == {CHALK.digest, lora("wax").digest}

    def test_of_a_record(self, world):
        files = files_of(world)
        targets = found(world, RecallBy.RECORD, digest(b"a scan")).targets
        assert counts(targets) == (1, 0, 1, 1)
        assert targets.assets == (files["ink"],)

    def test_of_a_record_where_the_files_of_an_audit_are_not_there_that_is_said(self, world):
        descent = found(world, RecallBy.RECORD, digest(b"a scan"), KnownLeaves(drawings=frozenset()))
        assert counts(descent.targets) == (0, 0, 0, 0)
        assert [gap.split(":")[1] for gap in descent.gaps] == [" its files are not here"]

    def test_of_a_model_it_takes_the_loras_and_models_that_were_made_from_it(self, world):
        tuned = replace(EXAMPLE_MODEL, components={**EXAMPLE_MODEL.components, "unet": digest(b"tuned")})
        world.run(world.audited("more", root=digest(b"m")), tuned)
        files_of(world)
        made = world.released(model=tuned)
        descent = found(world, RecallBy.MODEL, BASE)
        assert counts(descent.targets) == (0, 2, 3, 5)
        (through,) = [through for release, through in descent.releases if release.entry == made.id]
        assert descent.why(through).endswith(f"changed model {BASE}")

    def test_of_a_lora_whatever_it_is_called(self, world):
        files = files_of(world)
        renamed = world.released(replace(INK, name="chalk"), CHALK).id
        assert set(found(world, RecallBy.ADAPTER, INK.digest).targets.assets) == {files["ink"], renamed}

    def test_a_lora_that_is_called_like_the_digest_of_another_is_not_that_one(self, world):
        files = files_of(world)
        world.released(replace(OIL, name=INK.digest))
        assert found(world, RecallBy.ADAPTER, INK.digest).targets.assets == (files["ink"],)

    def test_a_declared_run_counts_and_says_so(self, world):
        world.run(world.audited("told", root=digest(b"t")), lora("told"), lineage=LineageGrade.DECLARED)
        assert "(declared)" in found(world, RecallBy.DATASET, "told").adapters[lora("told").digest]

    @pytest.mark.parametrize("by", [RecallBy.MODEL, RecallBy.ADAPTER])
    def test_of_what_nobody_knows(self, world, by):
        with pytest.raises(RecallError, match="was ever registered, trained or used here"):
            found(world, by, "0" * 64)

    def test_words_that_were_changed_in_the_register_hide_nothing(self, world):
        """Nobody knows whether they were wrong then or are left out now: people are told, and nothing is recalled for them."""
        registers, oil = world.registers, world.registers.adapter(OIL.digest)
        assert not found(world, RecallBy.LICENCE, "Apache-2.0").gaps
        registers.change(replace(oil, licence="MIT", base=""), COUNSEL)
        wax = world.adapter(lora("wax"), licence="CC0-1.0", base="", datasets=("drawings",))
        registers.change(replace(wax, datasets=()), COUNSEL)
        for by, value, made, said in (
            (RecallBy.LICENCE, "Apache-2.0", OIL, "under Apache-2.0"),
            (RecallBy.DATASET, "drawings", lora("wax"), "as coming from dataset drawings"),
            (RecallBy.MODEL, BASE, OIL, f"as made for model {BASE}"),
        ):
            descent = found(world, by, value)
            assert made.digest not in descent.targets.adapters
            assert [said in gap for gap in descent.gaps if f"whether adapter {made.digest} descends too" in gap] == [
                True
            ]

    def test_a_licence_that_a_contract_granted_once(self):
        world = World(FakeLedger())
        world.model()
        contract = world.contract("LicenseRef-stock")
        world.registers.change(replace(contract, licence="LicenseRef-other"), COUNSEL)
        (gap,) = found(world, RecallBy.LICENCE, "LicenseRef-stock").gaps
        assert "whether contract stock-2026 descends too: it was registered as granting LicenseRef-stock" in gap

    @pytest.mark.parametrize("value", ["CC BY 4.0", "MIT-0", "and"])
    def test_of_a_licence_that_nothing_names(self, world, value):
        """A licence that is spelt otherwise than the records do would else be recalled with no descendant and no word."""
        with pytest.raises(RecallError, match="names a licence"):
            found(world, RecallBy.LICENCE, value)

    def test_a_licence_that_only_denied_records_have_is_known_and_has_no_descendant(self, world):
        world.audited("denied", {"CC-BY-NC-4.0": {"records": 2, "allowed": 0}}, root=digest(b"denied"))
        assert counts(found(world, RecallBy.LICENCE, "CC-BY-NC-4.0").targets) == (0, 0, 0, 0)

    def test_of_a_record_that_is_no_digest(self, world):
        with pytest.raises(RecallError, match="SHA-256"):
            found(world, RecallBy.RECORD, "picture 7.png")

    def test_of_a_dataset_that_nobody_audited(self, world):
        with pytest.raises(NoDatasetError, match="no audit"):
            found(world, RecallBy.DATASET, "nothing")


class TestMatch:
    @pytest.mark.parametrize(
        ("expression", "licence", "named"),
        [
            ("CC-BY-4.0", "cc-by-4.0", True),
            ("MIT OR (CC-BY-4.0 AND Apache-2.0)", "CC-BY-4.0", True),
            ("CC-BY-SA-4.0", "CC-BY-4.0", False),
            ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", True),
            ("GPL-2.0-only WITH Classpath-exception-2.0", "Classpath-exception-2.0", True),
            ("CC-BY-4.0 AND LicenseRef-house", "licenseref-HOUSE", True),
            ("(MIT OR LicenseRef-house  AND CC-BY-4.0)", "CC-BY-4.0 AND LicenseRef-house", True),
            ("MIT OR CC-BY-4.0", "CC-BY-4.0 AND LicenseRef-house", False),
            ("GPL-2.0-or-later", "GPL-2.0-only", True),
            ("GPL-2.0+", "GPL-2.0", True),
            ("GPL-2.0-only", "GPL-2.0-or-later", False),
            ("LicenseRef-house-only", "LicenseRef-house", False),
            ("MIT AND Apache-2.0", "and", False),
            ("GPL-2.0-only WITH Classpath-exception-2.0", "WITH", False),
            ("", "", False),
        ],
    )
    def test_licences_of_expressions(self, expression, licence, named):
        assert names_licence(expression, licence) is named

    def test_records(self):
        record = DatasetRecord(
            "1", digest(b"x"), Basis.COMPUTED, licence="CC-BY-4.0", contract="c", outcome=Outcome.ALLOW
        )
        assert Match(LICENCE).of_record(record)
        assert not Match(LICENCE).of_record(replace(record, outcome=Outcome.DENY))
        assert not Match(Cause(RecallBy.LICENCE, "MIT")).of_record(replace(record, consent=Consent.GIVEN))
        assert Match(Cause(RecallBy.LICENCE, "MIT"), frozenset(["c"])).of_record(record)
        assert Match(Cause(RecallBy.RECORD, digest(b"x"))).of_record(replace(record, outcome=Outcome.DENY))
        assert not Match(Cause(RecallBy.RECORD, digest(b"y"))).of_record(record)


class TestRecalling:
    def test_everything_is_recalled_and_nothing_else(self, world):
        files = files_of(world)
        done = recall(world.ledger, Recall(LICENCE, COUNSEL, "it ended"), found(world, LICENCE.by, LICENCE.value))
        assert counts(done.targets) == (1, 0, 1, 1)
        named = [each.audited for each in done.targets.datasets]
        for each in (*named, INK.digest, files["ink"]):
            entry = recalling(world.ledger, each)
            assert cause_of(entry) == LICENCE
            assert entry.id in done.entries
        for each in (CHALK.digest, OIL.digest, BASE, files["chalk"], files["oil"], files[""]):
            assert recalling(world.ledger, each) is None

    def test_what_could_make_more_is_recorded_first(self, world):
        files_of(world)
        recall(world.ledger, Recall(LICENCE, COUNSEL), found(world, LICENCE.by, LICENCE.value))
        entries = [each.entry for each in world.ledger.records if each.entry.kind is EntryKind.RECALLED]
        assert [counts(targets_of(entry)) for entry in entries] == [(1, 0, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
        assert {entry.subject for entry in entries} == {"recall:licence:cc-by-4.0"}
        assert [(entry.body["part"], entry.body["parts"]) for entry in entries] == [(1, 3), (2, 3), (3, 3)]

    def test_again_adds_nothing_and_what_is_new_is_added(self, world):
        files_of(world)
        cause = Cause(RecallBy.ADAPTER, INK.digest)
        first = recall(world.ledger, Recall(cause, COUNSEL), descendants(world.ledger, cause, NoFiles()))
        again = recall(world.ledger, Recall(cause, COUNSEL), descendants(world.ledger, cause, NoFiles()))
        assert (again.entries, again.before) == ((), first.targets)
        late = world.released(INK)
        more = recall(world.ledger, Recall(cause, COUNSEL), descendants(world.ledger, cause, NoFiles()))
        assert more.targets == Targets(assets=(late.id,))

    def test_what_was_made_while_others_looked_is_found_the_next_time(self, world):
        cause, late = Cause(RecallBy.ADAPTER, INK.digest), []

        def look():
            seen = descendants(world.ledger, cause, NoFiles())
            if len(late) < 2:
                late.append(world.released(INK).id)
            return seen

        files = files_of(world)
        seen, done = recall_all(world.ledger, Recall(cause, COUNSEL), look)
        assert done.targets.assets == (files["ink"], *late)
        assert seen.targets.assets == done.targets.assets
        assert done.before == Targets()
        assert {entry.id for entry in recalled_entries(world)} == set(done.entries)

    def test_in_another_case_it_is_the_same_licence(self, world):
        files_of(world)
        for value, entries in (("CC-BY-4.0", 3), ("cc-by-4.0", 0)):
            run = Recall(Cause(RecallBy.LICENCE, value), COUNSEL)
            done = recall(world.ledger, run, found(world, RecallBy.LICENCE, value))
            assert len(done.entries) == entries

    @pytest.mark.parametrize("broken", [1, 2, 3, 4])
    def test_one_that_was_interrupted_is_done_by_doing_it_again(self, world, broken):
        whole = found(world, LICENCE.by, LICENCE.value)
        files = tuple((Release(new_id(), "g", "", digest(b""), "", ""), INK.digest) for _ in range(1100))
        descent = replace(whole, releases=files)
        world.ledger.refuse = {world.ledger.appends + broken: LedgerError("The disk is full.", remedy="Make room.")}
        with pytest.raises(LedgerError, match="full"):
            recall(world.ledger, Recall(LICENCE, COUNSEL), descent)
        world.ledger.refuse = {}
        recall(world.ledger, Recall(LICENCE, COUNSEL), descent)
        entries = [each.entry for each in world.ledger.records if each.entry.kind is EntryKind.RECALLED]
        named = [each for entry in entries for each in targets_of(entry).assets]
        assert sorted(named) == sorted(descent.targets.assets)
        assert len(set(named)) == len(named) == 1100

    def test_who_and_why_are_kept_erasably(self, world):
        files_of(world)
        recall(world.ledger, Recall(LICENCE, COUNSEL, "it ended"), found(world, LICENCE.by, LICENCE.value))
        record = next(each for each in world.ledger.records if each.entry.kind is EntryKind.RECALLED)
        assert {field.name: field.value for field in record.fields} == {
            "/principal/id": COUNSEL.id,
            "/reason": "it ended",
        }
        assert COUNSEL.id.encode() not in record.entry.leaf()

    @given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 1300))
    def test_every_entry_fits_and_each_thing_stands_in_one(self, datasets, adapters, assets):
        targets = Targets(
            tuple(RecalledDataset("d" * 64, new_id(), "f" * 64) for _ in range(datasets)),
            (),
            tuple(digest(bytes([number % 256, number // 256])) for number in range(adapters)),
            tuple(f"{number:036}" for number in range(assets)),
        )
        cause = Cause(RecallBy.LICENCE, "x" * 480)
        entries = [record.entry for record in Recall(cause, Principal("a" * 200)).records(targets)]
        assert all(len(entry.leaf()) <= MAX_ENTRY_BYTES for entry in entries)
        read = [targets_of(Entry.from_leaf(entry.leaf())) for entry in entries]
        assert tuple(each for part in read for each in part.datasets) == targets.datasets
        assert tuple(each for part in read for each in part.adapters) == targets.adapters
        assert tuple(each for part in read for each in part.assets) == targets.assets


class TestEntries:
    @pytest.mark.parametrize(
        "change",
        [
            {"recall": None},
            {"recall": {"by": "whim", "value": "x"}},
            {"targets": {}},
            {"targets": {"datasets": [], "models": [], "adapters": [], "assets": []}},
            {"targets": {"datasets": [], "models": [], "adapters": [], "assets": ["a", "a"]}},
            {"targets": {"datasets": [], "models": [], "adapters": [], "assets": [1]}},
            {"targets": {"datasets": ["scans"], "models": [], "adapters": [], "assets": []}},
            {"recall": {"by": "licence", "value": "MIT"}},
        ],
        ids=["no-cause", "unknown-cause", "no-targets", "nothing", "twice", "no-text", "no-audit", "other-subject"],
    )
    def test_no_ledger_takes_one_that_says_too_little(self, change):
        (record,) = Recall(LICENCE, COUNSEL).records(Targets(assets=("a",)))
        entry = replace(record.entry, body={**record.entry.body, **change})
        with pytest.raises(LedgerError, match="cannot be recorded"):
            FakeLedger().append(replace(record, entry=entry))

    def test_one_of_another_version_cannot_be_read(self):
        entry = Entry(EntryKind.RECALLED, "recall:licence:x", {"version": 9})
        for read in (targets_of, cause_of):
            with pytest.raises(ProofError):
                read(entry)

    @pytest.mark.parametrize("value", ["", "x" * 481, "a\nb"])
    def test_a_cause_can_be_written(self, value):
        with pytest.raises(RecallError):
            Cause(RecallBy.LICENCE, value)

    def test_all_recalls_of_a_thing(self):
        ledger = FakeLedger()
        for cause in (LICENCE, Cause(RecallBy.DATASET, "scans")):
            ledger.append(Recall(cause, COUNSEL).records(Targets(assets=("a",)))[0])
        assert [cause_of(entry).by for entry in recalls_of(ledger, "a")] == [RecallBy.LICENCE, RecallBy.DATASET]

    def test_a_long_reason_is_refused(self):
        with pytest.raises(RecallError, match="too long"):
            Recall(LICENCE, COUNSEL, "x" * 2001)


class TestNotices:
    def test_one_for_each_descendant_with_why(self, world):
        files_of(world)
        listed = list(notices(found(world, LICENCE.by, LICENCE.value), {INK.digest: "=ink"}))
        assert [each["kind"] for each in listed] == ["dataset", "adapter", "asset"]
        assert all(tuple(each) == NOTICE_FIELDS for each in listed)
        asset = listed[-1]
        assert asset["why"].startswith(f"made with LoRA {INK.digest}: run ")
        assert "(witnessed) consumed 1 of the contents in question of dataset scans" in asset["why"]
        lines, table = io.StringIO(), io.StringIO(newline="")
        assert write_lines(listed, lines) == write_table(listed, table) == 3
        assert [json.loads(line) for line in lines.getvalue().splitlines()] == listed
        rows = list(csv.DictReader(io.StringIO(table.getvalue(), newline="")))
        assert rows[1]["name"] == "'=ink"
        assert [row["key"] for row in rows] == [each["key"] for each in listed]


class TestHandingOut:
    @staticmethod
    def recalled_of(ledger, released):
        ledger.append(Recall(LICENCE, COUNSEL).records(Targets(assets=(released.id,)))[0])

    def test_a_recorded_result_hands_out_no_file_that_was_recalled(self):
        parts = fake_parts()
        request = example_request(images=2, seeds=())
        first, second = Governor(parts).generate(request, FakePipeline()).items
        self.recalled_of(parts.ledger, first.entry)
        items = Governor(parts).generate(request, FakePipeline()).items
        assert isinstance(items[0].error, RecalledError)
        assert items[0].asset is None
        assert items[1].asset.content == second.asset.content

    def test_where_all_of_it_was_recalled_that_is_the_error(self):
        parts = fake_parts()
        (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
        self.recalled_of(parts.ledger, item.entry)
        with pytest.raises(RecalledError, match="licence CC-BY"):
            Governor(parts).generate(example_request(), FakePipeline())

    def test_the_same_bytes_released_twice_are_recalled_once_and_for_all(self, world):
        first, second = (world.released(content=b"the same") for _ in range(2))
        self.recalled_of(world.ledger, second)
        assert recalled(world.ledger, first) == recalled(world.ledger, second)
        with pytest.raises(RecalledError, match="not handed out again"):
            check_not_recalled(world.ledger, first)
        check_not_recalled(world.ledger, world.released())

    @pytest.mark.parametrize("named", [Targets(adapters=(INK.digest,)), Targets(models=(BASE,))], ids=["lora", "model"])
    def test_what_a_recalled_model_or_lora_made_is_recalled_though_no_entry_names_it(self, world, named):
        """A recall that was interrupted, and what was released between the look and the entries."""
        before, other = world.released(INK), world.released(CHALK)
        world.ledger.append(Recall(LICENCE, COUNSEL).records(named)[0])
        for each in (before, world.released(INK)):
            assert targets_of(recalled(world.ledger, each)) == named
            with pytest.raises(RecalledError, match="not handed out again"):
                check_not_recalled(world.ledger, each)
        assert (recalled(world.ledger, other) is None) is bool(named.adapters)

    def test_where_what_made_a_file_is_not_kept_it_is_not_handed_out(self, world):
        released = world.released(INK)
        (intent,) = [entry for _, entry in world.ledger.entries(subject=released.subject, kind=EntryKind.INTENT)]
        world.ledger.document = lambda name, asked=world.ledger.document: (
            None if name == intent.body["model"] else asked(name)
        )
        with pytest.raises(LedgerError, match="whether it was recalled is not known"):
            check_not_recalled(world.ledger, released)

    def test_a_recall_is_a_record_of_its_own(self, world):
        released = world.released()
        self.recalled_of(world.ledger, released)
        assert isinstance(world.ledger.records[-1], Record)
        assert world.ledger.entry(released.id) == released
