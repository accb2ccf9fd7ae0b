"""Each ledger keeps the ledger's contract."""

from __future__ import annotations

import itertools

import pytest

from governance.checkpoint import LogSigner
from governance.entries import EntryKind
from governance.errors import LedgerError
from governance.testing.example_records import intent_record, outcome_record
from governance.testing.ledger import FakeLedger, LedgerContract
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger


class TestSqliteLedgerKeepsTheContract(LedgerContract):
    @pytest.fixture(autouse=True)
    def _ledgers(self, tmp_path):
        self.signer = LogSigner.generate("log.example.org/test")
        self.paths = (tmp_path / f"{number}" / "ledger.sqlite" for number in itertools.count())
        self.opened = []
        yield
        for ledger in self.opened:
            ledger.close()

    def _open(self, path):
        ledger = SqliteLedger.open(path, self.signer)
        self.opened.append(ledger)
        return ledger

    def new_ledger(self):
        return self._open(next(self.paths))

    def successor(self, ledger):
        ledger.close()
        return self._open(ledger.path)

    def key(self, ledger):
        return self.signer.key


class TestPostgresLedgerKeepsTheContract(LedgerContract):
    @pytest.fixture(autouse=True)
    def _ledgers(self, postgres_cluster):
        self.signer = LogSigner.generate("log.example.org/test")
        self.cluster = postgres_cluster
        self.opened = {}
        yield
        for ledger in self.opened:
            ledger.close()
        for url in set(self.opened.values()):
            postgres_cluster.drop(url)

    def _open(self, url):
        ledger = PostgresLedger.open(url, self.signer)
        self.opened[ledger] = url
        return ledger

    def new_ledger(self):
        return self._open(self.cluster.fresh_database())

    def successor(self, ledger):
        ledger.close()
        return self._open(self.opened[ledger])

    def key(self, ledger):
        return self.signer.key


class TestFakeLedgerKeepsTheContract(LedgerContract):
    def new_ledger(self):
        return FakeLedger()

    def successor(self, ledger):
        return ledger.successor()

    def key(self, ledger):
        return ledger.key


def test_the_fake_refuses_appends_by_number_and_by_kind():
    error = LedgerError("no", remedy="none")
    ledger = FakeLedger(refuse={2: error, EntryKind.DENIED: error})
    ledger.append(intent_record("g"))
    for record in (intent_record("g"), outcome_record(EntryKind.DENIED, "g")):
        with pytest.raises(LedgerError):
            ledger.append(record)
    assert len(ledger.records) == 1
    assert list(ledger.verify()) == []


def test_the_fake_interrupts_after_the_entry_is_durable():
    ledger = FakeLedger(interrupt={1: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        ledger.append(intent_record("g"))
    assert len(ledger.entries(subject="g")) == 1


def test_the_fake_raises_what_it_is_told_to():
    ledger = FakeLedger(errors={"begin": LedgerError("full", remedy="free some space")})
    with pytest.raises(LedgerError, match="free some space"):
        ledger.begin("ann", "r", "f", "g")
    ledger.errors.clear()
    ledger.begin("ann", "r", "f", "g")
