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
		["/request", "/request/markets"], ["/usage", "/usage/steps"], ["/prompts", "/prompts/0/hints"],
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

test_findings_may_name_a_work if {
	shape.findings([object.union(fixtures.finding, {"work": "w"})])
	every work in ["", null, 5, ["w"]] {
		not shape.findings([object.union(fixtures.finding, {"work": work})])
	}
}
