# METADATA
# title: Reviewers
# description: >-
#   Who may do what: each act is for the roles that the data lists for it, what is done to a hold for those of its queue as
#   well, and nobody judges what they asked for themselves. And is a decision enough? One rejection or escalation is; an
#   approval counts one person, and asks again whether the model and the input images are still allowed.
package governance.reviewers

import data.governance.markets
import data.governance.reasons

# METADATA
# title: Act not permitted
# description: None of the person's roles may do this.
# custom:
#   code: review.act
#   fix: Have it done by somebody with a role that data.review.acts lists for this act.
denials contains {
	"code": "review.act",
	"message": "None of this person's roles may do this.",
	"path": "/act",
	"datum": _act_datum,
} if {
	not _permitted
}

default _act_datum := "/review/acts"

_act_datum := reasons.pointer(["review", "acts", input.act]) if is_array(data.review.acts[input.act])

_permitted if {
	some role in input.reviewer.roles
	role in data.review.acts[input.act]
}

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
	input.act == "holds.decide"
	not _entitled
}

_entitled if {
	some role in input.reviewer.roles
	role in data.review.roles
}

# METADATA
# title: Another queue
# description: What is held waits in a queue that is for none of the person's roles, or that the policy does not know.
# custom:
#   code: review.queue
#   fix: Leave it to somebody with a role of that queue in data.review.queues. One that is missing there must come back.
denials contains {
	"code": "review.queue",
	"message": "What is held waits in a queue that is for none of this person's roles.",
	"path": "/hold/queue",
	"datum": _queue_datum,
} if {
	is_object(input.hold)
	not _asked
}

# Who is asked; an empty name asks everybody who may do this at all.
_asked if input.hold.queue == ""

_asked if {
	some role in input.reviewer.roles
	role in data.review.queues[input.hold.queue].roles
}

default _queue_datum := "/review/queues"

_queue_datum := reasons.pointer(["review", "queues", input.hold.queue]) if is_object(data.review.queues[input.hold.queue])

# METADATA
# title: Own request
# description: Nobody looks at, leases or decides on what was held of their own request.
# custom:
#   code: review.requester
#   fix: Have it done by another reviewer.
denials contains {
	"code": "review.requester",
	"message": "Nobody judges their own request.",
	"path": "/reviewer/id",
	"datum": "",
} if {
	input.act in {"holds.view", "holds.lease", "holds.decide"}
	_person(input.reviewer.id) == _person(input.hold.requester)
}

# METADATA
# title: No queue to escalate to
# description: The queue to escalate to is not known to the policy, or is the one where it waits already.
# custom:
#   code: review.escalation
#   fix: Name another queue of data.review.queues.
denials contains {
	"code": "review.escalation",
	"message": "What is held cannot be escalated to this queue.",
	"path": "/to",
	"datum": "/review/queues",
} if {
	input.act == "holds.decide"
	input.verdict == "escalate"
	not _elsewhere
}

_elsewhere if {
	is_object(data.review.queues[input.to])
	input.to != input.hold.queue
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
	approves
	_person(input.reviewer.id) in _approvers
}

# What is rejected needs no allowed model.
denials contains reason if {
	approves
	some reason in data.governance.model.denials with input.request as _request
}

denials contains reason if {
	approves
	some reason in data.governance.inputs.denials with input.request as _request
}

denials contains reason if {
	approves
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
	"message": sprintf("%d of %d approvals are given.", [count(_given), needed[0]]),
	"path": "/approvals",
	"datum": needed[1],
} if {
	not complete
}

# Whether what the person does is all that it takes.
complete if not _decides

complete if _ends

complete if count(_given) >= needed[0]

approves if {
	_decides
	not _ends
}

_decides if input.act == "holds.decide"

# This hold, or the wait of this queue for it.
_ends if input.verdict in {"reject", "escalate"}

# Who approves, this person among them. The requester never counts, whatever was let through before.
_given := (_approvers | {_person(input.reviewer.id)}) - {_person(input.hold.requester)} if approves

_approvers := {_person(id) | some id in input.approvals}

# The most that anything demands, and where it stands in the data.
needed := max(_demands)

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

# People are known by their ids, whoever vouches for them. Many directories take A@x and a@x for one account, so letters in
# another case make no other person.
_person(id) := strings.replace_n(
	{
		"A": "a", "B": "b", "C": "c", "D": "d", "E": "e", "F": "f", "G": "g", "H": "h", "I": "i", "J": "j", "K": "k",
		"L": "l", "M": "m", "N": "n", "O": "o", "P": "p", "Q": "q", "R": "r", "S": "s", "T": "t", "U": "u", "V": "v",
		"W": "w", "X": "x", "Y": "y", "Z": "z",
	},
	id,
)
