"""`governance dataset`: audits of training data, who approved of them, and the proof of what is in them."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.datasets.standing import DatasetStanding, dataset_standing, datasets
from governance_adapters.commands.dataset_audit import audit, show_standing
from governance_adapters.commands.dataset_erasure import erase
from governance_adapters.commands.dataset_proof import contains, prove, verify
from governance_adapters.commands.output import JsonFlag, out, print_json, print_table
from governance_adapters.dataset_audits import approve as record_approval
from governance_adapters.dataset_audits import withdraw as record_withdrawal
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal, open_ledger

app = typer.Typer(no_args_is_help=True, help="Audits of training data.")
app.command()(audit)
app.command()(contains)
app.command()(erase)
app.command()(prove)
app.command()(verify)

NameArgument = Annotated[str, typer.Argument(help="The dataset's name.")]
ByOption = Annotated[str | None, typer.Option("--principal", help="Who does it. Default: from the settings.")]
RoleOption = Annotated[
    list[str] | None, typer.Option("--role", help="A role of theirs. Default: those of the settings' principal.")
]
CommentOption = Annotated[str, typer.Option(help="Why. Kept erasable, beside the entry.")]
AuditedOption = Annotated[
    str, typer.Option("--audited", help="The entry of the audit that is meant: refused where there is a newer one.")
]


@app.command("list")
def list_datasets(as_json: JsonFlag = False) -> None:
    """List the datasets, and where each stands."""
    found = datasets(open_ledger(Settings.load()))
    if as_json:
        print_json([standing.as_json() for standing in found])
        return
    rows = [
        (
            each.name,
            each.state.value,
            str(each.records),
            *(str(count) for count in each.outcomes.values()),
            each.audited.time,
        )
        for each in found
    ]
    print_table(f"{len(rows)} datasets", ("name", "state", "records", "allow", "review", "deny", "audited"), rows)


@app.command()
def show(name: NameArgument, as_json: JsonFlag = False) -> None:
    """Show where a dataset stands, and the report of its newest audit."""
    ledger = open_ledger(Settings.load())
    show_standing(ledger, dataset_standing(ledger, name), as_json=as_json)


@app.command()
def approve(
    name: NameArgument,
    comment: CommentOption = "",
    audited: AuditedOption = "",
    principal: ByOption = None,
    role: RoleOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Approve of the newest audit, and of no later one. Whether your approval counts is policy's question."""
    settings = Settings.load()
    by = as_principal(principal, None if role is None else tuple(role), settings)
    with ledger_for_appending(settings) as ledger:
        standing = record_approval(ledger, name, by, comment=comment, audited=audited)
    _say(standing, f"approved {name}: {len(standing.approvals)} stand", as_json=as_json)


@app.command()
def withdraw(
    name: NameArgument,
    comment: CommentOption = "",
    audited: AuditedOption = "",
    principal: ByOption = None,
    role: RoleOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Withdraw every approval of the newest audit: no run starts or finishes with it until somebody approves again."""
    settings = Settings.load()
    by = as_principal(principal, None if role is None else tuple(role), settings)
    with ledger_for_appending(settings) as ledger:
        standing = record_withdrawal(ledger, name, by, comment=comment, audited=audited)
    _say(standing, f"withdrawn: no approval of {name} stands", as_json=as_json)


def _say(standing: DatasetStanding, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(standing.as_json())
    else:
        out.print(words, markup=False)
