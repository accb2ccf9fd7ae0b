"""`governance ledger erase`, `retain` and `legal-hold`: what is to be forgotten, and what may not be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.text import Text

from governance.canonical import Json
from governance.entries import LegalHoldRecord, LegalHoldScope
from governance.erasure import Basis, ErasureOrder
from governance.errors import ConfigurationError, LegalHoldError
from governance.forgetting import Eraser
from governance.forgotten import ErasureReport, Kept
from governance.legal_holds import HELD_PERSON_FIELD, covering, lifted_record, placed_record
from governance.legal_keeping import check_scope
from governance.ports import Ledger
from governance.types import utc_now
from governance_adapters.commands.output import JsonFlag, err, out, print_fields, print_json, print_table, printable
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.wiring import as_principal, open_eraser, open_ledger

legal_holds = typer.Typer(no_args_is_help=True, help="What may not be erased, whoever asks and whatever is due.")

ByOption = Annotated[str | None, typer.Option("--by", help="Who does it. Default: from the settings.")]
ReferenceOption = Annotated[
    str, typer.Option(help="What the entry is to say about it, such as a file number; no names of people.")
]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased and what kept.")]
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


class ByHand(StrEnum):
    """Why somebody erases by hand."""

    REQUEST = "request"
    ORDER = "order"


def erase(
    principal: Annotated[str | None, typer.Option(help="Erase this person, by the id that they asked under.")] = None,
    generation: Annotated[str | None, typer.Option(help="Erase all that is personal of this generation.")] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Also the released files, and what their marks lead to.")
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
    """Erase a person, or one generation, for good. Entries and proofs stay; what they commit to opens no more.

    Exit code 1: something was kept, and the output says why. Running it again completes what was interrupted.
    """
    if (principal is None) is (generation is None):
        raise ConfigurationError("What is to be erased?", remedy="Give either --principal or --generation.")
    if as_json and not (yes or dry_run):
        raise ConfigurationError("A program is not asked.", remedy="Give --yes or --dry-run with --json.")
    settings = Settings.load()
    order = ErasureOrder(Basis(basis.value), as_principal(by, None, settings), reference)

    def run(eraser: Eraser, *, dry_run: bool) -> ErasureReport:
        if principal is not None:
            return eraser.person(principal, order, files=files, dry_run=dry_run)
        return eraser.subject(str(generation), order, files=files, dry_run=dry_run)

    with _opened(settings) as (ledger, eraser):
        if not dry_run:
            ledger.recover()
            if not yes:
                show_report(run(eraser, dry_run=True))
                typer.confirm("Erase this for good?", abort=True, err=True)
        report = run(eraser, dry_run=dry_run)
        if principal is not None:
            report = _api_keys(settings, ledger, principal, report)
    tell(report, as_json=as_json)


def retain(
    now: Annotated[str | None, typer.Option(help="As if it were this time, in RFC 3339 UTC. Default: it is.")] = None,
    reference: ReferenceOption = "",
    by: ByOption = None,
    dry_run: DryRunFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Erase what is past the time that policy obliged to keep it (`retain_days`): all that is personal, files and marks.

    Exit code 1: something was kept, and the output says why. Meant to be run every day.
    """
    settings = Settings.load()
    nobody = by is None and settings.principal is None  # time passes by itself
    order = ErasureOrder(Basis.RETENTION, None if nobody else as_principal(by, None, settings), reference)
    with _opened(settings) as (ledger, eraser):
        if not dry_run:
            ledger.recover()
        report = eraser.retain(_checked_time(now), order, dry_run=dry_run)
    tell(report, as_json=as_json)


@legal_holds.command()
def place(
    generation: Annotated[str | None, typer.Option(help="Keep this generation.")] = None,
    principal: Annotated[str | None, typer.Option(help="Keep all that names this person.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Keep everything.")] = False,
    reference: ReferenceOption = "",
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Place a legal hold: until it is lifted nothing that it is on is erased, on whatever basis."""
    wanted = [
        (LegalHoldScope.GENERATION, generation),
        (LegalHoldScope.PRINCIPAL, principal),
        (LegalHoldScope.EVERYTHING, "" if everything else None),
    ]
    chosen = [(kind, scope) for kind, scope in wanted if scope is not None]
    if len(chosen) != 1:
        raise ConfigurationError("What is it on?", remedy="Give one of --generation, --principal and --everything.")
    settings = Settings.load()
    record = placed_record(*chosen[0], as_principal(by, None, settings), reference)
    with ledger_for_appending(settings) as ledger:
        named = check_scope(ledger, *chosen[0])
        ledger.append(record)
    _changed(record.legal_hold, "placed", as_json=as_json, named=named)
    if not (named or as_json):
        err.print(Text("No entry names this person yet: it keeps what will.", style="yellow"))


@legal_holds.command()
def lift(
    hold: Annotated[str, typer.Argument(metavar="ID", help="The legal hold's id.")],
    reference: ReferenceOption = "",
    by: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Lift a legal hold: what it kept may be erased again, and what is past its time is due."""
    settings = Settings.load()
    with ledger_for_appending(settings) as ledger:
        found = next((each for each in ledger.legal_holds(lifted=True) if each.id == hold), None)
        if found is None:
            raise LegalHoldError(f"There is no legal hold {hold!r}.", remedy="`governance ledger legal-hold list`.")
        record = lifted_record(found, as_principal(by, None, settings), reference)
        ledger.append(record)
    _changed(record.legal_hold, "lifted", as_json=as_json)


@legal_holds.command("list")
def list_legal_holds(
    lifted: Annotated[bool, typer.Option("--lifted", help="Also those that were lifted.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List legal holds, oldest first, and what they are on."""
    ledger = open_ledger(Settings.load())
    shown = [_shown(ledger, each) for each in ledger.legal_holds(lifted=lifted)]
    if as_json:
        print_json(list(shown))
        return
    names = ("id", "kind", "scope", "placed", "state")
    rows = [[printable(str(each[name] or "")) for name in names] for each in shown]
    print_table(f"{len(rows)} legal holds", ("legal hold", "on", "whom or what", "placed", "state"), rows)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Ledger, Eraser]]:
    with ledger_for_appending(settings) as ledger:
        yield ledger, open_eraser(settings, ledger)


def _checked_time(text: str | None) -> str:
    if text is None:
        return utc_now()
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{text!r} is no time.", remedy="Write RFC 3339 in UTC, such as 2026-11-23T00:00:00Z."
        ) from error
    return text


def _api_keys(settings: Settings, ledger: Ledger, principal: str, report: ErasureReport) -> ErasureReport:
    """Forget this person's API keys that open nothing any more; name those that still do, or that a legal hold keeps."""
    if not settings.api_keys_path.exists():
        return report
    keys, now, legal_holds = ApiKeyFile(settings.api_keys_path), utc_now(), ledger.legal_holds()
    kept: dict[str, Kept] = {}
    for key in keys.list():
        if key.principal != principal:
            continue
        if (hold := covering(legal_holds, key.id, [principal])) is not None:
            kept[key.id] = Kept(key.id, f"legal hold {hold.id}", legal_hold=hold.id)
        elif key.valid(now):
            kept[key.id] = Kept(key.id, "this API key still opens the API: revoke it, then erase again")
    if not report.dry_run:
        keys.forget(principal, now, kept)
    return replace(report, kept=(*report.kept, *kept.values()))


def tell(report: ErasureReport, *, as_json: bool) -> None:
    """Say what was erased and end: with exit code 1 where something was kept."""
    if as_json:
        print_json(report.as_json())
    else:
        show_report(report)
    raise typer.Exit(1 if report.kept else 0)


def show_report(report: ErasureReport) -> None:
    """What was erased, or would be, and what was kept."""
    counts: dict[str, int] = {
        "personal fields": report.fields,
        "watermark records": report.watermarks,
        "released files": report.files,
        "holds ended": report.holds,
        "records of audits": report.records,
    }
    what = "would be erased" if report.dry_run else "erased"
    out.print(Text(f"{what}, of {report.subjects} generations and other subjects:", style="bold"))
    print_fields({f"  {name}": str(count) for name, count in counts.items()})
    for entry in report.entries:
        out.print(f"recorded in entry {entry}", markup=False)
    for kept in report.kept:
        err.print(Text(f"kept {printable(kept.subject)}: {printable(kept.why)}", style="yellow"))


def _changed(hold: LegalHoldRecord | None, what: str, *, as_json: bool, **more: Json) -> None:
    if hold is None:  # both records that come here have one
        raise LegalHoldError("The legal hold is missing.", remedy="`governance ledger legal-hold list`.")
    if as_json:
        print_json({"id": hold.id, "kind": hold.scope_kind.value, "state": what, **more})
    else:
        out.print(f"legal hold {hold.id} is {what}", markup=False)


def _shown(ledger: Ledger, hold: LegalHoldRecord) -> dict[str, Json]:
    scope = hold.scope
    if hold.scope_kind is LegalHoldScope.PRINCIPAL:
        fields = ledger.fields(hold.placed_by)
        scope = next((str(each.value) for each in fields if each.name == HELD_PERSON_FIELD), "(erased)")
    return {
        "id": hold.id,
        "kind": hold.scope_kind.value,
        "scope": scope,
        "placed": ledger.entry(hold.placed_by).time,
        "placed_by": hold.placed_by,
        "lifted_by": hold.lifted_by or None,
        "state": "lifted" if hold.lifted_by else "stands",
    }
