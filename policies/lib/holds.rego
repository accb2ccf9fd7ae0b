# METADATA
# title: Holds
# description: >-
#   What becomes of what is held: who is asked, by when an answer is due, and when silence is a rejection.
package governance.holds

# The obligations of what is held for reasons with these codes; none where only approvals are obliged.
obligations(codes) := {
	"queue": _queue(codes),
	"due_hours": data.review.due_hours,
	"expire_hours": data.review.expire_hours,
}

# Of several reasons the first by code that has a queue of its own; else the general one.
_queue(codes) := queues[0] if {
	queues := [queue | some code in sort(codes); queue := data.review.queue_by_code[code]]
	count(queues) > 0
} else := data.review.queue
