# METADATA
# title: Licences for training
# description: Whether a licence permits what would be trained under it to be used for the purpose that is asked about.
package governance.training_licences

# Whether the data accepts an SPDX expression: as it stands there, or where one of its alternatives holds nothing but
# licences that are accepted. An expression with parentheses must stand there itself.
accepted(expression) if _permits(expression)

accepted(expression) if {
	not contains(expression, "(")
	some alternative in split(expression, " OR ")
	every licence in split(alternative, " AND ") {
		_permits(licence)
	}
}

_permits(licence) if {
	entry := data.licences[licence]
	is_object(entry)
	input.purpose in object.get(entry, "purposes", [input.purpose])
}
