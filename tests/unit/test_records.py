"""The rules about budgets that every ledger keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import MAX_SAFE_INTEGER
from governance.entries import Spending
from governance.errors import BudgetError
from governance.records import charged, claim_key, usage_key
from governance.types import Usage

NAMES = Usage.__slots__
DAY = "2026-11-23"
WORDS = list(zip(NAMES, ("images", "steps", "pixels", "steps x pixels"), strict=True))
counts = st.integers(0, MAX_SAFE_INTEGER) | st.integers(0, 100)
amounts = st.builds(Usage, counts, counts, counts, counts)
budgets = st.dictionaries(st.sampled_from(NAMES), counts)


@given(st.lists(amounts, max_size=8), budgets)
def test_a_day_never_comes_above_its_budget_and_forgets_nothing(asked, budget):
    total, admitted = Usage(), []
    for amount in asked:
        fits = all(getattr(total, name) + getattr(amount, name) <= limit for name, limit in budget.items())
        try:
            total = charged(total, Spending("ann", DAY, amount, budget))
            admitted.append(amount)
            assert fits
        except BudgetError:
            assert not fits
        assert total.within(budget)
    sums = {name: min(sum(getattr(amount, name) for amount in admitted), MAX_SAFE_INTEGER) for name in NAMES}
    assert total.as_json() == sums


@given(amounts)
def test_without_a_budget_everything_fits(amount):
    assert charged(Usage(), Spending("ann", DAY, amount)) == amount


@pytest.mark.parametrize(("name", "words"), WORDS)
def test_a_refusal_says_what_is_spent_and_what_is_missing(name, words):
    spent, amount = Usage(5, 5, 5, 5), Usage(2, 2, 2, 2)
    with pytest.raises(BudgetError, match=f"2 {words}; 5 of the 6 of {DAY}") as caught:
        charged(spent, Spending("ann", DAY, amount, {name: 6}))
    assert caught.value.remedy
    assert charged(spent, Spending("ann", DAY, amount, {name: 7})) == Usage(7, 7, 7, 7)


@given(st.text(), st.text())
def test_a_usage_key_is_the_principals_own_and_no_other_key(one, other):
    assert (usage_key(one) == usage_key(other)) == (one == other)
    assert usage_key(one) != claim_key(one, "")
