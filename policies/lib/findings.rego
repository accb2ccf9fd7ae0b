# METADATA
# title: Judgement of findings
# description: >-
#   Compares what detectors scored with the thresholds in the data. Detectors never judge. A market's own thresholds take
#   the place of the general ones, and over all markets asked for the strictest counts. A finding about a protected work
#   is judged by what data.works says of that work, or else the register of works, in place of the threshold to deny.
package governance.findings

import data.governance.markets
import data.governance.reasons

# The reasons to deny over `found`, an array of findings of the input that stands at the JSON pointer `path`.
denials(found, path) := _missing(found, path) | {reason |
	some index, finding in found
	not _harmless(finding)
	reason := _denial(finding, sprintf("%s/%d", [path, index]))
}

# The reasons to have a person look.
reviews(found, path) := {reason |
	some index, finding in found
	finding.score_millionths >= _levels[finding.label].review[0]
	reason := _review(finding, sprintf("%s/%d", [path, index]))
}

# Checks that were never made prove nothing: no detector required is as bad as one that did not answer.
_missing(found, path) := {_absent("No detector is required, so nothing was checked.", path)} if {
	count(data.required_detectors) == 0
} else := {reason |
	some detector in data.required_detectors
	not _scored(found, detector)
	reason := _absent(sprintf("The required detector %s found nothing to say.", [detector]), path)
}

_scored(found, detector) if {
	some finding in found
	finding.detector == detector
}

# Most findings are below every threshold, and then there is nothing to look up.
_harmless(finding) if {
	level := _levels[finding.label]
	finding.score_millionths < level.review[0]
	finding.score_millionths < level.deny[0]
}

_denial(finding, path) := _unknown(path) if {
	not _known(finding.label)
} else := _protected(path, _work_datum(finding)) if {
	finding.score_millionths >= _levels[finding.label].review[0]
	_ruling(finding) == "deny"
} else := _denied(finding.label, path) if {
	finding.score_millionths >= _levels[finding.label].deny[0]
	not _ruled(finding)
}

# Of a finding that is at or above the threshold for review.
_review(finding, path) := _resembles(path, _work_datum(finding)) if {
	_ruling(finding) == "review"
} else := _resembles(path, _work_datum(finding)) if {
	is_string(finding.work)
	not _ruled(finding)
} else := _doubted(finding.label, path) if {
	not _ruled(finding)
	finding.score_millionths < _levels[finding.label].deny[0]
}

# A rule of its own, as everywhere behind `not`: OPA looks up data inside a negated call before the negation, so what is
# missing there would undo the rule instead of proving it.
_known(label) if is_object(_levels[label])

# Whatever stands there: an entry that cannot be read denies below.
_listed(finding) if type_name(data.works[finding.work])

# What becomes of a picture that is similar to a work which the data lists: the purposes that it names are permitted
# whatever its action is; where that is `allow`, they are the only ones. Of a work that the data does not list, the action
# that the register gives it; undefined where that gives none.
_ruling(finding) := "allow" if {
	input.request.purpose in data.works[finding.work].purposes
} else := "allow" if {
	data.works[finding.work].action == "allow"
	not _limited(finding)
} else := "review" if {
	data.works[finding.work].action in {"allow", "review"}
} else := "deny" if {
	_listed(finding)
} else := finding.action if {
	is_string(finding.work)
}

_ruled(finding) if is_string(_ruling(finding))

_limited(finding) if type_name(data.works[finding.work].purposes)

_work_datum(finding) := reasons.pointer(["works", finding.work]) if {
	_listed(finding)
} else := _datum(finding.label, "review")

# For each label found anywhere in the input: the lowest scores at which one of the markets asked for denies or reviews it,
# each with that market, whose name is empty where the general thresholds count. Undefined where a market has none.
_levels[label] := {"deny": min(denying), "review": min(reviewing)} if {
	some label in _labels
	scales := _scales(label)
	denying := [[thresholds.deny, market] | some market, thresholds in scales]
	reviewing := [[thresholds.review, market] | some market, thresholds in scales]
}

_labels contains finding.label if some finding in input.findings

_labels contains finding.label if {
	some item in input.inputs
	some finding in item.findings
}

# The thresholds for the label by market, the general ones where a market has none of its own.
_scales(label) := scales if {
	scales := _own_scales(label)
	count(scales) == count(_asked)
} else := object.union(_own_scales(label), {"": data.thresholds[label]})

_own_scales(label) := {market: thresholds |
	some market, own in _own_thresholds
	thresholds := own[label]
}

# To walk the markets is quick in the embedded engine, to look each up is not.
_own_thresholds := {market: rules.thresholds |
	some market, rules in data.markets
	market in _asked
}

_asked := markets.asked(input.request.markets)

_datum(label, level) := reasons.pointer(["thresholds", label, level]) if {
	_levels[label][level][1] == ""
} else := reasons.pointer(["markets", _levels[label][level][1], "thresholds", label, level])

# METADATA
# title: Required check missing
# description: A detector that the policy requires gave no score, or the policy requires none at all.
# custom:
#   code: detector.missing
#   fix: Configure the detectors of data.required_detectors, and list at least one there.
_absent(message, path) := {
	"code": "detector.missing",
	"message": message,
	"path": path,
	"datum": "/required_detectors",
}

# METADATA
# title: Finding without a threshold
# description: A detector scored a label for which the policy has no threshold in one of the markets asked for.
# custom:
#   code: finding.unjudged
#   fix: Add the label to data.thresholds, or drop the detector.
_unknown(path) := {
	"code": "finding.unjudged",
	"message": "There is no threshold for the label of this finding.",
	"path": path,
	"datum": "",
}

# METADATA
# title: Score above the deny threshold
# description: A detector scored the image at or above the threshold at which it may not be released.
# custom:
#   code: finding.denied
#   fix: Change the prompt. If the finding is wrong, have data.thresholds and those of the markets reviewed.
_denied(label, path) := {
	"code": "finding.denied",
	"message": sprintf("The score for %s is at or above the threshold to deny.", [label]),
	"path": path,
	"datum": _datum(label, "deny"),
}

# METADATA
# title: Score above the review threshold
# description: A detector scored the image high enough for a person to look at it first.
# custom:
#   code: finding.review
#   fix: Wait for a reviewer, or change the prompt.
_doubted(label, path) := {
	"code": "finding.review",
	"message": sprintf("The score for %s is at or above the threshold for review.", [label]),
	"path": path,
	"datum": _datum(label, "review"),
}

# METADATA
# title: Similar to a protected work
# description: The image is too similar to a protected work that may not be used for this purpose.
# custom:
#   code: work.denied
#   fix: Change the prompt. If the use is licensed, add the work and this purpose to data.works.
_protected(path, datum) := {
	"code": "work.denied",
	"message": "The image is too similar to a protected work that may not be used for this purpose.",
	"path": path,
	"datum": datum,
}

# METADATA
# title: Similarity to a work to be looked at
# description: >-
#   The image is similar to a protected work whose use a person must approve, or of which nobody said what it does.
# custom:
#   code: work.review
#   fix: Wait for a reviewer, or change the prompt. What a work does stands in data.works or in the register of works.
_resembles(path, datum) := {
	"code": "work.review",
	"message": "The image is similar to a protected work, and a person must look at it.",
	"path": path,
	"datum": datum,
}
