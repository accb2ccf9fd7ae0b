# METADATA
# title: Fixtures
# description: Inputs that are allowed, and data that allows them, for the tests to depart from.
package governance.fixtures

import data.governance.shape

finding := {"detector": "nsfw", "detector_digest": "d1", "label": "nsfw", "score_millionths": 12}

admission := {
	"version": 1,
	"stage": "admission",
	"time": "2026-11-23T14:00:00.000Z",
	"principal": {"id": "designer@example.org", "roles": ["designer"], "issuer": "caller", "assurance": "asserted"},
	"request": {"id": "request-1", "purpose": "marketing", "images": 1, "attempt": 1},
	"prompts": [
		{
			"kind": "prompt",
			"parameter": "prompt",
			"text": "A red seven",
			"normalised": "a red seven",
			"ngrams": ["a", "red", "seven", "a red", "red seven", "a red seven"],
			"length": 11,
			"position": 0,
		},
		{
			"kind": "negative",
			"parameter": "negative_prompt",
			"text": "blurry",
			"normalised": "blurry",
			"ngrams": ["blurry"],
			"length": 6,
			"position": 0,
		},
	],
	"normaliser": "1",
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

models := {"m": {"name": "example", "components": {"unet": "d2", "vae": "d3"}}}

blocked_terms := {"passport": {"category": "forgery"}, "grenade": {}}

image := {"parameter": "image", "digest": "d4", "width": 8, "height": 8, "findings": [finding]}

adapter := {"name": "style", "digest": "d5", "scale_thousandths": -800}

# What a field may be replaced by to make its part unreadable.
wrong := [{"x": 1}, [[1]], [""]]

test_texts_are_arrays_of_filled_strings if {
	shape.texts([])
	shape.texts(["a", "b"])
	every values in [[""], ["a", 1], [null, "a"], [true, "a"], ["a", []], ["a", {}], {"a"}, {"a": "b"}, "a", 5, null] {
		not shape.texts(values)
	}
}

test_wholes_are_safe_integers if {
	shape.wholes([0, 9007199254740991], 0)
	every value in [-1, 0.5, 9007199254740992, "1", null, true, [], {}] {
		not shape.wholes([1, value], 0)
	}
}
