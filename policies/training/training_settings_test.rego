package governance.training_settings_test

import data.governance.fixtures
import data.governance.training_settings

test_the_shipped_data_is_sound if training_settings.proven

test_every_setting_is_there if {
	every name, _ in fixtures.training {
		not training_settings.proven with data.training as object.remove(fixtures.training, [name])
	}
}

test_every_answer_is_there if {
	every table in _tables {
		every name, _ in fixtures.training[table] {
			not _proven([{"op": "remove", "path": concat("/", ["", table, name])}])
		}
	}
}

test_every_answer_is_a_known_word if {
	every table in _tables {
		misspelt := {name: "maybe" | some name, _ in fixtures.training[table]}
		not _proven([{"op": "replace", "path": concat("/", ["", table]), "value": misspelt}])
	}
	every name in ["declared", "near_duplicate", "other_bundle"] {
		not _proven([{"op": "replace", "path": concat("/", ["", name]), "value": "maybe"}])
	}
	not _proven([{"op": "replace", "path": "/methods/lora", "value": "maybe"}])
	not _proven([{"op": "replace", "path": "/methods", "value": ["allow"]}])
	_proven([{"op": "replace", "path": "/methods", "value": {}}])
}

_tables := [
	"basis", "collected", "consents", "contracts", "opt_outs", "opt_outs_under_contract", "personal", "problems",
	"source_kinds", "synthetic", "unlicensed", "unscored",
]

test_numbers_are_whole if {
	every path in ["/thresholds/nsfw/deny", "/thresholds/nsfw/review", "/thresholds/similar/deny", "/thresholds/similar/review"] {
		not _proven([{"op": "remove", "path": path}])
		not _proven([{"op": "replace", "path": path, "value": 0.5}])
	}
	every path in ["/approvals", "/audit_days"] {
		every value in [0, -1, 0.5, "1", null] {
			not _proven([{"op": "replace", "path": path, "value": value}])
		}
	}
}

test_roles_are_lists_of_names if {
	every path in ["/approvers", "/trainers"] {
		every value in ["counsel", [""], [5], {"counsel": true}, null] {
			not _proven([{"op": "replace", "path": path, "value": value}])
		}
	}
}

_proven(changes) if {
	training_settings.proven with data.training as json.patch(fixtures.training, changes)
}
