package governance.findings_test

import data.governance.findings

thresholds := {
	"nsfw": {"deny": 800000, "review": 400000},
	"similarity": {"deny": 900000, "review": 600000},
	"low_quality_hash": {"deny": 1000001, "review": 1000001},
}

markets := {
	"east": {"thresholds": {"nsfw": {"deny": 500000, "review": 100000}, "weapons": {"deny": 700000, "review": 300000}}},
	"west": {"thresholds": {"nsfw": {"deny": 950000, "review": 450000}}},
	"a/b~c": {"thresholds": {"nsfw": {"deny": 10, "review": 5}}},
	"plain": {},
}

works := {
	"mural": {"title": "Mural", "owner": "a museum", "action": "deny", "purposes": ["research"]},
	"mascot": {"title": "Mascot", "owner": "a club", "action": "review"},
	"logo": {"title": "Logo", "owner": "the house", "action": "allow"},
	"poster": {"title": "Poster", "owner": "the house", "action": "allow", "purposes": ["marketing"]},
	"a/b": {"action": "deny"},
	"unread": {"action": "maybe"},
	"null": null,
	"misspelt": {"action": "allow", "purposes": "research"},
}

nsfw(score) := {"detector": "nsfw", "detector_digest": "d1", "label": "nsfw", "score_millionths": score}

similar(work, score) := {
	"detector": "similarity",
	"detector_digest": "d2",
	"label": "similarity",
	"score_millionths": score,
	"work": work,
}

# The codes and data of what is said of `found`, with a good NSFW score beside it.
judged(found, named, purpose) := said(array.concat([nsfw(0)], found), named, purpose)

said(found, named, purpose) := {"deny": brief(denials), "review": brief(reviews)} if {
	request := {"markets": named, "purpose": purpose}
	denials := findings.denials(found, "/findings") with input as {"request": request, "findings": found}
		with data.thresholds as thresholds
		with data.markets as markets
		with data.works as works
		with data.required_detectors as ["nsfw"]
	reviews := findings.reviews(found, "/findings") with input as {"request": request, "findings": found}
		with data.thresholds as thresholds
		with data.markets as markets
		with data.works as works
		with data.required_detectors as ["nsfw"]
}

brief(reasons) := {[reason.code, reason.path, reason.datum] | some reason in reasons}

test_a_markets_threshold_takes_the_place_of_the_general_one if {
	cases := [
		{"markets": ["plain"], "deny": [800000, "/thresholds/nsfw"], "review": [400000, "/thresholds/nsfw"]},
		{"markets": ["west"], "deny": [950000, "/markets/west/thresholds/nsfw"], "review": [450000, "/markets/west/thresholds/nsfw"]},
		{"markets": ["east"], "deny": [500000, "/markets/east/thresholds/nsfw"], "review": [100000, "/markets/east/thresholds/nsfw"]},
		{"markets": ["unheard of"], "deny": [800000, "/thresholds/nsfw"], "review": [400000, "/thresholds/nsfw"]},
	]
	every case in cases {
		said([nsfw(case.review[0] - 1)], case.markets, "marketing") == nothing
		said([nsfw(case.review[0])], case.markets, "marketing") == review_of("finding.review", 0, case.review[1])
		said([nsfw(case.deny[0] - 1)], case.markets, "marketing") == review_of("finding.review", 0, case.review[1])
		said([nsfw(case.deny[0])], case.markets, "marketing") == denial_of("finding.denied", 0, case.deny[1])
	}
}

nothing := {"deny": brief([]), "review": brief([])}

review_of(code, index, where) := {
	"deny": brief([]),
	"review": {[code, sprintf("/findings/%d", [index]), concat("", [where, "/review"])]},
}

denial_of(code, index, where) := {
	"deny": {[code, sprintf("/findings/%d", [index]), concat("", [where, "/deny"])]},
	"review": brief([]),
}

test_the_strictest_of_several_markets_counts if {
	said([nsfw(499999)], ["west", "east"], "marketing") == review_of("finding.review", 0, "/markets/east/thresholds/nsfw")
	said([nsfw(500000)], ["west", "east"], "marketing") == denial_of("finding.denied", 0, "/markets/east/thresholds/nsfw")
	said([nsfw(800000)], ["west", "plain"], "marketing") == denial_of("finding.denied", 0, "/thresholds/nsfw")
}

test_no_market_named_is_every_market_and_the_general_rules if {
	said([nsfw(10)], [], "marketing") == denial_of("finding.denied", 0, "/markets/a~1b~0c/thresholds/nsfw")
	said([nsfw(9)], [], "marketing") == review_of("finding.review", 0, "/markets/a~1b~0c/thresholds/nsfw")
	general := findings.denials([nsfw(800000)], "/findings") with input as {
		"request": {"markets": [], "purpose": "marketing"},
		"findings": [nsfw(800000)],
	}
		with data.thresholds as thresholds
		with data.markets as {"west": markets.west}
		with data.works as works
		with data.required_detectors as ["nsfw"]
	brief(general) == {["finding.denied", "/findings/0", "/thresholds/nsfw/deny"]}
}

test_a_label_without_a_threshold_in_a_market_asked_for_denies if {
	weapons := {"detector": "weapons", "detector_digest": "d3", "label": "weapons", "score_millionths": 0}
	judged([weapons], ["east"], "marketing") == nothing
	every named in [[], ["plain"], ["east", "west"]] {
		["finding.unjudged", "/findings/1", ""] in judged([weapons], named, "marketing").deny
	}
}

test_a_similar_work_is_judged_by_its_entry if {
	cases := [
		{"work": "mural", "purpose": "marketing", "deny": {["work.denied", "/findings/1", "/works/mural"]}, "review": set()},
		{"work": "mural", "purpose": "research", "deny": set(), "review": set()},
		{"work": "mascot", "purpose": "marketing", "deny": set(), "review": {["work.review", "/findings/1", "/works/mascot"]}},
		{"work": "logo", "purpose": "marketing", "deny": set(), "review": set()},
		{"work": "poster", "purpose": "marketing", "deny": set(), "review": set()},
		{"work": "poster", "purpose": "research", "deny": set(), "review": {["work.review", "/findings/1", "/works/poster"]}},
		{"work": "a/b", "purpose": "marketing", "deny": {["work.denied", "/findings/1", "/works/a~1b"]}, "review": set()},
		{"work": "unread", "purpose": "marketing", "deny": {["work.denied", "/findings/1", "/works/unread"]}, "review": set()},
		{"work": "null", "purpose": "marketing", "deny": {["work.denied", "/findings/1", "/works/null"]}, "review": set()},
		{
			"work": "misspelt", "purpose": "marketing", "deny": set(),
			"review": {["work.review", "/findings/1", "/works/misspelt"]},
		},
	]
	every case in cases {
		judged([similar(case.work, 599999)], ["plain"], case.purpose) == nothing
		every score in [600000, 899999, 900000, 1000000] {
			verdict := judged([similar(case.work, score)], ["plain"], case.purpose)
			verdict == {"deny": case.deny, "review": case.review}
		}
	}
}

test_an_unknown_work_is_looked_at_and_held_to_the_threshold if {
	judged([similar("new", 599999)], ["plain"], "marketing") == nothing
	judged([similar("new", 600000)], ["plain"], "marketing") == review_of("work.review", 1, "/thresholds/similarity")
	judged([similar("new", 900000)], ["plain"], "marketing") == {
		"deny": {["finding.denied", "/findings/1", "/thresholds/similarity/deny"]},
		"review": {["work.review", "/findings/1", "/thresholds/similarity/review"]},
	}
}

test_of_a_work_that_the_data_does_not_list_the_register_says_what_it_does if {
	threshold := "/thresholds/similarity/review"
	cases := [
		{"work": "new", "action": "deny", "deny": {["work.denied", "/findings/1", threshold]}, "review": set()},
		{"work": "new", "action": "review", "deny": set(), "review": {["work.review", "/findings/1", threshold]}},
		{"work": "new", "action": "allow", "deny": set(), "review": set()},
		{"work": "mural", "action": "allow", "deny": {["work.denied", "/findings/1", "/works/mural"]}, "review": set()},
		{"work": "logo", "action": "deny", "deny": set(), "review": set()},
		{"work": "null", "action": "allow", "deny": {["work.denied", "/findings/1", "/works/null"]}, "review": set()},
	]
	every case in cases {
		said_of := object.union(similar(case.work, 0), {"action": case.action})
		judged([object.union(said_of, {"score_millionths": 599999})], ["plain"], "marketing") == nothing
		every score in [600000, 900000, 1000000] {
			verdict := judged([object.union(said_of, {"score_millionths": score})], ["plain"], "marketing")
			verdict == {"deny": case.deny, "review": case.review}
		}
	}
}

test_an_action_without_a_work_says_nothing if {
	every action in ["deny", "allow"] {
		finding := object.union(nsfw(400000), {"action": action})
		said([finding], ["plain"], "marketing") == review_of("finding.review", 0, "/thresholds/nsfw")
	}
}

test_a_threshold_above_every_score_never_counts if {
	found := [nsfw(0), {"detector": "similarity", "detector_digest": "d2", "label": "low_quality_hash", "score_millionths": 1000000}]
	said(found, ["plain"], "marketing") == nothing
}

test_checks_that_were_not_made_are_named if {
	missing := {["detector.missing", "/findings", "/required_detectors"]}
	said([], ["plain"], "marketing").deny == missing
	said([similar("logo", 0)], ["plain"], "marketing").deny == missing
}

test_findings_of_input_images_are_judged_alike if {
	item := {"findings": [nsfw(800000)]}
	found := findings.denials(item.findings, "/inputs/0/findings") with input as {
		"request": {"markets": ["plain"], "purpose": "marketing"},
		"inputs": [item],
	}
		with data.thresholds as thresholds
		with data.markets as markets
		with data.required_detectors as ["nsfw"]
	brief(found) == {["finding.denied", "/inputs/0/findings/0", "/thresholds/nsfw/deny"]}
}
