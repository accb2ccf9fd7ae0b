"""The erasure log's contract, and a fake of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from governance.entries import ErasedPart, Receipt
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.ports import ErasureLog
from governance.testing.example_records import intent_record
from governance.testing.fake_ledger import FakeLedger
from governance.types import new_id


@dataclass
class FakeErasureLog:
    """An erasure log in memory. `errors`: what a method raises whenever it is called, by its name."""

    errors: dict[str, BaseException] = field(default_factory=dict)
    kept: list[Receipt] = field(default_factory=list)

    def append(self, receipt: Receipt) -> None:
        """See `ErasureLog.append`."""
        self._fail("append")
        self.kept.append(receipt)

    def receipts(self) -> Iterator[Receipt]:
        """See `ErasureLog.receipts`."""
        self._fail("receipts")
        yield from tuple(self.kept)

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]


def example_receipts(count: int) -> list[Receipt]:
    """Receipts of `erased` entries of one log."""
    ledger = FakeLedger()
    found = []
    for _ in range(count):
        record = intent_record(new_id())
        ledger.append(record)
        parts = [ErasedPart(record.entry.id, "/prompts/0")]
        found.append(ledger.append(erased_record(new_id(), parts, ErasureOrder(Basis.REQUEST))))
    return found


class ErasureLogContract:
    """What every erasure log does. A subclass says how to make one, and how another process sees it."""

    def new_log(self) -> ErasureLog:
        """A new, empty log."""
        raise NotImplementedError

    def opened_again(self, log: ErasureLog) -> ErasureLog:
        """The same log, as the next process sees it."""
        raise NotImplementedError

    def test_a_new_log_is_empty(self) -> None:
        assert list(self.new_log().receipts()) == []

    def test_receipts_come_back_in_their_order(self) -> None:
        log, receipts = self.new_log(), example_receipts(3)
        for receipt in receipts:
            log.append(receipt)
            log = self.opened_again(log)
        assert list(log.receipts()) == receipts

    def test_a_receipt_that_is_kept_twice_is_there_twice(self) -> None:
        log, (receipt,) = self.new_log(), example_receipts(1)
        for _ in range(2):
            log.append(receipt)
        assert list(log.receipts()) == [receipt, receipt]

    def test_what_is_appended_while_somebody_reads_is_there_for_the_next(self) -> None:
        log, receipts = self.new_log(), example_receipts(3)
        for receipt in receipts[:2]:
            log.append(receipt)
        reading = log.receipts()
        assert next(reading) == receipts[0]
        log.append(receipts[2])
        assert next(reading) == receipts[1]
        assert list(log.receipts()) == receipts
