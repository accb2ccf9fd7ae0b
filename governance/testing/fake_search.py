"""What a search answers, by looking at every record: what every index must agree with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from governance.entries import Entry, EntryKind, Record
from governance.lineage.releases import Release
from governance.search import Query, Rollup, SearchPage, check_days, check_page
from governance.traits import Traits, matches, rollups_of, traits_of


def search_records(records: Sequence[Record], query: Query, after: int, limit: int) -> SearchPage:
    """See `Ledger.search`: the records' indices are their places."""
    check_page(limit)
    documents = _documents(records)
    found: list[tuple[int, Entry]] = []
    for index, record in enumerate(records):
        if index <= after or not matches(query, _traits(record, documents)):
            continue
        if len(found) == limit:
            return SearchPage(tuple(found), found[-1][0])
        found.append((index, record.entry))
    return SearchPage(tuple(found))


def count_records(records: Sequence[Record], since: str, until: str) -> Sequence[Rollup]:
    """See `Ledger.rollups`."""
    check_days(since, until)
    counts: Counter[tuple[str, str, str]] = Counter()
    documents = _documents(records)
    for record in records:
        counts.update(rollups_of(_traits(record, documents)))
    return [Rollup(*what, entries) for what, entries in sorted(counts.items()) if since <= what[0] < until]


def released_records(records: Sequence[Record], model: str, after: int, limit: int) -> Sequence[tuple[int, Release]]:
    """See `Ledger.released_by`."""
    check_page(limit)
    documents = _documents(records)
    found = (
        (index, Release.of(record.entry))
        for index, record in enumerate(records)
        if index > after
        and record.entry.kind is EntryKind.RELEASED
        and _traits(record, documents).model_digest == model
    )
    return list(islice(found, limit))


def _documents(records: Sequence[Record]) -> Mapping[str, bytes]:
    return {document.digest: document.content for record in records for document in record.documents}


def _traits(record: Record, documents: Mapping[str, bytes]) -> Traits:
    return traits_of(record.entry, record.fields, documents)
