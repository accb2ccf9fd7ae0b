# METADATA
# title: Training
# description: >-
#   May this be trained with? Asked once for each distinct combination of facts among the records of a dataset, and when a
#   training run starts and finishes. Denies unless every fact can be read, the data is sound and no rule objects.
package governance.training

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

# A record has no entry of its own; a run has, and it is kept as long as any other.
obligations := object.filter(data.obligations, ["retain_days"]) if {
	readable
	input.question == "run"
}

_passed if {
	readable
	count(denials) == 0
}

# Every part is proven and the data is sound. Packages are named in full here and below: the embedded engine evaluates all
# of a package that is imported by name.
readable if {
	_stage_proven
	_common_proven
	data.governance.training_shape.proven
	_data_proven
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
	some path in _malformed
}

unreadable contains data.governance.settings.reason if not _data_proven

_data_proven if {
	data.governance.settings.sound
	data.governance.training_settings.proven
}

_malformed contains "/stage" if not _stage_proven

_malformed contains path if some path in (_common | data.governance.training_shape.malformed)

_stage_proven if input.stage == "training"

_common_proven if count(_common) == 0

# Of the parts that stages share.
_common := data.governance.shape.malformed & {"/version", "/time"} if {
	input.question == "record"
} else := data.governance.shape.malformed & {"/version", "/time", "/principal"}

# METADATA
# title: Unknown purpose of a training
# description: What is trained would be used for a purpose that this policy does not know.
# custom:
#   code: training.purpose
#   fix: Name a purpose of data.purposes, or add this one there with the roles that may use it.
denials contains {
	"code": "training.purpose",
	"message": "This purpose is not known to the policy.",
	"path": "/purpose",
	"datum": "/purposes",
} if {
	not _purpose_known
}

_purpose_known if is_object(data.purposes[input.purpose])

denials contains reason if some reason in reasons.denying(_answered)

reviews := reasons.answering(_answered, "review")

# What is on record with what is allowed or held all the same.
notes := reasons.answering(_answered, "note")

# Reasons that do what the data answers to them.
_answered := data.governance.records.answered if {
	input.question == "record"
} else := data.governance.runs.answered
