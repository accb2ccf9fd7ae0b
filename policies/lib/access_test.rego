package governance.access_test

import data.governance.access
import data.governance.fixtures

roles := {
	"designer": {},
	"a/b": {"limits": {"images": 4, "steps": "many"}, "budget": {"images": 9}},
	"lead": {"limits": {"images": 16}, "budget": {"images": 20, "steps": 7}},
}

purposes := {"marketing": {"roles": ["designer", "a/b", "lead"]}}

by(named) := fixtures.changed("/principal/roles", named)

test_the_purpose_and_a_role_must_be_known if {
	some_purpose := denials("/request/purpose", "war")
	fixtures.codes(some_purpose) == {"purpose.unknown", "role.not_permitted"}
	fixtures.datums(some_purpose) == {"/purposes"}
	some_role := denials("/principal/roles", ["x"])
	fixtures.codes(some_role) == {"role.not_permitted"}
	fixtures.datums(some_role) == {"/purposes/marketing"}
	denials("/principal/roles", ["x", "designer"]) == set()
}

denials(path, value) := found if {
	found := access.denials with input as fixtures.changed(path, value)
		with data.roles as roles
		with data.purposes as purposes
}

test_of_several_roles_the_most_generous_limit_counts if {
	every case in [
		{"roles": ["designer"], "limit": 8, "datum": "/limits/images"},
		{"roles": ["a/b"], "limit": 4, "datum": "/roles/a~1b/limits/images"},
		{"roles": ["a/b", "designer"], "limit": 8, "datum": "/limits/images"},
		{"roles": ["a/b", "lead"], "limit": 16, "datum": "/roles/lead/limits/images"},
		{"roles": ["nobody"], "limit": 8, "datum": "/limits/images"},
	] {
		[limit, datum] := [case.limit, case.datum]
		limit == access.limit("images") with input as by(case.roles)
			with data.roles as roles
			with data.purposes as purposes
			with data.limits as fixtures.settings.limits
		datum == access.limit_datum("images") with input as by(case.roles)
			with data.roles as roles
			with data.purposes as purposes
			with data.limits as fixtures.settings.limits
	}
}

test_a_limit_that_cannot_be_read_is_no_limit_of_its_own if {
	access.limit("steps") == data.limits.steps with input as by(["a/b"])
		with data.roles as roles
		with data.purposes as purposes
}

test_of_several_roles_the_most_generous_budget_counts if {
	every case in [
		{"roles": ["designer"], "general": {"images": 5}, "budgets": {"images": [5, "/budgets/images"]}},
		{"roles": ["a/b"], "general": {"images": 5}, "budgets": {"images": [9, "/roles/a~1b/budget/images"]}},
		{"roles": ["a/b", "designer"], "general": {"images": 50}, "budgets": {"images": [50, "/budgets/images"]}},
		{"roles": ["a/b", "designer"], "general": {}, "budgets": {}},
		{"roles": ["nobody"], "general": {"images": 5}, "budgets": {"images": [5, "/budgets/images"]}},
		{
			"roles": ["lead"], "general": {"pixels": 3},
			"budgets": {
				"images": [20, "/roles/lead/budget/images"],
				"pixels": [3, "/budgets/pixels"],
				"steps": [7, "/roles/lead/budget/steps"],
			},
		},
	] {
		budgets := case.budgets
		budgets == access.budgets with input as by(case.roles)
			with data.roles as roles
			with data.purposes as purposes
			with data.budgets as case.general
	}
}
