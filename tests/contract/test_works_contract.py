"""Each register of works keeps the contract."""

from __future__ import annotations

import pytest

from governance.testing.works import FakeWorkRegister
from governance.testing.works_contract import WorkRegisterContract
from governance.types import new_id
from governance_adapters.storage.works import SqliteWorks


class TestSqliteWorksKeepsTheContract(WorkRegisterContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def new_register(self, ledger):
        return SqliteWorks(self.folder / f"{new_id()}.sqlite3", ledger, create=True)


class TestFakeWorkRegisterKeepsTheContract(WorkRegisterContract):
    def new_register(self, ledger):
        return FakeWorkRegister(ledger)
