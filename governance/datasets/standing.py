"""Where a dataset stands by the entries of the ledger: which audit counts, who approved it, and whether that still holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from governance.canonical import Digest, Json
from governance.datasets.audit_entries import DatasetChange, change_of, name_of, subject_of
from governance.datasets.records import checked_name
from governance.entries import Entry, EntryKind
from governance.errors import DatasetError, NoDatasetError
from governance.lineage.recall_entries import recalling
from governance.ports import Ledger
from governance.types import Outcome

_PAGE = 1000


class DatasetState(StrEnum):
    """Where a dataset stands.

    `audited`: nobody approved the newest audit. `approved`: somebody did; whether those are enough is policy's question.
    `withdrawn`: the approvals were taken back, and nobody approved again. `recalled`: a recall names its newest audit, which
    no approval heals; a later audit is judged anew.
    """

    AUDITED = "audited"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    RECALLED = "recalled"


@dataclass(frozen=True, slots=True)
class DatasetStanding:
    """The newest audit of a dataset, and what was said of it since.

    `audited` is its entry and `index` that entry's place in the log. `approvals` are the `approved` entries of this audit
    that were not withdrawn, oldest first. `changed` is the newest entry that this standing follows from.
    """

    name: str
    audited: Entry
    index: int
    root: Digest
    contents: int
    records: int
    outcomes: Mapping[Outcome, int]
    approvals: tuple[Entry, ...]
    state: DatasetState
    changed: Entry

    @property
    def audit(self) -> str:
        """The audit's id: the name of its folder."""
        return str(self.audited.body["audit"])

    @property
    def report(self) -> Digest:
        """The digest of its report, which is kept beside the entry."""
        return Digest(str(self.audited.body["report"]))

    @property
    def combinations(self) -> Digest:
        """The digest of what policy decided over."""
        return Digest(str(self.audited.body["combinations"]))

    def as_json(self) -> dict[str, Json]:
        """What lists show; holds nothing personal."""
        return {
            "name": self.name,
            "state": self.state.value,
            "audit": self.audit,
            "audited": self.audited.id,
            "time": self.audited.time,
            "root": self.root,
            "contents": self.contents,
            "records": self.records,
            "outcomes": {outcome.value: count for outcome, count in self.outcomes.items()},
            "approvals": [entry.id for entry in self.approvals],
            "bundle_revision": str(self.audited.body["bundle_revision"]),
        }


def dataset_standing(ledger: Ledger, name: str) -> DatasetStanding:
    """Where the dataset of this name stands now.

    Raises:
        NoDatasetError: no audit of this name was ever recorded.
        DatasetError: it is no name, or an entry of it cannot be read.
        LedgerError: the ledger cannot be read.
    """
    standing = _folded(_entries(ledger, subject_of(name))).get(name)
    if standing is None:
        raise NoDatasetError(
            f"There is no audit of a dataset {name!r}.",
            remedy=f"Audit it: `governance dataset audit SOURCE --name {name}`; `governance dataset list` names those that there are.",
        )
    return _with_recall(standing, ledger)


def datasets(ledger: Ledger) -> tuple[DatasetStanding, ...]:
    """Where every dataset stands, by name.

    Raises:
        DatasetError: an entry cannot be read.
        LedgerError: the ledger cannot be read.
    """
    folded = _folded(_entries(ledger))
    return tuple(_with_recall(folded[name], ledger) for name in sorted(folded))


def _with_recall(standing: DatasetStanding, ledger: Ledger) -> DatasetStanding:
    """A recall names one audit, by its entry."""
    recall = recalling(ledger, standing.audited.id)
    return standing if recall is None else replace(standing, state=DatasetState.RECALLED, changed=recall)


def _folded(entries: Iterable[tuple[int, Entry]]) -> dict[str, DatasetStanding]:
    standings: dict[str, DatasetStanding] = {}
    for index, entry in entries:
        name, change = name_of(entry.subject), change_of(entry)
        if change is DatasetChange.AUDITED:
            standings[name] = _of_audit(name, index, entry)
        elif name in standings:
            standings[name] = _after(standings[name], change, entry)
        else:
            raise _unreadable(entry, "there is no audit before it")
    return standings


def _after(standing: DatasetStanding, change: DatasetChange, entry: Entry) -> DatasetStanding:
    """The standing after an approval or a withdrawal; one that is about an earlier audit changes nothing."""
    if entry.body.get("audited") != standing.audited.id:
        return standing
    if change is DatasetChange.WITHDRAWN:
        return replace(standing, approvals=(), state=DatasetState.WITHDRAWN, changed=entry)
    approvals = (*standing.approvals, entry)
    return replace(standing, approvals=approvals, state=DatasetState.APPROVED, changed=entry)


def _of_audit(name: str, index: int, entry: Entry) -> DatasetStanding:
    body = entry.body
    outcomes, contents, records = body.get("outcomes"), body.get("contents"), body.get("records")
    texts = (body.get("audit"), body.get("root"), body.get("report"), body.get("combinations"))
    if not isinstance(outcomes, Mapping) or type(contents) is not int or type(records) is not int:
        raise _unreadable(entry, "its counts are no whole numbers")
    if not all(isinstance(text, str) and text for text in texts):
        raise _unreadable(entry, "its root, audit, report or combinations are missing")
    counts = {outcome: outcomes.get(outcome.value) for outcome in Outcome}
    if not all(type(count) is int for count in counts.values()):
        raise _unreadable(entry, "its outcomes are no whole numbers")
    return DatasetStanding(
        name=checked_name(name),
        audited=entry,
        index=index,
        root=Digest(str(body["root"])),
        contents=contents,
        records=records,
        outcomes={outcome: count for outcome, count in counts.items() if isinstance(count, int)},
        approvals=(),
        state=DatasetState.AUDITED,
        changed=entry,
    )


def _unreadable(entry: Entry, why: str) -> DatasetError:
    return DatasetError(
        f"Entry {entry.id} of {entry.subject} cannot be read: {why}.", remedy="Run `governance ledger verify`."
    )


def _entries(ledger: Ledger, subject: str | None = None) -> Iterator[tuple[int, Entry]]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject, kind=EntryKind.DATASET):
        after = page[-1][0]
        yield from page
