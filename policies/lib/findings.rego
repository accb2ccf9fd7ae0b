# METADATA
# title: Judgement of findings
# description: Compares what detectors scored with the thresholds in the data. Detectors never judge.
package governance.findings

# The reasons to deny over `found`, an array of findings that stands at the JSON pointer `path`.
denials(found, path) := (_missing(found, path) | _unjudged(found, path)) | _above(found, path)

# The reasons to have a person look.
reviews(found, path) := {reason |
	some index, finding in found
	threshold := data.thresholds[finding.label]
	finding.score_millionths >= threshold.review
	finding.score_millionths < threshold.deny
	reason := _review(finding.label, sprintf("%s/%d", [path, index]))
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

_unjudged(found, path) := {reason |
	some index, finding in found
	not _known(finding.label)
	reason := _unknown(sprintf("%s/%d", [path, index]))
}

# A rule of its own, as everywhere behind `not`: OPA looks up data inside a negated call before the negation, so what is
# missing there would undo the rule instead of proving it.
_known(label) if is_object(data.thresholds[label])

_above(found, path) := {reason |
	some index, finding in found
	finding.score_millionths >= data.thresholds[finding.label].deny
	reason := _deny(finding.label, sprintf("%s/%d", [path, index]))
}

# METADATA
# title: Required check missing
# description: A detector that the policy requires gave no score, or the policy requires none at all.
# custom:
#   code: detector.missing
#   fix: Configure the detectors of data.required_detectors, and list at least one there.
_absent(message, path) := {"code": "detector.missing", "message": message, "path": path}

# METADATA
# title: Finding without a threshold
# description: A detector scored a label for which the policy has no threshold.
# custom:
#   code: finding.unjudged
#   fix: Add the label to data.thresholds, or drop the detector.
_unknown(path) := {
	"code": "finding.unjudged",
	"message": "There is no threshold for the label of this finding.",
	"path": path,
}

# METADATA
# title: Score above the deny threshold
# description: A detector scored the image at or above the threshold at which it may not be released.
# custom:
#   code: finding.denied
#   fix: Change the prompt. If the finding is wrong, have data.thresholds reviewed.
_deny(label, path) := {
	"code": "finding.denied",
	"message": sprintf("The score for %s is at or above the threshold to deny.", [label]),
	"path": path,
}

# METADATA
# title: Score above the review threshold
# description: A detector scored the image high enough for a person to look at it first.
# custom:
#   code: finding.review
#   fix: Wait for a reviewer, or change the prompt.
_review(label, path) := {
	"code": "finding.review",
	"message": sprintf("The score for %s is at or above the threshold for review.", [label]),
	"path": path,
}
