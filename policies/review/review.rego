# METADATA
# title: Review
# description: >-
#   May this person do this? Asked for each act of whoever uses the review API. Denies unless every fact can be read, the
#   data is sound and no rule objects. To decide on what is held is one of these acts: then `allow` completes the review,
#   and `review` counts the approval and waits for more.
package governance.review

import data.governance.reasons
import data.governance.shape

# METADATA
# entrypoint: true
decision := {
	"outcome": outcome,
	"reasons": reasons.shown(decisive),
	"obligations": obligations,
}

# METADATA
# title: Explanation
# description: The reasons of the decision, each with the datum that decided. For people, not for records.
# entrypoint: true
explanation := sort(decisive)

default outcome := "deny"

outcome := "allow" if {
	_passed
	data.governance.reviewers.complete
} else := "review" if {
	_passed
}

# The reasons that make the outcome what it is.
decisive := data.governance.reviewers.pending if {
	_passed
} else := data.governance.reviewers.denials if {
	readable
} else := unreadable

default obligations := {}

# How many people must approve in all, on record with each approval.
obligations := {"approvals": data.governance.reviewers.needed[0]} if {
	_passed
	data.governance.reviewers.approves
}

_passed if {
	readable
	count(data.governance.reviewers.denials) == 0
}

# Every part is proven and the data is sound. Packages are named in full here and below: the embedded engine evaluates all
# of a package that is imported by name.
readable if {
	_common_proven
	_stage_proven
	_reviewer_proven
	_act_proven
	_hold_proven
	_particulars_proven
	data.governance.settings.sound
	data.governance.settings.reviewers_proven
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
	data.governance.settings.reviewers_proven
}

_malformed contains path if some path in _common

_malformed contains "/stage" if not _stage_proven

_malformed contains "/reviewer" if not _reviewer_proven

_malformed contains "/act" if not _act_proven

_malformed contains "/hold" if not _hold_proven

_malformed contains path if {
	_decides
	some path in _malformed_particulars
}

# What is said of a decision where nothing is decided would be taken for its answer.
_malformed contains concat("", ["/", name]) if {
	_act_proven
	not _decides
	some name in _particulars_given
}

_malformed_particulars contains path if some path in (data.governance.shape.malformed & {"/inputs", "/model"})

_malformed_particulars contains "/verdict" if not _verdict_proven

_malformed_particulars contains "/to" if not _to_proven

_malformed_particulars contains "/approvals" if not _approvals_proven

_common_proven if count(_common) == 0

# Of the parts that stages share.
_common := data.governance.shape.malformed & {"/version", "/time"}

_stage_proven if input.stage == "review"

_act_proven if shape.text(input.act)

_decides if input.act == "holds.decide"

_reviewer_proven if {
	reviewer := input.reviewer
	shape.texts([reviewer.id, reviewer.issuer])
	shape.texts(reviewer.roles)
	reviewer.assurance in {"asserted", "authenticated"}
}

_hold_proven if {
	hold := input.hold
	shape.texts([hold.id, hold.requester, hold.purpose])
	hold.stage in {"admission", "release"}
	shape.texts(hold.codes)
	shape.texts(hold.markets)
	is_string(hold.queue)
}

# Some acts are about no hold, and to read holds may be about all of them.
_hold_proven if {
	not _needs_hold
	not _hold_given
}

_needs_hold if input.act in {"holds.view", "holds.lease", "holds.comment", "holds.decide"}

_hold_given if type_name(input.hold)

# What belongs to a decision on a hold: all of it there, or none.
_particulars_proven if {
	_decides
	count(_malformed_particulars) == 0
	_verdict_proven
	_to_proven
	_approvals_proven
}

_particulars_proven if {
	_act_proven
	not _decides
	count(_particulars_given) == 0
}

_particulars_given contains name if {
	some name in ["verdict", "to", "approvals", "inputs", "model"]
	type_name(input[name])
}

_verdict_proven if input.verdict in {"approve", "reject", "escalate"}

_to_proven if {
	_escalates
	shape.text(input.to)
}

_to_proven if {
	not _escalates
	input.to == ""
}

_escalates if input.verdict == "escalate"

_approvals_proven if shape.texts(input.approvals)
