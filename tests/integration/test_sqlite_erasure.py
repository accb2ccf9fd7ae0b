"""Erasing in a ledger's file: nothing of a person is left in its bytes, no audit is fooled, and a restored copy forgets again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from governance.checkpoint import verify_receipt
from governance.entries import EntryKind, HoldState, LegalHoldScope
from governance.erasure import ASSET, WATERMARK, erased_parts
from governance.errors import ErasureError, LegalHoldError
from governance.legal_holds import lifted_record, placed_record
from governance.records import usage_key
from governance.terms import term
from governance.testing import fake_parts
from governance.types import Outcome
from governance_adapters.storage.erasure_log import FileErasureLog
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.vault import FsspecVault
from support.budget_race import SIGNER
from support.erasing import ALLOWED, GONE, OPERATOR, ORDER, STAYS, WORDS, Scene, crowd, of_kind
from support.reviewing import HELD, ReviewPolicy

LEFT = (GONE.id, *WORDS, "herons", usage_key(GONE.id))


def scene_in(folder: Path) -> Scene:
    """A line of fakes over a real ledger, vault, quarantine and erasure log."""
    policy = ReviewPolicy(needed=1, release=ALLOWED)
    ledger = SqliteLedger.open(folder / "ledger.sqlite3", SIGNER)
    parts = fake_parts(
        ledger=ledger,
        log_key=SIGNER.key,
        policy=policy,
        vault=FsspecVault(folder / "vault"),
        quarantine=FileQuarantine(folder / "quarantine", b"k" * 32),
    )
    return Scene(parts, FileErasureLog(folder / "erasures.jsonl"), policy)


def bytes_in(folder: Path) -> bytes:
    """Every byte of the ledger's files."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("ledger.sqlite3*")) if path.is_file())


@pytest.fixture
def made(tmp_path):
    made = crowd(scene_in(tmp_path))
    yield made
    made.scene.parts.ledger.close()


class TestFile:
    def test_not_a_byte_of_them_is_left_in_the_database_or_its_log(self, made, tmp_path):
        before = bytes_in(tmp_path)
        assert all(text.encode() in before for text in LEFT)
        made.scene.eraser().person(GONE.id, ORDER)
        after = bytes_in(tmp_path)
        assert [text for text in LEFT if text.encode() in after] == []
        assert STAYS.id.encode() in after
        logged = (tmp_path / "erasures.jsonl").read_bytes()
        assert [text for text in (*LEFT, STAYS.id, OPERATOR.id) if text.encode() in logged] == []
        assert list(made.scene.parts.ledger.verify()) == []

    def test_their_drafts_and_with_files_their_pictures_are_gone_from_the_folders(self, made, tmp_path):
        published = sorted((tmp_path / "vault" / "assets").iterdir())
        assert (len(published), len(list((tmp_path / "quarantine").iterdir()))) == (2, 2)
        made.scene.eraser().person(GONE.id, ORDER)
        assert sorted((tmp_path / "vault" / "assets").iterdir()) == published
        assert list((tmp_path / "quarantine").iterdir()) == []
        made.scene.eraser().subject(made.theirs["released"], ORDER, files=True)
        assert len(list((tmp_path / "vault" / "assets").iterdir())) == 1

    def test_they_are_found_by_what_is_kept_of_them_and_not_by_an_index(self, made, tmp_path):
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as other, other:
            for name in ("principal", "reviewer"):
                assert other.execute("DELETE FROM posting WHERE term = ?", (term(name, GONE.id),)).rowcount > 0
        assert made.scene.found(principal=GONE.id) == set()
        made.scene.eraser().person(GONE.id, ORDER)
        assert [text for text in LEFT if text.encode() in bytes_in(tmp_path)] == []
        assert list(made.scene.parts.ledger.verify()) == []

    def test_two_processes_may_erase_at_once(self, made, tmp_path):
        with SqliteLedger.open(tmp_path / "ledger.sqlite3", SIGNER) as other:
            eraser = made.scene.eraser(ledger=other)
            planned = [each for each in made.scene.entries() if each[1].subject in made.theirs.values()]
            made.scene.eraser().person(GONE.id, ORDER)
            assert eraser.person(GONE.id, ORDER).entries == ()
            assert planned
            assert list(other.verify()) == []

    def test_a_reader_of_an_older_state_does_not_keep_it_in_the_file_for_ever(self, made, tmp_path):
        path = tmp_path / "ledger.sqlite3"
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entry").fetchone()
            made.scene.eraser().person(GONE.id, ORDER)
        made.scene.parts.ledger.purge()
        assert GONE.id.encode() not in bytes_in(tmp_path)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("erased")
    made = crowd(scene_in(folder))
    ledger = made.scene.parts.ledger
    made.scene.policy.admission = (Outcome.ALLOW, (), {"retain_days": 30})
    made.scene.ask(STAYS, 20, "a crane")
    for scope in ((LegalHoldScope.PRINCIPAL, STAYS.id), (LegalHoldScope.GENERATION, made.other)):
        ledger.append(placed_record(*scope, OPERATOR))
    placed = placed_record(LegalHoldScope.EVERYTHING, "", OPERATOR)
    ledger.append(placed)
    ledger.append(lifted_record(placed.legal_hold, OPERATOR))
    made.scene.eraser().person(GONE.id, ORDER, files=True)
    assert list(ledger.verify()) == []
    ledger.close()
    return folder / "ledger.sqlite3"


class TestAudit:
    @pytest.fixture
    def path(self, original, tmp_path):
        return Path(shutil.copy(original, tmp_path))

    def problems(self, path, *statements):
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement, *values in statements:
                assert connection.execute(statement, values).rowcount > 0
        with SqliteLedger.open_read_only(path, SIGNER.key) as ledger:
            return list(ledger.verify())

    def test_all_is_well(self, path):
        assert self.problems(path) == []

    def test_a_value_that_is_missing_and_was_not_erased_is_named(self, path):
        (problem,) = self.problems(path, ("DELETE FROM personal_field WHERE name = '/reference'",))
        assert "'/reference' is missing, and no entry records its erasure" in problem

    def test_a_mark_that_is_missing_and_was_not_erased_is_named(self, path):
        problems = self.problems(path, ("DELETE FROM mark",))
        assert any("is missing from the index, and no entry records its erasure" in problem for problem in problems)

    def test_an_erasure_that_no_entry_says_is_named(self, path):
        removed = "DELETE FROM personal_field WHERE name = '/reference'"
        made_up = "INSERT INTO erasure SELECT id, '/reference', ? FROM entry WHERE kind = 'erased'"
        with SqliteLedger.open_read_only(path) as ledger:
            (_, erased), *_ = ledger.entries(kind=EntryKind.ERASED)
            (_, intent), *_ = ledger.entries(kind=EntryKind.INTENT)
        for by in (erased.id, intent.id, "nobody"):
            altered = shutil.copy(path, path.with_name(f"{by}.sqlite3"))
            problems = self.problems(altered, (removed,), (made_up, by))
            assert any("counts as erased by entry" in problem and by in problem for problem in problems), by

    def test_an_erasure_of_what_does_not_exist_is_named(self, path):
        (problem,) = self.problems(path, ("INSERT INTO erasure VALUES ('nothing', '/prompts/0', 'nobody')",))
        assert "which does not exist" in problem

    @pytest.mark.parametrize("name", ["/prompts/0", WATERMARK, ASSET])
    def test_an_erasure_whose_row_is_gone_is_named(self, path, name):
        problems = self.problems(
            path,
            (
                "DELETE FROM erasure WHERE rowid = (SELECT max(rowid) FROM erasure WHERE name = ?)",
                name,
            ),
        )
        assert any(f"it erased {name!r}" in problem for problem in problems)

    def test_a_value_that_is_back_is_named(self, path):
        back = "INSERT INTO personal_field SELECT entry_id, name, zeroblob(32), '\"x\"' FROM erasure WHERE name = '/prompts/0' LIMIT 1"
        problems = self.problems(path, (back,))
        assert any("is still there, although entry" in problem for problem in problems)
        assert any("was altered" in problem for problem in problems)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM legal_hold WHERE lifted_by IS NULL AND scope_kind = 'generation'",
            "UPDATE legal_hold SET scope = 'another' WHERE scope_kind = 'generation'",
            "UPDATE legal_hold SET scope = 'another' WHERE scope_kind = 'principal'",
            "UPDATE legal_hold SET scope_kind = 'everything' WHERE scope_kind = 'principal'",
            "UPDATE legal_hold SET lifted_by = placed_by, scope = '' WHERE scope_kind = 'principal'",
            "UPDATE legal_hold SET lifted_by = NULL WHERE scope_kind = 'everything'",
            "UPDATE legal_hold SET scope = 'somebody' WHERE scope_kind = 'everything'",
            "UPDATE legal_hold SET placed_by = 'nothing' WHERE scope_kind = 'principal'",
            "INSERT INTO legal_hold SELECT 'made-up', scope_kind, scope, placed_by, lifted_by FROM legal_hold LIMIT 1",
        ],
    )
    def test_an_altered_legal_hold_is_named(self, path, statement):
        problems = self.problems(path, (statement,))
        assert any("egal hold" in problem for problem in problems)

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("DELETE FROM retention", "nothing says when it is due"),
            ("UPDATE retention SET day = '2020-01-01'", "this entry says"),
            ("UPDATE retention SET day = '9999-01-01'", "is kept longer than any of its entries says"),
            ("INSERT INTO retention VALUES ('nothing', '2030-01-01')", "no entry is about it"),
        ],
    )
    def test_an_altered_day_is_named(self, path, statement, said):
        problems = self.problems(path, (statement,))
        assert any(said in problem for problem in problems)

    def test_a_ledger_of_before_is_read_without(self, path):
        tables = ("erasure", "legal_hold", "retention")
        with closing(sqlite3.connect(path)) as connection, connection:
            for table in tables:
                connection.execute(f"DROP TABLE {table}")
            connection.execute("UPDATE alembic_version SET version_num = '0005'")
        with SqliteLedger.open_read_only(path, SIGNER.key) as ledger:
            (_, entry), *_ = ledger.entries()
            assert ledger.erasures(entry.id) == {}
            assert list(ledger.legal_holds()) == list(ledger.due("9999-12-31")) == []
            assert any("no entry records its erasure" in problem for problem in ledger.verify())


class TestRestore:
    """A copy of the file from before an erasure takes the place of the file."""

    @pytest.fixture
    def restored(self, tmp_path):
        folder = tmp_path / "installation"
        made = crowd(scene_in(folder))
        made.scene.parts.ledger.close()
        backup = tmp_path / "backup"
        shutil.copytree(folder, backup)
        scene = scene_in(folder)
        report = scene.eraser().person(GONE.id, ORDER, files=True)
        later = scene.ask(STAYS, 30, "a stork")
        scene.parts.ledger.close()
        for path in folder.glob("ledger.sqlite3*"):
            if path.is_file():
                path.unlink()
        shutil.copy(backup / "ledger.sqlite3", folder)
        for name in ("vault", "quarantine"):
            shutil.rmtree(folder / name)
            shutil.copytree(backup / name, folder / name)
        made.scene = scene_in(folder)
        yield made, report, later, folder
        made.scene.parts.ledger.close()

    def test_what_was_erased_is_erased_again(self, restored):
        made, report, later, folder = restored
        scene, ledger = made.scene, made.scene.parts.ledger
        assert GONE.id in scene.values()
        again = scene.eraser().replay(replace(ORDER, reference="restored"))
        assert (again.fields, again.watermarks, again.files, again.holds) == (
            report.fields, report.watermarks, report.files, report.holds,
        )  # fmt: skip
        assert [text for text in LEFT if text.encode() in bytes_in(folder)] == []
        assert list((folder / "quarantine").iterdir()) == []
        assert list((folder / "vault" / "assets").iterdir()) == []
        assert {hold.state for hold in ledger.holds()} <= {HoldState.DONE, HoldState.REJECTED, HoldState.EXPIRED}
        assert list(ledger.verify()) == []
        erased = of_kind(scene, EntryKind.ERASED)
        assert {entry.body["basis"] for entry in erased} == {"replay"}
        assert {entry.body["original"] for entry in erased} == set(report.entries)
        assert later not in {entry.subject for _, entry in scene.entries()}
        for _, entry in scene.entries():
            assert verify_receipt(ledger.receipt(entry.id), SIGNER.key) == entry

    def test_again_it_changes_nothing(self, restored):
        made, *_ = restored
        made.scene.eraser().replay(ORDER)
        before = made.scene.entries()
        assert made.scene.eraser().replay(ORDER).entries == ()
        assert made.scene.entries() == before

    def test_a_crash_in_the_middle_is_resumed(self, restored):
        from governance.testing import FailingAt

        made, _, _, folder = restored
        vault = FailingAt(made.scene.parts.vault, "erase", KeyboardInterrupt(), nth=2)
        with pytest.raises(KeyboardInterrupt):
            made.scene.eraser(vault=vault).replay(ORDER)
        made.scene.eraser().replay(ORDER)
        assert list((folder / "vault" / "assets").iterdir()) == []
        assert [text for text in LEFT if text.encode() in bytes_in(folder)] == []
        assert list(made.scene.parts.ledger.verify()) == []

    def test_leases_are_over(self, restored):
        made, *_ = restored
        made.scene.policy.admission = ALLOWED
        made.scene.ask(STAYS, 40, "a crane", (Outcome.REVIEW, (HELD,), {}))
        ledger = made.scene.parts.ledger
        (hold,) = [each for each in ledger.holds(state=HoldState.OPEN) if each.subject not in made.theirs.values()]
        ledger.lease(hold.id, GONE.id, "2999-01-01T00:00:00.000Z", now="2026-11-23T00:00:00.000Z")
        made.scene.eraser().replay(ORDER)
        assert ledger.hold(hold.id).holder == ""

    def test_a_legal_hold_that_is_placed_again_keeps_files_drafts_and_holds(self, restored):
        made, report, _, folder = restored
        ledger = made.scene.parts.ledger
        ledger.append(placed_record(LegalHoldScope.PRINCIPAL, GONE.id, OPERATOR))

        def kept():
            files = [*(folder / "vault" / "assets").iterdir(), *(folder / "quarantine").iterdir()]
            return sorted(files), [hold.state for hold in ledger.holds()], made.scene.values()

        before = kept()
        assert (len(before[0]), HoldState.OPEN in before[1]) == (4, True)
        again = made.scene.eraser().replay(ORDER)
        assert (again.entries, again.files, again.holds) == ((), 0, 0)
        assert {each.subject for each in again.kept} >= set(made.theirs.values())
        assert kept() == before
        ledger.append(lifted_record(ledger.legal_holds()[0], OPERATOR))
        again = made.scene.eraser().replay(ORDER)
        assert (again.files, again.holds) == (report.files, report.holds)
        assert kept()[0] == []
        assert GONE.id not in made.scene.values()[: made.scene.values().rfind("/person/id")]

    def test_a_legal_hold_of_then_is_reported(self, restored):
        made, *_ = restored
        ledger = made.scene.parts.ledger
        ledger.append(placed_record(LegalHoldScope.GENERATION, made.theirs["denied"], OPERATOR))
        report = made.scene.eraser().replay(ORDER)
        assert [each.subject for each in report.kept] == [made.theirs["denied"]]
        assert "zucchini" in made.scene.values(made.theirs["denied"])
        ledger.append(lifted_record(ledger.legal_holds()[0], OPERATOR))
        made.scene.eraser().replay(ORDER)
        assert GONE.id not in made.scene.values()


class TestRefusals:
    def test_whatever_is_refused_changes_nothing_for_its_neighbours(self, made):
        scene, ledger = made.scene, made.scene.parts.ledger
        ledger.append(placed_record(LegalHoldScope.GENERATION, made.other, OPERATOR))
        with pytest.raises(LegalHoldError):
            ledger.append(_all_of(scene, made.other))
        scene.eraser().subject(made.theirs["denied"], ORDER)
        assert scene.values(made.theirs["denied"]) == "[]"
        assert "heron" in scene.values(made.other)

    def test_a_part_that_is_not_there_is_refused(self, made):
        record = _all_of(made.scene, made.other)
        (part, *_) = record.erasures
        body = {**record.entry.body, "parts": {part.entry_id: ["/nothing"]}}
        wrong = replace(record, entry=replace(record.entry, body=body), erasures=(replace(part, name="/nothing"),))
        with pytest.raises(ErasureError, match="/nothing"):
            made.scene.parts.ledger.append(wrong)


def _all_of(scene, subject):
    from governance.entries import ErasedPart
    from governance.erasure import erased_record

    parts = [
        ErasedPart(entry.id, each.name)
        for _, entry in scene.entries()
        if entry.subject == subject
        for each in scene.parts.ledger.fields(entry.id)
    ]
    record = erased_record("act", parts, ORDER)
    assert set(erased_parts(record.entry)) == set(parts)
    assert json.dumps(record.entry.body["parts"])
    return record
