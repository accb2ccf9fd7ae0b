package governance.admission_test

import data.governance.admission
import data.governance.fixtures

codes(changes) := fixtures.codes(decide(changes).reasons)

decide(changes) := decision if {
	decision := admission.decision with input as json.patch(fixtures.admission, changes)
		with data.models as fixtures.models
		with data.blocked_terms as fixtures.blocked_terms
		with data.protected_names as fixtures.protected_names
}

explain(changes) := explanation if {
	explanation := admission.explanation with input as json.patch(fixtures.admission, changes)
		with data.models as fixtures.models
		with data.blocked_terms as fixtures.blocked_terms
		with data.protected_names as fixtures.protected_names
}

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_request_is_allowed_with_its_obligations if {
	decision := decide([])
	decision.outcome == "allow"
	decision.reasons == []
	decision.obligations == object.union(
		data.obligations,
		{"max_steps": data.limits.steps, "day_budget": data.budgets},
	)
	explain([]) == []
}

test_without_a_budget_none_is_obliged if {
	decision := decide([]) with data.budgets as {}
	not "day_budget" in object.keys(decision.obligations)
}

test_every_part_that_cannot_be_read_is_named if {
	parts := [
		"/version", "/stage", "/time", "/principal", "/request", "/prompts", "/normaliser", "/parameters", "/seeds",
		"/inputs", "/opaque", "/model", "/usage",
	]
	every part in parts {
		every value in fixtures.wrong {
			decision := decide(set(part, value))
			decision.outcome == "deny"
			decision.obligations == {}
			[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
		}
	}
}

test_what_is_no_object_is_denied if {
	every value in [null, true, 1, "text", [], {}] {
		decision := admission.decision with input as value with data.models as fixtures.models
		decision.outcome == "deny"
		count(decision.reasons) == 13
	}
}

test_an_unsound_setting_denies if {
	decision := admission.decision with input as fixtures.admission
		with data.models as fixtures.models
		with data.negative_terms as "maybe"
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["data.malformed"]
}

test_each_rule_denies_by_its_code if {
	cases := {
		"purpose.unknown": set("/request/purpose", "war"),
		"role.not_permitted": set("/principal/roles", ["researcher"]),
		"market.unknown": set("/request/markets", ["Atlantis"]),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"adapter.not_allowed": set("/model/adapters", [fixtures.adapter]),
		"argument.opaque": set("/opaque", [{"parameter": "latents", "kind": "latents", "digest": null}]),
		"prompt.missing": set("/prompts", []),
		"prompt.unreadable": set("/prompts/0/ngrams", []),
		"prompt.too_long": set("/prompts/0/length", data.limits.prompt_characters + 1),
		"prompt.blocked_term": set("/prompts/0/ngrams/-", "passport"),
		"prompt.protected_name": set("/prompts/0/ngrams/-", "some mouse"),
		"normaliser.mismatch": set("/normaliser", "0"),
		"limit.steps": set("/parameters/steps", data.limits.steps + 1),
		"limit.images": set("/request/images", data.limits.images + 1),
		"budget.images": set("/usage/images", data.budgets.images),
		"inputs.not_allowed": set("/inputs", [fixtures.image]),
	}
	every code, changes in cases {
		decide(changes).outcome == "deny"
		code in codes(changes)
	}
}

test_what_is_for_a_person_to_decide_is_held if {
	cases := {
		"argument.opaque": set("/opaque", [{"parameter": "latents", "kind": "latents", "digest": null}]),
		"prompt.encoded": set("/prompts/0/hints", ["base64"]),
		"prompt.protected_name": set("/prompts/0/ngrams/-", "some painter"),
	}
	every code, changes in cases {
		decision := decide(changes) with data.opaque.latents as "review" with data.encoded_prompts as "review"
		decision.outcome == "review"
		[reason.code | some reason in decision.reasons] == [code]
		decision.obligations.max_steps == data.limits.steps
	}
}

test_an_undisclosed_model_is_held_where_the_data_says_so if {
	undisclosed := {"m": object.remove(fixtures.models.m, ["data_origin"])}
	every outcome in ["review", "deny"] {
		decision := admission.decision with input as fixtures.admission
			with data.models as undisclosed
			with data.undisclosed as outcome
		decision.outcome == outcome
	}
}

test_a_role_has_its_own_limits if {
	codes(array.concat(set("/principal/roles", ["editor"]), set("/request/images", 5))) == {"limit.images"}
	codes(array.concat(set("/principal/roles", ["editor", "designer"]), set("/request/images", 5))) == set()
}

test_an_allowed_adapter_passes if {
	decision := admission.decision with input as json.patch(fixtures.admission, set("/model/adapters", [fixtures.adapter]))
		with data.models as fixtures.models
		with data.adapters as fixtures.adapters
	decision.outcome == "allow"
}

test_notes_stand_beside_what_is_allowed_and_held_and_are_explained_when_denied if {
	named := set("/prompts/1/ngrams/-", "passport")
	decision := decide(named) with data.negative_terms as "note"
	decision.outcome == "allow"
	[reason.code | some reason in decision.reasons] == ["prompt.negative_term"]
	held := decide(array.concat(named, set("/prompts/0/ngrams/-", "some painter"))) with data.negative_terms as "note"
	[reason.code | some reason in held.reasons] == ["prompt.negative_term", "prompt.protected_name"]
	denied := array.concat(named, set("/normaliser", "0"))
	codes(denied) == {"normaliser.mismatch"}
	[reason.code | some reason in explain(denied)] == ["normaliser.mismatch", "prompt.negative_term"]
}

test_the_explanation_names_the_datum_and_the_decision_does_not if {
	changes := set("/prompts/0/ngrams/-", "passport")
	explain(changes) == [{
		"code": "prompt.blocked_term",
		"message": "The prompt contains a term blocked as forgery.",
		"path": "/prompts/0",
		"datum": "/blocked_terms/passport",
	}]
	every reason in decide(changes).reasons {
		object.keys(reason) == {"code", "message", "path"}
		not contains(reason.message, "passport")
	}
	unreadable := explain(set("/version", 2))
	[[reason.code, reason.datum] | some reason in unreadable] == [["input.malformed", ""]]
}

test_allowed_input_images_are_judged if {
	cases := [
		{"score": 0, "outcome": "allow"},
		{"score": data.thresholds.nsfw.review, "outcome": "review"},
		{"score": data.thresholds.nsfw.deny, "outcome": "deny"},
	]
	every case in cases {
		image := json.patch(fixtures.image, [{"op": "replace", "path": "/findings/0/score_millionths", "value": case.score}])
		decision := admission.decision with input as json.patch(fixtures.admission, set("/inputs", [image]))
			with data.models as fixtures.models
			with data.allow_inputs as true
		decision.outcome == case.outcome
	}
}
