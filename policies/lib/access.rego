# METADATA
# title: Access
# description: Which roles hold for the purpose, and how much compute those roles may ask for at once and in a day.
package governance.access

import data.governance.reasons
import data.governance.shape

# METADATA
# title: Unknown purpose
# description: The purpose of the request is not one that this policy knows.
# custom:
#   code: purpose.unknown
#   fix: Name a purpose of data.purposes, or add this one there with the roles that may use it.
denials contains {
	"code": "purpose.unknown",
	"message": "This purpose is not known to the policy.",
	"path": "/request/purpose",
	"datum": "/purposes",
} if {
	count(_permitted) == 0
	not _purpose_known
}

# METADATA
# title: Role not permitted
# description: None of the principal's roles may generate for this purpose.
# custom:
#   code: role.not_permitted
#   fix: Give the principal a role listed in data.purposes for this purpose, or ask under another purpose.
denials contains {
	"code": "role.not_permitted",
	"message": "None of the principal's roles may generate for this purpose.",
	"path": "/principal/roles",
	"datum": _purpose_datum,
} if {
	count(_permitted) == 0
}

_purpose_known if is_object(data.purposes[input.request.purpose])

default _purpose_datum := "/purposes"

_purpose_datum := reasons.pointer(["purposes", input.request.purpose]) if _purpose_known

# The principal's roles that are known and allowed for the purpose, with what the data says of each.
_permitted[role] := entry if {
	roles := data.purposes[input.request.purpose].roles
	some role in input.principal.roles
	role in roles
	entry := data.roles[role]
	is_object(entry)
}

# The limit `name` of one request.
limit(name) := limits[name][0]

# Where that limit stands in the data, as a JSON pointer.
limit_datum(name) := limits[name][1]

# By name the limit and where it stands in the data: of the permitted roles the most generous, each with its own limit or
# the general one.
limits[name] := most if {
	count(_own_limits) > 0
	some name, _ in data.limits
	most := max({_role_limit(role, name) | some role, _ in _permitted})
}

limits[name] := [general, concat("/", ["/limits", name])] if {
	count(_own_limits) == 0
	some name, general in data.limits
}

_own_limits contains role if {
	some role, entry in _permitted
	entry.limits
}

_role_limit(role, name) := [value, datum] if {
	value := _permitted[role].limits[name]
	shape.wholes([value], 1)
	datum := reasons.pointer(["roles", role, "limits", name])
} else := [data.limits[name], concat("/", ["/limits", name])]

# By name what the principal's day may come to, and where that stands: likewise, but a role without its own or a general
# budget is not limited, and then neither is the principal.
budgets[name] := most if {
	count(_own_budgets) > 0
	some name in ["images", "steps", "pixels", "step_pixels"]
	found := [budget | some role, _ in _permitted; budget := _role_budget(role, name)]
	count(found) == count(_permitted)
	most := max(found)
}

budgets[name] := [general, concat("/", ["/budgets", name])] if {
	count(_own_budgets) == 0
	some name, general in data.budgets
}

_own_budgets contains role if {
	some role, entry in _permitted
	entry.budget
}

_role_budget(role, name) := [value, datum] if {
	value := _permitted[role].budget[name]
	datum := reasons.pointer(["roles", role, "budget", name])
} else := [data.budgets[name], concat("/", ["/budgets", name])]
