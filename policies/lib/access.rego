# METADATA
# title: Access
# description: Which roles hold for the purpose, and what those roles may spend.
package governance.access

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
} if {
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
} if {
	count(permitted_roles) == 0
}

_purpose_known if is_object(data.purposes[input.request.purpose])

# The principal's roles that are known and allowed for the purpose.
permitted_roles contains role if {
	some role in input.principal.roles
	is_object(data.roles[role])
	role in data.purposes[input.request.purpose].roles
}

# The limit `name`: of the permitted roles the most generous, each with its own limit or the general one.
limit(name) := data.limits[name] if {
	count(_own_limits) == 0
} else := max({_role_limit(role, name) | some role in permitted_roles})

_own_limits contains limits if {
	some role in permitted_roles
	limits := data.roles[role].limits
}

_role_limit(role, name) := value if {
	value := data.roles[role].limits[name]
	shape.wholes([value], 1)
} else := data.limits[name]
