"""People who are forgotten in an audit's folder: what goes, what nobody can guess any more, and what stays proved."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from governance.canonical import digest
from governance.datasets.leaves import COMMITMENT, SaltKey, SealedRecord
from governance.datasets.membership import verify_proof
from governance.datasets.records import PERSONAL
from governance.datasets.standing import dataset_standing
from governance.entries import ErasedPart
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.errors import DatasetChangedError, DatasetError, StorageError
from governance.testing.fake_ledger import FakeLedger
from governance.verification import Status
from governance_adapters.datasets.store import erasing
from governance_adapters.datasets.store.checking import checks
from governance_adapters.datasets.store.erasing import erase_rows, rows_where
from governance_adapters.datasets.store.opened import SALTS_FILE, OpenDataset
from governance_adapters.datasets.store.records import ERASED, RECORDS_FILE, RecordsFile
from support.audited import SECRET, audited_dataset, ordered, record, sign, write_audit, write_records

ORDER = ErasureOrder(Basis.REQUEST)
TWICE = digest(b"content 1")


def people():
    """Twelve records of two owners, two of one content, one of a row group of its own, and one without a content."""
    said = [
        record(n, owner="Ada" if n % 3 == 0 else "Bob", source=f"https://example.org/{n}", caption=f"Picture {n}")
        for n in range(12)
    ]
    same = record(20, TWICE, owner="Ada", source="https://example.org/20", caption="Picture 20")
    return [*said, same, record(30, "", owner="Ada", caption="Picture 30")]


@pytest.fixture
def ledger():
    return FakeLedger()


@pytest.fixture
def dataset(tmp_path, ledger):
    return audited_dataset(tmp_path / "cats", ledger, people())


def reopened(dataset, ledger):
    return OpenDataset(dataset.folder, dataset_standing(ledger, dataset.name), ledger)


def say(ledger, dataset, *names):
    """The entry that these rows are erased."""
    parts = [ErasedPart(dataset.standing.audited.id, name) for name in names]
    ledger.append(erased_record("act", parts, ORDER))


def forgotten(dataset, ledger, column="owner", value="Ada"):
    rows, _ = rows_where(dataset, column, value)
    say(ledger, dataset, *(f"records/{row}-{row}" for row in rows))
    erase_rows(dataset.folder, dataset.name, [range(row, row + 1) for row in rows])
    return rows, reopened(dataset, ledger)


def found(dataset, ledger):
    return {each.name: each for each in checks(dataset, ledger, ledger.key)}


def everything(folder: Path) -> bytes:
    """The bytes of every file, and what stands in the columns of Parquet ones."""
    tables = [parquet.read_table(path).to_pydict() for path in folder.glob("*.parquet*")]
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir())) + repr(tables).encode()


def test_who_is_forgotten_is_gone_and_the_rest_stays_as_it_was(dataset, ledger):
    before = list(dataset.records_file)
    rows, opened = forgotten(dataset, ledger)
    assert len(rows) == 6
    after = list(opened.records_file)
    for at, (was, now) in enumerate(zip(before, after, strict=True)):
        assert isinstance(now, SealedRecord)
        assert now.erased == (at in rows)
        empty = dict.fromkeys(PERSONAL, "")
        expected = replace(was, **empty) if at in rows else was
        assert now.as_json() == expected.as_json()
    left = everything(dataset.folder)
    assert b"Ada" not in left
    assert b"Picture 30" not in left
    assert b"Bob" in left
    assert not (dataset.folder / SALTS_FILE).exists()
    assert SECRET not in left


def test_nothing_that_is_left_opens_what_was_erased(dataset, ledger):
    before = list(dataset.records_file)
    key = SaltKey(SECRET, dataset.name)
    rows, _ = forgotten(dataset, ledger)
    left = everything(dataset.folder)
    for at, each in enumerate(before):
        for name in PERSONAL:
            salt = key.salt(str(each.content), each.id, name, str(getattr(each, name)))
            assert (salt in left) == (at not in rows)


def test_root_proofs_and_checks_hold_and_say_how_many_are_erased(dataset, ledger):
    proofs = {content: dataset.prove(content) for content in map(dataset.leaves.content, range(dataset.leaves.size))}
    rows, opened = forgotten(dataset, ledger)
    answers = found(opened, ledger)
    assert {answers[name].status for name in ("entry", "order", "root", "records")} == {Status.HOLDS}
    assert f"what is personal of {len(rows)} was erased" in answers["records"].detail
    for content, proof in proofs.items():
        assert opened.prove(content).found == proof.found
        assert verify_proof(opened.prove(content), ledger.key).present
        assert opened.contains(content)
    assert [each.id for each in opened.records()] == [each.id for each in dataset.records()]


def test_what_is_left_can_be_disclosed_and_what_was_erased_cannot(dataset, ledger):
    _, opened = forgotten(dataset, ledger)
    proof = opened.prove(TWICE, ("owner",))
    assert [(each.value, each.record) for each in proof.found.disclosed] == [("Bob", 0)]
    assert verify_proof(proof, ledger.key).disclosed
    with pytest.raises(DatasetError, match="was erased"):
        opened.prove(digest(b"content 3"), ("owner",))
    assert COMMITMENT in opened.prove(digest(b"content 3")).found.records[0]["owner"]


def test_one_record_is_erased_by_its_id_and_another_one_later(dataset, ledger):
    rows, opened = forgotten(dataset, ledger, "id", "r000004")
    assert len(rows) == 1
    assert rows_where(opened, "id", "r000004") == ([], set())
    again, opened = forgotten(opened, ledger, "owner", "Bob")
    assert len(again) == 7
    assert sum(len(each) for each in opened.records_file.erased()) == 8
    assert found(opened, ledger)["records"].status is Status.HOLDS
    assert {each.owner for each in opened.records_file} == {"", "Ada"}


def test_erasing_again_changes_nothing_and_leaves_nothing_half_written(dataset, ledger):
    rows, _ = forgotten(dataset, ledger)
    (dataset.folder / f"{RECORDS_FILE}.erasing").write_bytes(b"Ada")
    before = (dataset.folder / RECORDS_FILE).read_bytes()
    erase_rows(dataset.folder, dataset.name, [range(row, row + 1) for row in rows])
    assert (dataset.folder / RECORDS_FILE).read_bytes() == before
    assert b"Ada" not in everything(dataset.folder)


@pytest.mark.parametrize("where", ["replace", "sync", "_destroy_key"])
def test_what_a_crash_interrupts_is_refused_and_completed(dataset, ledger, monkeypatch, where):
    rows, _ = rows_where(dataset, "owner", "Ada")
    say(ledger, dataset, *(f"records/{row}-{row}" for row in rows))
    wanted = [range(row, row + 1) for row in rows]

    def crash(*_):
        raise StorageError("crash", remedy="none")

    with monkeypatch.context() as patched:
        if where == "replace":
            patched.setattr(Path, "replace", crash)
        else:
            patched.setattr(erasing, where, crash)
        with pytest.raises(StorageError, match="crash"):
            erase_rows(dataset.folder, dataset.name, wanted)
    assert found(reopened(dataset, ledger), ledger)["records"].status is Status.FAILS
    if where != "_destroy_key":
        with pytest.raises(DatasetChangedError, match="still has them"):
            list(reopened(dataset, ledger).records())
    erase_rows(dataset.folder, dataset.name, wanted)
    assert found(reopened(dataset, ledger), ledger)["records"].status is Status.HOLDS
    assert b"Ada" not in everything(dataset.folder)


def test_a_folder_that_was_restored_is_refused_until_it_is_erased_again(dataset, ledger, tmp_path):
    shutil.copytree(dataset.folder, tmp_path / "backup")
    rows, _ = forgotten(dataset, ledger)
    shutil.rmtree(dataset.folder)
    shutil.copytree(tmp_path / "backup", dataset.folder)
    with pytest.raises(DatasetChangedError, match="--again"):
        reopened(dataset, ledger).records_of(TWICE)
    erase_rows(dataset.folder, dataset.name, [range(row, row + 1) for row in rows])
    assert reopened(dataset, ledger).records_of(TWICE)


def test_rows_that_are_erased_without_an_entry_are_found(dataset, ledger):
    erase_rows(dataset.folder, dataset.name, [range(2, 3)])
    answer = found(reopened(dataset, ledger), ledger)["records"]
    assert (answer.status, "than the ledger says" in answer.detail) == (Status.FAILS, True)


CHANGES = {
    "a value": lambda table: table.set_column(
        table.column_names.index("owner"), "owner", pa.array(["Eve"] * len(table))
    ),
    "a seal": lambda table: table.set_column(
        table.column_names.index("owner_seal"), "owner_seal", pa.array([bytes(32)] * len(table), pa.binary())
    ),
    "a short seal": lambda table: table.set_column(
        table.column_names.index("owner_seal"), "owner_seal", pa.array([b""] * len(table), pa.binary())
    ),
    "no seals": lambda table: table.drop_columns(["owner_seal"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_after_an_erasure_is_found(dataset, ledger, change):
    forgotten(dataset, ledger)
    path = dataset.folder / RECORDS_FILE
    parquet.write_table(CHANGES[change](parquet.read_table(path)), path)
    assert found(reopened(dataset, ledger), ledger)["records"].status is Status.FAILS
    with pytest.raises(DatasetChangedError):
        list(reopened(dataset, ledger).records())


def test_an_audit_that_does_not_hold_is_not_sealed(dataset, ledger):
    path = dataset.folder / RECORDS_FILE
    first, *rest = RecordsFile(path)
    write_records(path, [first, replace(rest[0], owner="Eve"), *rest[1:]])
    with pytest.raises(DatasetChangedError):
        rows_where(reopened(dataset, ledger), "owner", "Ada")
    (dataset.folder / SALTS_FILE).unlink()
    with pytest.raises(StorageError, match=SALTS_FILE):
        erase_rows(dataset.folder, dataset.name, [range(1)])
    assert ERASED not in parquet.read_schema(path).names


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    said=st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 4)), min_size=1, max_size=12),
    gone=st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=3),
)
def test_whatever_is_erased_in_whatever_order_the_root_stays(tmp_path_factory, said, gone):
    folder = tmp_path_factory.mktemp("erased") / "one"
    records = [
        record(n, digest(b"%d" % content), owner=owner, caption=caption)
        for n, (owner, caption, content) in enumerate(said)
    ]
    ledger = FakeLedger()
    sign(ledger, write_audit(folder, records), records)
    opened = OpenDataset(folder, dataset_standing(ledger, "cats"), ledger)
    erased = set()
    for rows in gone:
        new = sorted(row for row in rows - erased if row < len(records))
        if new:
            say(ledger, opened, *(f"records/{row}-{row}" for row in new))
            erase_rows(folder, "cats", [range(row, row + 1) for row in new])
            erased |= set(new)
        opened = reopened(opened, ledger)
        kept = list(opened.records(lambda _: True))
        for row, (was, now) in enumerate(zip(ordered(records), kept, strict=True)):
            assert now.owner == ("" if row in erased else was.owner)
        for content in {each.content for each in records}:
            assert verify_proof(opened.prove(content), ledger.key).present


def test_an_unchanged_audit_has_its_key_and_no_seals(dataset):
    assert (dataset.folder / SALTS_FILE).read_bytes() == SECRET
    assert not dataset.records_file.sealed
    assert json.dumps([each.as_json() for each in dataset.records_file])
