"""`governance recall`: revoke all that descends from a licence, a dataset, a record, a model or a LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from governance.canonical import Json
from governance.errors import RecallError, StorageError
from governance.lineage.descent import Descendants, descendants
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.lineage.recalling import Recalled, notices, recall_all, recalled_before, write_lines, write_table
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance_adapters.audit_files import FolderAuditFiles
from governance_adapters.commands.output import JsonFlag, err, one_line, out, print_json, print_table, printable
from governance_adapters.installation import ledger_for_appending, ledger_for_reading
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.wiring import as_principal

INCOMPLETE: Final = 2
"""The exit code where something could not be looked at, so that descendants may be missing."""
_SHOWN: Final = 20
_REASON: Final = "Why, for the record: kept erasably beside the entries."


def recall_command(
    licence: Annotated[str | None, typer.Option(help="A licence that ended: SPDX, such as CC-BY-4.0.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A dataset's name: every audit of it.")] = None,
    record: Annotated[str | None, typer.Option(help="SHA-256 of one record's bytes.")] = None,
    model: Annotated[str | None, typer.Option(help="A model's key in the register.")] = None,
    lora: Annotated[str | None, typer.Option("--lora", "--adapter", help="SHA-256 of a LoRA's weights.")] = None,
    reason: Annotated[str, typer.Option(help=_REASON)] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be recalled.")] = False,
    list_file: Annotated[
        Path | None,
        typer.Option("--notices", help="Write the list of notices: CSV where the name ends so, else JSON Lines."),
    ] = None,
    principal: Annotated[
        str | None, typer.Option("--principal", help="Who does it. Default: from the settings.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List every descendant of one cause and recall it: entries in the ledger, after which `verify` says `recalled`.

    Doing it again adds what is new and nothing twice. Exit code 0: done. 2: done, but something could not be looked at.
    """
    cause = _cause(licence, dataset, record, model, lora)
    settings = Settings.load()
    run = None if dry_run else Recall(cause, as_principal(principal, None, settings), reason)
    with ledger_for_reading(settings) if run is None else ledger_for_appending(settings) as ledger:
        files = FolderAuditFiles(settings, ledger)
        if run is None:
            with err.status("looking for descendants"):
                found = descendants(ledger, cause, files)
            before = recalled_before(ledger, cause)
            done = Recalled((), found.targets.without(before), before)
        else:
            with err.status("looking for descendants") as status:
                found, done = recall_all(
                    ledger,
                    run,
                    lambda: descendants(ledger, cause, files),
                    lambda at, of: status.update(f"recalling: entry {at} of {of}"),
                )
        names = _names(ledger)
    listed = 0 if list_file is None else _write(found, names, list_file)
    if as_json:
        print_json(_json(found, done, dry_run=dry_run, listed=listed))
    else:
        _print(found, done, names, dry_run=dry_run)
        if list_file is not None:
            out.print(f"{listed} notices in {list_file}", markup=False)
    raise typer.Exit(INCOMPLETE if found.gaps else 0)


def _cause(licence: str | None, dataset: str | None, record: str | None, model: str | None, lora: str | None) -> Cause:
    given = {
        RecallBy.LICENCE: licence,
        RecallBy.DATASET: dataset,
        RecallBy.RECORD: record,
        RecallBy.MODEL: model,
        RecallBy.ADAPTER: lora,
    }
    named = [(by, value) for by, value in given.items() if value is not None]
    if len(named) != 1:
        raise RecallError(
            f"A recall has one cause, not {len(named)}.",
            remedy="Give one of --licence, --dataset, --record, --model and --lora.",
        )
    by, value = named[0]
    return Cause(by, value if by in (RecallBy.LICENCE, RecallBy.DATASET) else value.lower())


def _names(ledger: SqlLedger) -> dict[str, str]:
    registers = Registers(ledger)
    return {
        each.item.key: str(each.item.as_json()["name"])
        for register in (RegisterName.MODELS, RegisterName.ADAPTERS)
        for each in registers.list(register, withdrawn=True)
    }


def _write(found: Descendants, names: dict[str, str], path: Path) -> int:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            return _notices(found, names, file, table=path.suffix.lower() == ".csv")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", remedy="Check the path.") from error


def _notices(found: Descendants, names: dict[str, str], file: TextIO, *, table: bool) -> int:
    return (write_table if table else write_lines)(notices(found, names), file)


def _json(found: Descendants, done: Recalled, *, dry_run: bool, listed: int) -> dict[str, Json]:
    return {
        "cause": found.cause.as_json(),
        "dry_run": dry_run,
        "descendants": _counts(found.targets),
        "recalled": _counts(done.targets),
        "recalled_before": _counts(done.before),
        "entries": list(done.entries),
        "datasets": [{**audit.named.as_json(), "why": why} for audit, why in found.datasets],
        "models": [{"key": key, "why": why} for key, why in found.models.items()],
        "adapters": [{"digest": key, "why": why} for key, why in found.adapters.items()],
        "assets": [{**release.as_json(), "through": through} for release, through in found.releases],
        "notices": listed,
        "gaps": list(found.gaps),
    }


def _print(found: Descendants, done: Recalled, names: dict[str, str], *, dry_run: bool) -> None:
    rows = [
        (str(each["kind"]), str(each["key"]), one_line(str(each["name"])), one_line(str(each["why"])))
        for each, _ in zip(notices(found, names), range(_SHOWN), strict=False)
    ]
    shown = f", the first {len(rows)} of them above" if len(found.targets) > len(rows) else ""
    print_table(f"{len(found.targets)} descendants{shown}", ("kind", "key", "name", "why"), rows)
    for name, count in _counts(found.targets).items():
        out.print(f"  {name}: {count}")
    for gap in found.gaps:
        out.print(f"  NOT KNOWN: {printable(gap)}", style="yellow", markup=False)
    if dry_run:
        out.print(f"{len(done.targets)} would be recalled, {len(done.before)} were before; nothing was written")
    else:
        out.print(f"{len(done.targets)} recalled by {len(done.entries)} entries, {len(done.before)} were before")


def _counts(targets: Targets) -> dict[str, Json]:
    return {
        "datasets": len(targets.datasets),
        "models": len(targets.models),
        "adapters": len(targets.adapters),
        "assets": len(targets.assets),
    }
