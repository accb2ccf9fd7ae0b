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
	_opaque_proven
	_model_proven
	_usage_proven
	_registers_proven
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

malformed contains "/opaque" if not _opaque_proven

malformed contains "/model" if not _model_proven

malformed contains "/usage" if not _usage_proven

malformed contains "/registers" if not _registers_proven

# Text that is not empty.
text(value) if {
	is_string(value)
	value != ""
}

# An array of such texts. Values sort by type, texts before arrays and after numbers, so that the least and the greatest
# speak for all; this is far cheaper than looking at each of some hundred n-grams.
texts(values) if {
	is_array(values)
	min(values) > ""
	max(values) < []
} else if {
	values == []
}

# Integers, all from `least` up, that every engine and language reads alike: at most 2^53-1. Numbers sort before texts,
# arrays and objects, and after null and booleans, so that the two ends of the order tell the types too. `values` is an
# array, because OPA's `min` overlooks null in a set; without a value it proves nothing.
wholes(values, least) if {
	min(values) >= least
	max(values) <= 9007199254740991
	every value in values {
		value == floor(value)
	}
}

# A time in UTC as RFC 3339 writes it, such that two of them compare as texts.
time(value) if {
	is_string(value)
	written := strings.replace_n(
		{"1": "0", "2": "0", "3": "0", "4": "0", "5": "0", "6": "0", "7": "0", "8": "0", "9": "0"},
		value,
	)
	startswith(written, "0000-00-00T00:00:00")
	_fraction(substring(written, 19, -1))
}

_fraction(written) if written == "Z"

_fraction(written) if {
	startswith(written, ".0")
	trim_left(trim_prefix(written, "."), "0") == "Z"
}

# How something stands in a register.
state(value) if value in {"registered", "unregistered", "withdrawn", "expired", "recalled"}

# A time up to which something holds; "" is for ever.
expiry(value) if value == ""

expiry(value) if time(value)

# An array of findings, each with a score in millionths. It may be empty: `governance.findings` judges that.
findings(values) if {
	is_array(values)
	every value in values {
		is_object(value)
		texts([value.detector, value.detector_digest, value.label, object.get(value, "work", "none")])
		wholes([value.score_millionths], 0)
		value.score_millionths <= 1000000
		object.get(value, "action", "allow") in {"deny", "review", "allow"}
		_evidence(object.get(value, "evidence", {}))
	}
}

_evidence(evidence) if evidence == {}

# At most eight whole numbers and texts by name.
_evidence(evidence) if {
	is_object(evidence)
	count(evidence) <= 8
	texts(array.concat([name | some name, _ in evidence], [value | some value in evidence; not is_number(value)]))
	wholes(array.concat([0], [value | some value in evidence; is_number(value)]), -9007199254740991)
}

_version_proven if {
	is_number(input.version)
	input.version == 1
}

_time_proven if time(input.time)

_normaliser_proven if text(input.normaliser)

_seeds_proven if texts(input.seeds)

_principal_proven if {
	principal := input.principal
	is_array(principal.roles)
	texts(array.concat([principal.id, principal.issuer], principal.roles))
	principal.assurance in {"asserted", "authenticated"}
}

_request_proven if {
	request := input.request
	is_array(request.markets)
	texts(array.concat([request.id, request.purpose], request.markets))
	wholes([request.images, request.attempt], 1)
	is_array(request.media)
	count(request.media) > 0
	count({kind | some kind in request.media} - {"image", "video", "audio"}) == 0
}

_prompts_proven if {
	is_array(input.prompts)
	every prompt in input.prompts {
		prompt.kind in {"prompt", "negative"}
		is_string(prompt.text)
		is_string(prompt.normalised)
		wholes([prompt.length, prompt.position], 0)
		texts(prompt.ngrams)
		is_array(prompt.hidden)
		is_array(prompt.hints)
		texts(array.concat(array.concat([prompt.parameter], prompt.hints), prompt.hidden))
	}
}

_parameters_proven if {
	parameters := input.parameters
	is_object(parameters)
	wholes([parameters.steps, parameters.width, parameters.height, parameters.pixels, parameters.frames], 1)
	parameters.pixels == parameters.width * parameters.height

	_scalars([value | some value in parameters; not is_array(value)])
	every values in [value | some value in parameters; is_array(value)] {
		_several(values)
	}
}

# Arrays and objects sort after every scalar.
_scalars(values) if {
	max(values) < []
	wholes(array.concat([0], [value | some value in values; is_number(value)]), -9007199254740991)
}

_several(values) if values == []

_several(values) if {
	min(values) > null
	_scalars(values)
}

_inputs_proven if {
	is_array(input.inputs)
	every item in input.inputs {
		texts([item.parameter, item.digest])
		item.manifest in {"none", "trusted", "untrusted"}
		wholes([item.width, item.height], 1)
		findings(item.findings)
	}
}

_opaque_proven if {
	is_array(input.opaque)
	every argument in input.opaque {
		text(argument.parameter)
		argument.kind in {"audio", "embedding", "latents", "callback", "other"}
		_digest_or_none(argument.digest)
	}
}

_digest_or_none(digest) if is_null(digest)

_digest_or_none(digest) if text(digest)

_usage_proven if {
	usage := input.usage
	wholes([usage.images, usage.steps, usage.pixels, usage.step_pixels], 0)
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

# One standing for each adapter in force, in their order: of another, it would speak for weights that nobody asked about.
_registers_proven if {
	registers := input.registers
	_standing_proven(registers.model)
	text(registers.model.key)
	is_array(registers.adapters)
	_in_force == [standing.digest | some standing in registers.adapters]
	every standing in registers.adapters {
		_standing_proven(standing)
		text(standing.digest)
		is_string(standing.base)
	}
}

_in_force := [adapter.digest | some adapter in input.model.adapters] if {
	is_array(input.model.adapters)
} else := []

_standing_proven(standing) if {
	state(standing.state)
	expiry(standing.expires)
}
