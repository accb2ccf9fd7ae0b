"""The part of the ledger's contract that is about budgets: what intents spend, and what a day refuses."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from governance.canonical import MAX_SAFE_INTEGER
from governance.entries import EntryKind, Record, Spending
from governance.errors import BudgetError, LedgerError
from governance.ports import Ledger
from governance.testing.example_records import intent_record, outcome_record, released_record
from governance.testing.expect import expect
from governance.types import Usage, new_id

DAY = "2026-11-23"


def spending_record(
    principal_id: str = "ann", budget: Mapping[str, int] | None = None, *, day: str = DAY, amount: Usage | None = None
) -> Record:
    """An intent of a new generation that spends `amount`, else one image of 30 steps and 100 pixels."""
    amount = amount or Usage(images=1, steps=30, pixels=100, step_pixels=3_000)
    intent = intent_record(new_id(), items=max(amount.images, 1))
    return replace(intent, spending=Spending(principal_id, day, amount, budget or {}))


class LedgerBudgetContract:
    """What every ledger does about budgets; a part of `LedgerContract`."""

    def new_ledger(self) -> Ledger:
        """A new, empty ledger."""
        raise NotImplementedError

    def successor(self, ledger: Ledger) -> Ledger:
        """The same ledger, opened by another process after the one that held `ledger` vanished."""
        raise NotImplementedError

    def test_who_never_asked_has_spent_nothing(self) -> None:
        ledger = self.new_ledger()
        ledger.append(intent_record("g"))
        assert ledger.usage("ann", DAY) == Usage()

    def test_usage_is_the_sum_of_a_principals_intents_of_a_day(self) -> None:
        ledger = self.new_ledger()
        amounts = [Usage(1, 30, 100, 3_000), Usage(2, 8, 50, 200), Usage(1, 1, 1, 1)]
        for amount in amounts:
            ledger.append(spending_record(amount=amount))
        assert ledger.usage("ann", DAY) == Usage(4, 39, 151, 3_201)

    def test_principals_and_days_are_counted_apart(self) -> None:
        ledger, budget = self.new_ledger(), {"images": 1}
        for principal_id, day in (("ann", DAY), ("bob", DAY), ("ann", "2026-11-24")):
            ledger.append(spending_record(principal_id, budget, day=day))
            assert ledger.usage(principal_id, day).images == 1
        assert ledger.usage("bob", "2026-11-24") == Usage()

    def test_a_budget_may_be_spent_to_the_last_and_no_further(self) -> None:
        for name in Usage.__slots__:
            ledger = self.new_ledger()
            budget = {name: 2 * getattr(Usage(1, 30, 100, 3_000), name)}
            for _ in range(2):
                ledger.append(spending_record(budget=budget))
            spent, before = ledger.usage("ann", DAY), ledger.entries()
            refused = spending_record(budget=budget)
            with expect(BudgetError):
                ledger.append(refused)
            assert ledger.usage("ann", DAY) == spent == Usage(2, 60, 200, 6_000), name
            assert ledger.entries() == before, name
            assert list(ledger.fields(refused.entry.id)) == [], name
            assert list(ledger.verify()) == [], name

    def test_a_budget_limits_what_it_names(self) -> None:
        ledger = self.new_ledger()
        for _ in range(3):
            ledger.append(spending_record(budget={"step_pixels": 9_000}))
        ledger.append(spending_record(budget={"images": 4}))
        ledger.append(spending_record())
        with expect(BudgetError):
            ledger.append(spending_record(budget={"images": 100, "steps": 150}))
        with expect(BudgetError):
            ledger.append(spending_record("bob", {"images": 0}))
        assert (ledger.usage("ann", DAY).images, ledger.usage("bob", DAY)) == (5, Usage())

    def test_an_append_that_fails_spends_nothing(self) -> None:
        ledger = self.new_ledger()
        record = spending_record(budget={"images": 2})
        ledger.append(record)
        for failing in (record, replace(record, fields=())):
            with expect(LedgerError):
                ledger.append(failing)
        assert ledger.usage("ann", DAY).images == 1
        ledger.append(spending_record(budget={"images": 2}))

    def test_what_became_of_an_intent_changes_nothing(self) -> None:
        ledger = self.new_ledger()
        for outcome in (EntryKind.FAILED, EntryKind.DENIED, EntryKind.HELD):
            intent = spending_record()
            ledger.append(intent)
            ledger.append(outcome_record(outcome, intent.entry.subject))
        assert ledger.usage("ann", DAY).images == 3

    def test_only_intents_spend_and_only_what_can_be_counted(self) -> None:
        ledger, good = self.new_ledger(), spending_record()
        spending = good.spending
        assert spending is not None
        released = released_record("g", b"bytes")
        misfits = [
            replace(released, spending=spending),
            replace(outcome_record(EntryKind.DENIED, "g"), spending=spending),
            replace(good, spending=replace(spending, principal_id="")),
            replace(good, spending=replace(spending, day="today")),
            replace(good, spending=replace(spending, day="2026-11-23T14:00:00.000Z")),
            replace(good, spending=replace(spending, amount=Usage(2, 30, 100, 3_000))),
            replace(good, spending=replace(spending, amount=Usage(1, -30, 100, 3_000))),
            replace(good, spending=replace(spending, amount=Usage(1, MAX_SAFE_INTEGER + 1, 100, 3_000))),
            replace(good, spending=replace(spending, budget={"money": 5})),
            replace(good, spending=replace(spending, budget={"images": True})),
        ]
        for record in misfits:
            with expect(LedgerError):
                ledger.append(record)
        assert ledger.entries() == []
        assert ledger.usage("ann", DAY) == Usage()
        ledger.append(good)

    def test_sums_stop_at_the_largest_safe_integer(self) -> None:
        ledger, most = self.new_ledger(), MAX_SAFE_INTEGER
        ledger.append(spending_record(amount=Usage(1, most - 1, 1, most)))
        ledger.append(spending_record(amount=Usage(1, 2, 1, most), budget={"images": 2}))
        assert ledger.usage("ann", DAY) == Usage(2, most, 2, most)
        ledger.append(spending_record(budget={"pixels": most}))
        with expect(BudgetError):
            ledger.append(spending_record(budget={"step_pixels": most}))
        assert ledger.usage("ann", DAY) == Usage(3, most, 102, most)

    def test_usage_outlives_its_process(self) -> None:
        ledger, budget = self.new_ledger(), {"images": 2}
        ledger.append(spending_record(budget=budget))
        ledger = self.successor(ledger)
        assert ledger.usage("ann", DAY).images == 1
        ledger.append(spending_record(budget=budget))
        with expect(BudgetError):
            ledger.append(spending_record(budget=budget))

    def test_threads_never_overspend_together(self) -> None:
        ledger, budget = self.new_ledger(), {"images": 40, "pixels": 4_000}
        refused: list[BudgetError] = []
        start = threading.Barrier(16)

        def work() -> None:
            start.wait()
            for _ in range(5):
                try:
                    ledger.append(spending_record(budget=budget))
                    ledger.append(spending_record("bob"))  # without a budget: never refused with its siblings
                except BudgetError as error:
                    refused.append(error)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.usage("ann", DAY) == Usage(40, 1_200, 4_000, 120_000)
        assert ledger.usage("bob", DAY).images == 40
        assert len(ledger.entries(limit=1_000)) == 80
        assert len({id(error) for error in refused}) == 40
        assert list(ledger.verify()) == []
