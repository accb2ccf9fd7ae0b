# METADATA
# title: Reasons
# description: >-
#   Inside the bundle each reason says by its `datum`, a JSON pointer (RFC 6901) into the data, which setting decided; ""
#   where none did. A datum may name a blocked term, and decisions are kept for ever, so it leaves the bundle only in the
#   `explanation` of a stage, never in its `decision`.
package governance.reasons

# The reasons as a decision gives them: sorted, without their datum.
shown(found) := sort({object.remove(reason, ["datum"]) | some reason in found})

# Of reasons in pairs with what the data answers to each, `deny`, `review`, `note` or `allow`: those to deny for. Whatever
# is no known answer denies.
denying(answered) := {reason |
	some [answer, reason] in answered
	not answer in {"review", "note", "allow"}
}

# Those with this answer.
answering(answered, wanted) := {reason |
	some [answer, reason] in answered
	answer == wanted
}

# The JSON pointer that leads along `keys`, an array of strings.
pointer(keys) := concat("", [escaped |
	some key in keys
	escaped := concat("", ["/", replace(replace(key, "~", "~0"), "/", "~1")])
])
