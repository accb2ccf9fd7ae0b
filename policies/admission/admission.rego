# METADATA
# title: Admission
# description: >-
#   May this principal generate this, for this purpose, with this model? Asked before any compute is spent. Denies unless
#   every fact can be read, the data is sound and no rule objects.
package governance.admission

import data.governance.access
import data.governance.findings
import data.governance.reasons

# METADATA
# entrypoint: true
decision := {
	"outcome": outcome,
	"reasons": reasons.shown(decisive),
	"obligations": obligations,
}

# METADATA
# title: Explanation
# description: The reasons of the decision and all notes, each with the datum that decided. For people, not for records.
# entrypoint: true
explanation := sort(decisive | notes) if {
	readable
} else := sort(decisive)

default outcome := "deny"

outcome := "allow" if {
	_passed
	count(reviews) == 0
} else := "review" if {
	_passed
}

# The reasons that make the outcome what it is.
decisive := reviews | notes if {
	_passed
} else := denials if {
	readable
} else := unreadable

default obligations := {}

obligations := object.union_n([data.obligations, {"max_steps": access.limit("steps")}, _day_budget]) if _passed

_passed if {
	readable
	count(denials) == 0
}

_day_budget := {"day_budget": budget} if {
	budget := data.governance.limits.day_budget
	count(budget) > 0
} else := {}

# Every part is proven and the data is sound. Packages are named in full here and below: the embedded engine evaluates all
# of a package that is imported by name.
readable if {
	data.governance.shape.proven
	data.governance.settings.sound
	_stage_proven
}

# METADATA
# title: Malformed input
# description: A part of the policy input is missing, of the wrong type or out of range.
# custom:
#   code: input.malformed
#   fix: Send an input that fits the JSON Schema of this stage; the path names the part.
unreadable contains {
	"code": "input.malformed",
	"message": "This part of the policy input cannot be read.",
	"path": path,
	"datum": "",
} if {
	some path in (data.governance.shape.malformed | _malformed)
}

unreadable contains data.governance.settings.reason if not data.governance.settings.sound

_malformed contains "/stage" if not _stage_proven

_stage_proven if input.stage == "admission"

denials := union({
	data.governance.access.denials,
	data.governance.limits.denials,
	data.governance.markets.denials,
	data.governance.model.denials,
	data.governance.prompts.denials,
	data.governance.terms.denials,
	_input_denials,
	reasons.denying(_answered),
})

reviews := _input_reviews | reasons.answering(_answered, "review")

# What is on record with an allowed or held request all the same.
notes := reasons.answering(_answered, "note")

# Reasons that do what the data answers to them.
_answered := union({
	data.governance.model.answered,
	data.governance.prompts.answered,
	data.governance.terms.answered,
})

# METADATA
# title: Input images not allowed
# description: The request brings an image along, and this policy allows none.
# custom:
#   code: inputs.not_allowed
#   fix: Generate from the prompt alone, or set data.allow_inputs.
_input_denials contains {
	"code": "inputs.not_allowed",
	"message": "Input images are not allowed.",
	"path": "/inputs",
	"datum": "/allow_inputs",
} if {
	count(input.inputs) > 0
	not data.allow_inputs
}

_input_denials contains reason if {
	some index, item in input.inputs
	some reason in findings.denials(item.findings, sprintf("/inputs/%d/findings", [index]))
}

_input_reviews contains reason if {
	some index, item in input.inputs
	some reason in findings.reviews(item.findings, sprintf("/inputs/%d/findings", [index]))
}
