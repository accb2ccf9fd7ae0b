package governance.release_test

import data.governance.fixtures
import data.governance.release

codes(changes) := {reason.code | some reason in decide(changes).reasons}

decide(changes) := decision if {
	decision := release.decision with input as json.patch(fixtures.release, changes) with data.models as fixtures.models
}

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_draft_is_allowed_with_its_obligations if {
	decision := decide([])
	decision.outcome == "allow"
	decision.reasons == []
	decision.obligations == data.obligations
}

test_every_part_that_cannot_be_read_is_named if {
	every part in ["/version", "/stage", "/model", "/draft", "/findings", "/admission"] {
		every value in fixtures.wrong {
			decision := decide(set(part, value))
			decision.outcome == "deny"
			decision.obligations == {}
			[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
		}
	}
}

test_an_unsound_setting_denies if {
	decision := release.decision with input as fixtures.release
		with data.models as fixtures.models
		with data.thresholds as {"nsfw": {"deny": "high"}}
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["data.malformed"]
}

test_scores_are_judged_at_the_thresholds if {
	threshold := data.thresholds.nsfw
	cases := [
		{"score": threshold.review - 1, "outcome": "allow"},
		{"score": threshold.review, "outcome": "review"},
		{"score": threshold.deny - 1, "outcome": "review"},
		{"score": threshold.deny, "outcome": "deny"},
		{"score": 1000000, "outcome": "deny"},
	]
	every case in cases {
		decide(set("/findings/0/score_millionths", case.score)).outcome == case.outcome
	}
}

test_each_rule_denies_by_its_code if {
	cases := {
		"detector.missing": set("/findings", []),
		"finding.unjudged": set("/findings/0/label", "other"),
		"finding.denied": set("/findings/0/score_millionths", 1000000),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"admission.not_allowed": set("/admission/outcome", "review"),
		"draft.too_large": set("/draft/width", 16777216),
	}
	every code, changes in cases {
		decide(changes).outcome == "deny"
		code in codes(changes)
	}
}

test_no_required_detector_is_no_safety if {
	decision := release.decision with input as fixtures.release
		with data.models as fixtures.models
		with data.required_detectors as []
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["detector.missing"]
}

test_an_image_too_small_to_mark_keeps_the_obligation_or_is_labelled if {
	small := set("/draft/markable", false)
	decide(small).obligations.watermark == true
	labelled := release.decision with input as json.patch(fixtures.release, small)
		with data.models as fixtures.models
		with data.small_images as "label"
	labelled.outcome == "allow"
	labelled.obligations.watermark == false
	labelled.obligations.visible_label == data.visible_label
}

test_a_role_limit_of_the_wrong_type_is_no_limit_of_its_own if {
	decision := release.decision with input as json.patch(fixtures.release, set("/draft/width", 16777216))
		with data.models as fixtures.models
		with data.roles as {"designer": {"limits": {"pixels": "many"}}}
	[reason.code | some reason in decision.reasons] == ["draft.too_large"]
}
