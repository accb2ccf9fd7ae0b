package governance.markets_test

import data.governance.fixtures
import data.governance.markets

test_who_names_no_market_asks_for_all if {
	markets.asked([]) == {"", "EU", "US"} with data.markets as {"EU": {}, "US": {}}
	markets.asked(["EU"]) == {"EU"} with data.markets as {"EU": {}, "US": {}}
	markets.asked([]) == {""} with data.markets as {}
}

test_unknown_markets_are_denied if {
	found := markets.denials with input as fixtures.changed("/request/markets", ["EU", "Atlantis"])
		with data.markets as fixtures.settings.markets
	{[reason.code, reason.path, reason.datum] | some reason in found} == {["market.unknown", "/request/markets/1", "/markets"]}
}

test_what_is_limited_to_markets_counts_there_and_where_none_is_named if {
	every case in [
		{"named": [], "counts": true},
		{"named": ["EU"], "counts": false},
		{"named": ["EU", "UK"], "counts": true},
	] {
		counted := case.counts
		counted == _counted({"markets": ["UK"]}) with input as fixtures.changed("/request/markets", case.named)
			with data.markets as fixtures.settings.markets
	}
}

test_what_is_limited_to_nothing_readable_counts_everywhere if {
	every entry in [{}, {"markets": "UK"}, {"markets": []}, {"markets": ["UK", "Atlantis"]}, "text"] {
		_counted(entry) with input as fixtures.changed("/request/markets", ["EU"])
			with data.markets as fixtures.settings.markets
	}
}

_counted(entry) if {
	markets.counts(entry)
} else := false
