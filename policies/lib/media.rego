# METADATA
# title: Video and audio
# description: >-
#   May a request make sounds? No detector hears and no watermark of ours survives in a sound, so whoever allows them releases
#   them unchecked and unmarked. Asked at admission, and again for each draft. Videos are pictures, frame by frame, and
#   the rules for pictures hold for them.
package governance.media

# METADATA
# title: Sounds not allowed
# description: The request makes a sound, which nobody can check or mark, and this policy allows none.
# custom:
#   code: audio.not_allowed
#   fix: Use a pipeline that makes images or video without sound, or set data.allow_audio.
denials contains {
	"code": "audio.not_allowed",
	"message": "Sounds are not allowed: they would leave unchecked and unmarked.",
	"path": "/request/media",
	"datum": "/allow_audio",
} if {
	"audio" in input.request.media
	not data.allow_audio
}

# METADATA
# title: A sound where a label is obliged
# description: A market asked for, or the general rules, oblige a visible label, and a sound cannot carry one.
# custom:
#   code: audio.label
#   fix: Name only markets that oblige no visible_label.
denials contains {
	"code": "audio.label",
	"message": "A visible label is obliged, and a sound cannot carry one.",
	"path": "/request/media",
	"datum": "",
} if {
	silent
	_labelled
}

# What is judged has nothing to be seen: at admission the whole request, at release one draft.
silent if input.draft.media == "audio"

silent if {
	input.stage == "admission"
	{kind | some kind in input.request.media} == {"audio"}
}

# Where the general rules oblige a label, every market does that has none of its own.
_labelled if is_string(data.governance.disclosure.visible_label)
