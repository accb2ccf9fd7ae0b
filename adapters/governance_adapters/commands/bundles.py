"""`governance policy diff`, `overlay` and `build`: what a new bundle would change, a tenant's bundle, an archive."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from governance.canonical import Json
from governance_adapters.commands.bundle_choice import chosen_bundle
from governance_adapters.commands.compared import details, entry_time
from governance_adapters.commands.output import JsonFlag, err, out, print_fields, print_json, print_table
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.differences import (
    Change,
    KeyChanges,
    Tally,
    compare,
    corpus_questions,
    data_changes,
    recorded_questions,
    rule_changes,
    with_example_model,
)
from governance_adapters.policy.overlay import overlay as write_overlay
from governance_adapters.policy.overlay import read_patch
from governance_adapters.policy.questions import LEDGER, Side
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.signed import build_archive
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

_LISTED: Final = 50
"""How many keys of one sort are listed; `--json` has all."""


def diff(
    old: Annotated[Path, typer.Argument(help="Folder of the bundle to compare with.")],
    new: Annotated[Path, typer.Argument(help="Folder of the bundle that would take its place.")],
    no_ledger: Annotated[bool, typer.Option("--no-ledger", help="Ask only the corpus, no recorded inputs.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Only inputs recorded from this time on (RFC 3339), such as 2026-11-01T00:00Z.")
    ] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit code 1 if any answer differs.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what would be decided otherwise by NEW than by OLD: on the inputs of the ledger, and on the corpus.

    Every decision whose outcome, reason codes or obligations differ; and which data and which rule files do.
    """
    before, after = chosen_bundle(old), chosen_bundle(new)
    tally = Tally()
    with err.status("asking both bundles"):
        changes = _corpus_changes(before, after, tally)
        if not no_ledger:
            changes = [*_ledger_changes(before, after, tally, entry_time(since)), *changes]
    data, rules = data_changes(before, after), rule_changes(before, after)
    if as_json:
        print_json(
            {
                "old": {"bundle": str(old), "revision": before.revision},
                "new": {"bundle": str(new), "revision": after.revision},
                "data": data.as_json(),
                "rules": rules.as_json(),
                "counts": tally.as_json(),
                "changes": [_change_json(change) for change in changes],
            }
        )
    else:
        print_fields({"old": f"{before.revision} {old}", "new": f"{after.revision} {new}"})
        _print_keys("data", data)
        _print_keys("rules", rules)
        for change in changes:
            _print_change(change)
        _print_tally(tally)
    raise typer.Exit(1 if fail_on_change and changes else 0)


def overlay(
    base: Annotated[Path, typer.Argument(help="Folder of the bundle to start from.")],
    patch: Annotated[Path, typer.Argument(help="A JSON merge patch (RFC 7396) of its data.json.")],
    output: Annotated[Path, typer.Argument(help="The folder to make; nothing may stand there.")],
    as_json: JsonFlag = False,
) -> None:
    """Make the bundle of one tenant: the data of BASE with PATCH on it, its rules, schemas and tests as they are."""
    before = chosen_bundle(base)
    made = write_overlay(base, read_patch(patch), output, check=_compiled)
    changes = data_changes(before, made)
    if as_json:
        print_json({"bundle": str(output), "base": before.revision, "revision": made.revision, **changes.as_json()})
    else:
        print_fields({"base": before.revision, "revision": made.revision, "bundle": str(output)})
        _print_keys("data", changes)


def build(
    output: Annotated[Path, typer.Argument(help="The archive to write, such as bundle.tar.gz.")],
    bundle: Annotated[Path | None, typer.Option(help="Folder of the bundle. Default: the one in force.")] = None,
    signing_key: Annotated[
        Path | None, typer.Option(help="PEM private key that signs the archive. Default: not signed.")
    ] = None,
    key_id: Annotated[str, typer.Option(help="The name by which servers know that key.")] = "default",
    algorithm: Annotated[str, typer.Option(help="The signature's algorithm (RFC 7518).")] = "ES256",
    as_json: JsonFlag = False,
) -> None:
    """Build the archive that a policy server loads, with the bundle's revision in it; the `opa` program makes it."""
    chosen = chosen_bundle(bundle)
    build_archive(chosen, output, signing_key=signing_key, key_id=key_id, algorithm=algorithm)
    fields: dict[str, str] = {"archive": str(output), "revision": chosen.revision}
    if as_json:
        print_json({**fields, "key_id": key_id if signing_key else None})
    else:
        print_fields({**fields, "signed by": f"key {key_id!r}, {algorithm}" if signing_key else "nobody"})


def _ledger_changes(old: Bundle, new: Bundle, tally: Tally, since: str) -> list[Change]:
    ledger = open_ledger(Settings.load())
    with closing(RegorusEngine(old, engines=1)) as first, closing(RegorusEngine(new, engines=1)) as second:
        questions = recorded_questions(ledger, tally, since=since)
        return list(compare(questions, Side(old, first), Side(new, second), tally))


def _corpus_changes(old: Bundle, new: Bundle, tally: Tally) -> list[Change]:
    old, new = with_example_model(old), with_example_model(new)
    with closing(RegorusEngine(old, engines=1)) as first, closing(RegorusEngine(new, engines=1)) as second:
        return list(compare(corpus_questions(), Side(old, first), Side(new, second), tally))


def _compiled(bundle: Bundle) -> None:
    """The rules compile and hold together with this data.

    Raises:
        PolicyError: they do not.
    """
    with closing(RegorusEngine(bundle, engines=1)):
        pass


def _change_json(change: Change) -> dict[str, Json]:
    return {
        "source": change.source,
        "name": change.name,
        "stage": change.stage.value,
        "old": change.old.as_json(),
        "new": change.new.as_json(),
    }


def _print_keys(what: str, changes: KeyChanges) -> None:
    for verb, names in changes.as_json().items():
        assert isinstance(names, list)
        for name in names[:_LISTED]:
            out.print(Text(f"{what} {verb}: {name}"))
        if len(names) > _LISTED:
            out.print(f"{what} {verb}: {len(names) - _LISTED} more, see --json")


def _print_change(change: Change) -> None:
    old, new = change.old, change.new
    stage = f", {change.stage.value}" if change.source == LEDGER else ""  # cases begin with theirs
    line = Text(f"{change.source} {change.name}{stage}: ", style="bold")
    same = old.outcome == new.outcome
    out.print(line.append(old.outcome if same else f"{old.outcome} -> {new.outcome}", style="" if same else "yellow"))
    for detail in details(old, new, ("old", "new")):
        out.print(Text(f"  {detail}"))


def _print_tally(tally: Tally) -> None:
    counts = {"asked": tally.asked, "changed": tally.changed, "other outcome": tally.outcomes}
    counts |= {"refused by both": tally.refused, "not evaluable": tally.not_evaluable}
    stages = sorted({stage for count in counts.values() for stage in count})
    rows = [(stage, *(str(count[stage]) for count in counts.values())) for stage in stages]
    total = sum(tally.changed.values())
    print_table(f"{total} of {sum(tally.asked.values())} answers differ", ("stage", *counts), rows)
