"""Each way to a log keeps the contract, on both databases: in this process, and over HTTP from the real application."""

from __future__ import annotations

import pytest

from governance.checkpoint import LogSigner
from governance.log_client import LedgerSource
from governance.merkle import leaf_hash
from governance.testing import FakeLedger, FakeLogSource, LogSourceContract
from governance.testing.example_records import intent_record
from governance_adapters.publishing.http_source import HttpLogSource
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.postgres_ledger import PostgresLedger
from support.served_log import served_log


def appended(ledger, count):
    return [leaf_hash(ledger.append(intent_record(f"g{number}")).leaf) for number in range(count)]


class TestLedgerSourceKeepsTheContract(LogSourceContract):
    def new_source(self):
        self.ledger = FakeLedger()
        return LedgerSource(self.ledger)

    def grow(self, source, count):
        return appended(self.ledger, count)

    def key(self, source):
        return self.ledger.key


class TestHttpLogSourceKeepsTheContract(LogSourceContract):
    @pytest.fixture(autouse=True)
    def _served(self, tmp_path):
        self.signer = LogSigner.generate("log.example.org/test")
        with (
            SqliteLedger.open(tmp_path / "ledger.sqlite3", self.signer) as self.ledger,
            served_log(tmp_path, self.ledger) as self.url,
        ):
            yield

    def new_source(self):
        return HttpLogSource(self.url)

    def grow(self, source, count):
        return appended(self.ledger, count)

    def key(self, source):
        return self.signer.key


class TestLedgerSourceOverPostgresKeepsTheContract(LogSourceContract):
    @pytest.fixture(autouse=True)
    def _ledger(self, postgres_url):
        self.signer = LogSigner.generate("log.example.org/test")
        with PostgresLedger.open(postgres_url, self.signer) as self.ledger:
            yield

    def new_source(self):
        return LedgerSource(self.ledger)

    def grow(self, source, count):
        return appended(self.ledger, count)

    def key(self, source):
        return self.signer.key


class TestHttpLogSourceOverPostgresKeepsTheContract(TestLedgerSourceOverPostgresKeepsTheContract):
    @pytest.fixture(autouse=True)
    def _served(self, _ledger, tmp_path):
        with served_log(tmp_path, self.ledger) as self.url:
            yield

    def new_source(self):
        return HttpLogSource(self.url)


class TestFakeLogSourceKeepsTheContract(LogSourceContract):
    def new_source(self):
        return FakeLogSource()

    def grow(self, source, count):
        return source.grow(count).hashes[-count:]

    def key(self, source):
        return source.key
