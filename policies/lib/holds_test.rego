package governance.holds_test

import data.governance.fixtures
import data.governance.holds

test_the_first_reason_with_a_queue_of_its_own_says_who_is_asked if {
	cases := [
		{"codes": set(), "queue": "general"},
		{"codes": {"prompt.encoded"}, "queue": "general"},
		{"codes": {"work.review"}, "queue": "brand"},
		{"codes": {"work.review", "finding.review"}, "queue": "second"},
		{"codes": {"argument.opaque", "work.review"}, "queue": "brand"},
	]
	every case in cases {
		holds.obligations(case.codes) == fixtures.held(case.queue) with data.review as fixtures.review
	}
	without := object.remove(fixtures.review, ["queue_by_code"])
	holds.obligations({"work.review"}) == fixtures.held("general") with data.review as without
}
