package governance.terms_test

import data.governance.fixtures
import data.governance.reasons
import data.governance.terms

# The reasons of a request with these changes, in brief.
found(changes) := verdicts if {
	verdicts := _found with input as fixtures.altered(changes)
		with data.blocked_terms as fixtures.blocked_terms
		with data.protected_names as fixtures.protected_names
		with data.markets as fixtures.settings.markets
}

_found := {
	"denials": _brief(terms.denials | reasons.denying(terms.answered)),
	"reviews": _brief(reasons.answering(terms.answered, "review")),
	"notes": _brief(reasons.answering(terms.answered, "note")),
}

_brief(found_reasons) := {[reason.code, reason.path, reason.datum] | some reason in found_reasons}

nothing := {"denials": set(), "reviews": set(), "notes": set()}

test_a_blocked_term_is_denied if {
	found({}) == nothing
	found({"/prompts/0/ngrams/-": "a/b~c"}) == object.union(nothing, {"denials": {["prompt.blocked_term", "/prompts/0", "/blocked_terms/a~1b~0c"]}})
}

test_what_a_prompt_hides_is_looked_up_too if {
	every part in ["/prompts/0/hidden/-", "/prompts/0/ngrams/-"] {
		found({part: "grenade"}).denials == {["prompt.blocked_term", "/prompts/0", "/blocked_terms/grenade"]}
		found({part: "some painter"}).reviews == {["prompt.protected_name", "/prompts/0", "/protected_names/some painter"]}
	}
}

test_a_term_counts_in_its_markets_and_where_none_is_named if {
	every case in [{"named": [], "codes": 1}, {"named": ["UK", "US"], "codes": 1}, {"named": ["US"], "codes": 0}] {
		every part, named in {"denials": "raffle", "reviews": "no term", "notes": "no term"} {
			count(found({"/request/markets": case.named, "/prompts/0/ngrams": [named]})[part]) == _expected(named, case.codes)
		}
		count(found({"/request/markets": case.named, "/prompts/0/ngrams": ["some drink"]}).denials) == case.codes
	}
}

_expected("raffle", number) := number

_expected("no term", _) := 0

test_a_protected_name_is_reviewed_only_where_the_data_says_so if {
	every name in ["some mouse", "unreadable"] {
		found({"/prompts/0/ngrams/-": name}) == object.union(nothing, {"denials": {["prompt.protected_name", "/prompts/0", concat("/", ["/protected_names", name])]}})
	}
	found({"/prompts/0/ngrams/-": "some painter"}).denials == set()
}

test_a_negative_prompt_may_name_what_it_avoids if {
	named := {"/prompts/1/ngrams": ["grenade"], "/prompts/1/hidden": ["some mouse"]}
	both := {
		["prompt.negative_term", "/prompts/1", "/blocked_terms/grenade"],
		["prompt.negative_term", "/prompts/1", "/protected_names/some mouse"],
	}
	noted := found(named) with data.negative_terms as "note"
	noted == object.union(nothing, {"notes": both})
	reviewed := found(named) with data.negative_terms as "review"
	reviewed == object.union(nothing, {"reviews": both})
	every answer in ["deny", "maybe"] {
		denied := found(named) with data.negative_terms as answer
		denied == object.union(nothing, {"denials": both})
	}
}

test_guidance_below_one_turns_the_prompts_round if {
	named := {"/prompts/1/ngrams": ["grenade"], "/prompts/1/hidden": ["some mouse"]}
	every turned in [
		{"/parameters/guidance_scale_thousandths": 999},
		{"/parameters/true_cfg_scale_thousandths": -1},
		{"/parameters/guidance_scale": 0},
		{"/parameters/true_cfg_scale": -1},
		{"/parameters/prior_guidance_scale_thousandths": 0},
		{"/parameters/guidance_scale_thousandths": [5000, 999]},
	] {
		{reason[0] | some reason in found(object.union(named, turned)).denials} == {"prompt.blocked_term", "prompt.protected_name"}
	}
	every straight in [
		{"/parameters/guidance_scale": 1}, {"/parameters/true_cfg_scale": null},
		{"/parameters/guidance_rescale_thousandths": 0}, {"/parameters/guidance_scale": [1, "0", false]},
	] {
		verdicts := found(object.union(named, straight)) with data.negative_terms as "note"
		verdicts.denials == set()
	}
}

test_a_message_says_what_sort_it_is_and_never_the_term if {
	said := {reason.message | some reason in (terms.denials | {reason | some [_, reason] in terms.answered})} with input as fixtures.altered({
		"/prompts/0/ngrams": ["grenade", "passport", "unreadable", "some mouse"],
		"/prompts/0/hidden": ["some painter"],
	})
		with data.blocked_terms as fixtures.blocked_terms
		with data.protected_names as fixtures.protected_names
	said == {
		"The prompt contains a term blocked as forgery.",
		"The prompt contains a term blocked as unspecified.",
		"The prompt names a protected artist.",
		"The prompt names a protected character.",
		"The prompt names a protected name.",
	}
}
