"""An installation whose ledger is in PostgreSQL: made once, used by every command, and never a second log by accident."""

from __future__ import annotations

import warnings

import pytest

from governance.errors import ConfigurationError, EmptyLedgerError
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger
from support.command import Shell


def made(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        return [str(part) for part in initialise(settings)]


def password_of(url):
    return url.partition("//")[2].partition("@")[0].partition(":")[2]


def test_an_empty_database_is_filled_once(tmp_path, postgres_url):
    settings = Settings.load(home=tmp_path / "home", database_url=postgres_url)
    parts = made(settings)
    assert any(part.startswith("postgresql://") for part in parts)
    assert all(not password_of(postgres_url) or password_of(postgres_url) not in part for part in parts)
    assert made(settings) == []
    assert not settings.ledger_path.exists()
    assert list(open_ledger(settings).verify()) == []


def test_an_installation_that_had_a_ledger_gets_no_second_log(tmp_path, postgres_url):
    settings = Settings.load(home=tmp_path / "home")
    made(settings)
    with pytest.raises(ConfigurationError, match="governance ledger restore"):
        made(settings.model_copy(update={"database_url": postgres_url}))


def test_a_database_that_vanished_is_not_replaced(tmp_path, postgres_cluster):
    first, second = postgres_cluster.fresh_database(), postgres_cluster.fresh_database()
    made(Settings.load(home=tmp_path / "home", database_url=first))
    with pytest.raises(ConfigurationError, match="signed a log already"):
        made(Settings.load(home=tmp_path / "home", database_url=second))
    with pytest.raises(EmptyLedgerError):
        open_ledger(Settings.load(home=tmp_path / "home", database_url=second))
    for url in (first, second):
        postgres_cluster.drop(url)


def test_commands_read_and_write_it(tmp_path, postgres_url):
    shell = Shell(tmp_path, tmp_path / "home", {"GOVERNANCE_DATABASE_URL": postgres_url})
    assert "made postgresql://" in shell("init").succeeded().out
    shell(
        "api-keys", "create", "--principal", "a@example.org", "--role", "auditor", "--scope", "ledger.read"
    ).succeeded()
    listed = shell("ledger", "list", "--json").succeeded().json
    assert [entry["kind"] for entry in listed] == ["register", "access"]
    assert shell("ledger", "verify", "--json").succeeded().json["entries"] == 2
    if password := password_of(postgres_url):
        wrong = {"GOVERNANCE_DATABASE_URL": postgres_url.replace(f":{password}@", ":another@")}
        refused = Shell(tmp_path, tmp_path / "home", wrong)("ledger", "list").failed(1, "cannot be made")
        assert "another" not in refused.err
