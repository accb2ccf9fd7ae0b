package governance.release_test

import data.governance.fixtures

codes(changes) := {reason.code | some reason in decide(changes).reasons}

decide(changes) := decide_under({"markets": {}}, changes)

# The decision in a world of these markets.
decide_where(changes, markets) := decide_under({"markets": markets}, changes)

# The decision where these settings are others.
decide_under(settings, changes) := asked(settings, changes).decision

explain(changes) := asked({"markets": {}, "works": {"mural": {"action": "review"}}}, changes).explanation

asked(settings, changes) := fixtures.asked("release", json.patch(fixtures.release, changes), settings)

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_draft_is_allowed_with_its_obligations if {
	decision := decide([])
	decision.outcome == "allow"
	decision.reasons == []
	decision.obligations == fixtures.settings.obligations
}

test_every_part_that_cannot_be_read_is_named if {
	every part in ["/version", "/stage", "/model", "/registers", "/draft", "/findings", "/admission"] {
		every value in fixtures.wrong {
			decision := decide(set(part, value))
			decision.outcome == "deny"
			decision.obligations == {}
			[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
		}
	}
}

test_what_is_denied_is_kept_no_longer if {
	every days in [0, 30] {
		general := object.union(fixtures.settings.obligations, {"retain_days": days})
		denied := decide_under({"obligations": general}, set("/draft/width", 16777216))
		denied.outcome == "deny"
		object.remove(denied.obligations, carried) == {"retain_days": days}
	}
	general := object.remove(fixtures.settings.obligations, ["retain_days"])
	object.remove(decide_under({"obligations": general}, set("/draft/width", 16777216)).obligations, carried) == {}
}

carried := ["label_language", "label_position", "output_formats", "visible_label"]

# In shadow mode it leaves all the same.
test_what_is_denied_says_what_it_would_have_had_to_carry if {
	label := {"visible_label": "KI", "label_language": "de", "label_position": "top-left", "approvals": 2}
	rules := {"markets": {"east": object.union(label, {"output_formats": ["image/png"]})}, "small_images": "label"}
	denied := decide_under(rules, array.concat(set("/request/markets", ["east"]), set("/draft/width", 16777216)))
	denied.outcome == "deny"
	object.filter(denied.obligations, carried) == {
		"label_language": "de",
		"label_position": "top-left",
		"output_formats": ["image/png"],
		"visible_label": "KI",
	}
	not "approvals" in object.keys(denied.obligations)
	small := decide_under(rules, array.concat(set("/draft/markable", false), set("/model/components/vae", "d9")))
	small.outcome == "deny"
	small.obligations.watermark == false
	small.obligations.visible_label != ""
}

making(changes) := array.concat(
	array.concat(set("/request/media", ["audio"]), set("/findings/0/detector", "none")),
	[{"op": "add", "path": "/draft", "value": object.union(
		{
			"index": 0, "media": "audio", "width": 0, "height": 0, "frames": 0, "milliseconds": 900,
			"markable": false,
		},
		changes,
	)}],
)

test_a_sound_leaves_unchecked_and_unmarked_where_the_data_allows_it if {
	allowed := decide_under({"allow_audio": true, "small_images": "label"}, making({}))
	allowed.outcome == "allow"
	allowed.obligations.watermark == false
	not "visible_label" in object.keys(allowed.obligations)
	denied := decide_under({"markets": {"CN": {"visible_label": "AI"}}}, making({}))
	{reason.code | some reason in denied.reasons} == {"audio.not_allowed", "audio.label"}
	denied.obligations.watermark == false
	not "visible_label" in object.keys(denied.obligations)
	every change in [{"width": -1}, {"frames": null}, {"milliseconds": -1}, {"markable": "no"}, {"media": "noise"}] {
		decide_under({"allow_audio": true}, making(change)).outcome == "deny"
	}
}

test_what_the_registers_say_by_now_decides if {
	codes(set("/registers/model/state", "recalled")) == {"model.recalled"}
	unregistered := set("/registers/model/state", "unregistered")
	codes(unregistered) == {"model.unregistered"}
	held := decide_under({"markets": {}, "unregistered": {"adapters": "deny", "models": "review"}}, unregistered)
	held.outcome == "allow"
}

test_an_unsound_setting_denies if {
	decision := decide_under({"thresholds": {"nsfw": {"deny": "high"}}}, [])
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["data.malformed"]
}

test_scores_are_judged_at_the_thresholds if {
	threshold := fixtures.settings.thresholds.nsfw
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

test_what_is_held_says_who_is_asked_and_until_when if {
	held := decide(set("/findings/0/score_millionths", 400000))
	held.obligations == object.union(fixtures.settings.obligations, fixtures.held("second"))
	obliged := object.union(fixtures.settings.obligations, {"approvals": 2})
	decision := decide_under({"markets": {}, "obligations": obliged}, [])
	decision.outcome == "allow"
	decision.obligations == object.union(obliged, fixtures.held("general"))
}

test_what_was_held_at_admission_and_approved_is_released if {
	held := set("/admission/outcome", "review")
	decide(array.concat(held, set("/admission/review", {"decision_id": "r1", "outcome": "allow"}))).outcome == "allow"
	every change in [
		set("/admission/review", {"decision_id": "r1", "outcome": "review"}),
		set("/admission/review", {"decision_id": "r1", "outcome": "deny"}),
		set("/admission/review", null),
	] {
		codes(array.concat(held, change)) == {"admission.not_allowed"}
	}
	approved := set("/admission/review", {"decision_id": "r1", "outcome": "allow"})
	codes(array.concat(set("/admission/outcome", "deny"), approved)) == {"admission.not_allowed"}
	every value in [{}, {"outcome": "allow"}, {"decision_id": "", "outcome": "allow"}, {"decision_id": "r1", "outcome": "yes"}, false, "r1"] {
		codes(set("/admission/review", value)) == {"input.malformed"}
	}
	codes([{"op": "remove", "path": "/admission/review"}]) == {"input.malformed"}
}

test_the_language_of_the_label_is_that_of_the_markets if {
	general := object.union(fixtures.settings.obligations, {"visible_label": "AI", "label_language": "en", "label_position": "top-left"})
	decide_under({"markets": {}, "obligations": general}, []).obligations == general
	markets := {"east": {"visible_label": "KI", "label_language": "de"}}
	both := decide_under({"markets": markets, "obligations": general}, []).obligations
	both.visible_label == "AI / KI"
	both.label_position == "top-left"
	not "label_language" in object.keys(both)
}

test_each_rule_denies_by_its_code if {
	cases := {
		"detector.missing": set("/findings", []),
		"finding.unjudged": set("/findings/0/label", "other"),
		"finding.denied": set("/findings/0/score_millionths", 1000000),
		"model.not_allowed": set("/model/components/vae", "d9"),
		"market.unknown": set("/request/markets", ["atlantis"]),
		"admission.not_allowed": set("/admission/outcome", "review"),
		"draft.too_large": set("/draft/width", 16777216),
	}
	every code, changes in cases {
		decision := decide(changes)
		decision.outcome == "deny"
		object.remove(decision.obligations, carried) == {"retain_days": 365}
		codes(changes) == {code}
	}
}

test_markets_that_share_no_format_deny if {
	decision := decide_where(set("/request/markets", ["east"]), {"east": {"output_formats": ["image/avif"]}})
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["format.none"]
}

test_the_markets_asked_for_oblige_and_judge if {
	east := {
		"visible_label": "KI",
		"output_formats": ["image/png"],
		"approvals": 2,
		"thresholds": {"nsfw": {"deny": 100, "review": 20}},
	}
	markets := {"east": east, "west": {}}
	decide_where(set("/request/markets", ["west"]), markets).obligations == fixtures.settings.obligations
	every named in [["east"], ["west", "east"], []] {
		decision := decide_where(set("/request/markets", named), markets)
		decision.outcome == "allow"
		decision.obligations == object.union(fixtures.settings.obligations, {
			"visible_label": "KI",
			"output_formats": ["image/png"],
			"approvals": 2,
			"queue": "general",
			"due_hours": 24,
			"expire_hours": 168,
		})
		judged := array.concat(set("/request/markets", named), set("/findings/0/score_millionths", 100))
		decide_where(judged, markets).outcome == "deny"
	}
}

test_no_required_detector_is_no_safety if {
	decision := decide_under({"required_detectors": []}, [])
	decision.outcome == "deny"
	[reason.code | some reason in decision.reasons] == ["detector.missing"]
}

test_an_image_too_small_to_mark_keeps_the_obligation_or_is_labelled if {
	small := set("/draft/markable", false)
	decide(small).obligations.watermark == true
	every expected, markets in {"AI-generated": {}, "KI": {"east": {"visible_label": "KI"}}} {
		labelled := decide_under({"markets": markets, "small_images": "label"}, small)
		labelled.outcome == "allow"
		labelled.obligations.watermark == false
		labelled.obligations.visible_label == expected
	}
}

test_a_role_limit_of_the_wrong_type_is_no_limit_of_its_own if {
	decision := decide_under({"roles": {"designer": {"limits": {"pixels": "many"}}}}, set("/draft/width", 16777216))
	[reason.code | some reason in decision.reasons] == ["draft.too_large"]
}

test_the_explanation_names_the_datum_and_the_decision_does_not if {
	cases := [
		{"changes": set("/findings/0/score_millionths", 800000), "datum": "/thresholds/nsfw/deny"},
		{"changes": set("/findings/0/score_millionths", 400000), "datum": "/thresholds/nsfw/review"},
		{"changes": set("/draft/width", 16777216), "datum": "/limits/pixels"},
		{"changes": set("/admission/outcome", "deny"), "datum": ""},
		{"changes": set("/draft", null), "datum": ""},
		{
			"changes": set("/findings/-", object.union(fixtures.finding, {"work": "mural", "score_millionths": 400000})),
			"datum": "/works/mural",
		},
	]
	every case in cases {
		[reason.datum | some reason in explain(case.changes)] == [case.datum]
		every reason in decide(case.changes).reasons {
			object.keys(reason) == {"code", "message", "path"}
		}
	}
	explain([]) == []
}
