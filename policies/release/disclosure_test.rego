package governance.disclosure_test

import data.governance.disclosure
import data.governance.fixtures

markets := {
	"east": {"visible_label": "Von KI erzeugt", "output_formats": ["image/webp", "image/png"], "approvals": 1},
	"north": {"visible_label": "Von KI erzeugt", "output_formats": ["image/jpeg"], "approvals": 3},
	"south": {"visible_label": "IA"},
	"west": {},
}

obliged(named, general) := obligations if {
	obligations := disclosure.obligations with input as request(named)
		with data.markets as markets
		with data.obligations as general
		with data.visible_label as "AI-generated"
}

request(named) := json.patch(fixtures.release, [{"op": "add", "path": "/request/markets", "value": named}])

objections(named, general) := denials if {
	denials := disclosure.denials with input as request(named)
		with data.markets as markets
		with data.obligations as general
}

test_where_nothing_is_asked_nothing_is_obliged if {
	obliged(["west"], {}) == {}
	objections(["west"], {}) == set()
}

test_the_labels_of_several_markets_stand_side_by_side if {
	obliged(["south"], {}).visible_label == "IA"
	obliged(["south", "east"], {}).visible_label == "Von KI erzeugt / IA"
	obliged(["west", "south", "north", "east"], {}).visible_label == "Von KI erzeugt / IA"
	obliged([], {}).visible_label == "Von KI erzeugt / IA"
}

test_the_general_label_holds_where_a_market_has_none if {
	obliged(["west"], {"visible_label": "AI"}).visible_label == "AI"
	obliged(["west", "south"], {"visible_label": "AI"}).visible_label == "IA / AI"
	obliged(["south"], {"visible_label": "AI"}).visible_label == "IA"
	obliged([], {"visible_label": "AI"}).visible_label == "AI / Von KI erzeugt / IA"
}

test_labels_that_are_too_long_together_give_way_to_the_general_text if {
	joined(57) == concat(" / ", [line("a", 60), line("é", 57)])
	count(joined(57)) == 120
	joined(58) == "AI-generated"
	labelled("😀", 57) == concat(" / ", [line("a", 60), line("😀", 57)])
	labelled("😀", 58) == "AI-generated"
}

line(character, length) := concat("", [character | some _ in numbers.range(1, length)])

joined(length) := labelled("é", length)

labelled(character, length) := obligations.visible_label if {
	obligations := disclosure.obligations with input as request(["one", "two"])
		with data.markets as {"one": {"visible_label": line("a", 60)}, "two": {"visible_label": line(character, length)}}
		with data.visible_label as "AI-generated"
}

test_formats_are_what_all_lists_have_in_common if {
	general := {"output_formats": ["image/png", "image/jpeg", "image/webp"]}
	obliged(["west"], general).output_formats == general.output_formats
	obliged(["east"], general).output_formats == ["image/png", "image/webp"]
	obliged(["east"], {}).output_formats == ["image/webp", "image/png"]
	obliged(["north"], {"output_formats": []}).output_formats == ["image/jpeg"]
	objections(["east"], general) == set()
}

test_no_format_in_common_denies if {
	cases := [
		{"markets": ["east", "north"], "general": {}, "datum": "/markets/east/output_formats"},
		{"markets": ["north"], "general": {"output_formats": ["image/png"]}, "datum": "/markets/north/output_formats"},
		{"markets": [], "general": {}, "datum": "/markets/east/output_formats"},
	]
	every case in cases {
		[[reason.code, reason.path, reason.datum] | some reason in objections(case.markets, case.general)] == [[
			"format.none", "/request/markets",
			case.datum,
		]]
	}
}

test_the_most_approvals_count if {
	obliged(["east"], {}).approvals == 1
	obliged(["east", "north"], {}).approvals == 3
	obliged(["east"], {"approvals": 2}).approvals == 2
	obliged(["west"], {"approvals": 0}).approvals == 0
	obliged([], {}).approvals == 3
}

test_the_first_label_says_where_it_stands_and_one_language_for_all if {
	places := {
		"east": {"visible_label": "KI", "label_language": "de", "label_position": "top-right"},
		"elsewhere": {"visible_label": "AI", "label_position": "top-left"},
		"far": {"visible_label": "Von KI", "label_language": "de"},
		"plain": {},
		"quebec": {"label_language": "fr"},
	}
	general := {"visible_label": "AI", "label_language": "en", "label_position": "bottom-right"}
	cases := [
		{"markets": ["plain"], "general": general, "label": "AI", "position": "bottom-right", "language": "en"},
		{"markets": ["quebec"], "general": general, "label": "AI", "position": "bottom-right", "language": "fr"},
		{"markets": ["plain", "quebec"], "general": general, "label": "AI", "position": "bottom-right", "language": ""},
		{"markets": ["elsewhere"], "general": general, "label": "AI", "position": "top-left", "language": ""},
		{"markets": ["far", "east"], "general": general, "label": "KI / Von KI", "position": "top-right", "language": "de"},
		{"markets": ["far"], "general": {}, "label": "Von KI", "position": "", "language": "de"},
		{"markets": ["far", "elsewhere"], "general": {}, "label": "AI / Von KI", "position": "top-left", "language": ""},
		{"markets": ["plain", "east"], "general": general, "label": "KI / AI", "position": "top-right", "language": ""},
		{"markets": ["plain"], "general": {"label_language": "en"}, "label": "", "position": "", "language": ""},
	]
	every case in cases {
		obligations := disclosure.obligations with input as request(case.markets)
			with data.markets as places
			with data.obligations as case.general
		got := [object.get(obligations, name, "") | some name in ["visible_label", "label_position", "label_language"]]
		got == [case.label, case.position, case.language]
	}
}

test_the_general_text_that_stands_for_many_is_in_no_language if {
	obligations := disclosure.obligations with input as request(["one", "two"])
		with data.markets as {
			"one": {"visible_label": line("a", 60), "label_language": "en"},
			"two": {"visible_label": line("b", 60), "label_language": "en"},
		}
		with data.obligations as {}
		with data.visible_label as "AI-generated"
	obligations.visible_label == "AI-generated"
	object.keys(obligations) == {"visible_label"}
}
