"""The registers as the ledger tells them: nothing is kept but entries, and what is asked is folded from those.

`Registers` reads the entries once and from then on only those that are new: what one process registers counts in every other
from its next question on. What was recalled stays so, whatever is registered later.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from governance.canonical import Digest, Json
from governance.checkpoint import parse_checkpoint
from governance.entries import ALL_ENTRIES, Entry, EntryKind
from governance.errors import LedgerError, NoRegisteredError, RegisterError
from governance.ports import Ledger
from governance.registers.entries import ITEM_FIELD, RegisterChange, register_record, subject_of
from governance.registers.folding import Recalls, Registered, RegisterFold
from governance.registers.item_checks import RegisterName, checked_key, moment
from governance.registers.items import Contract, Item, RegisteredAdapter, RegisteredModel, Vendor, model_key
from governance.registers.references import called, check_references
from governance.registers.standing import ContractState, Standing, State
from governance.types import ModelFacts, Principal

_VERIFY: Final = "Run `governance ledger verify`."


class Registers:
    """The registers of one ledger. Safe to call from any thread; a forked child reads for itself.

    Every question raises LedgerError where the ledger cannot be read, or says what cannot be understood: then nothing is known.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._start()
        _living.add(self)

    def add(self, item: Item, by: Principal) -> Entry:
        """Register an item, for the first time or again after it was withdrawn.

        Raises:
            RegisterError: it is registered, or was recalled; what it names is not registered; or somebody else changed it now.
            LedgerError: the ledger cannot be written; nothing was registered.
        """
        with self._read():
            before = self._fold.find(item.register, item.key)
            if before is not None and not before.withdrawn:
                raise RegisterError(
                    f"{called(item)} is registered already.", remedy="Change it with `governance registers change`."
                )
            return self._write(RegisterChange.ADDED, item.register, item.key, item, before, by)

    def change(self, item: Item, by: Principal) -> Entry:
        """Register other values for an item that is registered.

        Raises:
            NoRegisteredError: there is none of this key.
            RegisterError: nothing would change, or as for `add`.
            LedgerError: the ledger cannot be written; nothing was changed.
        """
        with self._read():
            before = self._standing(item.register, item.key)
            if self._whole(before) == item:
                raise RegisterError(f"{called(item)} is registered like this already.", remedy="Give what is new.")
            return self._write(RegisterChange.CHANGED, item.register, item.key, item, before, by)

    def withdraw(self, register: RegisterName, key: str, by: Principal) -> Entry:
        """Withdraw an item: from now on it is not registered. Its history stays.

        Raises:
            NoRegisteredError: there is none of this key.
            RegisterError: somebody else changed it now.
            LedgerError: the ledger cannot be written; nothing was withdrawn.
        """
        with self._read():
            before = self._standing(register, key)
            return self._write(RegisterChange.WITHDRAWN, register, key, None, before, by)

    def model(self, key: str) -> RegisteredModel | None:
        """The model of this key; None where there is none, or it was withdrawn. So for the others."""
        found = self._item(RegisterName.MODELS, key)
        return found if isinstance(found, RegisteredModel) else None

    def adapter(self, digest: str) -> RegisteredAdapter | None:
        """The adapter of these weights."""
        found = self._item(RegisterName.ADAPTERS, digest)
        return found if isinstance(found, RegisteredAdapter) else None

    def vendor(self, key: str) -> Vendor | None:
        """The vendor, with its contact unless that was erased."""
        with self._read():
            found = self._fold.find(RegisterName.VENDORS, key)
            whole = None if found is None or found.withdrawn else self._whole(found)
        return whole if isinstance(whole, Vendor) else None

    def contract(self, key: str) -> Contract | None:
        """The contract."""
        found = self._item(RegisterName.CONTRACTS, key)
        return found if isinstance(found, Contract) else None

    def find(self, register: RegisterName, key: str) -> Registered | None:
        """The item as its newest entry leaves it, withdrawn or not, without personal values; None where there never was one."""
        with self._read():
            return self._fold.find(register, key)

    def list(self, register: RegisterName, *, withdrawn: bool = False) -> Sequence[Registered]:
        """The items of a register in the order in which they were first added; `withdrawn` includes those that were."""
        with self._read():
            return [each for each in self._fold.of(register) if withdrawn or not each.withdrawn]

    def history(self, register: RegisterName, key: str) -> Sequence[Entry]:
        """All entries of an item, oldest first."""
        page = self._ledger.entries(subject=subject_of(register, key), kind=EntryKind.REGISTER, limit=ALL_ENTRIES)
        return [entry for _, entry in page]

    def standing_of_model(self, components: Mapping[str, Digest], now: str) -> Standing:
        """Where exactly these components stand at `now` (RFC 3339)."""
        return self.standing(RegisterName.MODELS, model_key(components), now)

    def standing_of_adapter(self, digest: str, now: str) -> Standing:
        """Where exactly these weights stand at `now` (RFC 3339), whatever they are called."""
        return self.standing(RegisterName.ADAPTERS, digest, now)

    def standing(self, register: RegisterName, key: str, now: str) -> Standing:
        """Where the model or the adapter of this key stands at `now` (RFC 3339)."""
        with self._read():
            return self._stands(register, Digest(key), moment(now))

    def contract_state(self, key: str, now: str) -> ContractState:
        """Where the contract of this key stands at `now` (RFC 3339); an empty key names none."""
        if not key:
            return ContractState.NONE
        with self._read():
            found = self._fold.find(RegisterName.CONTRACTS, key)
        if found is None or not isinstance(found.item, Contract):
            return ContractState.UNKNOWN
        time, contract = moment(now), found.item
        begun, over = contract.starts <= time, bool(contract.ends) and contract.ends <= time
        return ContractState.ACTIVE if begun and not over and not found.withdrawn else ContractState.EXPIRED

    def facts(self, model: ModelFacts, now: str) -> dict[str, Json]:
        """What policy is told of a model and of the adapters in force, at `now`: see `facts_of`."""
        return self.facts_of(model.components, [adapter.digest for adapter in model.adapters], now)

    def facts_in(self, facts: Mapping[str, Any], now: str) -> dict[str, Json]:
        """The same of the model that the facts of a request describe."""
        model: Any = facts["model"]
        return self.facts_of(model["components"], [adapter["digest"] for adapter in model["adapters"]], now)

    def facts_of(self, components: Mapping[str, Digest], adapters: Sequence[str], now: str) -> dict[str, Json]:
        """What policy is told of these components and these adapters, in their order: the member `registers` of its input.

        Of each its key or digest, its state and when its registration ends, of an adapter also the base that it is for, empty
        for any; all of one moment.
        """
        time = moment(now)
        with self._read():
            model = self._stands(RegisterName.MODELS, model_key(components), time)
            found = [self._stands(RegisterName.ADAPTERS, Digest(each), time) for each in adapters]
        return {
            "model": {"key": model.key, "state": model.state.value, "expires": model.expires},
            "adapters": [
                {"digest": each.key, "state": each.state.value, "base": _base(each), "expires": each.expires}
                for each in found
            ],
        }

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._fold, self._recalls = RegisterFold(self._ledger), Recalls(self._ledger)

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Alone, and with what is new taken in."""
        with self._lock:
            self._fold.read()
            self._recalls.read()
            yield

    def _item(self, register: RegisterName, key: str) -> Item | None:
        found = self.find(register, key)
        return None if found is None or found.withdrawn else found.item

    def _standing(self, register: RegisterName, key: str) -> Registered:
        found = self._fold.find(register, checked_key(register, key))
        if found is None or found.withdrawn:
            raise NoRegisteredError(
                f"The register of {register} has no {key}.", remedy=f"`governance registers list {register}` shows all."
            )
        return found

    def _stands(self, register: RegisterName, key: Digest, time: str) -> Standing:
        found = self._fold.find(register, key)
        item = found.item if found and isinstance(found.item, RegisteredModel | RegisteredAdapter) else None
        if recalled := self._recalls.entry_of(key):
            return Standing(State.RECALLED, key, item, recalled)
        if found is None or item is None:
            return Standing(State.UNREGISTERED, key)
        if found.withdrawn:
            return Standing(State.WITHDRAWN, key, item, found.entry.id)
        state = State.EXPIRED if item.expires and item.expires <= time else State.REGISTERED
        return Standing(state, key, item, found.entry.id)

    def _whole(self, found: Registered) -> Item:
        """The item with its personal values, as far as they were not erased."""
        if not found.item.personal:
            return found.item
        values = {field.name: field.value for field in self._ledger.fields(found.entry.id)}
        given = {name: str(values.get(ITEM_FIELD + name, "")) for name in found.item.personal}
        return replace(found.item, **given)  # type: ignore[arg-type]

    def _write(
        self,
        change: RegisterChange,
        register: RegisterName,
        key: str,
        item: Item | None,
        before: Registered | None,
        by: Principal,
    ) -> Entry:
        if item is not None:
            self._check(item)
        log, previous = parse_checkpoint(self._ledger.checkpoint()).origin, "" if before is None else before.entry.id
        record = register_record(change, register, key, item, by, previous=previous, log=log)
        try:
            receipt = self._ledger.append(record)
        except LedgerError as error:
            self._fold.read()
            now = self._fold.find(register, key)
            if (None if now is None else now.entry.id) != (previous or None):
                raise RegisterError(
                    f"Somebody else changed {key} in the register of {register} at this moment.",
                    remedy="Look at what is registered now, then try again.",
                ) from error
            raise
        if receipt.leaf != record.entry.leaf():
            raise LedgerError(
                f"The ledger answered with a receipt for another entry than {record.entry.id}.", remedy=_VERIFY
            )
        return record.entry

    def _check(self, item: Item) -> None:
        """Refuse what was recalled, and what names something that is not registered."""
        if recalled := self._recalls.entry_of(item.key):
            raise RegisterError(
                f"{called(item)} was recalled by entry {recalled}: it cannot be registered again.",
                remedy="Use another one; a recall is not taken back.",
            )
        check_references(item, self._fold, self._ledger)


def unregistered_facts(model: ModelFacts) -> dict[str, Json]:
    """What policy is told of a model and its adapters where there is no register at all."""
    state = State.UNREGISTERED.value
    return {
        "model": {"key": model_key(model.components), "state": state, "expires": ""},
        "adapters": [
            {"digest": adapter.digest, "state": state, "base": "", "expires": ""} for adapter in model.adapters
        ],
    }


def _base(standing: Standing) -> str:
    return standing.item.base if isinstance(standing.item, RegisteredAdapter) else ""


def _restart_in_child() -> None:
    """A forked child has no thread that could let go of a lock which was held when it was made, nor finish what it read."""
    for registers in list(_living):
        registers._start()  # noqa: SLF001


_living: weakref.WeakSet[Registers] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
