# METADATA
# title: Prompts
# description: >-
#   Whether policy can read what the request is about: there is a prompt, written in words, and nothing beside it that
#   steers the generation unread, such as an embedding, latents or a callback.
package governance.prompts

import data.governance.access
import data.governance.reasons

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
	"datum": "/allow_promptless",
} if {
	not _has_prompt
	not _embedded
	not data.allow_promptless
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
	"datum": "",
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
	"datum": access.limit_datum("prompt_characters"),
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
	"datum": "/normaliser",
} if {
	not input.normaliser == data.normaliser
}

# METADATA
# title: Prompt that hides text
# description: A prompt seems to hold text in an encoding, such as base64. What it says is looked up like the prompt itself.
# custom:
#   code: prompt.encoded
#   fix: Write the prompt in plain words. What such a prompt does is data.encoded_prompts.
answered contains [data.encoded_prompts, {
	"code": "prompt.encoded",
	"message": "This prompt seems to hide text in an encoding.",
	"path": sprintf("/prompts/%d", [index]),
	"datum": "/encoded_prompts",
}] if {
	some index, prompt in input.prompts
	count(prompt.hints) > 0
}

# METADATA
# title: Argument that policy cannot read
# description: The request brings an argument whose content policy cannot read, such as an embedding or a callback.
# custom:
#   code: argument.opaque
#   fix: Leave the argument out and say in a prompt what is wanted, or have its kind in data.opaque reviewed.
answered contains [_permission(argument.kind), {
	"code": "argument.opaque",
	"message": sprintf("Policy cannot read this argument (%s).", [argument.kind]),
	"path": sprintf("/opaque/%d", [index]),
	"datum": reasons.pointer(["opaque", argument.kind]),
}] if {
	some index, argument in input.opaque
}

# What the data permit an argument of this kind to do: nothing, where they are not clear.
_permission(kind) := permitted if {
	permitted := data.opaque[kind]
	permitted in {"review", "allow"}
} else := "deny"

_has_prompt if {
	some prompt in input.prompts
	prompt.kind == "prompt"
}

# An embedding can stand for a prompt where it is not denied: `argument.opaque` then says what becomes of the request.
_embedded if {
	some argument in input.opaque
	argument.kind == "embedding"
	_permission("embedding") != "deny"
	contains(argument.parameter, "prompt")
	not contains(argument.parameter, "negative")
}

# Engines differ in `count` of a text beyond 16-bit characters; in `substring` they agree.
_within(prompt, limit) if {
	prompt.length <= limit
	substring(prompt.text, limit, -1) == ""
}
