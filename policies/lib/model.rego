# METADATA
# title: Model and adapters
# description: >-
#   A model is known by the digests of its components, never by its name, and only as a whole: components of two allowed
#   models do not make a third. An adapter is known by the digest of its weights. Both are allowed with a licence, up to a
#   time, and with or without knowing what they were trained on.
package governance.model

import data.governance.reasons
import data.governance.shape
import data.governance.times

# METADATA
# title: Model not allowed
# description: This exact set of model components is not on the allow-list.
# custom:
#   code: model.not_allowed
#   fix: Have the model reviewed, then add it with `governance policy allow-model PATH`.
denials contains {
	"code": "model.not_allowed",
	"message": "This exact set of model components is not on the allow-list.",
	"path": "/model/components",
	"datum": "/models",
} if {
	count(_entries) == 0
}

# METADATA
# title: Model expired
# description: The time up to which this model is allowed, or registered, is over.
# custom:
#   code: model.expired
#   fix: >-
#     Have the model reviewed again, then set a later `expires` in data.models or with `governance registers change`, or use
#     another model.
denials contains {
	"code": "model.expired",
	"message": "This model is no longer allowed.",
	"path": "/model/components",
	"datum": reasons.pointer(["models", key, "expires"]),
} if {
	some key, model in _entries
	_expired(model)
}

# METADATA
# title: Model licence not accepted
# description: The model has no licence, its licence is not one of data.licences, or it does not allow this purpose.
# custom:
#   code: model.licence
#   fix: Use a model whose licence allows the purpose, or have data.licences reviewed.
denials contains {
	"code": "model.licence",
	"message": "The licence of this model does not allow this use.",
	"path": "/model/components",
	"datum": _licence_datum(model, reasons.pointer(["models", key])),
} if {
	some key, model in _entries
	not _licensed(model)
}

denials contains reason if some reason in reasons.denying(answered)

# METADATA
# title: Model of undisclosed origin
# description: The data does not say where the training data of this model comes from.
# custom:
#   code: model.undisclosed
#   fix: Find out, and say it as `data_origin` in data.models. What its absence does is data.undisclosed.
answered contains [data.undisclosed, {
	"code": "model.undisclosed",
	"message": "Where the training data of this model comes from is not disclosed.",
	"path": "/model/components",
	"datum": reasons.pointer(["models", key]),
}] if {
	some key, model in _entries
	not _disclosed(model)
}

# METADATA
# title: Adapter of undisclosed origin
# description: The data does not say where the training data of an adapter in force comes from.
# custom:
#   code: adapter.undisclosed
#   fix: Find out, and say it as `data_origin` in data.adapters. What its absence does is data.undisclosed.
answered contains [data.undisclosed, {
	"code": "adapter.undisclosed",
	"message": "Where the training data of this adapter comes from is not disclosed.",
	"path": sprintf("/model/adapters/%d", [index]),
	"datum": reasons.pointer(["adapters", digest]),
}] if {
	some [index, digest, adapter] in _adapters
	not _disclosed(adapter)
}

# METADATA
# title: Adapter not allowed
# description: A LoRA or other adapter in force is not on the allow-list.
# custom:
#   code: adapter.not_allowed
#   fix: Unload the adapter, or have it reviewed and add its digest to data.adapters.
denials contains {
	"code": "adapter.not_allowed",
	"message": "An adapter in force is not on the allow-list.",
	"path": sprintf("/model/adapters/%d", [index]),
	"datum": "/adapters",
} if {
	some index, adapter in input.model.adapters
	not _adapter_allowed(adapter)
}

# METADATA
# title: Adapter expired
# description: The time up to which an adapter in force is allowed, or registered, is over.
# custom:
#   code: adapter.expired
#   fix: >-
#     Unload the adapter, or have it reviewed again and set a later `expires` in data.adapters or with
#     `governance registers change`.
denials contains {
	"code": "adapter.expired",
	"message": "This adapter is no longer allowed.",
	"path": sprintf("/model/adapters/%d", [index]),
	"datum": reasons.pointer(["adapters", digest, "expires"]),
} if {
	some [index, digest, adapter] in _adapters
	_expired(adapter)
}

# METADATA
# title: Adapter licence not accepted
# description: An adapter has no licence, its licence is not one of data.licences, or it does not allow this purpose.
# custom:
#   code: adapter.licence
#   fix: Unload the adapter, or have data.licences reviewed.
denials contains {
	"code": "adapter.licence",
	"message": "The licence of this adapter does not allow this use.",
	"path": sprintf("/model/adapters/%d", [index]),
	"datum": _licence_datum(adapter, reasons.pointer(["adapters", digest])),
} if {
	some [index, digest, adapter] in _adapters
	not _licensed(adapter)
}

# METADATA
# title: Adapter too strong
# description: >-
#   An adapter in force has a larger scale, of either sign, than it is allowed with. Where it is loaded more than once, its
#   scales are added up.
# custom:
#   code: adapter.scale
#   fix: Set a smaller scale, or have max_scale_thousandths of the adapter in data.adapters reviewed.
denials contains {
	"code": "adapter.scale",
	"message": "The scale of this adapter is larger than it is allowed with.",
	"path": sprintf("/model/adapters/%d/scale_thousandths", [index]),
	"datum": reasons.pointer(["adapters", digest, "max_scale_thousandths"]),
} if {
	some [index, digest, adapter] in _adapters
	largest := adapter.max_scale_thousandths
	scale := sum([abs(loaded.scale_thousandths) | some loaded in input.model.adapters; loaded.digest == digest])
	not _within(scale, largest)
}

# What the data says of this model.
_entries[key] := model if {
	some key, model in data.models
	model.components == input.model.components
}

# What the data says of each adapter in force, with its index and digest.
_adapters contains [index, adapter.digest, entry] if {
	some index, adapter in input.model.adapters
	entry := data.adapters[adapter.digest]
	is_object(entry)
}

_adapter_allowed(adapter) if is_object(data.adapters[adapter.digest])

_within(scale, largest) if {
	is_number(largest)
	scale <= largest
}

# Whether the time up to which the entry holds is over. What cannot be read as a time is over.
_expired(entry) if {
	expires := entry.expires
	not times.ahead(expires)
}

# Whether the entry says where its training data comes from.
_disclosed(entry) if shape.text(entry.data_origin)

# Whether the entry's licence allows the purpose of the request.
_licensed(entry) if {
	licence := data.licences[entry.licence]
	is_object(licence)
	purpose := input.request.purpose
	purpose in object.get(licence, "purposes", [purpose])
}

# The datum that speaks against the licence of the entry, which stands at the JSON pointer `place`.
_licence_datum(entry, place) := reasons.pointer(["licences", entry.licence, "purposes"]) if {
	is_array(data.licences[entry.licence].purposes)
} else := concat("", [place, "/licence"]) if {
	shape.text(entry.licence)
} else := place
