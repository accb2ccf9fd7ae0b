package governance.admission_test

import data.governance.admission
import data.governance.fixtures

codes(changes) := {reason.code | some reason in decide(changes).reasons}

decide(changes) := decision if {
	decision := admission.decision with input as json.patch(fixtures.admission, changes)
		with data.models as fixtures.models
		with data.blocked_terms as fixtures.blocked_terms
}

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_request_is_allowed_with_its_obligations if {
	decision := decide([])
	decision.outcome == "allow"
	decision.reasons == []
	decision.obligations == object.union(data.obligations, {"max_steps": data.limits.steps})
}

test_every_part_that_cannot_be_read_is_named if {
	parts := [
		"/version", "/stage", "/time", "/principal", "/request", "/prompts", "/normaliser", "/parameters", "/seeds",
		"/inputs", "/model",
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
		count(decision.reasons) == 11
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
		"model.not_allowed": set("/model/components/vae", "d9"),
		"adapter.not_allowed": set("/model/adapters", [fixtures.adapter]),
		"prompt.missing": set("/prompts", []),
		"prompt.unreadable": set("/prompts/0/ngrams", []),
		"prompt.too_long": set("/prompts/0/length", data.limits.prompt_characters + 1),
		"prompt.blocked_term": set("/prompts/0/ngrams/-", "passport"),
		"normaliser.mismatch": set("/normaliser", "0"),
		"limit.steps": set("/parameters/steps", data.limits.steps + 1),
		"limit.pixels": array.concat(set("/parameters/width", 4194305), array.concat(
			set("/parameters/height", 1),
			set("/parameters/pixels", 4194305),
		)),
		"limit.images": set("/request/images", data.limits.images + 1),
		"inputs.not_allowed": set("/inputs", [fixtures.image]),
	}
	every code, changes in cases {
		decide(changes).outcome == "deny"
		code in codes(changes)
	}
}

test_a_role_has_its_own_limits if {
	codes(array.concat(set("/principal/roles", ["editor"]), set("/request/images", 5))) == {"limit.images"}
	codes(array.concat(set("/principal/roles", ["editor", "designer"]), set("/request/images", 5))) == set_of_none
}

set_of_none := {code | some code in []}

test_an_allowed_adapter_passes if {
	decision := admission.decision with input as json.patch(fixtures.admission, set("/model/adapters", [fixtures.adapter]))
		with data.models as fixtures.models
		with data.adapters as {"d5": {"name": "style"}}
	decision.outcome == "allow"
}

test_a_negative_prompt_may_name_what_it_avoids if {
	named := set("/prompts/1/ngrams/-", "passport")
	decision := decide(named)
	decision.outcome == "allow"
	[reason.code | some reason in decision.reasons] == ["prompt.negative_term"]
	codes(array.concat(named, set("/parameters/guidance_scale_thousandths", 999))) == {"prompt.blocked_term"}
	codes(array.concat(named, set("/parameters/true_cfg_scale", -1))) == {"prompt.blocked_term"}
}

test_a_negative_prompt_can_be_reviewed_or_denied if {
	every outcome in ["review", "deny"] {
		changed := json.patch(fixtures.admission, set("/prompts/1/ngrams/-", "grenade"))
		decision := admission.decision with input as changed
			with data.models as fixtures.models
			with data.blocked_terms as fixtures.blocked_terms
			with data.negative_terms as outcome
		decision.outcome == outcome
		[reason.code | some reason in decision.reasons] == ["prompt.negative_term"]
	}
}

test_a_reason_never_holds_the_term if {
	every reason in decide(set("/prompts/0/ngrams/-", "passport")).reasons {
		not contains(reason.message, "passport")
	}
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
