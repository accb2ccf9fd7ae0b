# METADATA
# title: Admission
# description: >-
#   May this principal generate this, for this purpose, with this model? Asked before any compute is spent. Denies unless
#   every fact can be read, the data is sound and no rule objects.
package governance.admission

import data.governance.access
import data.governance.findings

# METADATA
# entrypoint: true
decision := {
	"outcome": outcome,
	"reasons": reasons,
	"obligations": obligations,
}

default outcome := "deny"

outcome := "allow" if {
	readable
	count(denials) == 0
	count(reviews) == 0
}

outcome := "review" if {
	readable
	count(denials) == 0
	count(reviews) > 0
}

reasons := sort(unreadable) if not readable

reasons := sort(denials) if {
	readable
	count(denials) > 0
}

reasons := sort(reviews | data.governance.prompts.notes) if {
	readable
	count(denials) == 0
}

default obligations := {}

obligations := object.union(data.obligations, {"max_steps": access.limit("steps")}) if {
	readable
	count(denials) == 0
}

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
} if {
	some path in (data.governance.shape.malformed | _malformed)
}

unreadable contains data.governance.settings.reason if not data.governance.settings.sound

_malformed contains "/stage" if not _stage_proven

denials contains reason if some reason in data.governance.access.denials

denials contains reason if some reason in data.governance.model.denials

denials contains reason if some reason in data.governance.prompts.denials

_stage_proven if input.stage == "admission"

# METADATA
# title: Too many steps
# description: The request asks for more denoising steps than the principal's roles allow.
# custom:
#   code: limit.steps
#   fix: Ask for fewer steps, or raise data.limits.steps or the role's own limit.
denials contains {
	"code": "limit.steps",
	"message": sprintf("%d steps are more than the limit of %d.", [input.parameters.steps, limit]),
	"path": "/parameters/steps",
} if {
	limit := access.limit("steps")
	not input.parameters.steps <= limit
}

# METADATA
# title: Too many pixels
# description: The request asks for a larger image than the principal's roles allow.
# custom:
#   code: limit.pixels
#   fix: Ask for a smaller image, or raise data.limits.pixels or the role's own limit.
denials contains {
	"code": "limit.pixels",
	"message": sprintf("%d pixels are more than the limit of %d.", [input.parameters.pixels, limit]),
	"path": "/parameters/pixels",
} if {
	limit := access.limit("pixels")
	not input.parameters.pixels <= limit
}

# METADATA
# title: Too many images
# description: The request asks for more images than the principal's roles allow in one call.
# custom:
#   code: limit.images
#   fix: Ask for fewer images in one call, or raise data.limits.images or the role's own limit.
denials contains {
	"code": "limit.images",
	"message": sprintf("%d images are more than the limit of %d.", [input.request.images, limit]),
	"path": "/request/images",
} if {
	limit := access.limit("images")
	not input.request.images <= limit
}

# METADATA
# title: Input images not allowed
# description: The request brings an image along, and this policy allows none.
# custom:
#   code: inputs.not_allowed
#   fix: Generate from the prompt alone, or set data.allow_inputs.
denials contains {
	"code": "inputs.not_allowed",
	"message": "Input images are not allowed.",
	"path": "/inputs",
} if {
	count(input.inputs) > 0
	not data.allow_inputs
}

denials contains reason if {
	some index, item in input.inputs
	some reason in findings.denials(item.findings, sprintf("/inputs/%d/findings", [index]))
}

reviews contains reason if some reason in data.governance.prompts.reviews

reviews contains reason if {
	some index, item in input.inputs
	some reason in findings.reviews(item.findings, sprintf("/inputs/%d/findings", [index]))
}
