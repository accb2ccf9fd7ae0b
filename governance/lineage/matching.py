"""Which records, datasets and registrations a recall is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from governance.canonical import Json
from governance.datasets.records import DatasetRecord
from governance.lineage.audits import Audit, counted
from governance.lineage.recall_entries import Cause, RecallBy
from governance.types import Outcome

_NAME: Final = re.compile(r"[^\s()]+")
_OPERATORS: Final = frozenset({"and", "or", "with"})
_LATER: Final = "-or-later"
_ONLY: Final = "-only"
_OWN: Final = ("licenseref-", "documentref-")


@dataclass(frozen=True, slots=True)
class Match:
    """What a recall is about, of a dataset's records. `contracts` are the keys of those that grant the licence.

    `content` is the SHA-256 of one record's bytes. A recall by dataset is about all of its records.
    """

    cause: Cause
    contracts: frozenset[str] = frozenset()

    @property
    def every(self) -> bool:
        """Whether it is about every record of the datasets that it is about."""
        return self.cause.by is RecallBy.DATASET

    def of_record(self, record: DatasetRecord) -> bool:
        """Whether it is about this record: by licence, about what policy allowed, for nothing else is handed out."""
        if self.cause.by is RecallBy.RECORD:
            return record.content == self.cause.value
        named = names_licence(record.licence, self.cause.value) or record.contract in self.contracts
        return self.every or (named and record.outcome is Outcome.ALLOW)

    def of_report(self, report: Mapping[str, Json]) -> str:
        """Why a dataset with this report is one that a licence's recall is about; empty where it is not."""
        named = [
            f"{counts['allowed']} allowed records under {licence}"
            for licence, counts in counted(report, "licences").items()
            if names_licence(licence, self.cause.value) and counts.get("allowed")
        ]
        named += [
            f"{counts['allowed']} allowed records under contract {key}"
            for key, counts in counted(report, "contracts").items()
            if key in self.contracts and counts.get("allowed")
        ]
        return ", ".join(named)


class AuditFiles(Protocol):
    """Reads the files of audits, where they are kept: the ledger has no records."""

    def leaves(self, audit: Audit, match: Match) -> frozenset[int] | None:
        """The indices of the leaves with a record that `match` is about; None where the files of this audit are not here.

        Raises:
            DatasetError: they are here, and are damaged or not what the audit signed.
        """


class NoFiles:
    """Where no audit's files are: what a run consumed of a dataset is then known by number only."""

    def leaves(self, audit: Audit, match: Match) -> frozenset[int] | None:
        """Not known."""
        del audit, match
        return None


def names_licence(expression: str, licence: str) -> bool:
    """Whether an SPDX licence expression is `licence`, or has it as a part, whatever the case (SPDX 2.3, annex D).

    A choice (`MIT OR CC-BY-4.0`) counts: which of them was relied on is not on record. So does a licence "or any later"
    (`GPL-2.0-or-later`, `GPL-2.0+`), which leaves the same choice; `GPL-2.0` is the old name of `GPL-2.0-only`. Where
    `licence` is itself an expression, each licence and exception of it must be a part.
    """
    had = [_versions(name) for name in licence_names(expression)]
    wanted = [_versions(name) for name in licence_names(licence)]
    return bool(wanted) and all(
        any(name == other and (later or not from_then) for other, later in had) for name, from_then in wanted
    )


def licence_names(expression: str) -> tuple[str, ...]:
    """The licences and exceptions that an expression is made of, each once, in small letters."""
    names = (name.casefold() for name in _NAME.findall(expression))
    return tuple(dict.fromkeys(name for name in names if name not in _OPERATORS))


def _versions(name: str) -> tuple[str, bool]:
    """A licence without what it says of later versions, and whether those count too; nobody else's names end so."""
    if name.startswith(_OWN):
        return name, False
    for ending in ("+", _LATER):
        if name.endswith(ending):
            return name.removesuffix(ending), True
    return name.removesuffix(_ONLY), False
