package governance.training_shape_test

import data.governance.fixtures
import data.governance.training_shape

# The parts that cannot be read, with these changes.
malformed(facts, changes) := parts if {
	parts := training_shape.malformed with input as json.patch(facts, changes)
}

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_good_questions_can_be_read if {
	training_shape.proven with input as fixtures.record
	training_shape.proven with input as fixtures.run
	every facts in [fixtures.record, fixtures.run, {}] {
		not training_shape.proven with input as object.remove(facts, ["purpose"])
	}
}

test_every_part_that_cannot_be_read_is_named if {
	every part in ["/question", "/purpose", "/record"] {
		every value in fixtures.wrong {
			part in malformed(fixtures.record, set(part, value))
		}
	}
	every part in ["/question", "/purpose", "/run", "/run/base", "/run/datasets"] {
		every value in fixtures.wrong {
			part in malformed(fixtures.run, set(part, value))
		}
	}
}

test_every_fact_of_a_record_is_proven if {
	every name, _ in fixtures.record.record {
		every value in [{"x": 1}, [[1]], 7.5, 101] {
			malformed(fixtures.record, set(sprintf("/record/%s", [name]), value)) == {"/record"}
		}
		malformed(fixtures.record, [{"op": "remove", "path": sprintf("/record/%s", [name])}]) == {"/record"}
	}
	malformed(fixtures.record, set("/record/near_duplicate", "no")) == {"/record"}
	every name in ["nsfw_hundredths", "similar_hundredths"] {
		malformed(fixtures.record, set(sprintf("/record/%s", [name]), null)) == set()
	}
}

test_every_fact_of_a_run_is_proven if {
	every name in ["phase", "method", "lineage"] {
		every value in [{}, [""], "", null, 7] {
			malformed(fixtures.run, set(sprintf("/run/%s", [name]), value)) == {"/run"}
		}
	}
	every name, _ in fixtures.run.run.base {
		every value in [{}, [""], null, 7] {
			malformed(fixtures.run, set(sprintf("/run/base/%s", [name]), value)) == {"/run/base"}
		}
	}
	every name, _ in fixtures.dataset {
		every value in [{}, [""], 7.5, -1] {
			malformed(fixtures.run, set(sprintf("/run/datasets/0/%s", [name]), value)) == {"/run/datasets"}
		}
	}
	malformed(fixtures.run, set("/run/datasets", [])) == {"/run/datasets"}
	every change in [{"person": -1}, {"person": "1"}, {"roles": "counsel"}, {"roles": [""]}, {"assurance": "sworn"}] {
		approval := object.union(fixtures.dataset.approvals[0], change)
		malformed(fixtures.run, set("/run/datasets/0/approvals", [approval])) == {"/run/datasets"}
	}
	malformed(fixtures.run, set("/run/datasets/0/outcomes/deny", "0")) == {"/run/datasets"}
}

test_what_belongs_to_the_other_question_is_refused if {
	malformed(fixtures.record, set("/run", fixtures.run.run)) == {"/run"}
	malformed(fixtures.record, set("/principal", null)) == {"/principal"}
	malformed(fixtures.run, set("/record", fixtures.record.record)) == {"/record"}
}

test_signals_and_problems_are_known_words if {
	every change in [
		set("/record/opt_outs", ["tdm"]), set("/record/opt_outs", [null]), set("/record/opt_outs", "robots"),
		set("/record/problems", ["odd"]), set("/record/problems", [["missing"]]), set("/record/problems", {}),
		set("/record/personal", [""]), set("/record/personal", {"exif_gps": true}),
	] {
		malformed(fixtures.record, change) == {"/record"}
	}
}
