"""`governance shadow report`: what enforcement would have done with everything that shadow mode let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from governance.assets import Verdict
from governance.shadow_report import ShadowReport, shadow_report
from governance_adapters.commands.compared import entry_time
from governance_adapters.commands.output import JsonFlag, out, print_fields, print_json, print_table, printable
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

app = typer.Typer(no_args_is_help=True, help="Shadow mode: policy is recorded and not obeyed.")

_WORDS: Final = {
    Verdict.RELEASED: "released",
    Verdict.DENIED: "denied",
    Verdict.HELD: "held",
    Verdict.FAILED: "refused",
}


@app.callback()
def shadow() -> None:
    """Keep `report` a command of its own, where it is the only one."""


@app.command()
def report(
    since: Annotated[
        str | None, typer.Option(help="Only what was made from this time on (RFC 3339), such as 2026-11-01T00:00Z.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, max=1000, help="How many entries are named for each reason; all are counted.")
    ] = 3,
    as_json: JsonFlag = False,
) -> None:
    """Count what enforcement would have denied, held and refused of what shadow mode let go, and for what it changes nothing.

    By reason code and stage, by model and by role, with entries to look at. Nothing is recorded or changed by this.
    """
    start = entry_time(since)
    with open_ledger(Settings.load()) as ledger:
        found = shadow_report(ledger, since=start or None, examples=examples)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)


def _print(found: ShadowReport) -> None:
    if not found.made and not found.images:
        out.print("Nothing was made in shadow mode there: this says nothing about what enforcement would do.")
        return
    print_fields({"since": found.since or "the beginning"})
    for switch in found.switches:
        out.print(f"{printable(switch.mode)} from {switch.time} on, entry {switch.entry}", markup=False)
    out.print("")
    _print_counts("what would have become of images", {"all": found.images})
    _print_counts("by the stage that would have decided", found.stages)
    _print_counts("by model", found.models)
    _print_counts("by role of whoever asked", found.roles)
    rows = [
        (stage, printable(code), str(len(count.calls)), *_cells(count.verdicts), " ".join(count.examples))
        for (stage, code), count in found.ranked()
    ]
    if rows:
        print_table("why", ("stage", "code", "calls", *_heads(), "such as"), rows)
    out.print("")
    calls = len(found.made)
    admitted = found.admissions[Verdict.RELEASED.value]
    out.print(f"{calls} calls, of which enforcement would have admitted {admitted}")
    out.print(f"for {found.unchanged} of {calls} calls enforcement would have changed nothing", style="bold")
    if found.unreleased:
        out.print(f"{found.unreleased} images were not released in shadow mode either, for no decision of policy")


def _print_counts(title: str, counted: Mapping[str, Counter[str]]) -> None:
    rows = [(printable(name), *_cells(counts)) for name, counts in sorted(counted.items())]
    if rows:
        print_table(title, ("", *_heads()), rows)
        out.print("")


def _heads() -> tuple[str, ...]:
    return tuple(_WORDS[verdict] for verdict in Verdict)


def _cells(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(str(counts[verdict.value]) for verdict in Verdict)
