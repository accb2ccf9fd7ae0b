"""Erasing on PostgreSQL: the same is gone, the same stays, and legal holds are kept by writers that race."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from time import sleep

import psycopg
import pytest

from governance.entries import EntryKind, ErasedPart, LegalHoldScope, Spending
from governance.erasure import erased_parts, erased_record
from governance.errors import LedgerError
from governance.legal_holds import placed_record
from governance.search import Query
from governance.testing import fake_parts
from governance.testing.ledger_erasure import DAY, asked_record
from governance.types import Usage, new_id
from governance_adapters.storage.guards import key_of
from governance_adapters.storage.postgres_ledger import PostgresLedger
from governance_adapters.storage.waiting import NUMBERING
from support.budget_race import SIGNER
from support.erasing import ALLOWED, GONE, OPERATOR, ORDER, STAYS, WORDS, Scene, crowd, of_kind
from support.reviewing import ReviewPolicy

BLOCKED = (
    "SELECT 1 FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE datname = current_database()"
    " AND application_name = 'diffusion-governance' AND NOT granted"
)


@pytest.fixture
def url(postgres_cluster):
    url = postgres_cluster.fresh_database()
    yield url
    postgres_cluster.drop(url)


@pytest.fixture
def made(url):
    policy = ReviewPolicy(needed=1, release=ALLOWED)
    with PostgresLedger.open(url, SIGNER) as ledger:
        yield crowd(Scene(fake_parts(ledger=ledger, log_key=SIGNER.key, policy=policy), policy=policy))


def test_a_person_is_forgotten(made):
    scene = made.scene
    report = made.scene.eraser().person(GONE.id, ORDER, files=True)
    assert (report.kept, report.files, report.holds) == ((), 2, 1)
    assert scene.found(principal=GONE.id) == scene.found(reviewer=GONE.id) == set()
    assert all(scene.found(words=word) == set() for word in WORDS)
    assert not [word for word in (GONE.id, *WORDS) if word in scene.values()]
    assert made.other in scene.found(principal=STAYS.id)
    assert list(scene.parts.ledger.verify()) == []
    assert scene.eraser().person(GONE.id, ORDER, files=True).entries == ()


def test_an_index_that_is_made_anew_beside_an_erasure_finds_nothing_that_was_erased(url):
    """Whichever comes second sees the other: no term of what is gone is put back."""
    gone, stays = asked_record("g"), asked_record("h", "bob@example.org")
    parts = [ErasedPart(gone.entry.id, field.name) for field in gone.fields]
    made, release = threading.Event(), threading.Event()

    def make_anew(transaction):
        count = transaction.reindex()
        made.set()
        release.wait()
        return count

    with (
        PostgresLedger.open(url, SIGNER) as ledger,
        PostgresLedger.open(url, SIGNER) as other,
        closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as watcher,
    ):
        for record in (gone, stays):
            ledger.append(record)
        threads = [
            threading.Thread(target=other._write, args=(make_anew,)),
            threading.Thread(target=ledger.append, args=(erased_record(new_id(), parts, ORDER),)),
        ]
        threads[0].start()
        made.wait()
        threads[1].start()
        while threads[1].is_alive() and not watcher.execute(BLOCKED).fetchone():
            sleep(0.01)
        release.set()
        for thread in threads:
            thread.join()
        found = [
            [entry.subject for _, entry in ledger.search(Query(words=word)).items] for word in ("walrus", "violet")
        ]
        assert found == [["h"], ["h"]]
        assert ledger.search(Query(principal="ann@example.org")).items == ()
        assert list(ledger.verify()) == []


def test_a_day_counts_for_what_waits_for_its_index(url):
    """Both are durable while somebody else numbers; the erasure sees the intent that no index leads to yet."""
    first, second = (asked_record(name) for name in ("first", "second"))
    spending = Spending("ann@example.org", DAY, Usage(1))
    erased = erased_record(new_id(), [ErasedPart(first.entry.id, "/principal/id")], ORDER)
    with PostgresLedger.open(url, SIGNER, busy_timeout_s=0.3) as ledger:
        ledger.append(replace(first, spending=spending))
        with closing(psycopg.connect(url.replace("+psycopg", ""))) as numbering:
            numbering.execute("SELECT pg_advisory_xact_lock(%s)", (key_of(*NUMBERING),))
            for record in (replace(second, spending=spending), erased):
                with pytest.raises(LedgerError, match="no index yet"):
                    ledger.append(record)
    with PostgresLedger.open(url, SIGNER) as ledger:
        assert ledger.erasures(first.entry.id) == {"/principal/id": erased.entry.id}
        assert ledger.usage("ann@example.org", DAY) == Usage(2)
        assert list(ledger.verify()) == []


def test_what_is_held_when_an_erasure_commits_was_not_erased_by_it(made, url):
    """Of an erasure and a legal hold at once, whichever comes second sees the other."""
    scene = made.scene
    subjects = list(made.theirs.values())
    barrier = threading.Barrier(2)

    def hold() -> None:
        with PostgresLedger.open(url, SIGNER) as other:
            barrier.wait()
            for subject in subjects:
                other.append(placed_record(LegalHoldScope.GENERATION, subject, OPERATOR))

    thread = threading.Thread(target=hold)
    thread.start()
    barrier.wait()
    for subject in reversed(subjects):
        scene.eraser().subject(subject, ORDER)
    thread.join()
    order = [entry for _, entry in scene.entries()]
    placed = {entry.body["scope"]["generation"]: order.index(entry) for entry in of_kind(scene, EntryKind.LEGAL_HOLD)}
    subject_of = {entry.id: entry.subject for entry in order}
    for entry in of_kind(scene, EntryKind.ERASED):
        for subject in {subject_of[part.entry_id] for part in erased_parts(entry)}:
            assert order.index(entry) < placed[subject]
    assert len(placed) == len(subjects)
    assert list(scene.parts.ledger.verify()) == []
