"""`governance ledger backup` and `restore`: a copy of everything at one moment, and what it is worth later."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from governance.errors import LedgerError
from governance.ports import Ledger
from governance_adapters.commands.output import JsonFlag, out, print_json
from governance_adapters.commands.since import check_since
from governance_adapters.installation import existing_keys, ledger_for_appending
from governance_adapters.ledgers import ledger_name
from governance_adapters.restoring import Trial, restore, try_backup
from governance_adapters.settings import Settings


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")], as_json: JsonFlag = False
) -> None:
    """Write the whole ledger, as it stands at one moment, into one SQLite file, whatever database it is in; writers go on.

    It holds personal data. Copy the vault after it: every file that the backup names is there by then.
    """
    settings = Settings.load()
    with ledger_for_appending(settings) as ledger, out.status("copying the ledger"):
        checkpoint = ledger.back_up(file)
    if as_json:
        print_json({"file": str(file), "entries": checkpoint.size, "root": checkpoint.root.hex()})
    else:
        out.print(f"{checkpoint.origin}: {checkpoint.size} entries in {file}", markup=False)


def restore_backup(
    file: Annotated[Path, typer.Argument(help="A file that `governance ledger backup` wrote.")],
    check: Annotated[bool, typer.Option("--check", help="Try it out on a copy, and change nothing.")] = False,
    since: Annotated[
        Path | None, typer.Option(help="Checkpoints or a receipt, kept elsewhere, that it must extend.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on although the log is known to have had more entries.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup in the place of a missing ledger, also in another database: verified, and erased again what was erased.

    Exit code 1: it does not verify, or entries are known to be lost and that was not accepted.
    """
    settings = Settings.load()
    trial = _tried(settings, file, since)
    placed = not check and not trial.problems and (accept_loss or not trial.lost)
    report = restore(settings, file, trial) if placed else trial.erased
    if as_json:
        print_json({**trial.as_json(), "restored": placed, "erased": report.as_json()["erased"]})
    else:
        _print(trial, report.fields, report.files)
        if placed:
            out.print(f"restored as {ledger_name(settings)}", markup=False, style="green")
        elif trial.lost and not trial.problems:
            out.print("entries after this backup are lost: receipts of them no longer agree with this log", style="red")
    raise typer.Exit(0 if (trial.sound if check else placed) else 1)


def _tried(settings: Settings, file: Path, since: Path | None) -> Trial:
    if not file.is_file():
        raise LedgerError(f"There is no backup at {file}.", remedy="Name the file that was written.")

    def extends(path: Path, ledger: Ledger) -> object:
        return check_since(path, ledger, existing_keys(settings).log_public(), (), settings)

    with out.status("trying the backup"):
        return try_backup(settings, file, None if since is None else partial(extends, since))


def _print(trial: Trial, fields: int, files: int) -> None:
    out.print(f"backup of {trial.backup.origin}: {trial.backup.size} entries", markup=False)
    out.print(f"erased again: {fields} fields, {files} files")
    for line in (*trial.problems, *trial.lost):
        out.print(f"  {line}", markup=False, style="red")
    state = f"{len(trial.problems)} problems" if trial.problems else "verified"
    out.print(f"{state}; {len(trial.lost)} signs of lost entries", style="green" if trial.sound else "red")
