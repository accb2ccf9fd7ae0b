# METADATA
# title: Registers
# description: >-
#   What the registers say of the model and of each adapter in force. They are known by digests, as in `governance.model`: a
#   name that is written on other weights registers nothing.
package governance.registers

import data.governance.reasons
import data.governance.times

# Whether there is nothing to say: most requests are for a model that is registered, and load no adapter. Stages ask this
# first, because it is quick.
clear if {
	input.registers.adapters == []
	state(input.registers.model) == "registered"
}

denials contains reason if some reason in reasons.denying(answered)

# METADATA
# title: Model not registered
# description: The register of models has no model of exactly these component digests.
# custom:
#   code: model.unregistered
#   fix: >-
#     Have the model reviewed, then add it with `governance registers add`. What its absence does is data.unregistered.models.
answered contains [data.unregistered.models, {
	"code": "model.unregistered",
	"message": "This exact set of model components is not in the register of models.",
	"path": "/registers/model",
	"datum": "/unregistered/models",
}] if {
	state(input.registers.model) == "unregistered"
}

# METADATA
# title: Model withdrawn
# description: The model was withdrawn from the register of models.
# custom:
#   code: model.withdrawn
#   fix: Use another model. The entry of the withdrawal says who withdrew it.
denials contains {
	"code": "model.withdrawn",
	"message": "This model was withdrawn from the register of models.",
	"path": "/registers/model",
	"datum": "",
} if {
	state(input.registers.model) == "withdrawn"
}

# METADATA
# title: Model recalled
# description: The model was recalled, with what was made from it or what it was made from.
# custom:
#   code: model.recalled
#   fix: Use another model. The entry of the recall says why.
denials contains {
	"code": "model.recalled",
	"message": "This model was recalled.",
	"path": "/registers/model",
	"datum": "",
} if {
	state(input.registers.model) == "recalled"
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
	"message": "The registration of this model is over.",
	"path": "/registers/model",
	"datum": "",
} if {
	state(input.registers.model) == "expired"
}

# METADATA
# title: Adapter not registered
# description: The register of adapters has no adapter of exactly these weights.
# custom:
#   code: adapter.unregistered
#   fix: >-
#     Unload the adapter, or have it reviewed and add it with `governance registers add`. What its absence does is
#     data.unregistered.adapters.
answered contains [data.unregistered.adapters, {
	"code": "adapter.unregistered",
	"message": "The weights of this adapter are not in the register of adapters.",
	"path": sprintf("/registers/adapters/%d", [index]),
	"datum": "/unregistered/adapters",
}] if {
	some index, adapter in input.registers.adapters
	state(adapter) == "unregistered"
}

# METADATA
# title: Adapter of another base
# description: The register has this adapter for another base model than the one that it is loaded into.
# custom:
#   code: adapter.base
#   fix: >-
#     Load it into the model that it was trained for, or have its `base` in the register reviewed. As for an adapter that
#     nobody registered, what it does is data.unregistered.adapters.
answered contains [data.unregistered.adapters, {
	"code": "adapter.base",
	"message": "This adapter is registered for another base model.",
	"path": sprintf("/registers/adapters/%d/base", [index]),
	"datum": "/unregistered/adapters",
}] if {
	some index, adapter in input.registers.adapters
	not adapter.base in {"", input.registers.model.key}
}

# METADATA
# title: Adapter withdrawn
# description: An adapter in force was withdrawn from the register of adapters.
# custom:
#   code: adapter.withdrawn
#   fix: Unload the adapter. The entry of the withdrawal says who withdrew it.
denials contains {
	"code": "adapter.withdrawn",
	"message": "This adapter was withdrawn from the register of adapters.",
	"path": sprintf("/registers/adapters/%d", [index]),
	"datum": "",
} if {
	some index, adapter in input.registers.adapters
	state(adapter) == "withdrawn"
}

# METADATA
# title: Adapter recalled
# description: An adapter in force was recalled, with what was made from it or what it was made from.
# custom:
#   code: adapter.recalled
#   fix: Unload the adapter. The entry of the recall says why.
denials contains {
	"code": "adapter.recalled",
	"message": "This adapter was recalled.",
	"path": sprintf("/registers/adapters/%d", [index]),
	"datum": "",
} if {
	some index, adapter in input.registers.adapters
	state(adapter) == "recalled"
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
	"message": "The registration of this adapter is over.",
	"path": sprintf("/registers/adapters/%d", [index]),
	"datum": "",
} if {
	some index, adapter in input.registers.adapters
	state(adapter) == "expired"
}

# How it stands at the time of the input, whenever the register was asked. Only what is registered can expire.
state(standing) := "expired" if {
	standing.state == "registered"
	standing.expires != ""
	not times.ahead(standing.expires)
} else := standing.state
