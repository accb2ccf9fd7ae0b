"""`governance policy replay`: what a bundle on trial would have decided on everything that was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from governance.canonical import Digest
from governance.checkpoint import parse_checkpoint
from governance_adapters.commands.bundle_choice import chosen_bundle
from governance_adapters.commands.compared import entry_time
from governance_adapters.commands.output import JsonFlag, err, print_fields, print_json
from governance_adapters.commands.replayed import print_report
from governance_adapters.commands.verify import CANNOT_CHECK
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.questions import Side
from governance_adapters.policy.recorded import recorded_decisions
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.replay import Report, replay
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger


def run_replay(
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle on trial.")],
    since: Annotated[
        str | None, typer.Option(help="Only decisions from this time on (RFC 3339), such as 2026-11-01T00:00Z.")
    ] = None,
    past: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a bundle that decided earlier, to ask it again; may be repeated."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=100_000, help="How many decisions of each sort are listed; all are counted.")
    ] = 20,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit code 1 if any decision changes, 2 if any is not evaluable.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put every recorded policy input to another bundle, and report which recorded decisions it would change.

    By outcome, reason code and obligation, for each stage. Nothing is recorded, released or withheld by this.
    """
    settings, candidate = Settings.load(), chosen_bundle(bundle)
    start, report = entry_time(since), Report(limit)
    with ExitStack() as opened, open_ledger(settings) as ledger, err.status("compiling the bundles") as status:
        size = parse_checkpoint(ledger.checkpoint()).size
        sides = _sides(opened, candidate, _past(settings, past or ()))
        decisions = recorded_decisions(ledger, since=start)
        for each in replay(decisions, sides[candidate.revision], sides, report):
            status.update(f"replaying: entry {each.index + 1} of {size}, {report.total('changed')} decisions changed")
    if as_json:
        print_json({"bundle": str(bundle), "revision": candidate.revision, "since": start, **report.as_json()})
    else:
        print_fields({"bundle": f"{candidate.revision} {bundle}", "since": start or "the beginning"})
        print_report(report)
    raise typer.Exit(_exit_code(report, fail_on_change=fail_on_change))


def _past(settings: Settings, folders: Iterable[Path]) -> list[Bundle]:
    """The bundle in force, if there is one here, and those in `folders`."""
    in_force = [chosen_bundle(None)] if settings.bundle_path.exists() else []
    return [*in_force, *map(chosen_bundle, folders)]


def _sides(opened: ExitStack, candidate: Bundle, past: Iterable[Bundle]) -> Mapping[Digest, Side]:
    """An engine for each of these bundles, by revision; `opened` closes them."""
    bundles = {each.revision: each for each in (candidate, *past)}
    return {
        revision: Side(each, opened.enter_context(closing(RegorusEngine(each, engines=1))))
        for revision, each in bundles.items()
    }


def _exit_code(report: Report, *, fail_on_change: bool) -> int:
    if report.total("evaluated") == 0:
        return CANNOT_CHECK
    if not fail_on_change:
        return 0
    return 1 if report.total("changed") else CANNOT_CHECK if report.total("not_evaluable") else 0
