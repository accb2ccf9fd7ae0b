"""Vault and ledger compared: what no entry released, and what an entry released and is missing."""

from __future__ import annotations

import pytest

from governance.canonical import digest
from governance.errors import StorageError
from governance.testing import FakeLedger
from governance.testing.example_records import intent_record, released_record
from governance.testing.storage import FakeVault
from governance.vault_accounts import disagreements

CONTENTS = [f"file {number}".encode() for number in range(3)]


def recorded(contents, vault):
    """A ledger that released these, and the vault that has them."""
    ledger = FakeLedger()
    for number, content in enumerate(contents):
        intent = intent_record(f"g{number}")
        ledger.append(intent)
        ledger.append(released_record(f"g{number}", content, mark_id=number, intent=intent))
        vault.put(digest(content), content)
    return ledger


@pytest.fixture
def vault():
    return FakeVault()


def test_what_agrees_says_nothing(vault):
    ledger = recorded(CONTENTS, vault)
    for content in CONTENTS[:2]:
        vault.publish(digest(content))
    assert list(disagreements(ledger, vault)) == []  # the third is on its way: staged, and released


def test_a_file_without_an_entry_and_an_entry_without_its_file_are_named(vault):
    ledger = recorded(CONTENTS[:2], vault)
    for content in CONTENTS[:2]:
        vault.publish(digest(content))
    stray = digest(CONTENTS[2])
    vault.put(stray, CONTENTS[2])
    vault.publish(stray)
    missing = digest(CONTENTS[0])
    del vault.published[missing]
    first, second = disagreements(ledger, vault)
    assert stray in first
    assert "no entry released it" in first
    assert missing in second
    assert ledger.find_asset(missing).id in second


def test_a_vault_that_cannot_be_listed_is_no_agreement(vault):
    ledger = recorded(CONTENTS, vault)
    vault.errors["contents"] = StorageError("gone", remedy="mount it")
    with pytest.raises(StorageError):
        list(disagreements(ledger, vault))
