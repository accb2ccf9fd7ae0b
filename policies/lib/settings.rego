# METADATA
# title: Soundness of the data
# description: >-
#   Proves that the data which the rules read is there and of the right type. A missing or misspelt setting would
#   otherwise switch a rule off without a word.
package governance.settings

import data.governance.shape

# METADATA
# title: The data is unsound
# description: A setting of the bundle is missing, misspelt or of the wrong type.
# custom:
#   code: data.malformed
#   fix: Run `governance policy check` on the bundle and mend what it names.
reason := {
	"code": "data.malformed",
	"message": "A setting of the policy bundle is missing or of the wrong type.",
	"path": "",
}

sound if {
	tables := [data.adapters, data.blocked_terms, data.models, data.obligations, data.purposes, data.roles, data.thresholds]
	{type_name(table) | some table in tables} == {"object"}

	shape.wholes([data.limits.images, data.limits.pixels, data.limits.prompt_characters, data.limits.steps], 1)
	every threshold in data.thresholds {
		shape.wholes([threshold.deny, threshold.review], 0)
	}
	shape.texts(data.required_detectors)
	shape.texts([data.visible_label, data.normaliser])
	is_boolean(data.allow_inputs)
	is_boolean(data.allow_promptless)
	data.negative_terms in {"note", "review", "deny"}
	data.small_images in {"deny", "label"}
}
