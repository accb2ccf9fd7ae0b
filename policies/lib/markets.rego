# METADATA
# title: Markets
# description: >-
#   Where the images will be used. A request that names no market may be used everywhere, so the rules of every market
#   hold for it.
package governance.markets

# The markets whose rules hold: those `named` by the request, or else all that the data knows and the rest of the world,
# for which the general rules hold: "" is a market without rules of its own.
asked(named) := {market | some market in named} if {
	count(named) > 0
} else := {market | some market, _ in data.markets} | {""}

# METADATA
# title: Unknown market
# description: The request names a market that this policy does not know.
# custom:
#   code: market.unknown
#   fix: Name markets of data.markets, or add this one there with the rules that hold in it.
denials contains {
	"code": "market.unknown",
	"message": "This market is not known to the policy.",
	"path": sprintf("/request/markets/%d", [index]),
	"datum": "/markets",
} if {
	some index, market in input.request.markets
	not _known(market)
}

# Whether a term or name of the lists counts for the request.
counts(entry) if not _elsewhere(entry)

# It is limited to markets, all of them known, and the request names none of these.
_elsewhere(entry) if {
	is_array(entry.markets)
	count(entry.markets) > 0
	every market in entry.markets {
		_known(market)
		not market in _asked
	}
}

_asked := asked(input.request.markets)

_known(market) if is_object(data.markets[market])
