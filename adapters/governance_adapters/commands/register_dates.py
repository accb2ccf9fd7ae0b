"""What `governance doctor` says of the registers: how much they hold, what ends soon, and what has ended unseen."""

from __future__ import annotations

from typing import Final

from governance.errors import RegisterError
from governance.registers.due import Date, Due, due
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.types import utc_now
from governance_adapters.commands.output import one_line
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

_SAID: Final = {
    Date.EXPIRES: ("expires", "expired"),
    Date.NOTICE: ("must be given notice", "could be given notice until"),
    Date.ENDS: ("ends", "ended"),
    Date.SHUTDOWN: ("shuts down", "shut down"),
}


def register_dates(settings: Settings) -> str:
    """How many items the registers have, and what ends within `alert_days`.

    Raises:
        RegisterError: a date has passed, and nobody changed or withdrew the item.
        LedgerError: the ledger cannot be read.
    """
    with open_ledger(settings) as ledger:
        registers = Registers(ledger)
        counts = ", ".join(f"{len(registers.list(name))} {name}" for name in RegisterName)
        found = due(registers, utc_now(), settings.alert_days)
    if passed := [one for one in found if one.days < 0]:
        raise RegisterError(
            f"{len(passed)} dates in the registers have passed: {_shown(passed)}.",
            remedy="Change or withdraw them: `governance registers due` lists all.",
        )
    return f"{counts}; within {settings.alert_days} days: {_shown(found) if found else 'nothing ends'}"


def _shown(found: list[Due]) -> str:
    shown = [
        f"{one.register.removesuffix('s')} {one_line(one.name)} {_SAID[one.date][one.days < 0]} {one.time[:10]}"
        for one in found
    ]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return "; ".join(shown[:3]) + more
