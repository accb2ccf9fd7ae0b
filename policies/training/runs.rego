# METADATA
# title: Training runs
# description: >-
#   What speaks against a run: who trains, how, on which base, and what stands on record of each dataset. Asked when it
#   starts and again when it finishes, because an approval may have been withdrawn in between.
package governance.runs

import data.governance.reasons
import data.governance.training_licences

# METADATA
# title: Not a trainer
# description: None of the principal's roles may train.
# custom:
#   code: training.role
#   fix: Have it done by somebody with a role of data.training.trainers.
answered contains ["deny", {
	"code": "training.role",
	"message": "None of the principal's roles may train.",
	"path": "/principal/roles",
	"datum": "/training/trainers",
}] if {
	not _trainer
}

_trainer if {
	some role in input.principal.roles
	role in data.training.trainers
}

# METADATA
# title: Method of training
# description: The policy does not know this method, or does not simply allow it.
# custom:
#   code: training.method
#   fix: Use a method that data.training.methods allows, or have this one reviewed and added there.
answered contains [_method_answer, {
	"code": "training.method",
	"message": "This method of training is not simply allowed.",
	"path": "/run/method",
	"datum": _method_datum,
}]

default _method_answer := "deny"

_method_answer := data.training.methods[input.run.method]

default _method_datum := "/training/methods"

_method_datum := reasons.pointer(["training", "methods", input.run.method]) if {
	is_string(data.training.methods[input.run.method])
}

# METADATA
# title: Declared, not witnessed
# description: The loop ran elsewhere and was only described, so that nobody saw what it consumed.
# custom:
#   code: training.declared
#   fix: Let the run hand out its records. What a description does is data.training.declared.
answered contains [data.training.declared, {
	"code": "training.declared",
	"message": "What this run consumes is declared, not witnessed.",
	"path": "/run/lineage",
	"datum": "/training/declared",
}] if {
	input.run.lineage == "declared"
}

# METADATA
# title: Base not registered
# description: The base model is not in the register of models, or is there no longer.
# custom:
#   code: training.base
#   fix: >-
#     Register it with `governance registers add`, or train on another. What one does that nobody registered is
#     data.unregistered.models; one that is withdrawn, expired or recalled denies.
answered contains [_base_answer, {
	"code": "training.base",
	"message": sprintf("The base model is: %s.", [_base_state]),
	"path": "/run/base",
	"datum": _base_datum,
}] if {
	_base_state != "registered"
}

_base_state := data.governance.registers.state(input.run.base)

_base_answer := data.unregistered.models if {
	_base_state == "unregistered"
} else := "deny"

_base_datum := "/unregistered/models" if {
	_base_state == "unregistered"
} else := ""

# METADATA
# title: Licence of the base
# description: The licence of the base model does not permit the purpose, or the register does not name one.
# custom:
#   code: training.base_licence
#   fix: Train on a base whose licence permits the purpose, or have data.licences reviewed.
answered contains ["deny", {
	"code": "training.base_licence",
	"message": "The licence of the base model does not allow this use.",
	"path": "/run/base/licence",
	"datum": "/licences",
}] if {
	_base_state == "registered"
	not _base_licensed
}

_base_licensed if training_licences.accepted(input.run.base.licence)

# METADATA
# title: Dataset withdrawn
# description: The approval of a dataset was withdrawn.
# custom:
#   code: training.withdrawn
#   fix: Leave the dataset out, or audit it again and have that approved.
answered contains ["deny", {
	"code": "training.withdrawn",
	"message": "The approval of this dataset was withdrawn.",
	"path": sprintf("/run/datasets/%d/state", [index]),
	"datum": "",
}] if {
	some index, dataset in input.run.datasets
	dataset.state == "withdrawn"
}

# METADATA
# title: Dataset recalled
# description: A dataset was recalled.
# custom:
#   code: training.recalled
#   fix: Leave the dataset out. The entry of the recall says why.
answered contains ["deny", {
	"code": "training.recalled",
	"message": "This dataset was recalled.",
	"path": sprintf("/run/datasets/%d/state", [index]),
	"datum": "",
}] if {
	some index, dataset in input.run.datasets
	dataset.state == "recalled"
}

# METADATA
# title: Audit not approved
# description: Fewer people than must have approved the newest audit of a dataset. Nobody approves what they train with.
# custom:
#   code: training.not_approved
#   fix: Have it approved with `governance dataset approve` by other people with a role of data.training.approvers.
answered contains ["deny", {
	"code": "training.not_approved",
	"message": sprintf("%d of %d approvals are given.", [given, data.training.approvals]),
	"path": sprintf("/run/datasets/%d/approvals", [index]),
	"datum": "/training/approvals",
}] if {
	some index, dataset in input.run.datasets
	given := count(_approvers(dataset))
	given < data.training.approvals
}

# People by number; 0 is the principal, who never counts.
_approvers(dataset) := {approval.person |
	some approval in dataset.approvals
	approval.person > 0
	some role in approval.roles
	role in data.training.approvers
}

# METADATA
# title: Audit too old
# description: The newest audit of a dataset is older than audits count. Opt-outs and contracts change.
# custom:
#   code: training.audit_expired
#   fix: Audit the dataset again and have that approved. How long an audit counts is data.training.audit_days.
answered contains ["deny", {
	"code": "training.audit_expired",
	"message": sprintf("The audit is %d days old, and counts for %d.", [dataset.age_days, data.training.audit_days]),
	"path": sprintf("/run/datasets/%d/age_days", [index]),
	"datum": "/training/audit_days",
}] if {
	some index, dataset in input.run.datasets
	dataset.age_days >= data.training.audit_days
}

# METADATA
# title: Judged by another bundle
# description: The records of a dataset were judged by another bundle than the one in force.
# custom:
#   code: training.other_bundle
#   fix: Audit the dataset again. What an audit under another bundle does is data.training.other_bundle.
answered contains [data.training.other_bundle, {
	"code": "training.other_bundle",
	"message": "The records of this dataset were judged by another policy bundle.",
	"path": sprintf("/run/datasets/%d/bundle_revision", [index]),
	"datum": "/training/other_bundle",
}] if {
	some index, dataset in input.run.datasets
	not dataset.same_bundle
}

# METADATA
# title: Nothing to train with
# description: No record of a dataset is allowed.
# custom:
#   code: training.empty
#   fix: See in the report of its audit why its records are denied or held, mend what can be mended, and audit again.
answered contains ["deny", {
	"code": "training.empty",
	"message": "No record of this dataset is allowed.",
	"path": sprintf("/run/datasets/%d/outcomes/allow", [index]),
	"datum": "",
}] if {
	some index, dataset in input.run.datasets
	dataset.outcomes.allow == 0
}

# METADATA
# title: Nothing consumed
# description: The run finishes without having consumed anything of its datasets, so that its result has no lineage.
# custom:
#   code: training.not_consumed
#   fix: Train with the records that the run hands out, or declare what a loop elsewhere consumed.
answered contains ["deny", {
	"code": "training.not_consumed",
	"message": "The run finishes without having consumed anything.",
	"path": "/run/datasets",
	"datum": "",
}] if {
	input.run.phase == "finish"
	sum([dataset.consumed | some dataset in input.run.datasets]) == 0
}
