"""`governance ledger`: what was asked, decided and released; and the proof of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from governance.canonical import Json
from governance.checkpoint import parse_checkpoint, verify_receipt
from governance.cosignature import WitnessKey
from governance.entries import Entry, EntryKind
from governance.errors import ConfigurationError, LedgerError
from governance.ports import Ledger
from governance_adapters.commands import backups, erasure, publication
from governance_adapters.commands import search as searching
from governance_adapters.commands import witness as witnessing
from governance_adapters.commands.entries import codes_of, documents_json, entry_json, personal_json, print_entry
from governance_adapters.commands.output import JsonFlag, out, print_fields, print_json, print_table, printable
from governance_adapters.commands.since import Since, check_since
from governance_adapters.commands.witness import parse_key
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import Settings
from governance_adapters.storage.audit_processes import MAX_PROCESSES, cores
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.wiring import as_principal, open_ledger

_LARGE = 50_000
"""Entries from which on starting further processes to verify them pays."""
_MOST = 4

app = typer.Typer(no_args_is_help=True, help="The provenance ledger.")
app.command()(backups.backup)
app.command("restore")(backups.restore_backup)
app.command()(searching.search)
app.command()(searching.find)
app.command()(searching.rollups)
app.command()(searching.reindex)
app.command()(erasure.erase)
app.command()(erasure.retain)
app.add_typer(erasure.legal_holds, name="legal-hold")


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
    rows = [(str(i), e.time, e.kind.value, e.subject, e.id, codes_of(e)) for i, e in page]
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
                    "erased": dict(ledger.erasures(item.id)),
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
def verify(
    since: Annotated[
        Path | None,
        typer.Option(help="First check that it extends what was kept here: a checkpoint, published lines, a receipt."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(help="Key (text or file) of a witness that must have cosigned that checkpoint; may be repeated."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_PROCESSES,
            help="How many share the work. Default: 1, or one a core, at most 4, if it is large.",
        ),
    ] = None,
    record_only: Annotated[
        bool,
        typer.Option("--record-only", help="Leave out what is derived: the index of searches and the counts by day."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Recompute the whole ledger from its leaves: hashes, tree, checkpoints, commitments, look-up columns.

    Exit code 5: it does not extend the checkpoint that --since names, so it was rolled back or rewritten.
    """
    settings = Settings.load()
    ledger = open_ledger(settings)
    kept = _since(since, witness or [], ledger, settings)
    with out.status("recomputing the ledger"):
        many = processes or _processes(parse_checkpoint(ledger.checkpoint()).size)
        problems = list(ledger.verify(processes=many, index=not record_only))
    jumps = [] if problems else list(ledger.clock_jumps())
    checkpoint = parse_checkpoint(ledger.checkpoint())
    summary: dict[str, Json] = {"origin": checkpoint.origin, "entries": checkpoint.size, "root": checkpoint.root.hex()}
    if as_json:
        outside = {} if kept is None else {"since": kept.as_json()}
        left_out: dict[str, Json] = {"record_only": record_only}
        print_json({**summary, **outside, **left_out, "problems": problems, "clock": jumps, "sound": not problems})
    else:
        for line in () if kept is None else kept.lines():
            out.print(f"  {line}", markup=False)
        for problem in problems:
            out.print(f"  {problem}", markup=False, style="red")
        for jump in jumps:
            out.print(f"  {jump}", markup=False, style="yellow")
        state = f"{len(problems)} problems" if problems else "verified"
        out.print(f"{checkpoint.origin}: {checkpoint.size} entries, {state}", style="red" if problems else "green")
        out.print(f"root {checkpoint.root.hex()}")
        if record_only:
            out.print("not compared: the index of searches and the counts by day")
    raise typer.Exit(1 if problems else 0)


def _processes(size: int) -> int:
    """How many processes share the verification of so many entries, where nobody says."""
    return min(cores(), _MOST) if size > _LARGE else 1


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


app.command("checkpoint")(publication.checkpoint)
app.command("witness")(witnessing.witness)


def _since(path: Path | None, witnesses: list[str], ledger: Ledger, settings: Settings) -> Since | None:
    if path is None:
        if witnesses:
            raise ConfigurationError("There is no checkpoint that they cosigned.", remedy="Give --since FILE too.")
        return None
    keys = tuple(parse_key(text, WitnessKey) for text in witnesses)
    return check_since(path, ledger, KeyFolder(settings.keys_path).log_public(), keys, settings)


def _indexed(ledger: SqlLedger, entry_id: str) -> tuple[int, Entry]:
    receipt = ledger.receipt(entry_id)
    if receipt.entry.id != entry_id:
        raise LedgerError(f"There is no entry {entry_id}.", remedy="List them with `governance ledger list`.")
    return receipt.index, receipt.entry
