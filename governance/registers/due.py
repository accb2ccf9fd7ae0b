"""What in the registers comes due: registrations that end, contracts, notice that must be given, services that shut down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from governance.canonical import Json
from governance.registers.item_checks import RegisterName, moment
from governance.registers.items import Contract, Item, RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers


class Date(StrEnum):
    """What happens at a date."""

    EXPIRES = "expires"
    NOTICE = "notice"
    ENDS = "ends"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Due:
    """One date of one item. `time` is RFC 3339 in UTC; `days` are the whole days until then, negative where it passed."""

    time: str
    date: Date
    register: RegisterName
    key: str
    name: str
    days: int

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "time": self.time,
            "date": self.date.value,
            "register": self.register.value,
            "key": self.key,
            "name": self.name,
            "days": self.days,
        }


def due(registers: Registers, now: str, within_days: int) -> list[Due]:
    """The dates that pass within so many days after `now` (RFC 3339), or passed already, the earliest first.

    What was withdrawn has none. Notice is due `notice_days` before a contract ends; once that is over it stays listed until
    the contract is changed or withdrawn, as what passed unseen is what must be seen.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    time = datetime.fromisoformat(moment(now))
    horizon = time + timedelta(days=within_days)
    found = [
        Due(when, date, register, each.item.key, _name(each.item), (datetime.fromisoformat(when) - time).days)
        for register in RegisterName
        for each in registers.list(register)
        for date, when in dates(each.item)
        if datetime.fromisoformat(when) <= horizon
    ]
    return sorted(found, key=lambda one: (one.time, one.register, one.key, one.date))


def dates(item: Item) -> Iterator[tuple[Date, str]]:
    """The dates of an item, each RFC 3339 in UTC."""
    if isinstance(item, RegisteredModel | RegisteredAdapter) and item.expires:
        yield Date.EXPIRES, item.expires
    if isinstance(item, Contract):
        if item.ends:
            yield Date.ENDS, item.ends
            if item.notice_days:
                notice = datetime.fromisoformat(item.ends) - timedelta(days=item.notice_days)
                yield Date.NOTICE, moment(notice.isoformat())
        if item.shutdown:
            yield Date.SHUTDOWN, item.shutdown


def _name(item: Item) -> str:
    return item.title if isinstance(item, Contract) else item.name
