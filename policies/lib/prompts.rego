# METADATA
# title: Prompts
# description: >-
#   Looks each prompt's normalised n-grams up in the blocked terms. What a negative prompt names is steered away from,
#   so a blocked term there is noted, reviewed or denied as data.negative_terms says; but guidance below 1 turns the two
#   prompts round, and then a negative prompt is judged like a prompt. Messages hold the category, never the term: reasons
#   are kept for ever, prompts can be erased.
package governance.prompts

import data.governance.access

# METADATA
# title: No prompt
# description: The request has no prompt that policy could read.
# custom:
#   code: prompt.missing
#   fix: Give a prompt. For a model that takes none, set data.allow_promptless.
denials contains {
	"code": "prompt.missing",
	"message": "There is no prompt to judge.",
	"path": "/prompts",
} if {
	not data.allow_promptless
	not _has_prompt
}

# METADATA
# title: Unreadable prompt
# description: Nothing of the prompt was left after normalising, so its words cannot be looked up.
# custom:
#   code: prompt.unreadable
#   fix: Write the prompt in words.
denials contains {
	"code": "prompt.unreadable",
	"message": "Nothing of this prompt can be read.",
	"path": sprintf("/prompts/%d", [index]),
} if {
	some index, prompt in input.prompts
	count(prompt.ngrams) == 0
}

# METADATA
# title: Prompt too long
# description: The prompt has more characters than the limit for the principal's roles.
# custom:
#   code: prompt.too_long
#   fix: Shorten the prompt, or raise data.limits.prompt_characters.
denials contains {
	"code": "prompt.too_long",
	"message": sprintf("The prompt is longer than the limit of %d characters.", [limit]),
	"path": sprintf("/prompts/%d", [index]),
} if {
	limit := access.limit("prompt_characters")
	some index, prompt in input.prompts
	not _within(prompt, limit)
}

# METADATA
# title: Normaliser mismatch
# description: The prompts were normalised by another version than the one that the blocked terms are written for.
# custom:
#   code: normaliser.mismatch
#   fix: Install the bundle that belongs to this version of the software.
denials contains {
	"code": "normaliser.mismatch",
	"message": "The prompts were normalised by another version than the blocked terms are written for.",
	"path": "/normaliser",
} if {
	not input.normaliser == data.normaliser
}

# METADATA
# title: Blocked term
# description: A prompt contains a blocked term, however it was spelt.
# custom:
#   code: prompt.blocked_term
#   fix: Ask for something else. If the term is harmless here, have data.blocked_terms reviewed.
denials contains {
	"code": "prompt.blocked_term",
	"message": sprintf("The prompt contains a term blocked as %s.", [category]),
	"path": sprintf("/prompts/%d", [index]),
} if {
	some [index, category] in _named
	_obeyed(input.prompts[index])
}

denials contains reason if {
	data.negative_terms == "deny"
	some reason in _in_negatives
}

reviews contains reason if {
	data.negative_terms == "review"
	some reason in _in_negatives
}

notes contains reason if {
	data.negative_terms == "note"
	some reason in _in_negatives
}

# METADATA
# title: Blocked term in a negative prompt
# description: A negative prompt names a blocked term, which asks the model to avoid it.
# custom:
#   code: prompt.negative_term
#   fix: Nothing needs fixing where data.negative_terms is `note`; otherwise leave the term out.
_in_negatives contains {
	"code": "prompt.negative_term",
	"message": sprintf("The negative prompt names a term blocked as %s.", [category]),
	"path": sprintf("/prompts/%d", [index]),
} if {
	some [index, category] in _named
	not _obeyed(input.prompts[index])
}

_has_prompt if {
	some prompt in input.prompts
	prompt.kind == "prompt"
}

_within(prompt, limit) if {
	prompt.length <= limit
	count(prompt.text) <= limit
}

# Whether the model is steered towards this prompt.
_obeyed(prompt) if prompt.kind == "prompt"

_obeyed(prompt) if {
	prompt.kind == "negative"
	_guidance_turned
}

_guidance_turned if {
	some name in ["guidance_scale_thousandths", "true_cfg_scale_thousandths", "guidance_scale", "true_cfg_scale"]
	scale := input.parameters[name]
	is_number(scale)
	scale < _one[name]
}

_one := {
	"guidance_scale_thousandths": 1000,
	"true_cfg_scale_thousandths": 1000,
	"guidance_scale": 1,
	"true_cfg_scale": 1,
}

# The categories of blocked terms that each prompt names.
_named contains [index, category] if {
	terms := data.blocked_terms
	some index, prompt in input.prompts
	some ngram in prompt.ngrams
	category := _category(terms[ngram])
}

_category(entry) := entry.category if {
	is_string(entry.category)
} else := "unspecified"
