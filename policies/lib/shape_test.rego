package governance.shape_test

import data.governance.fixtures
import data.governance.shape

test_texts_are_arrays_of_filled_strings if {
	shape.texts([])
	shape.texts(["a", "b"])
	every values in [[""], ["a", 1], [null, "a"], [true, "a"], ["a", []], ["a", {}], {"a"}, {"a": "b"}, "a", 5, null] {
		not shape.texts(values)
	}
}

test_wholes_are_safe_integers if {
	shape.wholes([0, 9007199254740991], 0)
	not shape.wholes([], 0)
	every value in [-1, 0.5, 9007199254740992, "1", null, true, [], {}] {
		not shape.wholes([1, value], 0)
	}
}

test_times_are_in_utc if {
	every value in ["2026-11-23T14:00:00Z", "2026-11-23T14:00:00.123456Z", "2026-11-23T14:00:00.000Z"] {
		shape.time(value)
	}
	every value in [
		"", "never", "2026-11-23", "2026-11-23T14:00:00", "2026-11-23T14:00:00+01:00", "2026-11-23t14:00:00z",
		"2026-11-23T14:00:00..1Z", "2026-11-23T14:00:00,1Z", "12026-11-23T14:00:00Z", "2026-11-23T14:00:00.1Z ", 5, null,
		"2026-11-23T14:00:0012Z", "2026-11-23T14:00:00.Z", "2026-11-23T14:00:00.1.1Z",
	] {
		not shape.time(value)
	}
}

test_a_part_that_lacks_something_is_named if {
	cases := [
		["/request", "/request/markets"], ["/request", "/request/media"], ["/parameters", "/parameters/frames"], ["/usage", "/usage/steps"], ["/prompts", "/prompts/0/hints"],
		["/prompts", "/prompts/0/hidden"], ["/time", "/time"], ["/opaque", "/opaque"],
	]
	every case in cases {
		shape.malformed == {case[0]} with input as json.patch(fixtures.admission, [{"op": "remove", "path": case[1]}])
		not shape.proven with input as json.patch(fixtures.admission, [{"op": "remove", "path": case[1]}])
	}
}

test_opaque_arguments_have_a_known_kind_and_a_digest_or_none if {
	opaque := {"parameter": "prompt_embeds", "kind": "embedding", "digest": "d6"}
	shape.proven with input as fixtures.changed("/opaque", [opaque, object.union(opaque, {"digest": null})])
	every change in [{"kind": "tensor"}, {"digest": ""}, {"digest": 5}, {"parameter": ""}] {
		shape.malformed == {"/opaque"} with input as fixtures.changed("/opaque", [object.union(opaque, change)])
	}
}

test_an_argument_may_have_several_values if {
	every values in [[], [1], [-1, 0], [true, "words"], [9007199254740991]] {
		shape.proven with input as fixtures.changed("/parameters/sigmas_thousandths", values)
	}
	every values in [[null], [[1]], [{}], [1, null], [0.5], [9007199254740992], {}] {
		shape.malformed == {"/parameters"} with input as fixtures.changed("/parameters/sigmas_thousandths", values)
	}
}

test_findings_may_name_a_work if {
	shape.findings([object.union(fixtures.finding, {"work": "w"})])
	every work in ["", null, 5, ["w"]] {
		not shape.findings([object.union(fixtures.finding, {"work": work})])
	}
}

test_findings_may_say_what_the_register_says_and_what_they_are_made_of if {
	every change in [
		{"action": "deny"}, {"action": "review"}, {"action": "allow"}, {"evidence": {}},
		{"evidence": {"hamming": 12, "variant": "mirror", "cosine_millionths": -7}},
	] {
		shape.findings([object.union(fixtures.finding, change)])
	}
	every change in [
		{"action": "permit"}, {"action": ""}, {"action": null}, {"action": ["deny"]},
		{"evidence": null}, {"evidence": []}, {"evidence": "12"}, {"evidence": {"a": null}}, {"evidence": {"a": true}},
		{"evidence": {"a": ""}}, {"evidence": {"": 1}}, {"evidence": {"a": 0.5}}, {"evidence": {"a": {}}},
		{"evidence": {"a": [1]}}, {"evidence": {"a": 9007199254740992}},
		{"evidence": {sprintf("a%d", [number]): number | some number in numbers.range(1, 9)}},
	] {
		not shape.findings([object.union(fixtures.finding, change)])
	}
	shape.findings([object.union(fixtures.finding, {"evidence": {sprintf("a%d", [number]): number |
		some number in numbers.range(1, 8)
	}})])
}

test_input_images_say_what_their_manifest_is if {
	every manifest in ["none", "trusted", "untrusted"] {
		image := object.union(fixtures.image, {"manifest": manifest})
		shape.proven with input as fixtures.changed("/inputs", [image])
	}
	every manifest in ["invalid", "", null, true, ["none"], {}] {
		image := object.union(fixtures.image, {"manifest": manifest})
		shape.malformed == {"/inputs"} with input as fixtures.changed("/inputs", [image])
	}
	unsaid := object.remove(fixtures.image, ["manifest"])
	shape.malformed == {"/inputs"} with input as fixtures.changed("/inputs", [unsaid])
}

test_the_registers_speak_of_the_model_and_its_adapters if {
	loaded := json.patch(fixtures.admission, fixtures.loading({"base": "k1", "expires": "2027-01-01T00:00:00Z"}))
	shape.proven with input as loaded
	every change in [
		{"state": "unknown"}, {"state": null}, {"expires": "never"}, {"expires": null}, {"base": null}, {"digest": "d6"},
		{"digest": ""},
	] {
		shape.malformed == {"/registers"} with input as json.patch(fixtures.admission, fixtures.loading(change))
	}
	every path in ["/registers", "/registers/model", "/registers/model/key", "/registers/model/state", "/registers/adapters"] {
		shape.malformed == {"/registers"} with input as json.patch(fixtures.admission, [{"op": "remove", "path": path}])
	}
	unspoken := fixtures.changed("/model/adapters", [fixtures.adapter])
	shape.malformed == {"/registers"} with input as unspoken
	unloaded := fixtures.changed("/registers/adapters", [fixtures.registered_adapter])
	shape.malformed == {"/registers"} with input as unloaded
}
