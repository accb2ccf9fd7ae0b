package governance.review_test

import data.governance.fixtures

good := {
	"version": 1,
	"stage": "review",
	"time": "2026-11-23T14:00:00.000Z",
	"act": "holds.decide",
	"hold": {
		"id": "hold-1",
		"stage": "release",
		"codes": ["finding.review"],
		"requester": "designer@example.org",
		"purpose": "marketing",
		"markets": ["west"],
		"queue": "",
	},
	"reviewer": {
		"id": "reviewer@example.org",
		"roles": ["designer", "reviewer"],
		"issuer": "caller",
		"assurance": "authenticated",
	},
	"verdict": "approve",
	"to": "",
	"approvals": [],
	"inputs": [],
	"model": fixtures.release.model,
}

settings := object.union(fixtures.review, {"approvals_by_code": {"work.review": 2, "a/b.c": 4}})

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
	parts := [
		"/version", "/stage", "/time", "/hold", "/reviewer", "/verdict", "/to", "/approvals", "/inputs",
		"/model",
	]
	every part in parts {
		every value in [[[1]], [""], {"x": 1}, null] {
			decision := decide(set(part, value))
			decision.outcome == "deny"
			decision.obligations == {}
			[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
		}
		decide([{"op": "remove", "path": part}]).outcome == "deny"
	}
	every value in ["", null, 7, ["holds.decide"], {}] {
		[reason.path | some reason in decide(set("/act", value)).reasons; reason.path == "/act"] == ["/act"]
	}
	decide([{"op": "remove", "path": "/act"}]).outcome == "deny"
}

test_what_is_no_object_is_denied if {
	every value in [null, true, 1, "text", [], {}] {
		decision := fixtures.asked("review", value, {}).decision
		decision.outcome == "deny"
		count(decision.reasons) == 5
	}
}

test_an_unsound_setting_denies if {
	changes := [{"roles": []}, {"approvals": 0}, {"roles": "reviewer"}, {"acts": []}, {"queues": []}]
	every value in array.concat([{}], [object.union(fixtures.review, change) | some change in changes]) {
		decision := fixtures.asked("review", good, {"review": value, "markets": markets}).decision
		decision.outcome == "deny"
		[reason.code | some reason in decision.reasons] == ["data.malformed"]
	}
}

test_each_rule_denies_by_its_code if {
	cases := {
		"review.escalation": array.concat(set("/verdict", "escalate"), set("/to", "nowhere")),
		"review.queue": set("/hold/queue", "a/b"),
		"review.requester": set("/reviewer/id", "designer@example.org"),
		"review.twice": set("/approvals", ["reviewer@example.org"]),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"adapter.not_allowed": set("/model/adapters", [fixtures.adapter]),
		"inputs.not_allowed": set("/inputs", [fixtures.image]),
		"market.unknown": set("/hold/markets", ["west", "atlantis"]),
	}
	every code, changes in cases {
		decision := decide(changes)
		decision.outcome == "deny"
		decision.obligations == {}
		codes(changes) == {code}
	}
	codes(set("/reviewer/roles", ["designer"])) == {"review.act", "review.role"}
	codes(set("/reviewer/roles", [])) == {"review.act", "review.role"}
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
	[reason.datum | some reason in explain(set("/reviewer/roles", []))] == [
		"/review/acts/holds.decide",
		"/review/roles",
	]
	unlisted := array.concat(array.concat(undecided, set("/act", "works.read")), [{"op": "remove", "path": "/hold"}])
	[reason.datum | some reason in explain(unlisted)] == ["/review/acts"]
	[reason.datum | some reason in explain(set("/hold/queue", "a/b"))] == ["/review/queues/a~1b"]
	[reason.datum | some reason in explain(set("/hold/queue", "gone"))] == ["/review/queues"]
	[reason.datum | some reason in explain(set("/reviewer/id", "designer@example.org"))] == [""]
	[reason.datum | some reason in explain(set("/hold", []))] == [""]
	every reason in decide(set("/reviewer/roles", [])).reasons {
		object.keys(reason) == {"code", "message", "path"}
	}
}

# What somebody with these roles may hear who wants to do this to a hold in this queue.
asked_to(act, roles, queue) := {reason.code | some reason in decision.reasons} if {
	changes := array.concat(set("/act", act), array.concat(set("/reviewer/roles", roles), set("/hold/queue", queue)))
	decision := decide(array.concat(undecided, changes))
	decision.obligations == {}
	decision.outcome == {true: "allow", false: "deny"}[count(decision.reasons) == 0]
}

undecided := [{"op": "remove", "path": path} | some path in ["/verdict", "/to", "/approvals", "/inputs", "/model"]]

test_each_act_is_for_the_roles_that_the_data_lists if {
	every act in ["holds.read", "holds.view", "holds.lease", "holds.comment"] {
		asked_to(act, ["reviewer"], "") == set()
		asked_to(act, ["designer"], "") == {"review.act"}
		asked_to(act, [], "") == {"review.act"}
	}
	asked_to("holds.comment", ["guest"], "") == set()
	asked_to("works.write", ["reviewer"], "") == {"review.act"}
	asked_to("files.verify", ["reviewer"], "") == {"review.act"}
	asked_to("holds.destroy", ["reviewer"], "") == {"review.act"}
}

test_an_act_about_no_hold_needs_none if {
	nothing_held := array.concat(undecided, [{"op": "remove", "path": "/hold"}])
	decide(array.concat(nothing_held, set("/act", "holds.read"))).outcome == "allow"
	ledger := array.concat(nothing_held, set("/act", "ledger.read"))
	codes(ledger) == {"review.act"}
	decide(array.concat(ledger, set("/reviewer/roles", ["auditor"]))).outcome == "allow"
	every act in ["holds.view", "holds.lease", "holds.comment"] {
		[reason.path | some reason in decide(array.concat(nothing_held, set("/act", act))).reasons] == ["/hold"]
	}
	every hold in [null, false, "hold-1", []] {
		changes := array.concat(set("/act", "holds.read"), set("/hold", hold))
		[reason.path | some reason in decide(array.concat(nothing_held, changes)).reasons] == ["/hold"]
	}
}

test_a_hold_is_for_the_roles_of_its_queue if {
	every act in ["holds.read", "holds.view", "holds.lease"] {
		asked_to(act, ["reviewer"], "brand") == set()
		asked_to(act, ["counsel"], "brand") == {"review.queue"}
		asked_to(act, ["counsel", "reviewer"], "brand") == set()
		asked_to(act, ["counsel"], "second") == set()
		asked_to(act, ["counsel"], "a/b") == set()
		asked_to(act, ["reviewer"], "a/b") == {"review.queue"}
		asked_to(act, ["reviewer"], "gone") == {"review.queue"}
		asked_to(act, ["designer"], "brand") == {"review.act", "review.queue"}
	}
}

test_who_asked_for_it_may_read_and_comment_on_it_and_no_more if {
	own := array.concat(undecided, set("/reviewer/id", "Designer@example.org"))
	every act in ["holds.view", "holds.lease"] {
		codes(array.concat(own, set("/act", act))) == {"review.requester"}
	}
	every act in ["holds.read", "holds.comment"] {
		codes(array.concat(own, set("/act", act))) == set()
	}
}

test_what_belongs_to_a_decision_stands_in_no_other_act if {
	every part in ["verdict", "to", "approvals", "inputs", "model"] {
		left := [{"op": "remove", "path": concat("", ["/", name])} |
			some name in ["verdict", "to", "approvals", "inputs", "model"]
			name != part
		]
		decision := decide(array.concat(left, set("/act", "holds.view")))
		[[reason.code, reason.path] | some reason in decision.reasons] == [["input.malformed", concat("", ["/", part])]]
		decision.outcome == "deny"
	}
}

escalated(queue) := array.concat(set("/verdict", "escalate"), set("/to", queue))

test_to_escalate_needs_another_known_queue_and_no_allowed_model if {
	here := set("/hold/queue", "brand")
	every changes in [[], set("/model/components/vae", "d9"), set("/inputs", [fixtures.image]), set("/hold/codes", ["work.review"])] {
		asked := array.concat(array.concat(here, escalated("a/b")), changes)
		decide(asked) == {"outcome": "allow", "reasons": [], "obligations": {}}
	}
	codes(array.concat(here, escalated("brand"))) == {"review.escalation"}
	codes(array.concat(here, escalated("gone"))) == {"review.escalation"}
	codes(array.concat(array.concat(here, escalated("general")), set("/reviewer/roles", ["counsel"]))) == {"review.queue"}
	codes(array.concat(escalated("general"), set("/reviewer/id", "designer@example.org"))) == {"review.requester"}
	codes(escalated("")) == {"input.malformed"}
	every verdict in ["approve", "reject"] {
		codes(array.concat(set("/verdict", verdict), set("/to", "general"))) == {"input.malformed"}
	}
}

test_an_approval_asks_again_for_the_input_images if {
	cases := [
		{"image": fixtures.image, "answer": "allow", "outcome": "allow"},
		{"image": fixtures.image, "answer": "review", "outcome": "allow"},
		{"image": fixtures.image, "answer": "deny", "outcome": "deny"},
		{"image": scored(400000), "answer": "allow", "outcome": "allow"},
		{"image": scored(800000), "answer": "allow", "outcome": "deny"},
	]
	every case in cases {
		changes := set("/inputs", [case.image])
		allowing := {"allow_inputs": true, "input_manifests": {"none": case.answer, "untrusted": "deny"}}
		decide_under(allowing, changes).outcome == case.outcome
		decide_under(allowing, array.concat(changes, set("/verdict", "reject"))).outcome == "allow"
	}
}

scored(score) := json.patch(fixtures.image, [{"op": "replace", "path": "/findings/0/score_millionths", "value": score}])

test_a_licensed_purpose_of_what_is_held_counts_for_its_input_images if {
	finding := object.union(fixtures.finding, {"work": "mural", "score_millionths": 500000})
	image := object.union(fixtures.image, {"findings": [finding]})
	works := {"mural": {"action": "deny", "purposes": ["marketing"]}}
	decide_under({"allow_inputs": true, "works": works}, set("/inputs", [image])).outcome == "allow"
	denied := decide_under({"allow_inputs": true, "works": works}, array.concat(
		set("/inputs", [image]),
		set("/hold/purpose", "research"),
	))
	"work.denied" in {reason.code | some reason in denied.reasons}
}
