package governance.records_test

import data.governance.fixtures
import data.governance.records

# What is answered about the record where these of its facts are others: answer, code and datum.
found(change) := found_for("marketing", change)

found_for(purpose, change) := verdicts if {
	record := object.union(fixtures.record.record, change)
	verdicts := _verdicts with input as object.union(fixtures.record, {"record": record, "purpose": purpose})
		with data.training as fixtures.training
		with data.licences as fixtures.settings.licences
}

_verdicts := {[answer, reason.code, reason.path, reason.datum] |
	some [answer, reason] in records.answered
	answer != "allow"
}

answered(answer, code, fact, datum) := {[answer, code, concat("", ["/record/", fact]), concat("", ["/training/", datum])]}

test_a_good_record_has_nothing_against_it if found({}) == set()

test_a_licence_must_be_listed_and_permit_the_purpose if {
	none := answered("deny", "training.licence", "licence", "unlicensed/none")
	every licence in ["", "GPL-2.0", "mit", "MIT AND GPL-2.0", "(MIT OR Apache-2.0)", "CC-BY-NC-4.0"] {
		found({"licence": licence}) == none
	}
	every licence in ["Apache-2.0", "MIT AND Apache-2.0", "GPL-2.0 OR MIT", "CC-BY-NC-4.0 OR Apache-2.0 AND MIT"] {
		found({"licence": licence}) == set()
	}
	found_for("research", {"licence": "CC-BY-NC-4.0"}) == set()
}

test_a_contract_or_an_own_work_may_stand_in_place_of_a_licence if {
	contract := answered("note", "training.licence", "licence", "unlicensed/contract")
	found({"licence": "GPL-2.0", "contract": "active"}) == contract
	found({"licence": "", "source_kind": "own"}) == answered("note", "training.licence", "licence", "unlicensed/own")
	none := answered("deny", "training.licence", "licence", "unlicensed/none")
	found({"licence": "GPL-2.0", "source_kind": "own"}) == none
	unread := {"licence": "", "source_kind": "own", "problems": ["unknown_licence"]}
	count(none - found(unread)) == 0
	expired := answered("deny", "training.contract", "contract", "contracts/expired")
	found({"licence": "GPL-2.0", "contract": "expired"}) == none | expired
}

test_states_do_what_the_data_says if {
	cases := [
		["contract", "unknown", "deny", "training.contract", "contracts"],
		["consent", "refused", "deny", "training.consent", "consents"],
		["consent", "unknown", "note", "training.consent", "consents"],
		["collected", "missing", "note", "training.collected", "collected"],
		["collected", "future", "deny", "training.collected", "collected"],
		["synthetic", "yes", "note", "training.synthetic", "synthetic"],
		["source_kind", "unknown", "review", "training.source", "source_kinds"],
		["basis", "none", "deny", "training.unread", "basis"],
		["basis", "stated", "review", "training.unread", "basis"],
	]
	every case in cases {
		[fact, value, answer, code, table] := case
		found({fact: value}) == answered(answer, code, fact, concat("/", [table, value]))
	}
}

test_rights_are_reserved_by_signals if {
	every signal, _ in fixtures.training.opt_outs {
		denied := answered("deny", "training.opt_out", "opt_outs/0", concat("/", ["opt_outs", signal]))
		found({"opt_outs": [signal]}) == denied
		datum := concat("/", ["opt_outs_under_contract", signal])
		found({"opt_outs": [signal], "contract": "active"}) == answered("note", "training.opt_out", "opt_outs/0", datum)
	}
	count(found({"opt_outs": ["robots", "tdmrep"]})) == 2
}

test_personal_data_needs_consent if {
	every consent, answer in {"given": "note", "not_needed": "review"} {
		personal := answered(answer, "training.personal", "personal/0", concat("/", ["personal", consent]))
		found({"personal": ["exif_gps"], "consent": consent}) == personal
	}
	refused := found({"personal": ["exif_gps", "iptc_person"], "consent": "refused"})
	count([code | some [_, code, _, _] in refused; code == "training.personal"]) == 2
}

test_scores_are_judged_at_the_thresholds if {
	every score, answer in {40: "review", 79: "review", 80: "deny", 100: "deny"} {
		datum := concat("/", ["thresholds/nsfw", answer])
		found({"nsfw_hundredths": score}) == answered(answer, "training.nsfw", "nsfw_hundredths", datum)
	}
	found({"nsfw_hundredths": 39}) == set()
	found({"nsfw_hundredths": 0, "similar_hundredths": 87}) == set()
}

test_a_work_does_what_its_register_says if {
	similar := {"similar_hundredths": 88}
	every action, answer in {"": "review", "deny": "deny", "review": "review"} {
		[verdict | some [verdict, _, _, _] in found(object.union(similar, {"work_action": action}))] == [answer]
	}
	found(object.union(similar, {"work_action": "allow"})) == set()
	found({"similar_hundredths": 95}) == answered(
		"deny", "training.similar", "similar_hundredths",
		"thresholds/similar/deny",
	)
	found({"similar_hundredths": 87, "work_action": "deny"}) == set()
}

test_what_nobody_looked_at_is_not_clean if {
	every label in ["nsfw", "similar"] {
		fact := concat("", [label, "_hundredths"])
		found({fact: null}) == answered("review", "training.unchecked", fact, concat("/", ["unscored", label]))
	}
}

test_what_looks_like_another_is_noted if {
	found({"near_duplicate": true}) == answered("note", "training.near_duplicate", "near_duplicate", "near_duplicate")
}

test_each_fault_does_what_the_data_says if {
	every problem, answer in fixtures.training.problems {
		datum := concat("/", ["problems", problem])
		found({"problems": [problem]}) == answered(answer, "training.problem", "problems/0", datum)
	}
}
