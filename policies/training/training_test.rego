package governance.training_test

import data.governance.fixtures

decide(facts, changes) := fixtures.asked("training", json.patch(facts, changes), {}).decision

explain(facts, changes) := fixtures.asked("training", json.patch(facts, changes), {}).explanation

set(path, value) := [{"op": "add", "path": path, "value": value}]

codes(facts, changes) := [reason.code | some reason in decide(facts, changes).reasons]

test_a_good_record_is_allowed if {
	decide(fixtures.record, []) == {"outcome": "allow", "reasons": [], "obligations": {}}
	explain(fixtures.record, []) == []
}

test_a_good_run_is_allowed_and_kept_like_any_entry if {
	decide(fixtures.run, []) == {"outcome": "allow", "reasons": [], "obligations": {"retain_days": 365}}
	decide(fixtures.run, set("/run/method", "war")).obligations == {"retain_days": 365}
}

test_every_part_that_cannot_be_read_is_named if {
	every part in ["/version", "/stage", "/time", "/record"] {
		_unreadable(fixtures.record, part)
	}
	every part in ["/principal", "/run/base"] {
		_unreadable(fixtures.run, part)
	}
}

_unreadable(facts, part) if {
	decision := decide(facts, set(part, [""]))
	decision.outcome == "deny"
	decision.obligations == {}
	[reason.path | some reason in decision.reasons; reason.code == "input.malformed"] == [part]
}

test_what_is_no_object_is_denied if {
	every value in [null, "text", []] {
		decision := fixtures.asked("training", value, {}).decision
		decision.outcome == "deny"
		count(decision.reasons) > 0
	}
}

test_a_purpose_must_be_known if {
	codes(fixtures.run, set("/purpose", "war")) == ["training.purpose"]
	"training.purpose" in codes(fixtures.record, set("/purpose", "war"))
}

test_an_unsound_setting_denies if {
	every settings in [{"negative_terms": "maybe"}, {"training": object.remove(fixtures.training, ["consents"])}] {
		decision := fixtures.asked("training", fixtures.record, settings).decision
		decision.outcome == "deny"
		[reason.code | some reason in decision.reasons] == ["data.malformed"]
	}
}

test_notes_stand_beside_what_is_allowed_and_held_and_are_explained_when_denied if {
	noted := set("/record/consent", "unknown")
	codes(fixtures.record, noted) == ["training.consent"]
	decide(fixtures.record, noted).outcome == "allow"
	held := array.concat(noted, set("/record/source_kind", "unknown"))
	decide(fixtures.record, held).outcome == "review"
	codes(fixtures.record, held) == ["training.consent", "training.source"]
	denied := array.concat(noted, set("/record/collected", "future"))
	codes(fixtures.record, denied) == ["training.collected"]
	[[reason.code, reason.datum] | some reason in explain(fixtures.record, denied)] == [
		["training.collected", "/training/collected/future"],
		["training.consent", "/training/consents/unknown"],
	]
	[reason.code | some reason in explain(fixtures.record, set("/version", 2))] == ["input.malformed"]
}
