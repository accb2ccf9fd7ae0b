# METADATA
# title: Times
# description: Which of two times in UTC is the later, as texts of RFC 3339 and without a clock.
package governance.times

import data.governance.shape

# Whether `time` is later than that of the input. What cannot be read as a time is not.
ahead(time) if {
	shape.time(time)
	_instant(time) > _instant(input.time)
}

# A time in UTC such that texts compare as times do: always with a point after the seconds, and the fraction without the
# zeros that close it.
_instant(time) := concat(".", [
	substring(time, 0, 19),
	trim_right(trim_left(substring(time, 19, -1), "."), "0Z"),
])
