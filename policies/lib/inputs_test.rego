package governance.inputs_test

import data.governance.fixtures
import data.governance.inputs

# What is said of a request with `images`, where the data allows input images or not and answers so to their manifests.
said(images, allowed, answers) := {"deny": denials, "review": reviews} if {
	facts := fixtures.changed("/inputs", images)
	denials := {[reason.code, reason.path, reason.datum] | some reason in inputs.denials} with input as facts
		with data.allow_inputs as allowed
		with data.input_manifests as answers
		with data.required_detectors as ["nsfw"]
		with data.thresholds as fixtures.settings.thresholds
		with data.markets as {}
	reviews := {[reason.code, reason.path, reason.datum] | some reason in inputs.reviews} with input as facts
		with data.allow_inputs as allowed
		with data.input_manifests as answers
		with data.required_detectors as ["nsfw"]
		with data.thresholds as fixtures.settings.thresholds
		with data.markets as {}
}

lenient := {"none": "allow", "untrusted": "allow"}

bearing(manifest) := object.union(fixtures.image, {"manifest": manifest})

scored(score) := json.patch(fixtures.image, [{"op": "replace", "path": "/findings/0/score_millionths", "value": score}])

test_none_is_allowed_unless_the_data_allows_them if {
	said([], false, lenient) == {"deny": set(), "review": set()}
	said([fixtures.image], false, lenient).deny == {["inputs.not_allowed", "/inputs", "/allow_inputs"]}
	said([fixtures.image], true, lenient) == {"deny": set(), "review": set()}
}

test_their_findings_are_judged if {
	said([fixtures.image, scored(800000)], true, lenient) == {
		"deny": {["finding.denied", "/inputs/1/findings/0", "/thresholds/nsfw/deny"]},
		"review": set(),
	}
	said([scored(400000)], true, lenient) == {
		"deny": set(),
		"review": {["finding.review", "/inputs/0/findings/0", "/thresholds/nsfw/review"]},
	}
}

test_the_data_answers_to_each_manifest if {
	every manifest in ["none", "untrusted"] {
		reason := [["input.manifest", "/inputs/0/manifest", sprintf("/input_manifests/%s", [manifest])]]
		said([bearing(manifest)], true, lenient) == {"deny": set(), "review": set()}
		denied := object.union(lenient, {manifest: "deny"})
		said([bearing(manifest)], true, denied) == {"deny": {each | some each in reason}, "review": set()}
		held := object.union(lenient, {manifest: "review"})
		said([bearing(manifest)], true, held) == {"deny": set(), "review": {each | some each in reason}}
		said([bearing("trusted")], true, {"none": "deny", "untrusted": "deny"}) == {"deny": set(), "review": set()}
	}
}
