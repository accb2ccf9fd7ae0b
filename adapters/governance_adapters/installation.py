"""What an installation is made of on disk: making it, and finding its parts or saying what to run."""

from __future__ import annotations

import shutil
from pathlib import Path

from governance.errors import ConfigurationError
from governance_adapters.marking.keys import KeyFolder, create_insecure_keys
from governance_adapters.policy.bundle import default_bundle_path
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.owners import FOLDER_SUFFIX
from governance_adapters.storage.works import SqliteWorks

INIT_REMEDY = "Run `governance init` first."


def initialise(settings: Settings) -> tuple[Path, ...]:
    """Make what is missing of an installation: the default bundle, insecure development keys, the ledger, the register.

    What exists is left alone. Returns the paths that were made.

    Raises:
        ConfigurationError: a folder cannot be written; or the keys or the ledger of an installation that was worked
            with are gone, which nothing new can replace.
        LedgerError: the ledger cannot be made.
        WorkError: the register of works cannot be made, or is gone and the ledger knows what it held.
    """
    if settings.ledger_path.exists():
        existing_keys(settings)
    elif _worked_with(settings):
        raise _missing_ledger(settings)
    made: list[Path] = []
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
    if not settings.ledger_path.exists():
        SqliteLedger.open(settings.ledger_path, KeyFolder(settings.keys_path).log()).close()
        made.append(settings.ledger_path)
    if not settings.works_path.exists():
        with SqliteLedger.open(settings.ledger_path, KeyFolder(settings.keys_path).log(), create=False) as ledger:
            SqliteWorks(settings.works_path, ledger, create=True)
        made.append(settings.works_path)
    return tuple(made)


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
    if not settings.keys_path.exists() and settings.ledger_path.exists():
        raise ConfigurationError(
            f"{settings.keys_path} does not exist, but the ledger that its keys signed does.",
            remedy="Restore it from its backup: no other keys open this ledger. To begin a new log instead, "
            f"set GOVERNANCE_HOME to a new folder. {INIT_REMEDY}",
        )
    return KeyFolder(existing(settings.keys_path))


def existing_ledger(settings: Settings) -> Path:
    """The ledger's file.

    Raises:
        ConfigurationError: it is missing; where its keys are there, a new one would be another log.
    """
    if settings.keys_path.exists() and not settings.ledger_path.exists():
        raise _missing_ledger(settings)
    return existing(settings.ledger_path)


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
