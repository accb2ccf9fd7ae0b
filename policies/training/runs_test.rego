package governance.runs_test

import data.governance.fixtures
import data.governance.runs

# What is answered about the run with these changes: answer, code, path and datum.
found(changes) := found_under({}, changes)

found_under(settings, changes) := verdicts if {
	verdicts := _verdicts with input as json.patch(fixtures.run, changes)
		with data.training as object.union(fixtures.training, settings)
		with data.licences as fixtures.settings.licences
		with data.unregistered as {"adapters": "deny", "models": "review"}
}

_verdicts := {[answer, reason.code, reason.path, reason.datum] |
	some [answer, reason] in runs.answered
	answer != "allow"
}

set(path, value) := [{"op": "add", "path": path, "value": value}]

test_a_good_run_has_nothing_against_it if found([]) == set()

test_only_trainers_train if {
	every roles in [[], ["counsel"], ["Designer"]] {
		found(set("/principal/roles", roles)) == {["deny", "training.role", "/principal/roles", "/training/trainers"]}
	}
}

test_a_method_must_be_known if {
	found(set("/run/method", "full")) == {["deny", "training.method", "/run/method", "/training/methods"]}
	held := {["review", "training.method", "/run/method", "/training/methods/dreambooth"]}
	found(set("/run/method", "dreambooth")) == held
	found(set("/run/method", "a/b")) == {["note", "training.method", "/run/method", "/training/methods/a~1b"]}
}

test_what_is_declared_does_what_the_data_says if {
	declared := set("/run/lineage", "declared")
	found(declared) == {["note", "training.declared", "/run/lineage", "/training/declared"]}
	found_under({"declared": "deny"}, declared) == {["deny", "training.declared", "/run/lineage", "/training/declared"]}
}

test_a_base_must_be_registered if {
	unregistered := array.concat(set("/run/base/state", "unregistered"), set("/run/base/licence", ""))
	found(unregistered) == {["review", "training.base", "/run/base", "/unregistered/models"]}
	every state in ["withdrawn", "expired", "recalled"] {
		found(set("/run/base/state", state)) == {["deny", "training.base", "/run/base", ""]}
	}
	found(set("/run/base/expires", fixtures.run.time)) == {["deny", "training.base", "/run/base", ""]}
	found(set("/run/base/expires", "2027-01-01T00:00:00Z")) == set()
}

test_the_licence_of_a_base_must_permit_the_purpose if {
	every licence in ["", "GPL-2.0", "CC-BY-NC-4.0"] {
		found(set("/run/base/licence", licence)) == {[
			"deny", "training.base_licence", "/run/base/licence",
			"/licences",
		]}
	}
}

test_a_dataset_that_was_taken_back_is_not_trained_with if {
	every state in ["withdrawn", "recalled"] {
		code := concat(".", ["training", state])
		found(set("/run/datasets/0/state", state)) == {["deny", code, "/run/datasets/0/state", ""]}
	}
}

test_an_audit_is_approved_by_enough_others if {
	not_approved := {["deny", "training.not_approved", "/run/datasets/0/approvals", "/training/approvals"]}
	counsel := fixtures.dataset.approvals[0]
	every approvals in [
		[],
		[object.union(counsel, {"person": 0})],
		[object.union(counsel, {"roles": ["designer"]})],
		[object.union(counsel, {"roles": []})],
	] {
		found(set("/run/datasets/0/approvals", approvals)) == not_approved
	}
	twice := set("/run/datasets/0/approvals", [counsel, counsel])
	found_under({"approvals": 2}, twice) == not_approved
	both := set("/run/datasets/0/approvals", [counsel, object.union(counsel, {"person": 2})])
	found_under({"approvals": 2}, both) == set()
	second := set("/run/datasets/-", object.union(fixtures.dataset, {"approvals": []}))
	[path | some [_, _, path, _] in found(second)] == ["/run/datasets/1/approvals"]
}

test_an_audit_counts_for_a_while if {
	expired := {["deny", "training.audit_expired", "/run/datasets/0/age_days", "/training/audit_days"]}
	found(set("/run/datasets/0/age_days", 365)) == expired
	found(set("/run/datasets/0/age_days", 364)) == set()
}

test_an_audit_under_another_bundle_does_what_the_data_says if {
	found(set("/run/datasets/0/same_bundle", false)) == {[
		"note", "training.other_bundle",
		"/run/datasets/0/bundle_revision", "/training/other_bundle",
	]}
}

test_there_must_be_something_to_train_with if {
	found(set("/run/datasets/0/outcomes/allow", 0)) == {[
		"deny", "training.empty",
		"/run/datasets/0/outcomes/allow", "",
	]}
}

test_what_finishes_has_consumed_something if {
	finish := set("/run/phase", "finish")
	found(finish) == {["deny", "training.not_consumed", "/run/datasets", ""]}
	found(array.concat(finish, set("/run/datasets/0/consumed", 1))) == set()
}
