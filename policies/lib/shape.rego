# METADATA
# title: Shape of a policy input
# description: >-
#   Proves, part by part, that the facts which every stage shares can be read. The parts are proven, not refuted:
#   whatever is missing, of the wrong type or out of range leaves its proof undefined, and the part is malformed.
package governance.shape

# Every part can be read.
proven if {
	_version_proven
	_time_proven
	_principal_proven
	_request_proven
	_prompts_proven
	_normaliser_proven
	_parameters_proven
	_seeds_proven
	_inputs_proven
	_model_proven
}

# JSON pointers to the parts that cannot be read.
malformed contains "/version" if not _version_proven

malformed contains "/time" if not _time_proven

malformed contains "/principal" if not _principal_proven

malformed contains "/request" if not _request_proven

malformed contains "/prompts" if not _prompts_proven

malformed contains "/normaliser" if not _normaliser_proven

malformed contains "/parameters" if not _parameters_proven

malformed contains "/seeds" if not _seeds_proven

malformed contains "/inputs" if not _inputs_proven

malformed contains "/model" if not _model_proven

# Text that is not empty.
text(value) if {
	is_string(value)
	value != ""
}

# An array of such texts. Values sort by type, so where the least and the greatest are strings, all are; this is far
# cheaper than looking at each of some hundred n-grams.
texts(values) if values == []

texts(values) if {
	is_array(values)
	text(min(values))
	is_string(max(values))
}

# Integers, all from `least` up, that every engine and language reads alike: at most 2^53-1.
wholes(values, least) if {
	every value in values {
		is_number(value)
		value >= least
		value <= 9007199254740991
		value == floor(value)
	}
}

# An array of findings, each with a score in millionths. It may be empty: `governance.findings` judges that.
findings(values) if {
	is_array(values)
	every value in values {
		texts([value.detector, value.detector_digest, value.label])
		wholes([value.score_millionths], 0)
		value.score_millionths <= 1000000
	}
}

_version_proven if {
	is_number(input.version)
	input.version == 1
}

_time_proven if text(input.time)

_normaliser_proven if text(input.normaliser)

_seeds_proven if texts(input.seeds)

_principal_proven if {
	principal := input.principal
	texts([principal.id, principal.issuer])
	texts(principal.roles)
	principal.assurance in {"asserted", "authenticated"}
}

_request_proven if {
	request := input.request
	texts([request.id, request.purpose])
	wholes([request.images, request.attempt], 1)
}

_prompts_proven if {
	is_array(input.prompts)
	every prompt in input.prompts {
		prompt.kind in {"prompt", "negative"}
		text(prompt.parameter)
		is_string(prompt.text)
		is_string(prompt.normalised)
		wholes([prompt.length, prompt.position], 0)
		texts(prompt.ngrams)
	}
}

_parameters_proven if {
	parameters := input.parameters
	is_object(parameters)
	wholes([parameters.steps, parameters.width, parameters.height, parameters.pixels], 1)
	parameters.pixels == parameters.width * parameters.height

	# Arrays and objects sort after every scalar.
	values := {value | some value in parameters}
	type_name(max(values)) in {"null", "boolean", "number", "string"}
	wholes([value | some value in values; is_number(value)], -9007199254740991)
}

_inputs_proven if {
	is_array(input.inputs)
	every item in input.inputs {
		texts([item.parameter, item.digest])
		wholes([item.width, item.height], 1)
		findings(item.findings)
	}
}

_model_proven if {
	model := input.model
	text(model.pipeline)
	is_object(model.components)
	count(model.components) > 0
	texts([digest | some digest in model.components])
	is_array(model.adapters)
	every adapter in model.adapters {
		texts([adapter.name, adapter.digest])
		wholes([adapter.scale_thousandths], -9007199254740991)
	}
}
