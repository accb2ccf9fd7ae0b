package governance.limits_test

import data.governance.fixtures
import data.governance.limits

test_each_limit_is_the_most_that_is_allowed if {
	every name, case in {
		"steps": {"/parameters/steps": data.limits.steps},
		"images": {"/request/images": data.limits.images},
		"pixels": {"/parameters/pixels": data.limits.pixels},
		"step_pixels": {
			"/parameters/steps": data.limits.steps,
			"/parameters/pixels": data.limits.step_pixels / (data.limits.steps * data.limits.images),
			"/request/images": data.limits.images,
		},
	} {
		most := {path: value | some path, value in case}
		more := {path: above | some path, value in case; above := value + 1}
		limits.denials == set() with input as fixtures.altered(most) with data.budgets as {}
		found := limits.denials with input as fixtures.altered(more) with data.budgets as {}
		sprintf("limit.%s", [name]) in fixtures.codes(found)
		sprintf("/limits/%s", [name]) in fixtures.datums(found)
	}
}

test_a_budget_counts_what_was_spent_and_this_request if {
	every name, spent in {"images": 1, "steps": 30, "pixels": 65536, "step_pixels": 30 * 65536} {
		most := fixtures.admission.usage[name] + spent
		limits.denials == set() with input as fixtures.admission with data.budgets as {name: most}
		found := limits.denials with input as fixtures.admission with data.budgets as {name: most - 1}
		{[reason.code, reason.path, reason.datum] | some reason in found} == {[sprintf("budget.%s", [name]), sprintf("/usage/%s", [name]), sprintf("/budgets/%s", [name])]}
	}
}

test_the_day_may_come_to_the_budgets if {
	limits.day_budget == {"images": 5, "pixels": 7} with input as fixtures.admission
		with data.budgets as {"images": 5, "pixels": 7}
	limits.day_budget == {} with input as fixtures.admission with data.budgets as {}
}

test_extreme_products_are_denied if {
	extreme := fixtures.altered({"/parameters/steps": 9007199254740991, "/parameters/pixels": 9007199254740991, "/request/images": 9007199254740991})
	found := limits.denials with input as extreme with data.budgets as {"step_pixels": 9007199254740991}
	fixtures.codes(found) == {"limit.steps", "limit.pixels", "limit.images", "limit.step_pixels", "budget.step_pixels"}
}
