# METADATA
# title: Terms and names
# description: >-
#   Looks each prompt's normalised n-grams, those of what it hides in an encoding among them, up in the blocked terms and
#   the protected names. What a negative prompt names is steered away from, so there it is noted, reviewed or denied as
#   data.negative_terms says; but guidance below 1 turns the two prompts round, and then a negative prompt is judged like a
#   prompt. Messages hold the category or the kind, never the term or the name: reasons are kept for ever, prompts can be
#   erased.
package governance.terms

import data.governance.markets
import data.governance.reasons

# METADATA
# title: Blocked term
# description: A prompt contains a blocked term, however it was spelt.
# custom:
#   code: prompt.blocked_term
#   fix: Ask for something else. If the term is harmless here, have data.blocked_terms reviewed.
denials contains {
	"code": "prompt.blocked_term",
	"message": sprintf("The prompt contains a term blocked as %s.", [_category(entry)]),
	"path": sprintf("/prompts/%d", [index]),
	"datum": datum,
} if {
	some [index, "blocked_terms", datum, entry] in _named
	_obeyed(input.prompts[index])
}

# METADATA
# title: Protected name
# description: A prompt names a person, an artist, a character or a brand that is protected, however it was spelt.
# custom:
#   code: prompt.protected_name
#   fix: Leave the name out. If its use is cleared, have data.protected_names reviewed.
answered contains [_outcome(entry), {
	"code": "prompt.protected_name",
	"message": sprintf("The prompt names a protected %s.", [_kind(entry)]),
	"path": sprintf("/prompts/%d", [index]),
	"datum": datum,
}] if {
	some [index, "protected_names", datum, entry] in _named
	_obeyed(input.prompts[index])
}

# METADATA
# title: Blocked term in a negative prompt
# description: A negative prompt names a blocked term or a protected name, which asks the model to avoid it.
# custom:
#   code: prompt.negative_term
#   fix: Nothing needs fixing where data.negative_terms is `note`; otherwise leave the term out.
answered contains [data.negative_terms, {
	"code": "prompt.negative_term",
	"message": sprintf("The negative prompt names %s.", [_described(table, entry)]),
	"path": sprintf("/prompts/%d", [index]),
	"datum": datum,
}] if {
	some [index, table, datum, entry] in _named
	not _obeyed(input.prompts[index])
}

# What each prompt names: its index, the list that has it, where it stands there and what is said of it. To
# `graph.reachable` a list is a graph of terms without edges: from the n-grams it reaches those that are terms. One call so
# looks all of them up by key, in a fraction of the time that an iteration over the n-grams takes.
_named contains [index, "blocked_terms", reasons.pointer(["blocked_terms", term]), terms[term]] if {
	terms := data.blocked_terms
	some index, prompt in input.prompts
	some term in (graph.reachable(terms, prompt.ngrams) | graph.reachable(terms, prompt.hidden))
	markets.counts(terms[term])
}

_named contains [index, "protected_names", reasons.pointer(["protected_names", name]), names[name]] if {
	names := data.protected_names
	some index, prompt in input.prompts
	some name in (graph.reachable(names, prompt.ngrams) | graph.reachable(names, prompt.hidden))
	markets.counts(names[name])
}

_described("blocked_terms", entry) := sprintf("a term blocked as %s", [_category(entry)])

_described("protected_names", entry) := sprintf("a protected %s", [_kind(entry)])

_category(entry) := entry.category if {
	is_string(entry.category)
} else := "unspecified"

_kind(entry) := entry.kind if {
	entry.kind in {"person", "artist", "character", "brand"}
} else := "name"

# Whatever is not clearly to be reviewed is denied.
_outcome(entry) := "review" if {
	entry.outcome == "review"
} else := "deny"

# Whether the model is steered towards this prompt.
_obeyed(prompt) if prompt.kind == "prompt"

_obeyed(prompt) if {
	prompt.kind == "negative"
	_guidance_turned
}

_guidance_turned if {
	some name, given in input.parameters
	_guides(name)
	some scale in _several(given)
	is_number(scale)
	scale < _one(name)
}

# Whatever its stage or encoder is called: `guidance_scale_2`, `prior_guidance_scale`, `true_cfg_scale`.
_guides(name) if contains(name, "guidance_scale")

_guides(name) if contains(name, "cfg_scale")

_several(given) := given if {
	is_array(given)
} else := [given]

_one(name) := 1000 if {
	endswith(name, "_thousandths")
} else := 1
