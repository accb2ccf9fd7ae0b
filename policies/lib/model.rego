# METADATA
# title: Model allow-list
# description: >-
#   A model is known by the digests of its components, never by its name, and only as a whole: components of two
#   allowed models do not make a third.
package governance.model

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
} if {
	not _allowed
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
} if {
	some index, adapter in input.model.adapters
	not _adapter_allowed(adapter)
}

_allowed if {
	some model in data.models
	model.components == input.model.components
}

_adapter_allowed(adapter) if is_object(data.adapters[adapter.digest])
