# METADATA
# title: Input images
# description: >-
#   May the request bring these images along? Asked at admission, and again when people approve what was held. The reasons
#   point into the policy input; the findings in an image are judged like those in a draft.
package governance.inputs

import data.governance.findings
import data.governance.reasons

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
	"datum": "/allow_inputs",
} if {
	count(input.inputs) > 0
	not data.allow_inputs
}

denials contains reason if {
	some index, item in input.inputs
	some reason in findings.denials(item.findings, sprintf("/inputs/%d/findings", [index]))
}

denials contains reason if some reason in reasons.denying(_answered)

reviews contains reason if {
	some index, item in input.inputs
	some reason in findings.reviews(item.findings, sprintf("/inputs/%d/findings", [index]))
}

reviews contains reason if some reason in reasons.answering(_answered, "review")

# METADATA
# title: Input image without a trusted manifest
# description: The file of an input image has no manifest, or one whose signer is not trusted.
# custom:
#   code: input.manifest
#   fix: Bring the file that its signer made, or have data.input_manifests reviewed.
_answered contains [data.input_manifests[item.manifest], {
	"code": "input.manifest",
	"message": sprintf("The manifest of this input image is: %s.", [item.manifest]),
	"path": sprintf("/inputs/%d/manifest", [index]),
	"datum": reasons.pointer(["input_manifests", item.manifest]),
}] if {
	some index, item in input.inputs
	item.manifest in {"none", "untrusted"}
}
