"""How a replay is shown: decisions one by one, counts by stage, and a conclusion that never claims more than was asked."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from governance_adapters.commands.compared import details
from governance_adapters.commands.output import out, print_table
from governance_adapters.policy.recorded import RecordedDecision
from governance_adapters.policy.replay import Affected, Drift, Report, StageTally

_NO_WORD = "This says nothing about what the bundle would change."


def print_report(report: Report) -> None:
    """What a replay found: the decisions that are listed, the counts of each stage, and what follows from them."""
    for revision, count in sorted(report.revisions.items()):
        out.print(f"decided by {revision}: {count}")
    for each in report.changes:
        _print_affected(each, "recorded", "replayed")
    _print_rest("changed", report.total("changed"), len(report.changes))
    for lost in report.not_evaluable:
        _print_decision(lost.recorded, f"not evaluable, {lost.why}: {', '.join(lost.details) or 'all of it'}", "yellow")
    _print_rest("not evaluable", report.total("not_evaluable"), len(report.not_evaluable))
    for each in report.drifted:
        _print_affected(each, "recorded", "asked again")
    drifted = sum(tally.drift[Drift.FOUND.value] for tally in report.stages.values())
    _print_rest("differ when asked again", drifted, len(report.drifted))
    for stage, tally in sorted(report.stages.items()):
        _print_stage(stage, tally)
    for (stage, version, problem), count in sorted(report.refused.items()):
        out.print(Text(f"{stage}: the schema refuses an input of version {version} ({problem})  {count}"))
    if drifted:
        out.print(
            f"{drifted} decisions are not what the bundle that made them says when it is asked again: what changed among "
            "them need not be the doing of the bundle on trial",
            style="red",
        )
    counts = ("recorded", "evaluated", "same", "changed", "outcomes", "not_evaluable")
    rows = [(stage, *(_count(tally, name) for name in counts)) for stage, tally in sorted(report.stages.items())]
    heads = ("stage", "recorded", "evaluated", "same", "changed", "other outcome", "not evaluable")
    print_table(_conclusion(report), heads, rows)


def _conclusion(report: Report) -> str:
    recorded, evaluated, lost = (report.total(name) for name in ("recorded", "evaluated", "not_evaluable"))
    if recorded == 0:
        return f"Nothing was replayed: no decision is recorded there. {_NO_WORD}"
    if evaluated == 0:
        return f"Nothing was replayed: none of {recorded} recorded decisions is evaluable. {_NO_WORD}"
    words = f"{report.total('changed')} of {evaluated} decisions that could be evaluated would change"
    return f"{words}; {lost} more could not, and may change too" if lost else words


def _print_stage(stage: str, tally: StageTally) -> None:
    words: tuple[tuple[str, Counter[str]], ...] = (
        ("", tally.outcomes),
        ("+ ", tally.codes_added),
        ("- ", tally.codes_gone),
        ("obliges, new: ", tally.obligations_added),
        ("obliges no more: ", tally.obligations_gone),
        ("obliges otherwise: ", tally.obligations_changed),
        ("not evaluable, ", tally.not_evaluable),
        ("asked again: ", tally.drift),
    )
    for what, counts in words:
        for name, count in sorted(counts.items()):
            out.print(Text(f"{stage}: {what}{name}  {count}"))


def _print_affected(affected: Affected, old: str, new: str) -> None:
    before, after = affected.old.outcome, affected.new.outcome
    again = "" if new == "replayed" else f"{new}: "
    same = before == after
    _print_decision(affected.recorded, f"{again}{before if same else f'{before} -> {after}'}", "" if same else "yellow")
    for line in details(affected.old, affected.new, (old, new)):
        out.print(Text(f"  {line}"))


def _print_decision(recorded: RecordedDecision, words: str, style: str) -> None:
    entry = recorded.entry
    head = Text(f"{entry.id} {entry.kind.value} {entry.time}, {recorded.decision.stage.value}: ", style="bold")
    out.print(head.append(words, style=style or "not bold"))


def _print_rest(what: str, total: int, listed: int) -> None:
    if total > listed:
        out.print(f"{total - listed} more {what}; a higher --limit lists them")


def _count(tally: StageTally, name: str) -> str:
    value = getattr(tally, name)
    return str(value.total() if isinstance(value, Counter) else value)
