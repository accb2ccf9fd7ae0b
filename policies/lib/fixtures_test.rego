# METADATA
# title: Fixtures
# description: Inputs that are allowed, and data that allows them, for the tests to depart from.
package governance.fixtures

finding := {"detector": "nsfw", "detector_digest": "d1", "label": "nsfw", "score_millionths": 12}

admission := {
	"version": 1,
	"stage": "admission",
	"time": "2026-11-23T14:00:00.000Z",
	"principal": {"id": "designer@example.org", "roles": ["designer"], "issuer": "caller", "assurance": "asserted"},
	"request": {"id": "request-1", "purpose": "marketing", "images": 1, "attempt": 1, "markets": []},
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
		"guidance_scale_thousandths": 7500,
		"eta": null,
		"tiling": true,
		"sampler": "ddim",
	},
	"seeds": ["123"],
	"inputs": [],
	"opaque": [],
	"usage": {"images": 3, "steps": 90, "pixels": 196608, "step_pixels": 5898240},
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

release := object.union(admission, {
	"stage": "release",
	"draft": {"index": 0, "width": 256, "height": 256, "markable": true},
	"findings": [finding],
	"admission": {"decision_id": "a1", "outcome": "allow", "obligations": {"watermark": true}},
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

image := {"parameter": "image", "digest": "d4", "width": 8, "height": 8, "findings": [finding]}

adapter := {"name": "style", "digest": "d5", "scale_thousandths": -800}

# What a field may be replaced by to make its part unreadable.
wrong := [{"x": 1}, [[1]], [""], null, true, 7]

# A request that differs from the good one by a value at a JSON pointer.
changed(path, value) := json.patch(admission, [{"op": "add", "path": path, "value": value}])

# Several of them.
altered(values) := json.patch(admission, [{"op": "add", "path": path, "value": value} | some path, value in values])

codes(found) := {reason.code | some reason in found}

datums(found) := {reason.datum | some reason in found}
