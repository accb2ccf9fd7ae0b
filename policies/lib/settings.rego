# METADATA
# title: Soundness of the data
# description: >-
#   Proves that the data which the rules read is there and of the right type. A missing or misspelt setting would
#   otherwise switch a rule off without a word. What a list says of one term, name, model or adapter is not proven here,
#   because there may be many: the rule that reads it denies where it cannot be read.
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
	"datum": "",
}

# Each key of the data is read once: looking one up is what costs the embedded engine most.
sound if {
	_tables_proven
	_answers_proven
	_amounts_proven
	_judgement_proven
}

_tables_proven if {
	tables := [
		data.adapters, data.blocked_terms, data.licences, data.models, data.obligations, data.protected_names,
		data.purposes, data.works,
	]
	{type_name(table) | some table in tables} == {"object"}
}

_answers_proven if {
	is_boolean(data.allow_audio)
	is_boolean(data.allow_inputs)
	is_boolean(data.allow_promptless)
	data.small_images in {"deny", "label"}
	noted := {data.negative_terms, data.encoded_prompts, data.undisclosed}
	count(noted - {"note", "review", "deny"}) == 0
	unregistered := data.unregistered
	count({unregistered.adapters, unregistered.models} - {"note", "review", "deny", "allow"}) == 0
	opaque := data.opaque
	manifests := data.input_manifests
	permitted := {
		opaque.audio, opaque.embedding, opaque.latents, opaque.callback, opaque.other,
		manifests.none, manifests.untrusted,
	}
	count(permitted - {"deny", "review", "allow"}) == 0
}

# Limits, budgets, approvals and what becomes of holds. A misspelt budget would limit nothing, so the names of budgets are proven too.
_amounts_proven if {
	limits := data.limits
	roles := data.roles
	is_object(roles)
	budgets := array.concat([data.budgets], [budget | some role in roles; budget := role.budget])
	{type_name(budget) | some budget in budgets} == {"object"}
	count(object.remove(object.union_n(budgets), ["images", "steps", "pixels", "step_pixels"])) == 0
	review := data.review
	is_array(review.roles)
	count(review.roles) > 0
	by_code := [object.get(review, "approvals_by_code", {}), object.get(review, "queue_by_code", {})]
	{type_name(table) | some table in by_code} == {"object"}
	approvals := array.concat([review.approvals], [number | some number in by_code[0]])
	min(approvals) >= 1
	shape.wholes(array.concat([review.due_hours, review.expire_hours], approvals), 0)
	shape.texts(array.concat(array.concat([review.queue], review.roles), [queue | some queue in by_code[1]]))
	each := [
		limits.frames, limits.images, limits.pixels, limits.prompt_characters, limits.step_pixels,
		limits.steps,
	]
	_numbers(array.concat(each, [most | some budget in budgets; some most in budget]), 1)
}

# Labels, formats, approvals, thresholds and detectors, the general ones and those of the markets.
_judgement_proven if {
	markets := data.markets
	is_object(markets)
	count({type_name(market) | some market in markets} - {"object"}) == 0
	tables := array.concat([data.thresholds], [thresholds | some market in markets; thresholds := market.thresholds])
	{type_name(table) | some table in tables} == {"object"}
	levels := [threshold | some table in tables; some threshold in table]
	scores := array.concat([level.deny | some level in levels], [level.review | some level in levels])
	count(scores) == 2 * count(levels)
	_numbers(array.concat([0], scores), 0)
	obliging := array.concat([data.obligations], [market | some market in markets])
	every formats in [formats | some rules in obliging; formats := rules.output_formats] {
		shape.texts(formats)
	}
	shape.wholes(array.concat([0], [approvals | some rules in obliging; approvals := rules.approvals]), 0)
	labels := [text | some rules in obliging; some name in ["visible_label", "label_language"]; text := rules[name]]
	shape.texts(array.concat([data.visible_label, data.normaliser], labels))
	positions := {position | some rules in obliging; position := rules.label_position}
	count(positions - {"bottom-left", "bottom-right", "top-left", "top-right"}) == 0
	shape.texts(data.required_detectors)
}

# Who may do what, and who is asked about what is held: only reviews read it.
reviewers_proven if {
	review := data.review
	acts := review.acts
	queues := review.queues
	is_object(acts)
	is_object(queues)
	lists := array.concat([roles | some roles in acts], [queue.roles | some queue in queues])
	count(lists) == count(acts) + count(queues)
	count({type_name(roles) | some roles in lists} - {"array"}) == 0
	shape.texts([role | some roles in lists; some role in roles])
}

# As `shape.wholes` of an array, but for fractions: a bundle with one is not loaded, and to compare with one is safe.
_numbers(values, least) if {
	min(values) >= least
	max(values) <= 9007199254740991
}
