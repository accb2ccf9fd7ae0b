"""An audited dataset on disk: its tree as two other implementations compute it, and everything that was changed found."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tamperlog import merkle as tamperlog
from tlog_scales.tlog import InclusionProof

from governance.canonical import Digest, digest
from governance.datasets.leaves import SaltKey, committed_record, leaf_of
from governance.datasets.membership import verify_proof
from governance.datasets.proof import DatasetProof
from governance.datasets.records import Basis, DatasetRecord
from governance.datasets.standing import dataset_standing
from governance.errors import DatasetChangedError, DatasetError, NoDatasetError, ProofError, StorageError
from governance.merkle import EMPTY_ROOT
from governance.testing.fake_ledger import FakeLedger
from governance.types import Outcome
from governance.verification import Status
from governance_adapters.datasets.store.checking import checks
from governance_adapters.datasets.store.committing import committed_leaves
from governance_adapters.datasets.store.leaves import LEAVES_FILE, TREE_FILE, LeavesWriter, OpenLeaves, TreeHead
from governance_adapters.datasets.store.opened import SALTS_FILE, SOURCE_FILE, OpenDataset
from governance_adapters.datasets.store.records import RECORDS_FILE, RecordsFile, by_content, record_of
from support.audited import SECRET, audited_dataset, ordered, record, sign, write_audit, write_records

SIZES = [0, 1, 2, 3, 255, 256, 257, 511, 513, 65_537]


@cache
def leaves_of(size):
    """So many leaves, in order, whose digests are the numbers from 1."""
    return [(2 * number + 1).to_bytes(32, "big") + bytes.fromhex(digest(b"%d" % number)) for number in range(size)]


def written(folder, leaves):
    with LeavesWriter(folder) as writer:
        for leaf in leaves:
            writer.add_leaf(leaf)
        head = writer.finish()
    return OpenLeaves(folder), head


@pytest.mark.parametrize("size", SIZES)
def test_the_tree_is_the_one_that_others_compute(tmp_path, size):
    leaves = leaves_of(size)
    opened, head = written(tmp_path, leaves)
    expected = tamperlog.merkle_root([tamperlog.hash_leaf(leaf) for leaf in leaves]) if leaves else EMPTY_ROOT
    assert head.root == opened.root() == opened.computed_root() == expected
    assert (head.size, opened.size, len(opened)) == (size, size, size)
    assert opened.disorder() is None
    for index in sorted({0, 1, 254, 255, 256, 65_535, 65_536, size // 2, size - 2, size - 1} & set(range(size))):
        path = list(opened.prove(index))
        tamperlog.verify_inclusion(index, size, tamperlog.hash_leaf(leaves[index]), path, head.root)
        InclusionProof(index, size, path).check(tamperlog.hash_leaf(leaves[index]), head.root)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.binary(min_size=32, max_size=32), max_size=60), st.binary(min_size=32, max_size=32))
def test_each_content_is_found_where_it_stands(tmp_path, contents, sought):
    rows = sorted(contents)
    opened, _ = written(tmp_path, [row + bytes(32) for row in rows])
    for each in (*rows, sought):
        place = opened.find(each.hex())
        assert place.there is (each in contents)
        assert place.index == sum(row < each for row in rows)


def test_the_lowest_digest_of_all_is_a_content(tmp_path):
    opened, _ = written(tmp_path, [bytes(64), b"\xff" * 64])
    assert opened.find("00" * 32).there
    assert opened.find("ff" * 32).index == 1


@pytest.mark.parametrize("second", [b"\x05" * 32, b"\x04" * 32, b""], ids=["twice", "back", "short"])
def test_disorder_and_twins_are_not_written(tmp_path, second):
    with LeavesWriter(tmp_path) as writer:
        writer.add_leaf(b"\x05" * 32 + bytes(32))
        with pytest.raises(DatasetError, match="does not stand behind"):
            writer.add_leaf(second + bytes(32) if second else b"\x06" * 63)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_finished_is_not_there(tmp_path):
    with LeavesWriter(tmp_path) as writer:
        writer.add_leaf(bytes(64))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        OpenLeaves(tmp_path)
    with pytest.raises(StorageError, match="cannot be written"):
        LeavesWriter(tmp_path / "missing")


def test_disorder_is_found_wherever_it_is(tmp_path):
    """A list that is not sorted, or names one content twice: only the look at all digests finds it."""
    leaves = leaves_of(65_537)
    written(tmp_path, leaves)
    for at in (1, 300, 65_535, 65_536):
        swapped, twice = list(leaves), list(leaves)
        swapped[at - 1], swapped[at] = swapped[at], swapped[at - 1]
        twice[at] = twice[at - 1][:32] + bytes(32)
        for rows in (swapped, twice):
            (tmp_path / LEAVES_FILE).write_bytes(b"".join(rows))
            assert OpenLeaves(tmp_path).disorder() == at


@pytest.mark.parametrize("name", [LEAVES_FILE, TREE_FILE])
def test_files_that_do_not_fit_each_other_prove_nothing(tmp_path, name):
    leaves = leaves_of(65_537)
    written(tmp_path, leaves)
    whole = (tmp_path / name).read_bytes()
    for cut in (whole[:-1], whole[:-64], whole[:-32], whole + bytes(64), b""):
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(DatasetChangedError):
            OpenLeaves(tmp_path)
    (tmp_path / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    changed = OpenLeaves(tmp_path)
    with pytest.raises(DatasetChangedError, match="does not fit the tree"):
        changed.prove(65_536)


def many(count=30):
    """Records of `count` contents, every third with a second one, every fifth denied, and two without a content."""
    records = [record(number) for number in range(count)]
    records += [
        record(1000 + number, each.content, owner="Ada") for number, each in enumerate(records) if number % 3 == 0
    ]
    records = [replace(each, outcome=Outcome.DENY) if at % 5 == 0 else each for at, each in enumerate(records)]
    return [*records, record(5000, ""), record(5001, "")]


@pytest.fixture
def ledger():
    return FakeLedger()


@pytest.fixture
def dataset(tmp_path, ledger):
    return audited_dataset(tmp_path, ledger, many())


def reopened(dataset, ledger):
    return OpenDataset(dataset.folder, dataset.standing, ledger)


def test_records_come_back_as_they_went_in(dataset):
    records = ordered(many())
    assert list(dataset.records_file) == records
    assert dataset.record_count == len(records)
    assert list(dataset.records(lambda _: True)) == [each for each in records if each.content]
    denied = {each.content for each in records if each.outcome is Outcome.DENY}
    fit = [each for each in records if each.content and each.outcome is Outcome.ALLOW and each.content not in denied]
    assert list(dataset.records()) == fit
    assert fit
    assert {each.content for each in records if each.content} == {
        content for content, _ in by_content(dataset.records_file)
    }


def test_what_one_record_is_denied_for_another_of_the_same_bytes_does_not_heal(tmp_path, ledger):
    """Whoever adds a record that does not mention a reserved right must not make its content one to train with."""
    first, second = (replace(each, outcome=Outcome.ALLOW) for each in many()[:2])
    same = replace(first, id="again", outcome=Outcome.DENY)
    waiting = replace(second, id="again", outcome=Outcome.REVIEW)
    assert first.content != second.content
    dataset = audited_dataset(tmp_path, ledger, [first, second, same, waiting])
    assert list(dataset.records()) == [second]
    assert {each.id for each in dataset.records(lambda _: True)} == {first.id, second.id, "again"}


@pytest.mark.parametrize("rows", [1, 2, 7, 8192])
def test_the_records_of_one_content_are_found_in_any_grouping(tmp_path, rows):
    records = ordered([*many(), *(record(7000 + number, digest(b"content 7")) for number in range(20))])
    write_records(tmp_path / RECORDS_FILE, records, rows)
    opened = RecordsFile(tmp_path / RECORDS_FILE)
    for content in {each.content for each in records}:
        assert opened.of(content) == [each for each in records if each.content == content]
    assert opened.of(digest(b"nothing")) == opened.of("0" * 64) == opened.of("f" * 64) == []


def test_every_content_is_proved_in_and_others_out(dataset, ledger):
    for number in range(40):
        content = digest(b"content %d" % number)
        proof = dataset.prove(content)
        found = verify_proof(DatasetProof.from_json(proof.to_json()), ledger.key, content=b"content %d" % number)
        assert found.present is dataset.contains(content) is (number < 30)
        assert len(found.records) == len(dataset.records_of(content)) == (0 if number >= 30 else 1 + (number % 3 == 0))


def test_what_is_asked_to_be_disclosed_is_and_verifies(dataset, ledger):
    proof = dataset.prove(digest(b"content 3"), ("owner", "caption", "owner"))
    found = verify_proof(DatasetProof.from_json(proof.to_json()), ledger.key)
    records = dataset.records_of(proof.content)
    assert len(records) == 2
    shown = {(each.record, each.name): each.value for each in found.disclosed}
    expected = {(at, name): getattr(each, name) for at, each in enumerate(records) for name in ("owner", "caption")}
    assert shown == expected
    assert "Ada" not in dataset.prove(digest(b"content 3")).to_json()
    with pytest.raises(DatasetError, match="no personal field"):
        dataset.prove(digest(b"content 3"), ("licence",))
    with pytest.raises(DatasetError, match="SHA-256"):
        dataset.prove("no digest")


def test_an_empty_dataset_contains_nothing(tmp_path, ledger):
    dataset = audited_dataset(tmp_path, ledger, [record(1, "")])
    assert list(dataset.records(lambda _: True)) == []
    assert dataset.record_count == 1
    assert not verify_proof(dataset.prove(digest(b"x")), ledger.key).present


def test_a_changed_record_is_not_handed_out(dataset, ledger):
    records = ordered(many())
    at = next(index for index, each in enumerate(records) if each.content and each.outcome is Outcome.DENY)
    for changed in (
        replace(records[at], outcome=Outcome.ALLOW),
        replace(records[at], licence="CC-BY-4.0"),
        replace(records[at], owner="Bob"),
        replace(records[at], id="another"),
    ):
        write_records(dataset.folder / RECORDS_FILE, [*records[:at], changed, *records[at + 1 :]])
        opened = reopened(dataset, ledger)
        with pytest.raises(DatasetChangedError, match="were changed since"):
            list(opened.records())
        with pytest.raises(DatasetChangedError, match="were changed since"):
            opened.prove(changed.content)
    moved = replace(records[at], location="elsewhere.png")
    write_records(dataset.folder / RECORDS_FILE, [*records[:at], moved, *records[at + 1 :]])
    assert len(list(reopened(dataset, ledger).records())) > 0, "the location is not signed; the bytes' digest is"


def test_records_that_were_added_or_taken_away_are_found(dataset, ledger):
    records = ordered(many())
    first, last = records[2].content, records[-1].content
    for others in (
        [each for each in records if each.content != last],
        [each for each in records if each.content != first],
        [each for each in records if each.content],
        ordered([*records, record(9000)]),
        ordered([*records, record(9000, last)]),
        list(reversed(records)),
    ):
        write_records(dataset.folder / RECORDS_FILE, others)
        opened = reopened(dataset, ledger)
        if others == [each for each in records if each.content]:
            list(opened.records())  # what has no content is in no leaf; `dataset verify` counts the records
        else:
            with pytest.raises(DatasetChangedError):
                list(opened.records())


def test_leaves_and_salts_that_were_changed_are_found(dataset, ledger):
    (dataset.folder / SALTS_FILE).write_bytes(bytes(32))
    with pytest.raises(DatasetChangedError):
        list(reopened(dataset, ledger).records())
    (dataset.folder / SALTS_FILE).write_bytes(b"short")
    with pytest.raises(DatasetError, match="5 bytes"):
        reopened(dataset, ledger).prove(dataset.leaves.content(0))
    leaves = (dataset.folder / LEAVES_FILE).read_bytes()
    (dataset.folder / LEAVES_FILE).write_bytes(leaves[:-1] + bytes([leaves[-1] ^ 1]))
    opened = reopened(dataset, ledger)
    with pytest.raises(DatasetChangedError, match="leaves of the dataset"):
        list(opened.records())
    (dataset.folder / SALTS_FILE).write_bytes(SECRET)
    with pytest.raises(DatasetChangedError, match="were changed since"):
        reopened(dataset, ledger).prove(dataset.leaves.content(29))


def test_another_audits_leaves_are_not_opened(tmp_path, dataset, ledger):
    other = audited_dataset(tmp_path / "other", FakeLedger(), many(29))
    with pytest.raises(DatasetChangedError, match="not those that entry"):
        OpenDataset(other.folder, dataset.standing, ledger)
    with pytest.raises(NoDatasetError, match="has no folder"):
        OpenDataset(tmp_path / "nowhere", dataset.standing, ledger)


def test_of_a_signed_list_that_is_not_sorted_nothing_is_said_to_be_absent(tmp_path, ledger):
    """The root is signed and every leaf is in the tree: only the order is wrong, and the search would miss the content."""
    records = [record(number) for number in range(9)]
    head = write_audit(tmp_path / "one", records)
    rows = [(tmp_path / "one" / LEAVES_FILE).read_bytes()[at : at + 64] for at in range(0, 9 * 64, 64)]
    rows = [*rows[5:], *rows[:5]]
    root = tamperlog.merkle_root([tamperlog.hash_leaf(row) for row in rows])
    (tmp_path / "one" / LEAVES_FILE).write_bytes(b"".join(rows))
    tree = (tmp_path / "one" / TREE_FILE).read_bytes()
    (tmp_path / "one" / TREE_FILE).write_bytes(tree.replace(head.root, root))
    sign(ledger, TreeHead(root, 9), records)
    dataset = OpenDataset(tmp_path / "one", dataset_standing(ledger, "cats"), ledger)
    dataset.check_root()
    hidden = [row[:32].hex() for row in rows if not dataset.leaves.find(row[:32].hex()).there]
    assert hidden, "the search misses what is there"
    for sought in (*hidden, digest(b"nothing")):
        for ask in (dataset.contains, dataset.prove, dataset.records_of):
            with pytest.raises(DatasetChangedError, match="nothing can be said to be absent"):
                ask(sought)
    statuses = {check.name: check.status for check in checks(dataset, ledger, ledger.key)}
    assert (statuses["order"], statuses["root"]) == (Status.FAILS, Status.HOLDS)


def test_leaves_that_were_moved_after_they_were_signed_prove_nothing(tmp_path, ledger):
    dataset = audited_dataset(tmp_path, ledger, [record(number) for number in range(9)])
    rows = [dataset.leaves.leaf(index) for index in range(9)]
    rows[0], rows[8] = rows[8], rows[0]
    assert len(set(rows)) == 9
    (dataset.folder / LEAVES_FILE).write_bytes(b"".join(rows))
    with pytest.raises(DatasetChangedError):
        reopened(dataset, ledger).prove(Digest(rows[0][:32].hex()))


def test_bytes_are_read_and_checked(tmp_path, ledger):
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.png").write_bytes(b"content %d" % number)
    records = [record(number, location=f"images/{number}.png") for number in range(3)]
    dataset = audited_dataset(tmp_path / "audits", ledger, records, root=tmp_path)
    for each in dataset.records():
        assert digest(dataset.read(each)) == each.content
    (tmp_path / "images" / "1.png").write_bytes(b"others")
    (tmp_path / "images" / "2.png").unlink()
    assert dataset.read(records[0]) == b"content 0"
    with pytest.raises(DatasetChangedError, match="are others now"):
        dataset.read(records[1])
    with pytest.raises(DatasetChangedError, match="cannot be read"):
        dataset.read(records[2])
    with pytest.raises(DatasetChangedError):
        dataset.read(replace(records[0], location="../images/0.png"))
    with pytest.raises(DatasetError, match="has no content"):
        dataset.read(record(1, ""))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"place": 1}'])
def test_without_the_sources_place_nothing_is_read(dataset, ledger, text):
    (dataset.folder / SOURCE_FILE).write_text(text)
    with pytest.raises(StorageError, match="source"):
        reopened(dataset, ledger).read(record(1))


def test_what_is_no_file_of_records_is_refused(tmp_path):
    path = tmp_path / RECORDS_FILE
    with pytest.raises(StorageError):
        RecordsFile(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetChangedError, match="no Parquet"):
        RecordsFile(path)
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"id": ["a"], "content": ["b"]}), path)
    with pytest.raises(DatasetChangedError, match="has no columns basis"):
        RecordsFile(path)


@pytest.mark.parametrize(
    ("name", "value"), [("basis", "guessed"), ("width", "wide"), ("width", None), ("caption", 3), ("opt_outs", ["x"])]
)
def test_a_value_that_no_record_has_is_refused(name, value):
    with pytest.raises(DatasetChangedError, match="cannot be read"):
        record_of({**record(1).as_json(), name: value})


def test_many_threads_prove_at_once(dataset, ledger):
    failed = []

    def prove(number):
        try:
            for at in range(number, 60, 3):
                assert verify_proof(dataset.prove(digest(b"content %d" % at)), ledger.key).present is (at < 30)
        except (AssertionError, ProofError, DatasetError) as error:
            failed.append(error)

    threads = [threading.Thread(target=prove, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []


def test_the_same_records_make_the_same_files(tmp_path, ledger):
    first = audited_dataset(tmp_path / "a", ledger, many())
    second = audited_dataset(tmp_path / "b", FakeLedger(), list(reversed(many())))
    for name in (LEAVES_FILE, TREE_FILE):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert json.loads((first.folder / SOURCE_FILE).read_text()) != json.loads((second.folder / SOURCE_FILE).read_text())
    assert np.array_equal(first.leaves.rows, second.leaves.rows)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
TAGS = st.lists(TEXT, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 4), TEXT, TEXT, TEXT, TAGS, TAGS, st.integers(0, 2**53 - 1), st.sampled_from(Outcome)),
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_leaves_made_at_once_are_those_that_are_made_one_by_one(tmp_path, rows, group):
    """Whatever the texts hold: quotes, controls, other scripts, text that looks like JSON or like a format."""
    salts = SaltKey(SECRET, "cats")
    records = ordered(
        DatasetRecord(
            id=identity,
            content=digest(b"content %d" % number) if number else "",
            basis=Basis.COMPUTED,
            caption=caption,
            owner=owner,
            licence=caption,
            personal=personal,
            reasons=reasons,
            size=size,
            outcome=outcome,
        )
        for number, identity, caption, owner, personal, reasons, size, outcome in rows
    )
    write_records(tmp_path / RECORDS_FILE, records, group)
    opened = RecordsFile(tmp_path / RECORDS_FILE)
    expected = [
        (content, leaf_of(content, [committed_record(each, salts) for each in found]))
        for content, found in by_content(records)
    ]
    made = list(committed_leaves(opened.tables(), salts))
    assert [(each.content, each.leaf) for each in made] == expected
    assert list(opened) == records
    assert list(opened.without_content()) == [each for each in records if not each.content]


@pytest.mark.parametrize(
    "text", ["%s", "{0}", '"', "\\", "\x00\x1f\x7f", "\u2028", "é", "😀", '{"commitment":"x"}', "\b\t\n\f\r"]
)
def test_awkward_texts_are_committed_alike(tmp_path, text):
    said = {"id": text, "caption": text, "owner": text, "source": text, "domain": text, "reasons": (text, text)}
    one = record(1, **said)
    write_records(tmp_path / RECORDS_FILE, [one])
    salts = SaltKey(SECRET, "cats")
    (made,) = committed_leaves(RecordsFile(tmp_path / RECORDS_FILE).tables(), salts)
    assert made.leaf == leaf_of(one.content, [committed_record(one, salts)])


def test_contents_that_come_again_are_refused(tmp_path):
    records = ordered(record(number) for number in range(4))
    write_records(tmp_path / RECORDS_FILE, [*records, records[0]], 2)
    with pytest.raises(DatasetError, match="does not stand behind"):
        list(committed_leaves(RecordsFile(tmp_path / RECORDS_FILE).tables(), SaltKey(SECRET, "cats")))


def exchanged(dataset, records):
    """In the folder of an opened dataset, in place: the records of another audit and their leaves, where both are as long."""
    write_audit(dataset.folder.parent / "other", records)
    for name in (LEAVES_FILE, RECORDS_FILE):
        content = (dataset.folder.parent / "other" / name).read_bytes()
        assert len(content) == (dataset.folder / name).stat().st_size
        with (dataset.folder / name).open("r+b") as file:
            file.write(content)


def one_denied(denied):
    return [record(number, outcome=Outcome.DENY if number == denied else Outcome.ALLOW) for number in range(5)]


def test_a_second_pass_hands_out_nothing_that_was_denied_when_it_was_signed(tmp_path):
    """Whoever can write the folder exchanges records and leaves between two passes: the root that was checked is another."""
    dataset = audited_dataset(tmp_path, FakeLedger(), one_denied(4))
    assert "r000004" not in [each.id for each in dataset.records()]
    exchanged(dataset, one_denied(3))
    with pytest.raises(DatasetChangedError, match="changed since the audit"):
        list(dataset.records())


def test_leaves_that_are_exchanged_while_they_are_read_are_found_behind_the_last(tmp_path):
    dataset = audited_dataset(tmp_path, FakeLedger(), one_denied(4))
    assert len(list(dataset.checked_leaves(dataset.records_file.tables()))) == 5
    exchanged(dataset, one_denied(3))
    with pytest.raises(DatasetChangedError, match="changed while they were read"):
        list(dataset.checked_leaves(dataset.records_file.tables()))
