"""How replays are shown: one in lines, an audit as a table with its counts, both as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from governance.canonical import Json
from governance.entries import Receipt
from governance.records import asset_id
from governance.replays import Compared, Replay, ReplayVerdict, Sampled
from governance.tolerance import Comparison, Tolerance
from governance_adapters.commands.output import out, print_table, printable

_STYLES: Final = {
    ReplayVerdict.EXACT: "bold green",
    ReplayVerdict.WITHIN_TOLERANCE: "bold green",
    ReplayVerdict.MISMATCH: "bold red",
    ReplayVerdict.NOT_REPLAYABLE: "bold yellow",
}
_WIDTH: Final = 16
_NOTHING_DIFFERS: Final = "nothing that the record says of model, place and call"


@dataclass(frozen=True, slots=True)
class Answer:
    """A replay, and the receipt of its entry where one was written."""

    replay: Replay
    receipt: Receipt | None = None

    def as_json(self) -> dict[str, Json]:
        """For programs: what the entry holds, which file it is about, and why in words."""
        replay = self.replay
        body = dict(replay.record().entry.body)
        for name in ("version", "fields", "sample", "more_differences"):
            del body[name]
        return {
            "asset": asset_id(replay.released),
            "generation": replay.released.subject,
            **body,
            "differences": [{"part": each.part, "text": each.text} for each in replay.differences],
            "explanation": replay.explanation,
            "entry": None if self.receipt is None else self.receipt.entry.id,
        }


def print_answer(answer: Answer) -> None:
    """One replay, a line for each thing that there is to say."""
    replay = answer.replay
    released = replay.released
    out.print(
        Text(f"asset {asset_id(released)}, released {released.time} by generation {released.subject}", style="bold")
    )
    line = Text(f"  {'verdict':<{_WIDTH}}")
    out.print(line.append(words(replay.verdict), style=_STYLES[replay.verdict]))
    for name, text in _lines(replay):
        out.print(Text(f"  {name:<{_WIDTH}}{printable(text)}"))
    if answer.receipt is not None:
        _line("recorded", f"{answer.receipt.entry.id}, leaf {answer.receipt.index}")


def print_audit(answers: Sequence[Answer], sampled: Sampled) -> None:
    """A line for each file, then how often which verdict was given."""
    rows = [
        (
            answer.replay.released.time,
            str(asset_id(answer.replay.released)),
            words(answer.replay.verdict),
            printable(_why(answer.replay)),
        )
        for answer in answers
    ]
    counts = Counter(answer.replay.verdict for answer in answers)
    counted = ", ".join(f"{counts[verdict]} {words(verdict)}" for verdict in ReplayVerdict)
    since = f", of those released since {sampled.since}" if sampled.since else ""
    print_table(
        f"{len(answers)} released files drawn with seed {sampled.seed}{since}: {counted}",
        ("released", "asset", "verdict", "why"),
        rows,
    )


def words(verdict: ReplayVerdict) -> str:
    """A verdict as people write it."""
    return verdict.value.replace("_", " ")


def _lines(replay: Replay) -> Iterator[tuple[str, str]]:
    if replay.compared is Compared.DRAFT:
        yield "compared", f"what was generated, before it was marked: SHA-256 {replay.recorded}, then and now"
    elif replay.compared is Compared.FILE:
        yield "compared", "the released file, and what was made now, marked and encoded likewise"
    if replay.obstacle:
        yield "why", f"{replay.obstacle}: {replay.explanation}"
    elif replay.explanation:
        yield "why", replay.explanation
    if replay.comparison is not None:
        yield "numbers", numbers(replay.comparison)
        yield "tolerance", _limits(replay.tolerance)
    for each in replay.differences:
        yield "differs", f"{each.part}: {each.text}"
    if not replay.differences and replay.model is not None:
        yield "differs", _NOTHING_DIFFERS


def numbers(comparison: Comparison) -> str:
    """A comparison in a sentence."""
    of_levels = "level" if comparison.largest == 1 else "levels"
    share = f"{comparison.differing / comparison.values:.4%}"
    return (
        f"largest difference {comparison.largest} {of_levels}; {comparison.differing} of {comparison.values} values differ "
        f"({share}); mean {comparison.mean_millionths / 1_000_000:.6f} levels"
    )


def _limits(tolerance: Tolerance) -> str:
    return f"{tolerance.levels} levels, in {tolerance.share_millionths / 10_000:g} % of the values"


def _why(replay: Replay) -> str:
    if replay.obstacle:
        return replay.obstacle
    if replay.verdict is ReplayVerdict.EXACT:
        return ""
    seen = [] if replay.comparison is None else [f"{replay.comparison.largest} levels"]
    return "; ".join([*seen, *(each.text for each in replay.differences)]) or _NOTHING_DIFFERS


def _line(name: str, text: str) -> None:
    out.print(Text(f"  {name:<{_WIDTH}}{text}"))
