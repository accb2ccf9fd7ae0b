"""What enforcement would have done with everything that shadow mode let go, counted from the ledger.

A call is counted by its intent, an image by its release. Where enforcement would have stopped a call at admission, none of
its images would have been made, so each of them counts as stopped there, for the reasons given there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from governance.assets import Verdict
from governance.canonical import Digest, Json, parsed_digest, parsed_json
from governance.entries import Entry, EntryKind
from governance.errors import CanonicalError, ProofError
from governance.mode_record import MODE_SUBJECT
from governance.ports import Ledger
from governance.records import items_of
from governance.search import ANY, Query
from governance.shadow import Shadow, shadow_of

NOT_KEPT: Final = "(not kept)"
NO_ROLE: Final = "(no role)"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Switch:
    """One `mode` entry: from then on policy was obeyed, or not."""

    mode: str
    time: str
    entry: str


@dataclass(slots=True)
class CodeCount:
    """How often one reason would have stopped something at one stage, and how: with entries to look at."""

    verdicts: Counter[str] = field(default_factory=Counter)
    """Images, by what would have become of them."""
    calls: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ShadowReport:
    """The counts. Verdicts are those of enforcement: `failed` is what the line itself would have refused.

    `admissions` counts calls, `images`, `stages`, `models` and `roles` images: by verdict, and before that by the stage that
    would have decided, the model's class and digest, and each role of whoever asked. `asked` images were to be made.
    """

    since: str | None = None
    switches: list[Switch] = field(default_factory=list)
    asked: int = 0
    admissions: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    stages: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    models: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    roles: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    codes: dict[tuple[str, str], CodeCount] = field(default_factory=lambda: defaultdict(CodeCount))
    made: set[str] = field(default_factory=set)
    """The calls, by their generations."""
    changed: set[str] = field(default_factory=set)
    """Those of which enforcement would have stopped something."""

    @property
    def unchanged(self) -> int:
        """For how many calls enforcement would have changed nothing."""
        return len(self.made - self.changed)

    @property
    def unreleased(self) -> int:
        """How many images were asked for and not released: they failed, run still, or policy said nothing about them."""
        return max(self.asked - self.images.total(), 0)

    def as_json(self) -> dict[str, Json]:
        """For programs; codes with the most images first."""
        return {
            "since": self.since,
            "switches": [{"mode": each.mode, "time": each.time, "entry": each.entry} for each in self.switches],
            "calls": {"made": len(self.made), "unchanged": self.unchanged, "admission": _counts(self.admissions)},
            "images": {"asked": self.asked, "unreleased": self.unreleased, "verdicts": _counts(self.images)},
            "codes": [
                {
                    "stage": stage,
                    "code": code,
                    "calls": len(count.calls),
                    "images": _counts(count.verdicts),
                    "examples": list(count.examples),
                }
                for (stage, code), count in self.ranked()
            ],
            "stages": {name: _counts(counts) for name, counts in sorted(self.stages.items())},
            "models": {name: _counts(counts) for name, counts in sorted(self.models.items())},
            "roles": {name: _counts(counts) for name, counts in sorted(self.roles.items())},
        }

    def ranked(self) -> list[tuple[tuple[str, str], CodeCount]]:
        """Stage, code and count, those with the most calls and images first."""
        return sorted(self.codes.items(), key=lambda one: (-len(one[1].calls), -one[1].verdicts.total(), one[0]))


def shadow_report(ledger: Ledger, *, since: str | None = None, examples: int = 3) -> ShadowReport:
    """Count what was made in shadow mode from the time `since` on (RFC 3339, UTC); `examples` entries for each reason.

    Raises:
        QueryError: `since` is no time.
        ProofError: an entry cannot be read.
        LedgerError: the ledger cannot be read.
    """
    report = ShadowReport(since, list(_switches(ledger)))
    for entry in _entries(ledger, Query(since=since, shadow=ANY)):
        shadow = shadow_of(entry)
        if shadow is not None and entry.kind is EntryKind.INTENT:
            _count_call(report, entry, shadow, examples)
        elif shadow is not None and entry.kind is EntryKind.RELEASED:
            _count_image(report, ledger, entry, shadow, examples)
    return report


def _count_call(report: ShadowReport, entry: Entry, shadow: Shadow, examples: int) -> None:
    report.made.add(entry.subject)
    report.asked += items_of(entry) or 0
    report.admissions[shadow.verdict.value] += 1
    _count_reasons(report, entry, shadow, examples, images=0)


def _count_image(report: ShadowReport, ledger: Ledger, entry: Entry, shadow: Shadow, examples: int) -> None:
    verdict = shadow.verdict.value
    report.images[verdict] += 1
    report.stages[shadow.decisive.stage.value][verdict] += 1
    saw = _policy_input(ledger, entry)
    report.models[_model(saw)][verdict] += 1
    for role in _roles(saw):
        report.roles[role][verdict] += 1
    _count_reasons(report, entry, shadow, examples, images=1)


def _count_reasons(report: ShadowReport, entry: Entry, shadow: Shadow, examples: int, *, images: int) -> None:
    decisive = shadow.decisive
    if decisive.verdict is Verdict.RELEASED:
        return
    report.changed.add(entry.subject)
    for code in decisive.codes:
        count = report.codes[decisive.stage.value, code]
        count.calls.add(entry.subject)
        if images:
            count.verdicts[decisive.verdict.value] += images
        if len(count.examples) < examples:
            count.examples.append(entry.id)


def _entries(ledger: Ledger, query: Query) -> Iterator[Entry]:
    after: int | None = -1
    while after is not None:
        page = ledger.search(query, after=after, limit=_PAGE)
        yield from (entry for _, entry in page.items)
        after = page.next


def _switches(ledger: Ledger) -> Iterator[Switch]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=MODE_SUBJECT, kind=EntryKind.MODE):
        yield from (Switch(str(entry.body.get("mode")), entry.time, entry.id) for _, entry in page)
        after = page[-1][0]


def _policy_input(ledger: Ledger, entry: Entry) -> Mapping[str, Any]:
    """What policy saw of a draft, personal fields as commitments; empty where it is not kept."""
    decision: Any = entry.body["decision"]
    content = ledger.document(Digest(decision["input"]))
    try:
        value = {} if content is None else parsed_json(content)
    except (ValueError, RecursionError) as error:
        raise ProofError(
            f"The policy input of entry {entry.id} cannot be read.", remedy="Run `governance ledger verify`."
        ) from error
    return value if isinstance(value, Mapping) else {}


def _model(saw: Mapping[str, Any]) -> str:
    model = saw.get("model")
    if not isinstance(model, dict):
        return NOT_KEPT
    try:
        return f"{model.get('pipeline')} {parsed_digest(model)}"
    except CanonicalError:
        return NOT_KEPT


def _roles(saw: Mapping[str, Any]) -> tuple[str, ...]:
    principal = saw.get("principal")
    if not isinstance(principal, Mapping):
        return (NOT_KEPT,)
    roles = principal.get("roles")
    return tuple(map(str, roles)) if isinstance(roles, list) and roles else (NO_ROLE,)


def _counts(counts: Counter[str]) -> dict[str, Json]:
    return {verdict.value: counts[verdict.value] for verdict in Verdict}
