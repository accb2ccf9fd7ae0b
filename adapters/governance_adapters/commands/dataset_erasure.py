"""`governance dataset erase`: somebody is forgotten in the audits of a dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from governance.erasure import Basis, ErasureOrder
from governance.errors import ConfigurationError
from governance.forgotten import ErasureReport
from governance_adapters.commands.erasure import ByHand, ByOption, DryRunFlag, ReferenceOption, show_report, tell
from governance_adapters.commands.output import JsonFlag, out
from governance_adapters.dataset_erasing import FolderAuditRecords
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal, open_eraser


def erase(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    owner: Annotated[
        str | None, typer.Option(help="Erase the records of this owner, as the audit has the name.")
    ] = None,
    record: Annotated[str | None, typer.Option(help="Erase the records of this id.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Only what entries say is erased: after a crash, or with a restored folder.")
    ] = False,
    basis: Annotated[
        ByHand, typer.Option(help="Why: `request` of the person, or `order` of a court.")
    ] = ByHand.REQUEST,
    reference: ReferenceOption = "",
    by: ByOption = None,
    dry_run: DryRunFlag = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Erase for good what is personal of some records, in every audit of a dataset: caption, owner and source.

    The signed root and every proof stay. Exit code 1: something was kept, and the output says why. Running it again completes
    what was interrupted.
    """
    if sum((owner is not None, record is not None, again)) != 1:
        raise ConfigurationError("What is to be erased?", remedy="Give one of --owner, --record and --again.")
    if not (owner or record or again):
        raise ConfigurationError("An empty name is nobody's.", remedy="Name the owner, or the record's id.")
    if again and dry_run:
        raise ConfigurationError("--again erases nothing new.", remedy="Leave out --dry-run.")
    if as_json and not (yes or dry_run or again):
        raise ConfigurationError("A program is not asked.", remedy="Give --yes or --dry-run with --json.")
    settings = Settings.load()
    order = ErasureOrder(Basis(basis.value), as_principal(by, None, settings), reference)
    records = FolderAuditRecords(settings.datasets_path)
    with ledger_for_appending(settings) as ledger:
        eraser = open_eraser(settings, ledger)

        def run(*, dry_run: bool) -> ErasureReport:
            column, value = ("id", str(record)) if owner is None else ("owner", owner)
            found, kept = ([], []) if again else records.find(ledger, name, column, value)
            report = eraser.records(found, order, person=owner or "", dry_run=dry_run)
            return replace(report, kept=(*report.kept, *kept))

        if not dry_run:
            ledger.recover()
            eraser.settle()
            completed = records.erase_again(ledger, name)
            if again and not as_json:
                out.print(f"what entries say is erased is erased, in {completed} audits of {name}", markup=False)
            if not (yes or again):
                show_report(run(dry_run=True))
                typer.confirm("Erase this for good?", abort=True, err=True)
        report = run(dry_run=dry_run)
    tell(report, as_json=as_json)
