# METADATA
# title: Release
# description: >-
#   May this draft leave? Asked for each draft, with what the detectors found in it. Denies unless every fact can be read,
#   the data is sound, every required check was made and no rule objects.
package governance.release

import data.governance.access
import data.governance.findings
import data.governance.holds
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
	count(reviews) == 0
} else := "review" if {
	_passed
}

# The reasons that make the outcome what it is.
decisive := reviews if {
	_passed
} else := denials if {
	readable
} else := unreadable

default obligations := {}

# What is denied is recorded too, and kept no longer. In shadow mode it leaves all the same, and then with what it would have
# had to carry.
obligations := object.union_n([_general, data.governance.disclosure.obligations, _unmarked, _hold]) if {
	_passed
} else := object.union_n([object.filter(data.obligations, ["retain_days"]), _carried, _unmarked]) if {
	readable
}

_carried := object.filter(
	data.governance.disclosure.obligations,
	["label_language", "label_position", "output_formats", "visible_label"],
) if {
	not _sound
} else := object.filter(data.governance.disclosure.obligations, ["output_formats"])

# In which language the label is depends on the markets.
_general := object.remove(data.obligations, ["label_language"]) if is_object(data.obligations)

_passed if {
	readable
	count(denials) == 0
}

# An image too small for the watermark keeps that obligation, and the line then fails it; or it carries a visible label
# in place of the mark. It is never released with neither. A sound can carry neither.
_unmarked := {"watermark": false} if {
	_sound
} else := {"watermark": false, "visible_label": _label} if {
	not input.draft.markable
	data.small_images == "label"
} else := {}

_sound if input.draft.media == "audio"

_label := data.governance.disclosure.visible_label

_label := data.visible_label if not data.governance.disclosure.visible_label

_hold := holds.obligations({reason.code | some reason in reviews}) if _held

_hold := {} if not _held

_held if count(reviews) > 0

_held if data.governance.disclosure.obligations.approvals > 0

# Every part is proven and the data is sound. Packages are named in full here and below: the embedded engine evaluates all
# of a package that is imported by name.
readable if {
	data.governance.shape.proven
	data.governance.settings.sound
	_stage_proven
	_findings_proven
	_draft_proven
	_admission_proven
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

_malformed contains "/findings" if not _findings_proven

_malformed contains "/draft" if not _draft_proven

_malformed contains "/admission" if not _admission_proven

_stage_proven if input.stage == "release"

_findings_proven if shape.findings(input.findings)

_draft_proven if {
	draft := input.draft
	shape.wholes([draft.index, draft.milliseconds], 0)
	shape.wholes([draft.width, draft.height, draft.frames], 1)
	draft.media in {"image", "video"}
	is_boolean(draft.markable)
}

# A sound has no sides.
_draft_proven if {
	draft := input.draft
	shape.wholes([draft.index, draft.milliseconds, draft.width, draft.height, draft.frames], 0)
	draft.media == "audio"
	is_boolean(draft.markable)
}

_admission_proven if {
	shape.text(input.admission.decision_id)
	input.admission.outcome in {"allow", "review", "deny"}
	is_object(input.admission.obligations)
	_review_proven
}

_review_proven if is_null(input.admission.review)

_review_proven if {
	shape.text(input.admission.review.decision_id)
	input.admission.review.outcome in {"allow", "review", "deny"}
}

denials contains reason if some reason in data.governance.model.denials

denials contains reason if {
	not data.governance.registers.clear
	some reason in data.governance.registers.denials
}

denials contains reason if some reason in data.governance.markets.denials

denials contains reason if some reason in data.governance.disclosure.denials

# No detector hears: what is found in a sound is only that nobody checked it.
denials contains reason if {
	not _sound
	some reason in findings.denials(input.findings, "/findings")
}

denials contains reason if {
	"audio" in input.request.media
	some reason in data.governance.media.denials
}

# METADATA
# title: Not admitted
# description: The request behind this draft was neither allowed at admission nor held there and approved.
# custom:
#   code: admission.not_allowed
#   fix: Send the request through admission; only what is allowed or approved may be generated and released.
denials contains {
	"code": "admission.not_allowed",
	"message": "The request behind this draft was not allowed at admission.",
	"path": "/admission/outcome",
	"datum": "",
} if {
	not _admitted
}

_admitted if input.admission.outcome == "allow"

# What was held at admission was generated because people approved it.
_admitted if {
	input.admission.outcome == "review"
	input.admission.review.outcome == "allow"
}

# METADATA
# title: Draft too large
# description: The draft has more pixels than the principal's roles allow, whatever was asked for.
# custom:
#   code: draft.too_large
#   fix: Ask for a smaller image, or raise data.limits.pixels or the role's own limit.
denials contains {
	"code": "draft.too_large",
	"message": sprintf("The draft is larger than the limit of %d pixels.", [limit]),
	"path": "/draft",
	"datum": access.limit_datum("pixels"),
} if {
	limit := access.limit("pixels")
	not input.draft.width * input.draft.height <= limit
}

reviews contains reason if {
	not _sound
	some reason in findings.reviews(input.findings, "/findings")
}
