# METADATA
# title: Rights in a record
# description: >-
#   What speaks against training with records of these facts. Every answer stands in data.training; a licence is accepted
#   where data.licences lists it for the purpose.
package governance.records

import data.governance.reasons
import data.governance.training_licences

# METADATA
# title: Licence does not permit training
# description: >-
#   The record has no licence, one that no list knows, or one that does not permit the purpose.
# custom:
#   code: training.licence
#   fix: >-
#     Find out the licence and state it, name the contract that grants the use, or leave the record out. Accepted are those of
#     data.licences; what others do is data.training.unlicensed.
answered contains [data.training.unlicensed[ground], {
	"code": "training.licence",
	"message": "No accepted licence permits this use.",
	"path": "/record/licence",
	"datum": reasons.pointer(["training", "unlicensed", ground]),
}] if {
	not _licensed
	ground := _ground
}

_licensed if training_licences.accepted(input.record.licence)

# What may stand in place of a licence: a contract in force, or that the work is the operator's own. A licence that nobody knows is
# somebody's terms all the same, so that such a work is not simply one's own.
_ground := "contract" if {
	input.record.contract == "active"
} else := "own" if {
	input.record.source_kind == "own"
	input.record.licence == ""
	not "unknown_licence" in input.record.problems
} else := "none"

# METADATA
# title: Contract not in force
# description: The contract that the record names is over, or is not in the register.
# custom:
#   code: training.contract
#   fix: >-
#     Register the contract or its renewal with `governance registers add` or `change`, and audit again. What each state does is
#     data.training.contracts.
answered contains [data.training.contracts[state], {
	"code": "training.contract",
	"message": sprintf("The contract of this record is: %s.", [state]),
	"path": "/record/contract",
	"datum": reasons.pointer(["training", "contracts", state]),
}] if {
	state := input.record.contract
}

# METADATA
# title: Consent
# description: Whoever is shown, or whose work it is, refused, or is not known to have agreed.
# custom:
#   code: training.consent
#   fix: >-
#     Obtain consent and state it, or leave the record out. What each state does is data.training.consents.
answered contains [data.training.consents[consent], {
	"code": "training.consent",
	"message": sprintf("Consent to this record is: %s.", [consent]),
	"path": "/record/consent",
	"datum": reasons.pointer(["training", "consents", consent]),
}] if {
	consent := input.record.consent
}

# METADATA
# title: Rights reserved
# description: A signal reserves the record against use for training.
# custom:
#   code: training.opt_out
#   fix: >-
#     Leave the record out, or register the contract by which the rights holder permits it. What each signal does is
#     data.training.opt_outs, and under a contract in force data.training.opt_outs_under_contract.
answered contains [data.training[table][signal], {
	"code": "training.opt_out",
	"message": sprintf("This signal reserves the record against training: %s.", [signal]),
	"path": sprintf("/record/opt_outs/%d", [index]),
	"datum": reasons.pointer(["training", table, signal]),
}] if {
	some index, signal in input.record.opt_outs
	table := _opt_out_table
}

_opt_out_table := "opt_outs_under_contract" if {
	input.record.contract == "active"
} else := "opt_outs"

# METADATA
# title: Time of collection
# description: The record does not say when it was collected, or names a time that is still to come.
# custom:
#   code: training.collected
#   fix: Find out when it was collected, and state it. What each state does is data.training.collected.
answered contains [data.training.collected[collected], {
	"code": "training.collected",
	"message": sprintf("The time of collection is: %s.", [collected]),
	"path": "/record/collected",
	"datum": reasons.pointer(["training", "collected", collected]),
}] if {
	collected := input.record.collected
}

# METADATA
# title: Synthetic
# description: A model made the picture, as its manifest, a watermark or whoever made the dataset says.
# custom:
#   code: training.synthetic
#   fix: Leave the record out, or have data.training.synthetic reviewed.
answered contains [data.training.synthetic[synthetic], {
	"code": "training.synthetic",
	"message": sprintf("That a model made the picture is: %s.", [synthetic]),
	"path": "/record/synthetic",
	"datum": reasons.pointer(["training", "synthetic", synthetic]),
}] if {
	synthetic := input.record.synthetic
}

# METADATA
# title: Class of the source
# description: The record comes from a class of sources that the policy does not simply allow, or from an unknown one.
# custom:
#   code: training.source
#   fix: State where the record comes from. What each class does is data.training.source_kinds.
answered contains [data.training.source_kinds[kind], {
	"code": "training.source",
	"message": sprintf("The class of the source is: %s.", [kind]),
	"path": "/record/source_kind",
	"datum": reasons.pointer(["training", "source_kinds", kind]),
}] if {
	kind := input.record.source_kind
}

# METADATA
# title: Content not read
# description: The digest of the content is only stated, or there is none, so that nobody knows what would be trained with.
# custom:
#   code: training.unread
#   fix: Audit again where the files can be read. What each basis does is data.training.basis.
answered contains [data.training.basis[basis], {
	"code": "training.unread",
	"message": sprintf("The digest of the content is: %s.", [basis]),
	"path": "/record/basis",
	"datum": reasons.pointer(["training", "basis", basis]),
}] if {
	basis := input.record.basis
}

# METADATA
# title: Personal data
# description: The file holds personal data of this kind, and consent is what decides.
# custom:
#   code: training.personal
#   fix: >-
#     Remove it from the file, obtain consent and state it, or leave the record out. What it does under each state of consent
#     is data.training.personal.
answered contains [data.training.personal[consent], {
	"code": "training.personal",
	"message": sprintf("Personal data was found, and consent is: %s.", [consent]),
	"path": sprintf("/record/personal/%d", [index]),
	"datum": reasons.pointer(["training", "personal", consent]),
}] if {
	some index, _ in input.record.personal
	consent := input.record.consent
}

# METADATA
# title: Not fit to be seen
# description: The detector of what is not safe for work scored the picture at or above a threshold.
# custom:
#   code: training.nsfw
#   fix: Leave the record out. If the score is wrong, have data.training.thresholds reviewed.
answered contains [answer, {
	"code": "training.nsfw",
	"message": sprintf("The score for nsfw is at or above the threshold to %s.", [answer]),
	"path": "/record/nsfw_hundredths",
	"datum": reasons.pointer(["training", "thresholds", "nsfw", answer]),
}] if {
	answer := _level("nsfw", input.record.nsfw_hundredths)
}

# METADATA
# title: Similar to a protected work
# description: The picture is similar to a protected work that may not be trained with, or of which nobody said what it does.
# custom:
#   code: training.similar
#   fix: >-
#     Leave the record out. What a work does stands in the register of works, and how similar is too similar in
#     data.training.thresholds.
answered contains [answer, {
	"code": "training.similar",
	"message": "The picture is similar to a protected work.",
	"path": "/record/similar_hundredths",
	"datum": reasons.pointer(["training", "thresholds", "similar", level]),
}] if {
	level := _level("similar", input.record.similar_hundredths)
	answer := {"": level, "deny": "deny", "review": "review", "allow": "allow"}[input.record.work_action]
}

_level(label, score) := "deny" if {
	is_number(score)
	score >= data.training.thresholds[label].deny
} else := "review" if {
	is_number(score)
	score >= data.training.thresholds[label].review
}

# METADATA
# title: Never looked at
# description: A detector did not look at the picture, which proves nothing about it.
# custom:
#   code: training.unchecked
#   fix: Audit again with that detector configured. What a missing score does is data.training.unscored.
answered contains [data.training.unscored[label], {
	"code": "training.unchecked",
	"message": sprintf("No detector looked for this: %s.", [label]),
	"path": sprintf("/record/%s_hundredths", [label]),
	"datum": reasons.pointer(["training", "unscored", label]),
}] if {
	some label in ["nsfw", "similar"]
	is_null(input.record[sprintf("%s_hundredths", [label])])
}

# METADATA
# title: Looks like another
# description: Another content of the dataset looks the same.
# custom:
#   code: training.near_duplicate
#   fix: Keep one of them. What it does is data.training.near_duplicate.
answered contains [data.training.near_duplicate, {
	"code": "training.near_duplicate",
	"message": "Another content of the dataset looks the same.",
	"path": "/record/near_duplicate",
	"datum": "/training/near_duplicate",
}] if {
	input.record.near_duplicate
}

# METADATA
# title: Something is wrong with the record
# description: The record or its file has a fault, which the message names.
# custom:
#   code: training.problem
#   fix: Mend the record and audit again, or leave it out. What each fault does is data.training.problems.
answered contains [data.training.problems[problem], {
	"code": "training.problem",
	"message": sprintf("This is wrong with the record: %s.", [problem]),
	"path": sprintf("/record/problems/%d", [index]),
	"datum": reasons.pointer(["training", "problems", problem]),
}] if {
	some index, problem in input.record.problems
}
