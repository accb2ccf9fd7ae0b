# METADATA
# title: Admission
# description: >-
#   May this principal generate this, for this purpose, with this model? Asked before any compute is spent. Denies unless
#   every fact can be read, the data is sound and no rule objects.
package governance.admission

import data.governance.access
import data.governance.holds
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

# What is denied is recorded too, and kept no longer.
obligations := object.union_n([_general, {"max_steps": access.limit("steps")}, _day_budget, _hold]) if {
	_passed
} else := object.filter(data.obligations, ["retain_days"]) if {
	readable
}

# In which language the label is depends on the markets, so release says it.
_general := object.remove(data.obligations, ["label_language"]) if is_object(data.obligations)

_passed if {
	readable
	count(denials) == 0
}

_day_budget := {"day_budget": budget} if {
	budget := data.governance.limits.day_budget
	count(budget) > 0
} else := {}

_hold := holds.obligations({reason.code | some reason in reviews}) if _held

_hold := {} if not _held

_held if count(reviews) > 0

_held if _general.approvals > 0

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
	_media_denials,
	_register_denials,
	reasons.denying(_answered),
})

reviews := _input_reviews | reasons.answering(_answered, "review")

# Most requests bring no image along, and then nothing is looked up.
_input_denials contains reason if {
	count(input.inputs) > 0
	some reason in data.governance.inputs.denials
}

# And most make pictures.
_media_denials contains reason if {
	"audio" in input.request.media
	some reason in data.governance.media.denials
}

# And for a model that is registered.
_register_denials contains reason if {
	not data.governance.registers.clear
	some reason in data.governance.registers.denials
}

_register_answers contains answered if {
	not data.governance.registers.clear
	some answered in data.governance.registers.answered
}

_input_reviews contains reason if {
	count(input.inputs) > 0
	some reason in data.governance.inputs.reviews
}

# What is on record with an allowed or held request all the same.
notes := reasons.answering(_answered, "note")

# Reasons that do what the data answers to them.
_answered := union({
	data.governance.model.answered,
	data.governance.prompts.answered,
	data.governance.terms.answered,
	_register_answers,
})
