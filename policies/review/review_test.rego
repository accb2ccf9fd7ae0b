package governance.review_test

import data.governance.fixtures

good := {
	"version": 1,
	"stage": "review",
	"time": "2026-11-23T14:00:00.000Z",
	"hold": {
		"id": "hold-1",
		"stage": "release",
		"codes": ["finding.review"],
		"requester": "designer@example.org",
		"purpose": "marketing",
		"markets": ["west"],
	},
	"reviewer": {
		"id": "reviewer@example.org",
		"roles": ["designer", "reviewer"],
		"issuer": "caller",
		"assurance": "authenticated",
	},
	"verdict": "approve",
	"approvals": [],
	"model": fixtures.release.model,
}

settings := {"roles": ["reviewer", "editor in chief"], "approvals": 1, "approvals_by_code": {"work.review": 2, "a/b.c": 4}}

markets := {"west": {}, "east": {"approvals": 3}}

decide(changes) := decide_under({}, changes)

# The decision where these settings are others.
decide_under(others, changes) := asked(others, changes).decision

explain(changes) := asked({}, changes).explanation

asked(others, changes) := fixtures.asked(
	"review", json.patch(good, changes),
	object.union({"review": settings, "markets": markets}, others),
)

set(path, value) := [{"op": "add", "path": path, "value": value}]

codes(changes) := {reason.code | some reason in decide(changes).reasons}

others(count) := [sprintf("reviewer-%d@example.org", [number]) | some number in numbers.range(1, count)]

test_one_approval_is_enough_where_one_is_asked_for if {
	decide([]) == {"outcome": "allow", "reasons": [], "obligations": {"approvals": 1}}
	explain([]) == []
}

test_every_part_that_cannot_be_read_is_named if {
	every part in ["/version", "/stage", "/time", "/hold", "/reviewer", "/verdict", "/approvals", "/model"] {
		every value in [[[1]], [""], {"x": 1}, null] {
			decision := decide(set(part, value))
			decision.outcome == "deny"
			decision.obligations == {}
			[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
		}
		decide([{"op": "remove", "path": part}]).outcome == "deny"
	}
}

test_what_is_no_object_is_denied if {
	every value in [null, true, 1, "text", [], {}] {
		decision := fixtures.asked("review", value, {}).decision
		decision.outcome == "deny"
		count(decision.reasons) == 8
	}
}

test_an_unsound_setting_denies if {
	every value in [{}, {"roles": [], "approvals": 1}, {"roles": ["reviewer"], "approvals": 0}, {"roles": "reviewer", "approvals": 1}] {
		decision := fixtures.asked("review", good, {"review": value, "markets": markets}).decision
		decision.outcome == "deny"
		[reason.code | some reason in decision.reasons] == ["data.malformed"]
	}
}

test_each_rule_denies_by_its_code if {
	cases := {
		"review.role": set("/reviewer/roles", ["designer"]),
		"review.requester": set("/reviewer/id", "designer@example.org"),
		"review.twice": set("/approvals", ["reviewer@example.org"]),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"adapter.not_allowed": set("/model/adapters", [fixtures.adapter]),
		"market.unknown": set("/hold/markets", ["west", "atlantis"]),
	}
	every code, changes in cases {
		decision := decide(changes)
		decision.outcome == "deny"
		decision.obligations == {}
		codes(changes) == {code}
	}
	codes(set("/reviewer/roles", [])) == {"review.role"}
	{reason.path | some reason in decide(cases["market.unknown"]).reasons} == {"/hold/markets/1"}
}

test_the_licence_of_the_model_is_held_against_the_purpose_of_what_is_held if {
	licensed("research").outcome == "allow"
	[reason.code | some reason in licensed("marketing").reasons] == ["model.licence"]
}

licensed(purpose) := decide_under(
	{
		"models": {"m": object.union(fixtures.models.m, {"licence": "research-only"})},
		"licences": {"research-only": {"purposes": ["research"]}},
	},
	set("/hold/purpose", purpose),
)

test_more_approvals_are_waited_for if {
	cases := [
		{"codes": ["work.review"], "markets": ["west"], "needed": 2, "datum": "/review/approvals_by_code/work.review"},
		{"codes": ["finding.review", "work.review"], "markets": ["east"], "needed": 3, "datum": "/markets/east/approvals"},
		{"codes": [], "markets": [], "needed": 3, "datum": "/markets/east/approvals"},
		{"codes": ["a/b.c"], "markets": [], "needed": 4, "datum": "/review/approvals_by_code/a~1b.c"},
	]
	every case in cases {
		hold := array.concat(set("/hold/codes", case.codes), set("/hold/markets", case.markets))
		every given in numbers.range(1, case.needed - 1) {
			changes := array.concat(hold, set("/approvals", array.slice(others(9), 0, given - 1)))
			decide(changes) == {
				"outcome": "review",
				"reasons": [{
					"code": "review.pending",
					"message": sprintf("%d of %d approvals are given.", [given, case.needed]),
					"path": "/approvals",
				}],
				"obligations": {"approvals": case.needed},
			}
			[reason.datum | some reason in explain(changes)] == [case.datum]
		}
		enough := array.concat(hold, set("/approvals", others(case.needed - 1)))
		decide(enough) == {"outcome": "allow", "reasons": [], "obligations": {"approvals": case.needed}}
	}
}

test_the_general_obligation_counts_too if {
	decision := decide_under({"obligations": {"approvals": 2}}, [])
	decision.outcome == "review"
	decision.obligations == {"approvals": 2}
}

test_one_person_counts_once_and_the_requester_never if {
	hold := set("/hold/codes", ["work.review"])
	decide(array.concat(hold, set("/approvals", ["designer@example.org"]))).outcome == "review"
	three := set("/hold/markets", ["east"])
	twice := set("/approvals", ["reviewer-1@example.org", "reviewer-1@example.org"])
	decide(array.concat(three, twice)).outcome == "review"
}

test_one_rejection_is_enough_and_needs_no_allowed_model if {
	rejected := set("/verdict", "reject")
	every changes in [
		[],
		set("/hold/codes", ["work.review"]),
		set("/hold/markets", ["east", "atlantis"]),
		set("/model/components/vae", "d9"),
	] {
		decide(array.concat(rejected, changes)) == {"outcome": "allow", "reasons": [], "obligations": {}}
	}
}

test_who_approved_may_still_reject if {
	rejected := array.concat(set("/verdict", "reject"), set("/hold/codes", ["work.review"]))
	after := array.concat(rejected, set("/approvals", ["reviewer@example.org"]))
	decide(after) == {"outcome": "allow", "reasons": [], "obligations": {}}
}

test_a_person_is_the_same_in_letters_of_either_case_and_by_any_issuer if {
	every id in ["DESIGNER@Example.ORG", "designer@example.org"] {
		own := array.concat(set("/reviewer/id", id), set("/reviewer/issuer", "another"))
		codes(own) == {"review.requester"}
	}
	codes(set("/approvals", ["Reviewer@EXAMPLE.org"])) == {"review.twice"}
	three := set("/hold/markets", ["east"])
	decide(array.concat(three, set("/approvals", ["Second@example.org", "second@example.org"]))).outcome == "review"
	decide(array.concat(three, set("/approvals", ["second@example.org", "Designer@example.org"]))).outcome == "review"
	decide(array.concat(three, set("/approvals", ["second@example.org", "third@example.org"]))).outcome == "allow"
}

test_neither_the_requester_nor_who_may_not_approve_may_reject if {
	rejected := set("/verdict", "reject")
	every changes in [
		set("/reviewer/roles", ["designer"]),
		set("/reviewer/id", "designer@example.org"),
	] {
		decide(array.concat(rejected, changes)).outcome == "deny"
	}
}

test_the_explanation_names_the_datum_and_the_decision_does_not if {
	[reason.datum | some reason in explain(set("/reviewer/roles", []))] == ["/review/roles"]
	[reason.datum | some reason in explain(set("/reviewer/id", "designer@example.org"))] == [""]
	[reason.datum | some reason in explain(set("/hold", []))] == [""]
	every reason in decide(set("/reviewer/roles", [])).reasons {
		object.keys(reason) == {"code", "message", "path"}
	}
}
