"""Where a model, an adapter or a contract stands at one time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from governance.canonical import Digest
from governance.registers.items import RegisteredAdapter, RegisteredModel


class State(StrEnum):
    """Where a model or an adapter stands."""

    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    RECALLED = "recalled"


class ContractState(StrEnum):
    """Where a contract stands: `none` where none is named; one that has not begun, or was withdrawn, is not in force: expired."""

    NONE = "none"
    ACTIVE = "active"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a model or an adapter stands at one time.

    `item` is what is registered, or was before it was withdrawn; None where there never was anything. `entry` is the id of the
    entry that says so: of the registration, the withdrawal or the recall; empty where nothing is registered.
    """

    state: State
    key: Digest
    item: RegisteredModel | RegisteredAdapter | None = None
    entry: str = ""

    @property
    def expires(self) -> str:
        """When the registration ends; empty where it does not."""
        return "" if self.item is None else self.item.expires
