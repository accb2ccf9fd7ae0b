"""Erasing on PostgreSQL: the same is gone, the same stays, and legal holds are kept by writers that race."""

from __future__ import annotations

import threading

import pytest

from governance.entries import EntryKind, LegalHoldScope
from governance.erasure import erased_parts
from governance.legal_holds import placed_record
from governance.testing import fake_parts
from governance_adapters.storage.postgres_ledger import PostgresLedger
from support.budget_race import SIGNER
from support.erasing import ALLOWED, GONE, OPERATOR, ORDER, STAYS, WORDS, Scene, crowd, of_kind
from support.reviewing import ReviewPolicy


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
