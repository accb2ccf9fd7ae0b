# METADATA
# title: Review
# description: >-
#   May this person decide on what is held, and is it enough? Asked for each act of a reviewer. Denies unless every fact
#   can be read, the data is sound and no rule objects; then `allow` completes the review, and `review` counts the approval
#   and waits for more. One rejection is enough. An approval asks again whether the model is still allowed.
package governance.review

import data.governance.markets
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
	_complete
} else := "review" if {
	_passed
}

# The reasons that make the outcome what it is.
decisive := pending if {
	_passed
} else := denials if {
	readable
} else := unreadable

default obligations := {}

# How many people must approve in all, on record with each approval.
obligations := {"approvals": _needed[0]} if {
	_passed
	_approves
}

_passed if {
	readable
	count(denials) == 0
}

# Every part is proven and the data is sound. Packages are named in full here and below: the embedded engine evaluates all
# of a package that is imported by name.
readable if {
	count(_malformed) == 0
	_stage_proven
	_hold_proven
	_reviewer_proven
	_verdict_proven
	_approvals_proven
	data.governance.settings.sound
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

unreadable contains data.governance.settings.reason if not data.governance.settings.sound

# Of the parts that stages share, these three are here.
_malformed contains path if some path in (data.governance.shape.malformed & {"/version", "/time", "/model"})

_malformed contains "/stage" if not _stage_proven

_malformed contains "/hold" if not _hold_proven

_malformed contains "/reviewer" if not _reviewer_proven

_malformed contains "/verdict" if not _verdict_proven

_malformed contains "/approvals" if not _approvals_proven

_stage_proven if input.stage == "review"

_hold_proven if {
	hold := input.hold
	shape.texts([hold.id, hold.requester, hold.purpose])
	hold.stage in {"admission", "release"}
	shape.texts(hold.codes)
	shape.texts(hold.markets)
}

_reviewer_proven if {
	reviewer := input.reviewer
	shape.texts([reviewer.id, reviewer.issuer])
	shape.texts(reviewer.roles)
	reviewer.assurance in {"asserted", "authenticated"}
}

_verdict_proven if input.verdict in {"approve", "reject"}

_approvals_proven if shape.texts(input.approvals)

# METADATA
# title: Not a reviewer
# description: None of the person's roles may decide on what is held.
# custom:
#   code: review.role
#   fix: Have it decided by somebody with a role of data.review.roles.
denials contains {
	"code": "review.role",
	"message": "None of this person's roles may decide on what is held.",
	"path": "/reviewer/roles",
	"datum": "/review/roles",
} if {
	not _entitled
}

# METADATA
# title: Own request
# description: Nobody decides on what they asked for themselves.
# custom:
#   code: review.requester
#   fix: Have it decided by another reviewer.
denials contains {
	"code": "review.requester",
	"message": "Nobody decides on their own request.",
	"path": "/reviewer/id",
	"datum": "",
} if {
	_person(input.reviewer.id) == _person(input.hold.requester)
}

# METADATA
# title: Approved twice
# description: This person approved before, and each approval must be another person's.
# custom:
#   code: review.twice
#   fix: Have it decided by another reviewer.
denials contains {
	"code": "review.twice",
	"message": "This person has approved already.",
	"path": "/reviewer/id",
	"datum": "",
} if {
	_approves
	_person(input.reviewer.id) in _approvers
}

# What is rejected needs no allowed model.
denials contains reason if {
	_approves
	some reason in data.governance.model.denials with input.request as _request
}

denials contains reason if {
	_approves
	some found in data.governance.markets.denials with input.request as _request
	reason := object.union(found, {"path": replace(found.path, "/request/", "/hold/")})
}

# METADATA
# title: More approvals needed
# description: The approval counts, but more people must approve before anything is released.
# custom:
#   code: review.pending
#   fix: Have another reviewer decide as well.
pending contains {
	"code": "review.pending",
	"message": sprintf("%d of %d approvals are given.", [count(_given), _needed[0]]),
	"path": "/approvals",
	"datum": _needed[1],
} if {
	not _complete
}

_complete if input.verdict == "reject"

_complete if count(_given) >= _needed[0]

_approves if not input.verdict == "reject"

_entitled if {
	some role in input.reviewer.roles
	role in data.review.roles
}

# Who approves, this person among them. The requester never counts, whatever was let through before.
_given := (_approvers | {_person(input.reviewer.id) | _approves}) - {_person(input.hold.requester)}

_approvers := {_person(id) | some id in input.approvals}

# People are known by their ids, whoever vouches for them. Many directories take A@x and a@x for one account, so letters
# in another case make no other person.
_person(id) := strings.replace_n(
	{
		"A": "a", "B": "b", "C": "c", "D": "d", "E": "e", "F": "f", "G": "g", "H": "h", "I": "i", "J": "j", "K": "k",
		"L": "l", "M": "m", "N": "n", "O": "o", "P": "p", "Q": "q", "R": "r", "S": "s", "T": "t", "U": "u", "V": "v",
		"W": "w", "X": "x", "Y": "y", "Z": "z",
	},
	id,
)

# The most that anything demands, and where it stands in the data.
_needed := max(_demands)

_demands contains [data.review.approvals, "/review/approvals"]

_demands contains [data.obligations.approvals, "/obligations/approvals"]

_demands contains [approvals, reasons.pointer(["review", "approvals_by_code", code])] if {
	some code in input.hold.codes
	approvals := data.review.approvals_by_code[code]
}

_demands contains [approvals, reasons.pointer(["markets", market, "approvals"])] if {
	some market in markets.asked(input.hold.markets)
	approvals := data.markets[market].approvals
}

# What the rules of other stages know as the request.
_request := {"purpose": input.hold.purpose, "markets": input.hold.markets}
