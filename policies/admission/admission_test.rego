package governance.admission_test

import data.governance.fixtures

codes(changes) := fixtures.codes(decide(changes).reasons)

decide(changes) := decide_under({}, changes)

# The decision where these settings are others.
decide_under(settings, changes) := asked(settings, changes).decision

explain(changes) := asked({}, changes).explanation

asked(settings, changes) := fixtures.asked("admission", json.patch(fixtures.admission, changes), settings)

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_request_is_allowed_with_its_obligations if {
	decision := decide([])
	decision.outcome == "allow"
	decision.reasons == []
	decision.obligations == object.union(
		fixtures.settings.obligations,
		{"max_steps": 100, "day_budget": {"images": 500, "step_pixels": 40000000000}},
	)
	explain([]) == []
}

test_without_a_budget_none_is_obliged if {
	decision := decide_under({"budgets": {}}, [])
	not "day_budget" in object.keys(decision.obligations)
}

test_every_part_that_cannot_be_read_is_named if {
	parts := [
		"/version", "/stage", "/time", "/principal", "/request", "/prompts", "/normaliser", "/parameters", "/seeds",
		"/inputs", "/opaque", "/model", "/usage", "/registers",
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
		decision := fixtures.asked("admission", value, {}).decision
		decision.outcome == "deny"
		count(decision.reasons) == 14
	}
}

test_what_is_denied_is_kept_no_longer if {
	every days in [0, 30] {
		denied := decide_under({"obligations": {"retain_days": days, "watermark": true}}, set("/inputs", [fixtures.image]))
		denied.outcome == "deny"
		denied.obligations == {"retain_days": days}
	}
	decide_under({"obligations": {"watermark": true}}, set("/inputs", [fixtures.image])).obligations == {}
}

test_an_unsound_setting_denies if {
	decision := decide_under({"negative_terms": "maybe"}, [])
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["data.malformed"]
}

test_each_rule_denies_by_its_code if {
	cases := {
		"purpose.unknown": set("/request/purpose", "war"),
		"role.not_permitted": set("/principal/roles", ["researcher"]),
		"market.unknown": set("/request/markets", ["Atlantis"]),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"adapter.not_allowed": fixtures.loading({}),
		"model.unregistered": set("/registers/model/state", "unregistered"),
		"model.withdrawn": set("/registers/model/state", "withdrawn"),
		"adapter.unregistered": fixtures.loading({"state": "unregistered"}),
		"argument.opaque": set("/opaque", [{"parameter": "latents", "kind": "latents", "digest": null}]),
		"prompt.missing": set("/prompts", []),
		"prompt.unreadable": set("/prompts/0/ngrams", []),
		"prompt.too_long": set("/prompts/0/length", 2001),
		"prompt.blocked_term": set("/prompts/0/ngrams/-", "passport"),
		"prompt.protected_name": set("/prompts/0/ngrams/-", "some mouse"),
		"normaliser.mismatch": set("/normaliser", "0"),
		"limit.steps": set("/parameters/steps", 101),
		"limit.images": set("/request/images", 9),
		"budget.images": set("/usage/images", 500),
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
		decision := decide_under({"opaque": object.union(fixtures.settings.opaque, {"latents": "review"})}, changes)
		decision.outcome == "review"
		[reason.code | some reason in decision.reasons] == [code]
		decision.obligations.max_steps == 100
		object.subset(decision.obligations, fixtures.held("general"))
	}
}

test_who_is_asked_depends_on_why if {
	review := object.union(fixtures.review, {"queue_by_code": {"prompt.protected_name": "brand"}})
	decision := decide_under({"review": review}, set("/prompts/0/ngrams/-", "some painter"))
	object.subset(decision.obligations, fixtures.held("brand"))
	obliged := decide_under({"obligations": {"approvals": 1, "label_language": "en"}}, [])
	obliged.outcome == "allow"
	object.subset(obliged.obligations, fixtures.held("general"))
	not "label_language" in object.keys(obliged.obligations)
}

test_an_undisclosed_model_is_held_where_the_data_says_so if {
	undisclosed := {"m": object.remove(fixtures.models.m, ["data_origin"])}
	every outcome in ["review", "deny"] {
		decide_under({"models": undisclosed, "undisclosed": outcome}, []).outcome == outcome
	}
}

test_a_role_has_its_own_limits if {
	codes(array.concat(set("/principal/roles", ["editor"]), set("/request/images", 5))) == {"limit.images"}
	codes(array.concat(set("/principal/roles", ["editor", "designer"]), set("/request/images", 5))) == set()
}

test_an_allowed_adapter_passes if {
	decide_under({"adapters": fixtures.adapters}, fixtures.loading({})).outcome == "allow"
}

test_a_model_that_nobody_registered_does_what_the_data_says if {
	nobody := set("/registers/model/state", "unregistered")
	every answer, outcome in {"note": "allow", "review": "review", "deny": "deny"} {
		decision := decide_under({"unregistered": {"adapters": "deny", "models": answer}}, nobody)
		decision.outcome == outcome
		[reason.code | some reason in decision.reasons] == ["model.unregistered"]
	}
	silent := decide_under({"unregistered": {"adapters": "deny", "models": "allow"}}, nobody)
	[silent.outcome, silent.reasons] == ["allow", []]
	decide_under({"unregistered": {"models": "allow"}}, []).outcome == "deny"
}

test_notes_stand_beside_what_is_allowed_and_held_and_are_explained_when_denied if {
	named := set("/prompts/1/ngrams/-", "passport")
	decision := decide(named)
	decision.outcome == "allow"
	[reason.code | some reason in decision.reasons] == ["prompt.negative_term"]
	held := decide(array.concat(named, set("/prompts/0/ngrams/-", "some painter")))
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
		{"score": 400000, "outcome": "review"},
		{"score": 800000, "outcome": "deny"},
	]
	every case in cases {
		image := json.patch(fixtures.image, [{"op": "replace", "path": "/findings/0/score_millionths", "value": case.score}])
		decide_under({"allow_inputs": true}, set("/inputs", [image])).outcome == case.outcome
	}
}

test_the_manifest_of_an_input_image_is_answered_by_the_data if {
	image := object.union(fixtures.image, {"manifest": "untrusted"})
	decision := decide_under({"allow_inputs": true}, set("/inputs", [fixtures.image, image]))
	decision.outcome == "review"
	[[reason.code, reason.path] | some reason in decision.reasons] == [["input.manifest", "/inputs/1/manifest"]]
}

test_sounds_are_denied_unless_the_data_allows_them if {
	every kinds in [["audio"], ["video", "audio"]] {
		denied := decide(set("/request/media", kinds))
		{[reason.code, reason.path] | some reason in denied.reasons} == {["audio.not_allowed", "/request/media"]}
		decide_under({"allow_audio": true}, set("/request/media", kinds)).outcome == "allow"
	}
	decide(set("/request/media", ["video"])).outcome == "allow"
}
