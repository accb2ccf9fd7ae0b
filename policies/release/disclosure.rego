# METADATA
# title: Disclosure
# description: >-
#   What the markets asked for oblige a released image to: its visible label, where that stands and in which language it
#   is, its formats and how many people must approve it. Each market's own setting takes the place of the general one, and the strictest over all of them counts.
package governance.disclosure

import data.governance.markets
import data.governance.reasons

# The obligations in which markets have a say; they take the place of the general ones of the same name.
obligations["visible_label"] := visible_label

# The first of several texts says where they stand.
obligations["label_position"] := position if {
	position := _labels[0].position
	position != ""
}

# Texts in several languages, or in one that nobody named, are in none.
obligations["label_language"] := language if {
	_labels_fit
	languages := {label.language | some label in _labels}
	count(languages) == 1
	some language in languages
	language != ""
}

obligations["output_formats"] := _output_formats

obligations["approvals"] := max(numbers) if {
	numbers := {number | some rules in _rules_and_general; number := rules.approvals}
	count(numbers) > 0
}

# The text that must stand on the picture; undefined where none must. Markets that differ are all served, in their order,
# as far as the texts fit the label; else the general text stands for them.
visible_label := _side_by_side if {
	_labels_fit
} else := data.visible_label if count(_labels) > 0

# Engines differ in `count` of a text beyond 16-bit characters; in `substring` they agree.
_labels_fit if substring(_side_by_side, 120, -1) == ""

_side_by_side := concat(" / ", [label.text | some index, label in _labels; _first(index)]) if count(_labels) > 0

# No market before says the same.
_first(index) if {
	earlier := [label.text | some label in array.slice(_labels, 0, index)]
	not _labels[index].text in earlier
}

# What the markets asked for want to stand on the picture, in their order: their own text, or else the general one.
_labels := [label |
	some rules in _rules
	text := object.get(rules, "visible_label", _general_label)
	text != ""
	label := {
		"text": text,
		"position": object.get(rules, "label_position", _general_position),
		"language": _language(rules),
	}
]

# The general language is that of the general text.
_language(rules) := object.get(rules, "label_language", "") if {
	is_string(rules.visible_label)
} else := object.get(rules, "label_language", _general_language)

default _general_label := ""

_general_label := data.obligations.visible_label

default _general_position := ""

_general_position := data.obligations.label_position

default _general_language := ""

_general_language := data.obligations.label_language

# METADATA
# title: No output format in common
# description: The markets asked for and the general obligations have no output format in common.
# custom:
#   code: format.none
#   fix: Ask for fewer markets at once, or let data.markets and data.obligations share an output format.
denials contains {
	"code": "format.none",
	"message": "No output format is allowed in every market asked for.",
	"path": "/request/markets",
	"datum": _format_datum,
} if {
	count(_output_formats) == 0
}

_format_datum := min({reasons.pointer(["markets", market, "output_formats"]) |
	some market, rules in data.markets
	market in markets.asked(input.request.markets)
	rules.output_formats
})

# What all lists of formats have in common, in the order of the first; undefined where there is no list. As in the
# obligations themselves, a list without formats is no restriction.
_output_formats := [format | some format in lists[0]; every list in lists { format in list }] if {
	lists := [list | some rules in _rules_and_general; list := rules.output_formats; count(list) > 0]
	count(lists) > 0
}

_rules_and_general := array.concat([data.obligations], _rules)

# The rules of each market asked for, in order; none of them is read where the data is unsound. Looked up in a local name,
# which the embedded engine does far quicker.
_rules := [object.get(known, market, {}) |
	known := data.markets
	some market in sort(markets.asked(input.request.markets))
] if {
	data.governance.settings.sound
}
