# METADATA
# title: Limits and budgets
# description: >-
#   How much compute one request may ask for, and what the principal's day (UTC) may come to with it. Admission reads what
#   was spent before; it also obliges the line to keep to the budget, so that two requests at the same time cannot both have
#   the rest.
package governance.limits

denials contains reason if {
	some name, [most, datum] in data.governance.access.limits
	_asked[name] > most
	reason := _above(name, most, datum)
}

denials contains reason if {
	some name, [most, datum] in _budgets
	input.usage[name] + _spent[name] > most
	reason := _overspent(name, most, datum)
}

# What the day's sums may come to, by the names of `usage`. What no budget names is not limited.
day_budget := {name: most | some name, [most, _] in _budgets}

_budgets := data.governance.access.budgets

# What the limits are about: one image or one frame, but for how many there are and the compute of all.
_asked := object.union(_spent, {
	"frames": input.parameters.frames,
	"images": input.request.images,
	"pixels": input.parameters.pixels,
	"steps": input.parameters.steps,
})

# What the request would add to the day's sums. Products may lie beyond the integers that engines read alike, so no message
# shows them. Pixels are those of all frames; a video and the sound that is made with it are two items.
_spent := {
	"images": images * count(input.request.media),
	"pixels": images * pixels,
	"step_pixels": (images * pixels) * steps,
	"steps": images * steps,
} if {
	images := input.request.images
	pixels := input.parameters.pixels * input.parameters.frames
	steps := input.parameters.steps
}

# METADATA
# title: Too many steps
# description: The request asks for more denoising steps than the principal's roles allow.
# custom:
#   code: limit.steps
#   fix: Ask for fewer steps, or raise data.limits.steps or the role's own limit.
_above("steps", most, datum) := {
	"code": "limit.steps",
	"message": sprintf("%d steps are more than the limit of %d.", [input.parameters.steps, most]),
	"path": "/parameters/steps",
	"datum": datum,
}

# METADATA
# title: Too many pixels
# description: The request asks for a larger image than the principal's roles allow.
# custom:
#   code: limit.pixels
#   fix: Ask for a smaller image, or raise data.limits.pixels or the role's own limit.
_above("pixels", most, datum) := {
	"code": "limit.pixels",
	"message": sprintf("%d pixels are more than the limit of %d.", [input.parameters.pixels, most]),
	"path": "/parameters/pixels",
	"datum": datum,
}

# METADATA
# title: Too many images
# description: The request asks for more images than the principal's roles allow in one call.
# custom:
#   code: limit.images
#   fix: Ask for fewer images in one call, or raise data.limits.images or the role's own limit.
_above("images", most, datum) := {
	"code": "limit.images",
	"message": sprintf("%d images are more than the limit of %d.", [input.request.images, most]),
	"path": "/request/images",
	"datum": datum,
}

# METADATA
# title: Too many frames
# description: The request asks for a longer video than the principal's roles allow.
# custom:
#   code: limit.frames
#   fix: Ask for fewer frames, or raise data.limits.frames or the role's own limit.
_above("frames", most, datum) := {
	"code": "limit.frames",
	"message": sprintf("%d frames are more than the limit of %d.", [input.parameters.frames, most]),
	"path": "/parameters/frames",
	"datum": datum,
}

# METADATA
# title: Too much compute
# description: >-
#   Steps x pixels x images of the request, of all frames, come to more than the principal's roles allow in one call.
# custom:
#   code: limit.step_pixels
#   fix: Ask for fewer steps, smaller or fewer images or frames, or raise data.limits.step_pixels or the role's own limit.
_above("step_pixels", most, datum) := {
	"code": "limit.step_pixels",
	"message": sprintf("Steps x pixels x images come to more than the limit of %d.", [most]),
	"path": "/parameters",
	"datum": datum,
}

# METADATA
# title: Images of the day spent
# description: With this request the principal's images of the day (UTC) come to more than the budget.
# custom:
#   code: budget.images
#   fix: Ask for fewer images, wait for the next day, or raise data.budgets.images or the role's own budget.
_overspent("images", most, datum) := {
	"code": "budget.images",
	"message": sprintf("With this request the day's images come to more than the budget of %d.", [most]),
	"path": "/usage/images",
	"datum": datum,
}

# METADATA
# title: Steps of the day spent
# description: With this request the principal's steps of the day (UTC), of all images, come to more than the budget.
# custom:
#   code: budget.steps
#   fix: Ask for fewer steps, wait for the next day, or raise data.budgets.steps or the role's own budget.
_overspent("steps", most, datum) := {
	"code": "budget.steps",
	"message": sprintf("With this request the day's steps come to more than the budget of %d.", [most]),
	"path": "/usage/steps",
	"datum": datum,
}

# METADATA
# title: Pixels of the day spent
# description: With this request the principal's pixels of the day (UTC), of all images, come to more than the budget.
# custom:
#   code: budget.pixels
#   fix: Ask for smaller images, wait for the next day, or raise data.budgets.pixels or the role's own budget.
_overspent("pixels", most, datum) := {
	"code": "budget.pixels",
	"message": sprintf("With this request the day's pixels come to more than the budget of %d.", [most]),
	"path": "/usage/pixels",
	"datum": datum,
}

# METADATA
# title: Compute of the day spent
# description: With this request the principal's steps x pixels of the day (UTC) come to more than the budget.
# custom:
#   code: budget.step_pixels
#   fix: Ask for less, wait for the next day, or raise data.budgets.step_pixels or the role's own budget.
_overspent("step_pixels", most, datum) := {
	"code": "budget.step_pixels",
	"message": sprintf("With this request the day's steps x pixels come to more than the budget of %d.", [most]),
	"path": "/usage/step_pixels",
	"datum": datum,
}
