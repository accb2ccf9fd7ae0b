"""What an installation is made of on disk: making it, and finding its parts or saying what to run."""

from __future__ import annotations

import shutil
from pathlib import Path

from governance.checkpoint import LogSigner
from governance.errors import ConfigurationError
from governance_adapters import ledgers
from governance_adapters.marking.keys import KeyFolder, create_insecure_keys
from governance_adapters.policy.bundle import default_bundle_path
from governance_adapters.registrations import register_shipped, unregistered_shipped
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.storage.owners import FOLDER_SUFFIX
from governance_adapters.storage.works import SqliteWorks

INIT_REMEDY = "Run `governance init` first."


def initialise(settings: Settings) -> tuple[Path | str, ...]:
    """Make what is missing of an installation: the default bundle, insecure development keys, the ledger, the register.

    What exists is left alone. The model that ships with the package is registered, once in the life of a ledger. Returns the paths, and the name of the database, that were made.

    Raises:
        ConfigurationError: a folder cannot be written; or the keys or the ledger of an installation that was worked
            with are gone, which nothing new can replace.
        LedgerError: the ledger cannot be made.
        WorkError: the register of works cannot be made, or is gone and the ledger knows what it held.
    """
    if settings.database_url is None and not settings.ledger_path.exists() and _worked_with(settings):
        raise _missing_ledger(settings)
    if settings.ledger_path.exists():
        existing_keys(settings)
    made: list[Path | str] = []
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not settings.bundle_path.exists():
            shutil.copytree(default_bundle_path(), settings.bundle_path)
            made.append(settings.bundle_path)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.home} cannot be written: {error.strerror or error}.",
            remedy="Set GOVERNANCE_HOME to a folder of yours.",
        ) from error
    if not settings.keys_path.exists():
        create_insecure_keys(settings.keys_path)
        made.append(settings.keys_path)
    signer = KeyFolder(settings.keys_path).log()
    if settings.database_url is not None:
        fresh = not settings.ledger_path.exists() and not settings.works_path.exists()
        if ledgers.make_database_ledger(settings, signer, fresh=fresh):
            made.append(ledgers.ledger_name(settings))
    elif not settings.ledger_path.exists():
        ledgers.open_for_appending(settings, signer, create=True).close()
        made.append(settings.ledger_path)
    if not settings.works_path.exists():
        with ledgers.open_for_appending(settings, signer) as ledger:
            SqliteWorks(settings.works_path, ledger, create=True)
        made.append(settings.works_path)
    _register(settings, signer)
    return tuple(made)


def _register(settings: Settings, signer: LogSigner) -> None:
    """Register what ships with the package; where it is registered, the ledger is only read."""
    with ledgers.open_for_reading(settings, signer.key) as ledger:
        missing = any(unregistered_shipped(ledger))
    if missing:
        with ledgers.open_for_appending(settings, signer) as ledger:
            register_shipped(ledger)


def existing(path: Path) -> Path:
    """`path`, where something is.

    Raises:
        ConfigurationError: nothing is.
    """
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist.", remedy=INIT_REMEDY)
    return path


def existing_keys(settings: Settings) -> KeyFolder:
    """The key folder.

    Raises:
        ConfigurationError: it is missing; where its ledger is there, nothing but its backup can replace it.
    """
    if not settings.keys_path.exists() and settings.database_url is None and settings.ledger_path.exists():
        raise ConfigurationError(
            f"{settings.keys_path} does not exist, but the ledger that its keys signed does.",
            remedy="Restore it from its backup: no other keys open this ledger. To begin a new log instead, "
            f"set GOVERNANCE_HOME to a new folder. {INIT_REMEDY}",
        )
    return KeyFolder(existing(settings.keys_path))


def ledger_for_appending(settings: Settings) -> SqlLedger:
    """The ledger, opened with the log's private key.

    Raises:
        ConfigurationError: it or its keys are missing; where its keys are there, a new one would be another log.
        LedgerError: it cannot be opened.
    """
    signer = existing_keys(settings).log()
    require_ledger(settings)
    return ledgers.open_for_appending(settings, signer)


def ledger_for_reading(settings: Settings) -> SqlLedger:
    """The ledger, opened for reading only.

    Raises:
        ConfigurationError: as `ledger_for_appending`.
        LedgerError: it cannot be read.
    """
    require_ledger(settings)
    return ledgers.open_for_reading(settings, existing_keys(settings).log_public())


def require_ledger(settings: Settings) -> None:
    """Refuse to go on where the ledger's file is missing; a database says so itself.

    Raises:
        ConfigurationError: it is missing; where its keys are there, a new one would be another log.
    """
    if settings.database_url is not None:
        return
    if settings.keys_path.exists() and not settings.ledger_path.exists():
        raise _missing_ledger(settings)
    existing(settings.ledger_path)


def _worked_with(settings: Settings) -> bool:
    """Whether a ledger was at work here once: it leaves a folder of locks beside it."""
    return settings.ledger_path.with_name(settings.ledger_path.name + FOLDER_SUFFIX).exists()


def _missing_ledger(settings: Settings) -> ConfigurationError:
    new_log = "a new one would start a new log that knows nothing of what was released"
    if _worked_with(settings):
        how = f"{new_log}; if that is meant, set GOVERNANCE_HOME to a new folder and run `governance init`"
    else:
        how = f"{new_log}. If there never was one, run `governance init`"
    return ConfigurationError(
        f"The ledger {settings.ledger_path} is missing.", remedy=f"Restore it from its backup: {how}."
    )
