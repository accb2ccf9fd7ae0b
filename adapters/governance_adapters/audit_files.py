"""The files of audits, for recalls: where the folder of a dataset and the ledger's entry of its audit meet."""

from __future__ import annotations

from governance.canonical import Digest
from governance.datasets.standing import DatasetStanding, DatasetState
from governance.errors import NoDatasetError
from governance.lineage.audits import Audit
from governance.lineage.matching import Match
from governance.lineage.recall_entries import RecallBy
from governance.ports import Ledger
from governance.types import Outcome
from governance_adapters.datasets.store.opened import OpenDataset
from governance_adapters.settings import Settings


class FolderAuditFiles:
    """The audits below `datasets` of the settings: `governance.lineage.matching.AuditFiles`."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self._known: dict[tuple[str, Match], frozenset[int] | None] = {}

    def leaves(self, audit: Audit, match: Match) -> frozenset[int] | None:
        """See `AuditFiles.leaves`. The records of a content are compared with its leaf before they count.

        Raises:
            DatasetError: the files are damaged.
        """
        place = audit.entry.id, match
        if place not in self._known:
            self._known[place] = self._leaves(audit, match)
        return self._known[place]

    def _leaves(self, audit: Audit, match: Match) -> frozenset[int] | None:
        standing = standing_of(audit)
        try:
            dataset = OpenDataset(self._settings.datasets_path / audit.name / standing.audit, standing, self._ledger)
        except NoDatasetError:
            return None
        if match.cause.by is RecallBy.RECORD:
            place = dataset.leaves.find(match.cause.value)
            return frozenset([place.index] if place.there else [])
        contents = {record.content for record in dataset.records(where=match.of_record)}
        return frozenset(dataset.leaves.find(content).index for content in contents)


def standing_of(audit: Audit) -> DatasetStanding:
    """What opening a folder compares it with: the audit of this entry, whether or not it is the newest."""
    body = audit.entry.body
    outcomes = body["outcomes"]
    counts = dict(outcomes) if isinstance(outcomes, dict) else {}
    return DatasetStanding(
        audit.name,
        audit.entry,
        0,
        Digest(audit.root),
        int(str(body["contents"])),
        int(str(body["records"])),
        {outcome: int(counts.get(outcome.value, 0)) for outcome in Outcome},
        audit.approvals,
        DatasetState.AUDITED,
        audit.entry,
    )
