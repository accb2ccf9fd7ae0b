package governance.limits_test

import data.governance.fixtures
import data.governance.limits

_denials(changes, budgets) := denials if {
	denials := limits.denials with input as fixtures.altered(changes)
		with data.roles as fixtures.settings.roles
		with data.purposes as fixtures.settings.purposes
		with data.limits as fixtures.settings.limits
		with data.budgets as budgets
}

test_each_limit_is_the_most_that_is_allowed if {
	every name, case in {
		"steps": {"/parameters/steps": 100},
		"frames": {"/parameters/frames": 129},
		"images": {"/request/images": 8},
		"pixels": {"/parameters/pixels": 4194304},
		"step_pixels": {"/parameters/steps": 100, "/parameters/pixels": 1250000, "/request/images": 8},
	} {
		most := {path: value | some path, value in case}
		more := {path: above | some path, value in case; above := value + 1}
		_denials(most, {}) == set()
		found := _denials(more, {})
		sprintf("limit.%s", [name]) in fixtures.codes(found)
		sprintf("/limits/%s", [name]) in fixtures.datums(found)
	}
}

test_a_budget_counts_what_was_spent_and_this_request if {
	every name, spent in {"images": 1, "steps": 30, "pixels": 65536, "step_pixels": 30 * 65536} {
		most := fixtures.admission.usage[name] + spent
		_denials({}, {name: most}) == set()
		found := _denials({}, {name: most - 1})
		{[reason.code, reason.path, reason.datum] | some reason in found} == {[sprintf("budget.%s", [name]), sprintf("/usage/%s", [name]), sprintf("/budgets/%s", [name])]}
	}
}

test_the_day_may_come_to_the_budgets if {
	every budgets in [{"images": 5, "pixels": 7}, {}] {
		budgets == limits.day_budget with input as fixtures.admission
			with data.roles as fixtures.settings.roles
			with data.budgets as budgets
	}
}

test_extreme_products_are_denied if {
	found := _denials(
		{
			"/parameters/steps": 9007199254740991,
			"/parameters/pixels": 9007199254740991,
			"/request/images": 9007199254740991,
		},
		{"step_pixels": 9007199254740991},
	)
	fixtures.codes(found) == {"limit.steps", "limit.pixels", "limit.images", "limit.step_pixels", "budget.step_pixels"}
}
