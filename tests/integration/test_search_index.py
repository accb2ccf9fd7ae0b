"""The index on real databases: exact answers, short pages, what it costs to be altered, and making it anew."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, insert, select, update

from governance.checkpoint import LogSigner
from governance.entries import EntryKind
from governance.erasure import WATERMARK
from governance.errors import LedgerError
from governance.search import Query, ScoreRange
from governance.terms import picture_terms, term, terms_of_traits
from governance.testing import FakeLedger
from governance.testing.ledger_erasure import erase
from governance.testing.ledger_search import CASES, PDQ, distinct_records, found
from governance.testing.search_records import Told
from governance.traits import traits_of
from governance.types import Fingerprint
from governance_adapters.storage import audit_postings
from governance_adapters.storage.audit_postings import compare
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.postings import PAGE, Indexed, index, kept_in_step, rebuild
from governance_adapters.storage.searching import search
from governance_adapters.storage.tables import ENTRY, METADATA, PERSONAL_FIELD, POSTING, ROLLUP
from support.searching import queries, tellings

SIGNER = LogSigner.generate("log.example.org/test")
OLD_SIGNER = LogSigner("log.example.org/test", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
OLD_LEDGER = Path(__file__).resolve().parents[1] / "fixtures" / "ledger_0002.sql"
PICTURE = Fingerprint(PDQ, 90, bytes(192))
COUNT = 120


def random_records():
    """So many random records, the same every time."""
    told = []

    @settings(max_examples=COUNT, database=None, derandomize=True, phases=[Phase.generate], deadline=None)
    @given(tellings())
    def collect(each):
        told.append(each)

    collect()
    return [each.record() for each in told]


@pytest.fixture(scope="module")
def fake():
    ledger = FakeLedger()
    for record in random_records():
        ledger.append(record)
    return ledger


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory, fake):
    with SqliteLedger.open(tmp_path_factory.mktemp("searched") / "ledger.sqlite", SIGNER) as ledger:
        for record in fake.records:
            ledger.append(record)
        yield ledger


@pytest.fixture(scope="module")
def postgres(postgres_cluster, fake):
    url = postgres_cluster.fresh_database()
    with PostgresLedger.open(url, SIGNER) as ledger:
        for record in fake.records:
            ledger.append(record)
        yield ledger
    postgres_cluster.drop(url)


@contextmanager
def inside(ledger):
    """A connection that may write behind the ledger's back."""
    with ledger._held().database.writing() as connection:
        yield connection


def rows_of(ledger):
    """The whole index and every count."""
    with ledger._held().database.reading() as connection:
        postings = {(bytes(row.term), row.seq) for row in connection.execute(select(POSTING))}
        return postings, {tuple(row) for row in connection.execute(select(ROLLUP))}


class TestTheSameAnswers:
    @pytest.mark.parametrize("database", ["sqlite", "postgres"])
    def test_random_questions_about_random_entries(self, request, fake, database):
        ledger = request.getfixturevalue(database)
        met = []

        @given(queries(), st.integers(-1, COUNT), st.integers(1, 7))
        @settings(max_examples=300, deadline=None, database=None)
        def ask(query, after, limit):
            expected, page = (
                fake.search(query, after=after, limit=limit),
                ledger.search(query, after=after, limit=limit),
            )
            assert page == expected
            met.append(bool(page.items))

        ask()
        assert sum(met) > 50

    def test_both_databases_answer_as_the_brute_force_does(self, fake, sqlite, postgres):
        span = "2020-01-01", "2030-01-01"
        assert fake.rollups(*span) == sqlite.rollups(*span) == postgres.rollups(*span)
        assert len(fake.rollups(*span)) > 50
        assert fake.alike(PICTURE) == sqlite.alike(PICTURE) == postgres.alike(PICTURE)
        assert len(fake.alike(PICTURE)) > 3
        for filters, _ in CASES:
            query = Query(**filters)
            assert found(fake, query) == found(sqlite, query, 3) == found(postgres, query, 3), filters

    def test_both_databases_hold_the_same_index(self, sqlite, postgres):
        assert rows_of(sqlite) == rows_of(postgres)

    @pytest.mark.parametrize("database", ["sqlite", "postgres"])
    def test_pages_that_end_early_lose_nothing(self, request, fake, database):
        ledger = request.getfixturevalue(database)
        query = Query(
            since="2025-01-01T00:00:00Z", principal="ann@example.org", scores=(ScoreRange("nsfw", "nsfw", 1),)
        )
        indices, after, pages = [], -1, 0
        with ledger._held().database.reading() as connection:
            while after is not None:
                page = search(connection, query, after, 50, most=1)
                assert page.next is None or page.next > after
                indices += [at for at, _ in page.items]
                after, pages = page.next, pages + 1
        assert indices == found(fake, query)
        assert pages > 3


class TestWhatIsThere:
    def test_every_term_of_every_entry_and_no_other(self, fake, sqlite):
        expected = set()
        documents = {each.digest: each.content for record in fake.records for each in record.documents}
        for seq, record in enumerate(fake.records):
            terms = terms_of_traits(traits_of(record.entry, record.fields, documents))
            if record.mark is not None:
                terms |= picture_terms(record.mark.fingerprint.pdq)
            expected |= {(each, seq) for each in terms}
        assert rows_of(sqlite)[0] == expected

    def test_it_is_compared_and_made_anew(self, sqlite):
        before = rows_of(sqlite)
        with inside(sqlite) as connection:
            assert list(compare(connection)) == []
            rebuild(connection)
            assert list(compare(connection)) == []
        assert rows_of(sqlite) == before

    def test_a_record_that_names_a_document_of_another_is_found_by_it(self, tmp_path):
        first, second = Told().record(), Told(kind=EntryKind.DENIED).record()
        with SqliteLedger.open(tmp_path / "ledger.sqlite", SIGNER) as ledger:
            ledger.append(first)
            body = {**second.entry.body, "decision": first.entry.body["decision"]}
            ledger.append(type(second)(type(second.entry)(EntryKind.DENIED, "g", body), second.fields))
            assert found(ledger, Query(model="StableDiffusionPipeline")) == [0, 1]
            assert list(ledger.verify()) == []


DAMAGE = {
    "a posting is deleted": (
        lambda c: c.execute(delete(POSTING).where(POSTING.c.term == term("kind", "intent"), POSTING.c.seq == 0)),
        ["Entry 0 ", "lacks 1 of its terms, and has 0"],
    ),
    "a posting is inserted": (
        lambda c: c.execute(insert(POSTING), [{"term": term("kind", "released"), "seq": 2}]),
        ["Entry 2 ", "lacks 0 of its terms, and has 1"],
    ),
    "two entries trade a term": (
        lambda c: [
            c.execute(update(POSTING).where(POSTING.c.term == term("subject", name), POSTING.c.seq == seq).values(seq=-seq - 1))
            for name, seq in (("g0", 0), ("g2", 2))
        ]
        + [
            c.execute(update(POSTING).where(POSTING.c.seq == -seq - 1).values(seq=2 - seq)) for seq in (0, 2)
        ],
        ["Entry 0 ", "Entry 2 ", "lacks 1 of its terms, and has 1"],
    ),
    "a posting leads nowhere": (
        lambda c: c.execute(insert(POSTING), [{"term": bytes(16), "seq": 99_999}, {"term": b"short", "seq": 0}]),
        ["2 postings lead to no entry, or have no term"],
    ),
    "everything is deleted": (lambda c: c.execute(delete(POSTING)), ["Entry 0 ", "Entry 1 ", "Entry 2 ", "Entry 3 "]),
    "a count is changed": (
        lambda c: c.execute(update(ROLLUP).where(ROLLUP.c.day == "2027-01-02", ROLLUP.c.name == "kind").values(entries=9)),
        ["count of kind 'commented' on 2027-01-02 is 9, the entries come to 1"],
    ),
    "a count is deleted": (
        lambda c: c.execute(delete(ROLLUP).where(ROLLUP.c.name == "reason")),
        ["count of reason 'brand.too_similar' on 2027-01-02 is 0", "count of reason 'prompt.blocked_term'"],
    ),
    "a count is inserted": (
        lambda c: c.execute(insert(ROLLUP), [{"day": "2020-01-01", "name": "kind", "value": "intent", "entries": 1}]),
        ["count of kind 'intent' on 2020-01-01 is 1, the entries come to 0"],
    ),
    "a field is deleted": (
        lambda c: c.execute(delete(PERSONAL_FIELD).where(PERSONAL_FIELD.c.name == "/prompts/0")),
        ["Entry 0 ", "Entry 1 ", "Entry 2 "],
    ),
}  # fmt: skip


class TestAlterations:
    @pytest.fixture
    def ledger(self, tmp_path):
        with SqliteLedger.open(tmp_path / "ledger.sqlite", SIGNER) as opened:
            for record in distinct_records():
                opened.append(record)
            yield opened

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_each_is_named_and_made_good(self, ledger, damage):
        alter, said = DAMAGE[damage]
        before = rows_of(ledger)
        with inside(ledger) as connection:
            alter(connection)
            problems = list(compare(connection))
        assert len(problems) == sum(words.startswith(("Entry", "count", "2 postings")) for words in said)
        for words in said:
            assert any(words in problem for problem in problems), problems
        assert all("governance ledger reindex" in problem for problem in problems)
        assert set(problems) <= set(ledger.verify())
        with inside(ledger) as connection:
            rebuild(connection)
            assert list(compare(connection)) == []
        if damage != "a field is deleted":
            assert rows_of(ledger) == before

    def test_more_than_can_be_named_is_counted(self, monkeypatch):
        monkeypatch.setattr(audit_postings, "MAX_PAGES", 5)
        engine = create_engine("sqlite://")
        METADATA.create_all(engine)
        entry = Told().record().entry
        count = (5 + 2) * PAGE
        leaves = [
            {"seq": n, "id": f"e{n}", "kind": "intent", "subject": "g", "time": entry.time, "leaf": entry.leaf()}
            for n in range(count)
        ]
        with engine.begin() as connection:
            connection.execute(insert(ENTRY), leaves)
            index(connection, [(n, Indexed.of(entry, (), {})) for n in range(count)])
            assert list(compare(connection)) == []
            connection.execute(delete(POSTING).where(POSTING.c.seq % PAGE == 7))
            problems = list(compare(connection))
        engine.dispose()
        assert len(problems) == 5 + 1
        assert problems[0].startswith("Entry 7 (e7)")
        assert "2 more pages" in problems[-1]


class TestErasure:
    @pytest.mark.parametrize("database", ["sqlite", "postgres"])
    def test_no_search_finds_what_is_erased_and_the_index_holds_nothing_of_it(self, request, tmp_path, database):
        if database == "sqlite":
            ledger = SqliteLedger.open(tmp_path / "ledger.sqlite", SIGNER)
        else:
            ledger = PostgresLedger.open(request.getfixturevalue("postgres_url"), SIGNER)
        with ledger:
            asked = Told(principal="dora@example.org", prompts=("a violet walrus",)).record()
            released = Told(
                EntryKind.RELEASED, subject=asked.entry.subject, principal="dora@example.org", intent=asked,
                prompts=("a violet walrus",), content=b"x", mark=(3, PDQ), scores=(0.5,),
            ).record()  # fmt: skip
            reviewed = Told(EntryKind.COMMENTED, principal="dora@example.org", reviewer="eve@example.org").record()
            for record in (asked, released, reviewed, Told(prompts=("a violet lamp",)).record()):
                ledger.append(record)
            people = Query(principal="dora@example.org"), Query(words="walrus"), Query(reviewer="eve@example.org")
            assert [found(ledger, query) for query in people] == [[0, 1, 2], [0, 1], [2]]
            parts = [(record, field.name) for record in (asked, released, reviewed) for field in record.fields]
            erase(ledger, *parts, (released, WATERMARK))
            assert [found(ledger, query) for query in people] == [[], [], []]
            assert found(ledger, Query(words="violet")) == [3]
            assert list(ledger.alike(PICTURE)) == []
            assert found(
                ledger, Query(scores=(ScoreRange("nsfw", "nsfw"),), asset=released.entry.body["asset"]["digest"])
            ) == [1]
            terms = {each for each, _ in rows_of(ledger)[0]}
            gone = {term("principal", "dora@example.org"), term("reviewer", "eve@example.org"), term("word", "walrus")}
            assert not terms & (gone | picture_terms(PDQ))
            assert [problem for problem in ledger.verify() if "index" in problem or "count" in problem] == []
            with inside(ledger) as connection:
                rebuild(connection)
            assert {each for each, _ in rows_of(ledger)[0]} == terms

    def test_what_is_taken_outside_of_an_erasure_is_kept_in_step_too(self, tmp_path):
        record = Told().record()
        with SqliteLedger.open(tmp_path / "ledger.sqlite", SIGNER) as ledger:
            ledger.append(record)
            with inside(ledger) as connection, kept_in_step(connection, [record.entry.id, "unknown"]):
                connection.execute(delete(PERSONAL_FIELD).where(PERSONAL_FIELD.c.name == "/prompts/0"))
            assert (found(ledger, Query(words="seven")), found(ledger, Query(principal="ann@example.org"))) == ([], [0])


class TestManyWriters:
    def test_what_others_numbered_is_found(self, postgres_url):
        with ExitStack() as opened:
            ledgers = [opened.enter_context(PostgresLedger.open(postgres_url, SIGNER)) for _ in range(3)]
            names = [f"person-{number}@example.org" for number in range(len(ledgers))]
            records = [
                [Told(principal=name, prompts=(f"{name} walrus",)).record() for _ in range(12)] for name in names
            ]
            threads = [
                Thread(target=lambda ledger=ledger, own=own: [ledger.append(record) for record in own])
                for ledger, own in zip(ledgers, records, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [len(found(ledgers[0], Query(principal=name))) for name in names] == [12, 12, 12]
            assert found(ledgers[1], Query(words="walrus", since="2026-01-01T00:00:00Z")) == list(range(36))
            assert list(ledgers[2].verify()) == []


class TestOlderLedgers:
    @pytest.fixture
    def old_path(self, tmp_path):
        path = tmp_path / "old.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(OLD_LEDGER.read_text())
        return path

    def test_its_index_is_made_when_it_is_brought_up_to_date(self, old_path):
        with SqliteLedger.open(old_path, OLD_SIGNER) as ledger:
            entries = ledger.entries()
            assert found(ledger, Query()) == [index for index, _ in entries]
            for kind in {entry.kind for _, entry in entries}:
                assert found(ledger, Query(kind=kind)) == [index for index, entry in entries if entry.kind is kind]
            first = entries[0][1]
            assert found(ledger, Query(since=first.time, until="2099-01-01T00:00:00Z"))[0] == 0
            assert sum(
                each.entries for each in ledger.rollups("2000-01-01", "2099-01-01") if each.name == "kind"
            ) == len(entries)
            assert list(ledger.verify()) == []
            ledger.append(Told().record())
            assert found(ledger, Query(words="red seven"))[-1] == len(entries)

    def test_one_that_is_only_read_says_that_it_cannot_be_searched_yet(self, old_path):
        with SqliteLedger.open_read_only(old_path, OLD_SIGNER.key) as reader:
            for ask in (
                lambda: reader.search(Query()), lambda: reader.alike(PICTURE), lambda: reader.rollups("2026-01-01", "2027-01-01")
            ):  # fmt: skip
                with pytest.raises(LedgerError, match="cannot be searched yet") as caught:
                    ask()
                assert "for writing" in caught.value.remedy
            assert list(reader.verify()) == []
        with SqliteLedger.open(old_path, OLD_SIGNER):
            pass
        with SqliteLedger.open_read_only(old_path, OLD_SIGNER.key) as reader:
            assert found(reader, Query()) != []


def test_a_page_of_two_long_lists_without_a_common_entry_ends_soon():
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    query = Query(principal="ann@example.org", reviewer="bob@example.org")
    half = 30_000
    with engine.begin() as connection:
        for first, each in enumerate((term("principal", "ann@example.org"), term("reviewer", "bob@example.org"))):
            connection.execute(insert(POSTING), [{"term": each, "seq": 2 * n + first} for n in range(half)])
        page, pages = search(connection, query, -1, 10), 1
        assert page.items == ()
        assert 5_000 < (page.next or 0) < half
        while page.next is not None:
            page, pages = search(connection, query, page.next, 10), pages + 1
        assert pages < 8
    engine.dispose()
