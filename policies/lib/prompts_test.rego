package governance.prompts_test

import data.governance.fixtures
import data.governance.prompts
import data.governance.reasons

_denials := prompts.denials | reasons.denying(prompts.answered)

_reviews := reasons.answering(prompts.answered, "review")

_notes := reasons.answering(prompts.answered, "note")

embedding := {"parameter": "prompt_embeds", "kind": "embedding", "digest": "d6"}

test_there_must_be_a_prompt if {
	found := _denials with input as fixtures.changed("/prompts", []) with data.allow_promptless as false
	{[reason.code, reason.datum] | some reason in found} == {["prompt.missing", "/allow_promptless"]}
	_denials == set() with input as fixtures.changed("/prompts", []) with data.allow_promptless as true
}

test_an_embedding_stands_for_a_prompt_where_it_is_not_denied if {
	promptless := fixtures.altered({"/prompts": [], "/opaque": [embedding]})
	denied := _denials with input as promptless
		with data.opaque as fixtures.settings.opaque
		with data.allow_promptless as false
	fixtures.codes(denied) == {"prompt.missing", "argument.opaque"}
	every answer in ["allow", "review"] {
		_denials == set() with input as promptless with data.opaque as {"embedding": answer}
			with data.allow_promptless as false
	}
	every other in [{"parameter": "negative_prompt_embeds"}, {"parameter": "image_embeds"}, {"kind": "latents"}] {
		argument := object.union(embedding, other)
		found := _denials with input as fixtures.altered({"/prompts": [], "/opaque": [argument]})
			with data.opaque as {"embedding": "allow", "latents": "allow"}
			with data.allow_promptless as false
		fixtures.codes(found) == {"prompt.missing"}
	}
}

test_what_policy_cannot_read_is_denied_unless_the_data_permits_it if {
	every kind in ["embedding", "latents", "callback", "other"] {
		argument := {"parameter": "x", "kind": kind, "digest": null}
		request := fixtures.changed("/opaque", [embedding, argument])
		permitted := object.union({"embedding": "allow"}, {kind: "review"})
		found := _reviews with input as request with data.opaque as permitted
		["argument.opaque", "/opaque/1", sprintf("/opaque/%s", [kind])] in {[r.code, r.path, r.datum] | some r in found}
		every answer in ["deny", "note", null] {
			denials := _denials with input as request with data.opaque as {"embedding": "allow", kind: answer}
			"/opaque/1" in {reason.path | some reason in denials}
		}
	}
}

test_a_prompt_must_be_readable_and_not_too_long if {
	unreadable := _denials with input as fixtures.changed("/prompts/0/ngrams", [])
		with data.roles as fixtures.settings.roles
		with data.limits as fixtures.settings.limits
	fixtures.codes(unreadable) == {"prompt.unreadable"}
	every change in [{"/prompts/0/length": 7}, {"/prompts/1/text": "1234567"}] {
		found := _denials with input as fixtures.altered(object.union({"/prompts/0/length": 6, "/prompts/0/text": ""}, change))
			with data.limits.prompt_characters as 6
			with data.roles as fixtures.settings.roles
		{[reason.code, reason.datum] | some reason in found} == {["prompt.too_long", "/limits/prompt_characters"]}
	}
}

test_the_normaliser_must_be_that_of_the_terms if {
	found := _denials with input as fixtures.changed("/normaliser", "0")
		with data.roles as fixtures.settings.roles
		with data.limits as fixtures.settings.limits
	fixtures.codes(found) == {"normaliser.mismatch"}
}

test_a_prompt_that_hides_text_does_what_the_data_says if {
	hinting := fixtures.changed("/prompts/1/hints", ["base64", "rot13"])
	noted := _notes with input as hinting with data.encoded_prompts as "note"
	{[reason.code, reason.path] | some reason in noted} == {["prompt.encoded", "/prompts/1"]}
	reviewed := _reviews with input as hinting with data.encoded_prompts as "review"
	fixtures.codes(reviewed) == {"prompt.encoded"}
	every answer in ["deny", "maybe"] {
		denied := _denials with input as hinting
			with data.encoded_prompts as answer
			with data.roles as fixtures.settings.roles
			with data.limits as fixtures.settings.limits
		fixtures.codes(denied) == {"prompt.encoded"}
		_reviews | _notes == set() with input as hinting with data.encoded_prompts as answer
	}
}
