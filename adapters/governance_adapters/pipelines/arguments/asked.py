"""Who asks, what for and where: what a governed call takes beside the pipeline's own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.errors import ConfigurationError
from governance.types import Principal, new_id

_OWN = ("principal", "roles", "purpose", "markets", "request_id")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, what for, where the images will be used, and the idempotency key."""

    principal: Principal
    purpose: str
    markets: tuple[str, ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """Who asks, what for and where, if the call does not say."""

    principal: Principal
    purpose: str
    markets: tuple[str, ...] = ()

    def taken_from(self, keywords: Mapping[str, Any]) -> tuple[Asked, dict[str, Any]]:
        """What `keywords` ask for in our own names, and the rest of them, which are the pipeline's.

        Raises:
            ConfigurationError: see `governed_principal` and `market_names`; or the request id is no text.
        """
        own = {name: keywords[name] for name in _OWN if name in keywords}
        request_id = own.get("request_id")
        if request_id is not None and not isinstance(request_id, str):
            raise ConfigurationError("request_id= takes a text.", remedy="Leave it out for a fresh one.")
        asked = Asked(
            governed_principal(own.get("principal", self.principal), own.get("roles")),
            own.get("purpose", self.purpose),
            market_names(own.get("markets", self.markets)),
            request_id or new_id(),
        )
        return asked, {name: value for name, value in keywords.items() if name not in _OWN}


def governed_principal(principal: Any, roles: Any) -> Principal:
    """Who asks this time.

    Raises:
        ConfigurationError: neither a text nor a Principal, roles that are no list of texts, or roles twice.
    """
    if roles is not None and (not isinstance(roles, (list, tuple)) or not all(isinstance(role, str) for role in roles)):
        raise ConfigurationError(f"roles={roles!r} is no list of texts.", remedy='Write roles=("designer",).')
    if isinstance(principal, str):
        return Principal(str.__str__(principal), tuple(str.__str__(role) for role in roles or ()))
    if not isinstance(principal, Principal):
        raise ConfigurationError(
            f"principal= takes a text or a Principal, not a {type(principal).__name__}.", remedy="Say who asks."
        )
    if roles is not None:
        raise ConfigurationError(
            "roles= goes with a principal= given as text; a Principal has roles of its own.",
            remedy="Pass a Principal with these roles, or the principal's id as text.",
        )
    return principal


def market_names(markets: Any) -> tuple[str, ...]:
    """Names of markets as exact texts, each once, in order.

    Raises:
        ConfigurationError: it is no list or tuple of texts.
    """
    if not isinstance(markets, (list, tuple)) or not all(isinstance(market, str) for market in markets):
        raise ConfigurationError(f"markets={markets!r} is no list of texts.", remedy='Write markets=("EU",).')
    return tuple(sorted({str.__str__(market) for market in markets}))
