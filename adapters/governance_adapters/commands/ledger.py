"""`governance ledger`: what was asked, decided and released; and the proof of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from governance.bodies import decision_of
from governance.canonical import Json
from governance.checkpoint import parse_checkpoint, verify_receipt
from governance.entries import Entry, EntryKind
from governance.errors import LedgerError
from governance_adapters.commands.entries import documents_json, entry_json, personal_json, print_entry
from governance_adapters.commands.output import JsonFlag, out, print_fields, print_json, print_table, printable
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.wiring import as_principal, open_ledger

app = typer.Typer(no_args_is_help=True, help="The provenance ledger.")


@app.command("list")
def list_entries(
    after: Annotated[int, typer.Option(help="Only entries with a higher index: the cursor of a page.")] = -1,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    generation: Annotated[str | None, typer.Option(help="Only entries of this generation.")] = None,
    kind: Annotated[EntryKind | None, typer.Option(help="Only entries of this kind.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List entries, oldest first."""
    ledger = open_ledger(Settings.load())
    page = ledger.entries(after=after, limit=limit, subject=generation, kind=kind)
    if as_json:
        print_json([entry_json(index, entry) for index, entry in page])
        return
    rows = [(str(i), e.time, e.kind.value, e.subject, e.id, _codes(e)) for i, e in page]
    print_table(f"{len(page)} entries", ("index", "time", "kind", "generation", "entry", "why"), rows)


@app.command()
def show(
    entry: Annotated[str, typer.Argument(help="An entry's id, or a generation's.")], as_json: JsonFlag = False
) -> None:
    """Show an entry, or all entries of a generation: who asked, what was decided and released, what exactly made it.

    Personal fields only as far as they were not erased; policy input, model and call are the documents it commits to.
    """
    ledger = open_ledger(Settings.load())
    found = ledger.entries(subject=entry, limit=10_000) or [_indexed(ledger, entry)]
    if as_json:
        print_json(
            [
                {
                    **entry_json(index, item),
                    "personal": personal_json(ledger, item),
                    "documents": documents_json(ledger, item),
                }
                for index, item in found
            ]
        )
        return
    shown: dict[str, str] = {}
    for index, item in found:
        print_entry(ledger, index, item, shown)


@app.command()
def verify(as_json: JsonFlag = False) -> None:
    """Recompute the whole ledger from its leaves: hashes, tree, checkpoints, commitments, look-up columns."""
    ledger = open_ledger(Settings.load())
    with out.status("recomputing the ledger"):
        problems = list(ledger.verify())
    checkpoint = parse_checkpoint(ledger.checkpoint())
    summary: dict[str, Json] = {"origin": checkpoint.origin, "entries": checkpoint.size, "root": checkpoint.root.hex()}
    if as_json:
        print_json({**summary, "problems": problems, "sound": not problems})
    else:
        for problem in problems:
            out.print(f"  {problem}", markup=False, style="red")
        state = f"{len(problems)} problems" if problems else "verified"
        out.print(f"{checkpoint.origin}: {checkpoint.size} entries, {state}", style="red" if problems else "green")
        out.print(f"root {checkpoint.root.hex()}")
    raise typer.Exit(1 if problems else 0)


@app.command()
def prove(entry: Annotated[str, typer.Argument(help="An entry's id.")], as_json: JsonFlag = False) -> None:
    """Print a receipt for an entry: leaf, inclusion proof and signed checkpoint, as JSON for anybody to verify."""
    del as_json  # a receipt is JSON either way
    settings = Settings.load()
    receipt = open_ledger(settings).receipt(entry)
    verify_receipt(receipt, KeyFolder(settings.keys_path).log_public())
    typer.echo(receipt.to_json(), nl=False)


@app.command()
def usage(
    principal: Annotated[str | None, typer.Option(help="Whose usage. Default: from the settings.")] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day (UTC), such as 2026-11-23. Default: today.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a principal's admitted requests of a day come to: images, steps, pixels and steps x pixels."""
    settings = Settings.load()
    whose, when = as_principal(principal, None, settings).id, f"{day or datetime.now(UTC):%Y-%m-%d}"
    spent = open_ledger(settings).usage(whose, when).as_json()
    if as_json:
        print_json({"principal": whose, "day": when, **spent})
    else:
        print_fields({"principal": printable(whose), "day": when, **{name: str(sum_) for name, sum_ in spent.items()}})


def _indexed(ledger: SqliteLedger, entry_id: str) -> tuple[int, Entry]:
    receipt = ledger.receipt(entry_id)
    if receipt.entry.id != entry_id:
        raise LedgerError(f"There is no entry {entry_id}.", remedy="List them with `governance ledger list`.")
    return receipt.index, receipt.entry


def _codes(entry: Entry) -> str:
    decision = decision_of(entry, ())
    if decision and decision.reasons:
        return ", ".join(reason.code for reason in decision.reasons)
    return f"{entry.body['step']}: {entry.body['error']}" if entry.kind is EntryKind.FAILED else ""
