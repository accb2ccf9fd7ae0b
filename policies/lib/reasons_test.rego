package governance.reasons_test

import data.governance.reasons

test_the_datum_is_left_out_and_what_differs_by_it_alone_is_said_once if {
	found := {
		{"code": "b.b", "message": "m", "path": "", "datum": "/x"},
		{"code": "b.b", "message": "m", "path": "", "datum": "/y"},
		{"code": "a.a", "message": "m", "path": "/p", "datum": ""},
	}
	reasons.shown(found) == [
		{"code": "a.a", "message": "m", "path": "/p"},
		{"code": "b.b", "message": "m", "path": ""},
	]
}

test_pointers_are_escaped if {
	reasons.pointer([]) == ""
	reasons.pointer(["blocked_terms", "a/b~c", ""]) == "/blocked_terms/a~1b~0c/"
}

test_what_is_no_known_answer_denies if {
	answered := {["deny", "a"], ["maybe", "b"], [null, "c"], ["review", "d"], ["note", "e"], ["allow", "f"]}
	reasons.denying(answered) == {"a", "b", "c"}
	reasons.answering(answered, "review") == {"d"}
	reasons.answering(answered, "note") == {"e"}
}
