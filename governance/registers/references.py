"""What an item of a register refers to must be there: others of the registers, and the run that is said to have made it.

Its licence must be written as an SPDX expression (SPDX 2.3, annex D): a recall, a policy and a document find it by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from governance.entries import ALL_ENTRIES, EntryKind
from governance.errors import RegisterError
from governance.ports import Ledger
from governance.registers.folding import RegisterFold
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, Item, RegisteredAdapter, RegisteredModel

_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_LICENCE: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9.-]+\+?", re.ASCII)
_OPERATORS: Final = frozenset({"AND", "OR", "WITH"})


def check_references(item: Item, registered: RegisterFold, ledger: Ledger) -> None:
    """Refuse an item that refers to what is not on record.

    Raises:
        RegisterError: a register does not have what it names, no run of that id made these weights, or its licence is no SPDX
            expression.
        LedgerError: the ledger cannot be read.
    """
    check_licence(str(getattr(item, "licence", "")))
    for register, key in _named(item):
        named = registered.find(register, key)
        if named is None or named.withdrawn:
            raise RegisterError(
                f"{called(item)} names {key}, which the register of {register} does not have.",
                remedy=f"Register it first: `governance registers add {register}`.",
            )
    if isinstance(item, RegisteredAdapter) and item.run and not _made(ledger, item):
        raise RegisterError(
            f"{called(item)} names run {item.run[:80]}, and no entry says that this run made these weights.",
            remedy="Leave `run` out: what a governed run made is registered by the run itself.",
        )


def check_licence(text: str) -> None:
    """Refuse a licence that is stated and is no SPDX expression.

    Raises:
        RegisterError: it is none.
    """
    if text and not is_expression(text):
        raise RegisterError(
            f"{text[:80]!r} is no SPDX licence expression.",
            remedy="Write the SPDX identifier, such as CC-BY-4.0, or LicenseRef- and a name of your own: LicenseRef-house.",
        )


def is_expression(text: str) -> bool:
    """Whether a text has the form of an SPDX licence expression; whether there are such licences is not looked at."""
    depth, operand = 0, False
    for word in _TOKEN.findall(text):
        if word == ")" or word.upper() in _OPERATORS:
            if not operand:
                return False
            depth, operand = (depth - 1, True) if word == ")" else (depth, False)
        elif operand or not (word == "(" or _LICENCE.fullmatch(word)):
            return False
        else:
            depth, operand = (depth + 1, False) if word == "(" else (depth, True)
        if depth < 0:
            return False
    return operand and depth == 0


def called(item: Item) -> str:
    """What messages call an item: its name, its register and its key."""
    name = item.title if isinstance(item, Contract) else item.name
    return f"{name!r} ({item.register} {item.key})"


def _named(item: Item) -> Iterator[tuple[RegisterName, str]]:
    """What an item refers to in other registers."""
    if isinstance(item, Contract):
        yield RegisterName.VENDORS, item.vendor
    if isinstance(item, RegisteredModel | RegisteredAdapter):
        if item.vendor:
            yield RegisterName.VENDORS, item.vendor
        if item.contract:
            yield RegisterName.CONTRACTS, item.contract
    if isinstance(item, RegisteredAdapter) and item.base:
        yield RegisterName.MODELS, item.base


def _made(ledger: Ledger, item: RegisteredAdapter) -> bool:
    """Whether the run that an adapter names has it as its result."""
    found: Any = [
        entry.body.get("result")
        for _, entry in ledger.entries(subject=item.run, kind=EntryKind.TRAINED, limit=ALL_ENTRIES)
    ]
    return any(isinstance(each, dict) and each.get("digest") == item.digest for each in found)
