"""`governance ledger search`, `find`, `rollups` and `reindex`: questions to the ledger, and the index that answers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from governance.canonical import Json
from governance.entries import Entry, EntryKind
from governance.ports import Ledger
from governance.search import Query, Rollup, ScoreRange
from governance.types import Outcome, Stage
from governance_adapters.commands.entries import codes_of, entry_json
from governance_adapters.commands.output import JsonFlag, out, print_json, print_table, printable
from governance_adapters.commands.plots import bar
from governance_adapters.commands.verify import read_file
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_finder, open_ledger, reindex_ledger

_DAY = "%Y-%m-%d"
_PAGE = 500


def search(
    since: Annotated[str | None, typer.Option(help="Not before this time (RFC 3339, UTC), or day.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time (RFC 3339, UTC), or day.")] = None,
    principal: Annotated[str | None, typer.Option(help="Who asked.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who decided about what was held.")] = None,
    purpose: Annotated[str | None, typer.Option(help="The purpose of the request.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Digest of the model or of a component, or the pipeline's class.")
    ] = None,
    lora: Annotated[str | None, typer.Option(help="Name or digest of a LoRA.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Revision of the policy bundle.")] = None,
    stage: Annotated[Stage | None, typer.Option(help="Stage of the decision.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Outcome of the decision.")] = None,
    kind: Annotated[EntryKind | None, typer.Option(help="Kind of the entry.")] = None,
    reason: Annotated[str | None, typer.Option(help="A reason code.")] = None,
    score: Annotated[
        list[str] | None, typer.Option(help="A score: detector/label:from..to; may be repeated, all must hold.")
    ] = None,
    asset: Annotated[str | None, typer.Option(help="SHA-256 or id of a released file.")] = None,
    watermark: Annotated[int | None, typer.Option(help="Id of a watermark.")] = None,
    algorithm: Annotated[str | None, typer.Option(help="With --watermark: its algorithm.")] = None,
    subject: Annotated[str | None, typer.Option(help="The generation, or what else the entry is about.")] = None,
    work: Annotated[str | None, typer.Option(help="Id of a protected work that a finding is about.")] = None,
    words: Annotated[str | None, typer.Option(help="Words that all occur in the prompts.")] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            help="Made in shadow mode, and what enforcement would have made of it: any, released, denied, held or failed."
        ),
    ] = None,
    recalled: Annotated[
        str | None,
        typer.Option(help="Recalls of this: id of a released entry or of an audit, key of a model, digest of a LoRA."),
    ] = None,
    after: Annotated[int, typer.Option(help="Only entries with a higher index: the cursor of a page.")] = -1,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Find entries for which every filter holds, oldest first."""
    query = Query(
        _instant(since), _instant(until), principal, reviewer, purpose, model, lora, bundle, stage, outcome, kind, reason,
        tuple(map(ScoreRange.parse, score or ())), asset, watermark, algorithm, subject, work, words, shadow,
        recalled,
    )  # fmt: skip
    found, beyond = _found(open_ledger(Settings.load()), query, after, limit)
    if as_json:
        print_json({"items": [entry_json(index, entry) for index, entry in found], "next": beyond})
        return
    rows = [(str(i), e.time, e.kind.value, e.subject, e.id, codes_of(e)) for i, e in found]
    more = "" if beyond is None else f"; more with --after {beyond}"
    print_table(f"{len(found)} entries{more}", ("index", "time", "kind", "subject", "entry", "why"), rows)


def find(
    picture: Annotated[Path, typer.Argument(help="A file: PNG, JPEG, WebP, MP4 or WAV.")], as_json: JsonFlag = False
) -> None:
    """Have we made this? Find the released files that a picture is, carries the mark of, or looks like."""
    matches = open_finder(Settings.load()).find(read_file(picture))
    if as_json:
        print_json({"file": str(picture), "matches": [match.as_json() for match in matches]})
        return
    if not matches:
        out.print("nothing alike among what is kept; that says nothing about where it was made")
        return
    rows = []
    for match in matches:
        seen, entry = match.attribution, match.entry
        apart = "" if seen is None else f"PDQ {seen.pdq_distance}, colours {seen.grid_mean:.1f}"
        rows.append((match.ground.value, match.grade, apart, entry.time if entry else "", entry.id if entry else ""))
    print_table(f"{len(matches)} found", ("by", "grade", "apart", "released", "entry"), rows)


def rollups(
    since: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="The first day (UTC). Default: 30 days before --until.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="The day (UTC) to end before. Default: tomorrow.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only this: kind, outcome, reason, model, bundle or risk.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how many entries of each day have which kind, outcome, reason, model, bundle and risk."""
    end = until or datetime.now(UTC) + timedelta(days=1)
    begin = since or end - timedelta(days=30)
    found = open_ledger(Settings.load()).rollups(f"{begin:{_DAY}}", f"{end:{_DAY}}")
    kept = [each for each in found if name in (None, each.name)]
    if as_json:
        print_json([_rollup_json(each) for each in kept])
        return
    most = max((each.entries for each in kept), default=0)
    rows = [(each.day, each.name, printable(each.value), str(each.entries), bar(each.entries, most)) for each in kept]
    print_table(f"{len(rows)} counts", ("day", "name", "value", "entries", ""), rows)


def reindex(as_json: JsonFlag = False) -> None:
    """Make the index and the counts by day anew from the entries, after `verify` named them. Writers wait meanwhile."""
    with out.status("reading every entry"):
        count = reindex_ledger(Settings.load())
    if as_json:
        print_json({"entries": count})
    else:
        out.print(f"index and counts made anew from {count} entries")


def _found(ledger: Ledger, query: Query, after: int, limit: int) -> tuple[list[tuple[int, Entry]], int | None]:
    """As many as there are up to `limit`, over pages that end early, and where to go on; None at the end."""
    found: list[tuple[int, Entry]] = []
    beyond: int | None = after
    while beyond is not None and len(found) < limit:
        page = ledger.search(query, after=beyond, limit=min(limit - len(found), _PAGE))
        found += page.items
        beyond = page.next
    return found, beyond


def _instant(text: str | None) -> str | None:
    """A time as it is; a day as its first instant."""
    return f"{text}T00:00:00Z" if text is not None and len(text) == len("2026-11-23") else text


def _rollup_json(rollup: Rollup) -> dict[str, Json]:
    return {"day": rollup.day, "name": rollup.name, "value": rollup.value, "entries": rollup.entries}
