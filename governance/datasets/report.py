"""The report of an audit: what a dataset holds, in numbers. It is canonical JSON; its digest stands in the audit's entry.

version          1
name             the dataset's; `as_of` the time that the audit judged at; `purpose` what it was judged for
source           {kind, fingerprint}: what was read, and what says whether it is still the same
records          how many records; `contents` distinct contents among them; `without_content` records that have none
bytes            of all distinct contents whose size is known
outcomes         records by what policy decided: {allow, review, deny}
reasons          {reason code: records}
licences         {SPDX expression, or "" where it is unknown: {records, allowed}}
contracts        {key in the register of contracts: {records, allowed, state}}
source_kinds, consents, synthetic, media_types, bases        {value: records}
opt_outs, problems, personal                                 {value: records that have it}
domains          the 1000 most frequent, {domain: records}; `domain_count` how many there are
owners           how many different owners are named
collected        {first, last, missing, future, years: {year: records}}
widths, heights  {min, max} in pixels, null where none is known
nsfw, similar    {tenth: records}, "0" for 0..9 hundredths up to "10"; `not_looked` where no detector looked
works            {id of a protected work: records that resemble it the most}
near_duplicates  contents that look like another; `duplicates` records that share their content with an earlier one
duplicate_ids    records whose id another record has too
detectors        [{name, digest}] of those that looked
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.canonical import Json, digest, parsed_json
from governance.datasets.standing import DatasetStanding
from governance.errors import DatasetError
from governance.ports import Ledger

REPORT_VERSION: Final = 1
MOST_DOMAINS: Final = 1000
"""How many domains a report names: the most frequent ones."""

MEMBERS: Final = frozenset(
    {
        "version", "name", "as_of", "purpose", "source", "records", "contents", "without_content", "bytes", "outcomes",
        "reasons", "licences", "contracts", "source_kinds", "consents", "synthetic", "media_types", "bases", "opt_outs",
        "problems", "personal", "domains", "domain_count", "owners", "collected", "widths", "heights", "nsfw", "similar",
        "works", "near_duplicates", "duplicates", "duplicate_ids", "detectors",
    }
)  # fmt: skip
"""What every report of this version has."""


def parsed_report(content: bytes) -> Mapping[str, Json]:
    """The report that `content` are the bytes of.

    Raises:
        DatasetError: it is no report of version 1.
    """
    try:
        value = parsed_json(content)
        if not isinstance(value, dict) or value.get("version") != REPORT_VERSION or set(value) != MEMBERS:
            raise ValueError("it is no report of version 1")
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"This is no report of an audit: {error}.", remedy="Restore it from its backup, or audit the dataset again."
        ) from error
    return value


def dataset_report(ledger: Ledger, standing: DatasetStanding) -> Mapping[str, Json]:
    """The report of a dataset's newest audit, as the ledger keeps it.

    Raises:
        DatasetError: it is gone, or is not the one that the entry names.
        LedgerError: the ledger cannot be read.
    """
    content = ledger.document(standing.report)
    if content is None or digest(content) != standing.report:
        raise DatasetError(
            f"The report of the audit of {standing.name} is not kept beside entry {standing.audited.id}.",
            remedy="Restore the ledger from its backup, or audit the dataset again.",
        )
    return parsed_report(content)
