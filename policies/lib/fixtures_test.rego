# METADATA
# title: Fixtures
# description: >-
#   Inputs that are allowed, and data that allows them, for the tests to depart from. The tests of a stage bring all of its
#   data along, and others what they are about, so that a change of data.json leaves them alone.
package governance.fixtures

finding := {"detector": "nsfw", "detector_digest": "d1", "label": "nsfw", "score_millionths": 12}

admission := {
	"version": 1,
	"stage": "admission",
	"time": "2026-11-23T14:00:00.000Z",
	"principal": {"id": "designer@example.org", "roles": ["designer"], "issuer": "caller", "assurance": "asserted"},
	"request": {"id": "request-1", "purpose": "marketing", "images": 1, "media": ["image"], "attempt": 1, "markets": []},
	"prompts": [
		{
			"kind": "prompt",
			"parameter": "prompt",
			"text": "A red seven",
			"normalised": "a red seven",
			"ngrams": ["a", "red", "seven", "a red", "red seven", "a red seven"],
			"hints": [],
			"hidden": [],
			"length": 11,
			"position": 0,
		},
		{
			"kind": "negative",
			"parameter": "negative_prompt",
			"text": "blurry",
			"normalised": "blurry",
			"ngrams": ["blurry"],
			"hints": [],
			"hidden": [],
			"length": 6,
			"position": 0,
		},
	],
	"normaliser": data.normaliser,
	"parameters": {
		"steps": 30,
		"width": 256,
		"height": 256,
		"pixels": 65536,
		"frames": 1,
		"guidance_scale_thousandths": 7500,
		"eta": null,
		"tiling": true,
		"sampler": "ddim",
	},
	"seeds": ["123"],
	"inputs": [],
	"opaque": [],
	"usage": {"images": 3, "steps": 90, "pixels": 196608, "step_pixels": 5898240},
	"registers": {"model": registered_model, "adapters": []},
	"model": {
		"version": 1,
		"pipeline": "StableDiffusionPipeline",
		"components": {"unet": "d2", "vae": "d3"},
		"scheduler": {"class": "DDIMScheduler", "config": {}},
		"adapters": [],
		"device": "cpu",
		"dtype": "float32",
		"versions": {},
	},
}

registered_model := {"key": "k1", "state": "registered", "expires": ""}

registered_adapter := {"digest": "d5", "state": "registered", "base": "", "expires": ""}

release := object.union(admission, {
	"stage": "release",
	"draft": {"index": 0, "media": "image", "width": 256, "height": 256, "frames": 1, "milliseconds": 0, "markable": true},
	"findings": [finding],
	"admission": {"decision_id": "a1", "outcome": "allow", "obligations": {"watermark": true}, "review": null},
})

models := {"m": {
	"name": "example",
	"licence": "Apache-2.0",
	"data_origin": "drawn for these tests",
	"components": {"unet": "d2", "vae": "d3"},
}}

blocked_terms := {
	"passport": {"category": "forgery"},
	"grenade": {},
	"a/b~c": {"category": "odd"},
	"raffle": {"category": "gambling", "markets": ["UK"]},
}

protected_names := {
	"some painter": {"kind": "artist", "outcome": "review"},
	"some mouse": {"kind": "character", "outcome": "deny"},
	"some drink": {"kind": "brand", "outcome": "deny", "markets": ["EU", "UK"]},
	"unreadable": {"outcome": "alow"},
}

adapters := {"d5": {
	"name": "style",
	"licence": "MIT",
	"data_origin": "drawn for these tests",
	"expires": "2026-11-23T14:00:00.001Z",
	"max_scale_thousandths": 800,
}}

review := {
	"acts": {
		"holds.read": ["reviewer", "counsel"],
		"holds.view": ["reviewer", "counsel"],
		"holds.lease": ["reviewer", "counsel"],
		"holds.comment": ["reviewer", "counsel", "guest"],
		"holds.decide": ["reviewer", "counsel"],
		"ledger.read": ["auditor"],
		"works.write": [],
	},
	"approvals": 1,
	"due_hours": 24,
	"expire_hours": 168,
	"queue": "general",
	"queue_by_code": {"finding.review": "second", "work.review": "brand"},
	"queues": {
		"brand": {"roles": ["reviewer"]},
		"general": {"roles": ["reviewer"]},
		"second": {"roles": ["reviewer", "counsel"]},
		"a/b": {"roles": ["counsel"]},
	},
	"roles": ["reviewer", "counsel"],
}

# What what is held is obliged to where it waits in this queue.
held(queue) := {"queue": queue, "due_hours": 24, "expire_hours": 168}

_signals := [
	"c2pa_training_mining", "iptc_data_mining", "list_domain", "list_hash", "list_id", "robots", "tdmrep",
	"x_robots_tag",
]

# Who trains with what: all that is usual is allowed.
training := {
	"approvals": 1,
	"approvers": ["counsel"],
	"audit_days": 365,
	"basis": {"computed": "allow", "none": "deny", "stated": "review"},
	"collected": {"future": "deny", "known": "allow", "missing": "note"},
	"consents": {"given": "allow", "not_needed": "allow", "refused": "deny", "unknown": "note"},
	"contracts": {"active": "allow", "expired": "deny", "none": "allow", "unknown": "deny"},
	"declared": "note",
	"methods": {"dreambooth": "review", "lora": "allow", "a/b": "note"},
	"near_duplicate": "note",
	"opt_outs": {signal: "deny" | some signal in _signals},
	"opt_outs_under_contract": {signal: "note" | some signal in _signals},
	"other_bundle": "note",
	"personal": {"given": "note", "not_needed": "review", "refused": "deny", "unknown": "deny"},
	"problems": {
		"bad_url": "review", "bad_value": "review", "duplicate_id": "deny", "future_time": "note",
		"hash_differs": "deny", "manifest_invalid": "deny", "missing": "deny", "too_large": "deny",
		"unknown_licence": "note", "unreadable": "deny",
	},
	"source_kinds": {
		"crawled": "allow", "licensed": "allow", "other": "note", "own": "allow", "public": "allow",
		"synthetic": "allow", "unknown": "review", "user": "allow",
	},
	"synthetic": {"no": "allow", "stated": "note", "unknown": "allow", "yes": "note"},
	"thresholds": {"nsfw": {"deny": 80, "review": 40}, "similar": {"deny": 95, "review": 88}},
	"trainers": ["designer"],
	"unlicensed": {"contract": "note", "none": "deny", "own": "note"},
	"unscored": {"nsfw": "review", "similar": "review"},
}

record := {
	"version": 1,
	"stage": "training",
	"time": "2026-11-23T14:00:00.000Z",
	"question": "record",
	"purpose": "marketing",
	"record": {
		"licence": "MIT",
		"source_kind": "public",
		"consent": "not_needed",
		"contract": "none",
		"collected": "known",
		"synthetic": "no",
		"opt_outs": [],
		"nsfw_hundredths": 2,
		"similar_hundredths": 50,
		"work_action": "",
		"personal": [],
		"near_duplicate": false,
		"problems": [],
		"basis": "computed",
	},
}

dataset := {
	"name": "digits",
	"state": "approved",
	"approvals": [{"person": 1, "roles": ["counsel"], "assurance": "authenticated"}],
	"contents": 3,
	"outcomes": {"allow": 3, "review": 0, "deny": 0},
	"audited": "2026-11-22T14:00:00.000Z",
	"age_days": 1,
	"bundle_revision": "b1",
	"same_bundle": true,
	"consumed": 0,
}

run := {
	"version": 1,
	"stage": "training",
	"time": "2026-11-23T14:00:00.000Z",
	"question": "run",
	"purpose": "marketing",
	"principal": admission.principal,
	"run": {
		"phase": "start",
		"method": "lora",
		"lineage": "witnessed",
		"base": {"key": "k1", "state": "registered", "expires": "", "licence": "Apache-2.0"},
		"datasets": [dataset],
	},
}

# Settings to judge by, in place of those of data.json. The version of the normaliser says nothing about the rules.
settings := {
	"adapters": {},
	"allow_audio": false,
	"allow_inputs": false,
	"allow_promptless": false,
	"blocked_terms": blocked_terms,
	"budgets": {"images": 500, "step_pixels": 40000000000},
	"encoded_prompts": "review",
	"input_manifests": {"none": "allow", "untrusted": "review"},
	"licences": {"Apache-2.0": {}, "MIT": {}, "CC-BY-NC-4.0": {"purposes": ["research"]}},
	"limits": {
		"frames": 129, "images": 8, "pixels": 4194304, "prompt_characters": 2000, "step_pixels": 1000000000,
		"steps": 100,
	},
	"markets": {"EU": {}, "UK": {}, "US": {}},
	"models": models,
	"negative_terms": "note",
	"normaliser": data.normaliser,
	"obligations": {"output_formats": ["image/png"], "retain_days": 365, "watermark": true},
	"opaque": {"audio": "deny", "callback": "deny", "embedding": "deny", "latents": "deny", "other": "deny"},
	"protected_names": protected_names,
	"purposes": {"marketing": {"roles": ["designer", "editor"]}, "research": {"roles": ["researcher"]}},
	"required_detectors": ["nsfw"],
	"review": review,
	"roles": {"designer": {}, "editor": {"limits": {"images": 4}}, "researcher": {}, "reviewer": {}},
	"small_images": "deny",
	"thresholds": {"nsfw": {"deny": 800000, "review": 400000}},
	"training": training,
	"undisclosed": "note",
	"unregistered": {"adapters": "deny", "models": "deny"},
	"visible_label": "AI-generated",
	"works": {},
}

# What the stage says to `facts`, where `changes` take the place of the settings of the same name.
asked(stage, facts, changes) := answer if {
	given := object.union(object.remove(settings, object.keys(changes)), changes)
	answer := _answers[stage] with input as facts
		with data.adapters as given.adapters
		with data.allow_audio as given.allow_audio
		with data.allow_inputs as given.allow_inputs
		with data.allow_promptless as given.allow_promptless
		with data.blocked_terms as given.blocked_terms
		with data.budgets as given.budgets
		with data.encoded_prompts as given.encoded_prompts
		with data.input_manifests as given.input_manifests
		with data.licences as given.licences
		with data.limits as given.limits
		with data.markets as given.markets
		with data.models as given.models
		with data.negative_terms as given.negative_terms
		with data.normaliser as given.normaliser
		with data.obligations as given.obligations
		with data.opaque as given.opaque
		with data.protected_names as given.protected_names
		with data.purposes as given.purposes
		with data.required_detectors as given.required_detectors
		with data.review as given.review
		with data.roles as given.roles
		with data.small_images as given.small_images
		with data.thresholds as given.thresholds
		with data.training as given.training
		with data.undisclosed as given.undisclosed
		with data.unregistered as given.unregistered
		with data.visible_label as given.visible_label
		with data.works as given.works
}

_answers["admission"] := {
	"decision": data.governance.admission.decision,
	"explanation": data.governance.admission.explanation,
}

_answers["release"] := {
	"decision": data.governance.release.decision,
	"explanation": data.governance.release.explanation,
}

_answers["review"] := {
	"decision": data.governance.review.decision,
	"explanation": data.governance.review.explanation,
}

_answers["training"] := {
	"decision": data.governance.training.decision,
	"explanation": data.governance.training.explanation,
}

image := {
	"parameter": "image",
	"digest": "d4",
	"manifest": "none",
	"width": 8,
	"height": 8,
	"findings": [finding],
}

adapter := {"name": "style", "digest": "d5", "scale_thousandths": -800}

# The changes that load that adapter, which stands in its register like this.
loading(standing) := [
	{"op": "add", "path": "/model/adapters", "value": [adapter]},
	{"op": "add", "path": "/registers/adapters", "value": [object.union(registered_adapter, standing)]},
]

# What a field may be replaced by to make its part unreadable.
wrong := [{"x": 1}, [[1]], [""], null, true, 7]

# A request that differs from the good one by a value at a JSON pointer.
changed(path, value) := json.patch(admission, [{"op": "add", "path": path, "value": value}])

# Several of them.
altered(values) := json.patch(admission, [{"op": "add", "path": path, "value": value} | some path, value in values])

codes(found) := {reason.code | some reason in found}

datums(found) := {reason.datum | some reason in found}
