"""What a document is asked about: a model, an adapter or a dataset, by name, digest or key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from governance.datasets.standing import dataset_standing
from governance.documents.answers import DocumentKind
from governance.errors import DatasetError, DocumentError
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.items import RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers

_PREFIXES: Final = {"model:": RegisterName.MODELS, "adapter:": RegisterName.ADAPTERS}
_DATASET: Final = "dataset:"


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that a document can be about: a dataset by its name, else an item of a register by its key."""

    register: RegisterName = RegisterName.MODELS
    key: str = ""
    dataset: str = ""

    def __str__(self) -> str:
        return f"{_DATASET}{self.dataset}" if self.dataset else f"{self.register.value.removesuffix('s')}:{self.key}"


def find_named(ledger: Ledger, registers: Registers, kind: DocumentKind, name: str) -> Named:
    """What a document of `kind` is about, if it is called `name`.

    `name` is a dataset's name, or the name or the whole digest of a model or adapter; `model:`, `adapter:` and `dataset:`
    before it choose among things that are called alike.

    Raises:
        DocumentError: there is no such thing, or more than one.
        LedgerError: the ledger cannot be read.
    """
    found = list(_candidates(ledger, registers, kind, name))
    if len(found) == 1:
        return found[0]
    if found:
        raise DocumentError(
            f"{name!r} is the name of {len(found)} things.", remedy=f"Name one: {', '.join(map(str, found[:5]))}."
        )
    what = {DocumentKind.CROISSANT: "dataset", DocumentKind.SPDX: "model, adapter or dataset"}.get(
        kind, "model or adapter"
    )
    raise DocumentError(
        f"There is no {what} {name[:80]!r}.",
        remedy="`governance registers list` and `governance dataset list` show what there is.",
    )


def _candidates(ledger: Ledger, registers: Registers, kind: DocumentKind, name: str) -> Iterator[Named]:
    prefix = next((each for each in (*_PREFIXES, _DATASET) if name.startswith(each)), "")
    bare = name.removeprefix(prefix)
    if kind is not DocumentKind.CROISSANT:
        for begins, register in _PREFIXES.items():
            if prefix in ("", begins):
                yield from _registered(registers, register, bare)
    if kind in (DocumentKind.CROISSANT, DocumentKind.SPDX) and prefix in ("", _DATASET) and _audited(ledger, bare):
        yield Named(dataset=bare)


def _registered(registers: Registers, register: RegisterName, name: str) -> Iterator[Named]:
    """Those of this digest or name, withdrawn ones too: what they were made from stays true."""
    for each in registers.list(register, withdrawn=True):
        item = each.item
        if isinstance(item, RegisteredModel | RegisteredAdapter) and name in (item.key, item.name):
            yield Named(register, item.key)


def _audited(ledger: Ledger, name: str) -> bool:
    try:
        dataset_standing(ledger, name)
    except DatasetError:
        return False
    return True
