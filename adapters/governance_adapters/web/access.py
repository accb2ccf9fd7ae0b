"""Who may come in: the key of a request, its scopes, and what the review policy says of its roles.

Both must agree to each act: a key says what it was made for, the policy what people of these roles do.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from governance.canonical import Digest
from governance.ports import PolicyEngine
from governance.review_facts import Act, access_input
from governance.types import Outcome, Principal, Stage, utc_now
from governance_adapters.storage.api_keys import ApiKey, ApiKeyFile
from governance_adapters.web.keys import principal_of
from governance_adapters.web.problems import NOT_PERMITTED, SCOPE, UNAUTHENTICATED, ApiError

PERMISSION_SECONDS: Final = 5.0
"""How long a permission is remembered: a rule may look at the clock."""
_REMEMBERED: Final = 4096
_SCHEME: Final = "bearer"

_Question = tuple[Principal, Act, Digest]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the principal of a key, and what the key was made for."""

    principal: Principal
    scopes: frozenset[Act]


class Door:
    """Lets callers in. For any number of threads.

    Permissions for acts that are about no hold are remembered for five seconds, for one person with one key, under one
    revision of the bundle. Keys are looked up every time: a revoked one opens nothing from that moment on.
    """

    def __init__(self, keys: ApiKeyFile, policy: PolicyEngine) -> None:
        self._keys, self._policy = keys, policy
        self._lock = threading.Lock()
        self._permitted: OrderedDict[_Question, tuple[float, tuple[str, ...] | None]] = OrderedDict()

    def caller(self, authorization: Sequence[str]) -> Caller:
        """Who sends these `Authorization` headers: exactly one, for a proxy may have looked at another of several.

        Raises:
            ApiError: 401: there is none, or no key of ours that still holds.
            StorageError: the keys cannot be read.
        """
        scheme, _, text = (authorization[0] if len(authorization) == 1 else "").partition(" ")
        if scheme.lower() != _SCHEME or not text.strip():
            raise ApiError(UNAUTHENTICATED, "Send `Authorization: Bearer` and an API key, once.")
        key = self._keys.find(text.strip())
        if key is None or not key.valid(utc_now()):
            raise ApiError(UNAUTHENTICATED, _refusal(key))
        return Caller(principal_of(key), frozenset(key.scopes))

    def check_scope(self, caller: Caller, act: Act) -> None:
        """Refuse what the key was not made for.

        Raises:
            ApiError: 403.
        """
        if act not in caller.scopes:
            raise ApiError(SCOPE, f"This key lacks the scope {act.value}. Ask for a key that has it.")

    def remembers(self, caller: Caller, act: Act) -> bool:
        """Whether policy allowed this a moment ago, by the same bundle."""
        with self._lock:
            until, codes = self._permitted.get((caller.principal, act, self._policy.bundle_revision), (0.0, ()))
        return codes is None and time.monotonic() < until

    def check(self, caller: Caller, act: Act) -> None:
        """Refuse what the key was not made for, or what policy does not let its roles do.

        Raises:
            ApiError: 403; with the reason codes where policy refused.
            PolicyError: there is no decision.
        """
        self.check_scope(caller, act)
        codes = self._codes(caller.principal, act)
        if codes is not None:
            roles = ", ".join(caller.principal.roles)
            detail = f"Policy does not let {roles} do {act.value}. Ask whoever owns the policy for a role that may."
            raise ApiError(NOT_PERMITTED, detail, codes)

    def _codes(self, principal: Principal, act: Act) -> tuple[str, ...] | None:
        """Why policy refuses, by codes; None where it allows."""
        question = principal, act, self._policy.bundle_revision
        with self._lock:
            until, codes = self._permitted.get(question, (0.0, ()))
        if time.monotonic() < until:
            return codes
        decision = self._policy.decide(Stage.REVIEW, access_input(principal, act, time=utc_now()))
        allowed = decision.outcome is Outcome.ALLOW
        codes = None if allowed else tuple(reason.code for reason in decision.reasons)
        with self._lock:
            self._permitted[principal, act, decision.bundle_revision] = (time.monotonic() + PERMISSION_SECONDS, codes)
            while len(self._permitted) > _REMEMBERED:
                self._permitted.popitem(last=False)
        return codes


def _refusal(key: ApiKey | None) -> str:
    if key is None:
        return "This is no API key of this installation. `governance api-keys create` makes one."
    if key.revoked:
        return "This API key was revoked. Ask for a new one."
    return "This API key has expired. Ask for a new one."
