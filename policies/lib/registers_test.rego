package governance.registers_test

import data.governance.fixtures
import data.governance.reasons
import data.governance.registers

# The reasons where this stands in the registers.
found(changes) := verdicts if {
	verdicts := _verdicts with input as json.patch(fixtures.admission, changes)
		with data.unregistered as fixtures.settings.unregistered
}

_verdicts := {[reason.code, reason.path, reason.datum] | some reason in registers.denials}

# The model, with these changes.
_model(change) := [{
	"op": "add",
	"path": "/registers/model",
	"value": object.union(fixtures.registered_model, change),
}]

test_what_is_registered_passes if {
	found([]) == set()
	found(fixtures.loading({})) == set()
	found(fixtures.loading({"base": "k1"})) == set()
}

test_only_a_registered_model_without_adapters_is_clear if {
	registers.clear with input as fixtures.admission
	every changes in [
		_model({"state": "unregistered"}),
		_model({"expires": "2026-11-23T14:00:00Z"}),
		fixtures.loading({}),
		[{"op": "remove", "path": "/registers"}],
	] {
		not registers.clear with input as json.patch(fixtures.admission, changes)
	}
}

test_a_model_stands_as_its_register_says if {
	found(_model({"state": "unregistered"})) == {["model.unregistered", "/registers/model", "/unregistered/models"]}
	every state in ["withdrawn", "recalled", "expired"] {
		found(_model({"state": state})) == {[sprintf("model.%s", [state]), "/registers/model", ""]}
	}
}

test_an_adapter_stands_as_its_register_says if {
	adapter := "/registers/adapters/0"
	found(fixtures.loading({"state": "unregistered"})) == {["adapter.unregistered", adapter, "/unregistered/adapters"]}
	every state in ["withdrawn", "recalled", "expired"] {
		found(fixtures.loading({"state": state})) == {[sprintf("adapter.%s", [state]), adapter, ""]}
	}
	found(fixtures.loading({"base": "k2"})) == {[
		"adapter.base",
		"/registers/adapters/0/base",
		"/unregistered/adapters",
	]}
}

# Whenever the register was asked, and whatever it said then.
test_a_registration_ends_at_its_time if {
	every expires in ["2026-11-23T14:00:00.000Z", "2026-11-23T14:00:00Z", "2026-11-23T13:59:59.999999Z", "never"] {
		found(_model({"expires": expires})) == {["model.expired", "/registers/model", ""]}
		found(fixtures.loading({"expires": expires})) == {["adapter.expired", "/registers/adapters/0", ""]}
	}
	found(_model({"expires": "2026-11-23T14:00:00.001Z"})) == set()
	recalled := found(_model({"expires": "2026-11-23T14:00:00Z", "state": "recalled"}))
	recalled == {["model.recalled", "/registers/model", ""]}
}

test_what_nobody_registered_does_what_the_data_says if {
	every answer in ["note", "review", "allow"] {
		answers := {"adapters": answer, "models": answer}
		nobody := array.concat(_model({"state": "unregistered"}), fixtures.loading({"state": "unregistered"}))
		denied := registers.denials with input as json.patch(fixtures.admission, nobody) with data.unregistered as answers
		denied == set()
		answered := registers.answered with input as json.patch(fixtures.admission, nobody)
			with data.unregistered as answers
		count(reasons.answering(answered, answer)) == 2
	}
}
