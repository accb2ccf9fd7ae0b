"""Have we made this? The released pictures that a picture is like, and what led to them.

Absence proves nothing, and neither does likeness: what is found is a record that looks alike among those that are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from governance.attribution import PDQ_BYTES, PDQ_MATCH, hamming
from governance.entries import MarkRecord


def nearest(records: Iterable[MarkRecord], pdq: bytes, limit: int) -> Sequence[MarkRecord]:
    """Those of `records` whose PDQ hash differs from `pdq` in at most 31 bits, each once, the nearest first, at most `limit`.

    Records may come any number of times and in any order; no more than twice `limit` of them are kept meanwhile.

    Raises:
        MarkError: `pdq` does not have 32 bytes.
    """
    found: dict[tuple[str, str, int], tuple[int, MarkRecord]] = {}
    for record in records:
        if len(record.fingerprint.pdq) != PDQ_BYTES:
            continue  # `governance ledger verify` is who names what was altered
        distance = hamming(record.fingerprint.pdq, pdq)
        if distance <= PDQ_MATCH:
            found[record.algorithm, record.key_id, record.mark_id] = distance, record
        if len(found) > 2 * limit:
            found = dict(_best(found, limit))
    return [record for _, (_, record) in _best(found, limit)]


def _best(
    found: dict[tuple[str, str, int], tuple[int, MarkRecord]], limit: int
) -> list[tuple[tuple[str, str, int], tuple[int, MarkRecord]]]:
    return heapq.nsmallest(limit, found.items(), key=lambda item: (item[1][0], item[0]))
